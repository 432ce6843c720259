"""Names for browsers and apps, from their User-Agent header."""

from __future__ import annotations

import re

from .language import gettext

LONGEST_NAME = 60  # characters of an app's User-Agent that are shown

# Only these names are shown: the client chooses its User-Agent, and could put a phishing text into a security notice.
BROWSERS = {"Edg": "Edge", "OPR/": "Opera", "Firefox/": "Firefox", "FxiOS/": "Firefox", "CriOS/": "Chrome",
            "Chrome/": "Chrome", "Safari/": "Safari"}  # fmt: skip
SYSTEMS = {"iPhone": "iPhone", "iPad": "iPad", "Android": "Android", "Windows": "Windows", "CrOS": "ChromeOS",
           "Macintosh": "Mac", "Linux": "Linux"}  # fmt: skip


PHONE = re.compile(r"Mobi|iPhone|iPod|Windows Phone|Opera Mini")


def is_phone(user_agent: str) -> bool:
    """True for the User-Agent header of a phone, false for one of a tablet or a computer."""
    return PHONE.search(user_agent) is not None


def form(user_agent: str) -> str:
    """ "phone", "tablet" or "laptop", which stands for every other computer."""
    if is_phone(user_agent):
        return "phone"
    return "tablet" if "iPad" in user_agent or "Android" in user_agent else "laptop"


def device(user_agent: str) -> str:
    """Browser and system, such as "Firefox on Windows", as far as the header tells them."""
    browser = next((name for mark, name in BROWSERS.items() if mark in user_agent), None)
    system = next((name for mark, name in SYSTEMS.items() if mark in user_agent), None)
    if browser and system:
        return gettext("%(browser)s on %(system)s", browser=browser, system=system)
    return browser or system or gettext("an unknown device")


def app_name(user_agent: str) -> str:
    """The User-Agent of an app without control characters, shortened. There are too many apps for fixed names."""
    name = " ".join("".join(c for c in user_agent if c.isprintable()).split())
    return name[:LONGEST_NAME] or gettext("an unnamed app")
