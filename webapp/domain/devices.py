"""What a browser says of itself, in words that people know."""

from __future__ import annotations

from .language import gettext

LONGEST_NAME = 60  # characters of what an app calls itself

# Fixed words only: a browser may call itself anything, also something that lures the reader of a security notice.
BROWSERS = {"Edg": "Edge", "OPR/": "Opera", "Firefox/": "Firefox", "FxiOS/": "Firefox", "CriOS/": "Chrome",
            "Chrome/": "Chrome", "Safari/": "Safari"}  # fmt: skip
SYSTEMS = {"iPhone": "iPhone", "iPad": "iPad", "Android": "Android", "Windows": "Windows", "CrOS": "ChromeOS",
           "Macintosh": "Mac", "Linux": "Linux"}  # fmt: skip


def device(user_agent: str) -> str:
    """A browser and a system that people know by name, as far as they can be told."""
    browser = next((name for mark, name in BROWSERS.items() if mark in user_agent), None)
    system = next((name for mark, name in SYSTEMS.items() if mark in user_agent), None)
    if browser and system:
        return gettext("%(browser)s on %(system)s", browser=browser, system=system)
    return browser or system or gettext("a device we do not know")


def app_name(user_agent: str) -> str:
    """What an app says of itself, shortened: there are too many to know them by name."""
    name = " ".join("".join(c for c in user_agent if c.isprintable()).split())
    return name[:LONGEST_NAME] or gettext("an app that does not say its name")
