"""The language of a request: named in the address of a public page, else the account's, else the one chosen in this
browser, else what the browser prefers, else English. A page must never have two languages.
"""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from flask import request
from markupsafe import Markup

from ..domain.language import ENGLISH, Language, Languages, speak, spoken
from ..domain.language_tags import LONGEST_HEADER, preferred
from ..domain.lists import all_of
from ..models.accounts import Account
from . import cookies, current, layouts
from .compression import PAGES as PUBLIC

PARAMETER = "lang"
"""In the query of a public page: the language it is answered in, for links and search engines. It stores nothing."""
OF_PAGE = "X-Page-Language"
"""The header in which the script of a page tells its language: the account's may be changed on another device."""
WITHOUT_TEXT = frozenset({"assets.static", "web_app.service_worker"})
VARY = "Accept-Language", "Cookie"
UNREVIEWED = frozenset({"om", "ti", "ps", "fa-AF"})
"""Languages for whose translation no native reader has been found."""


def choose(page: str | None) -> None:
    """Before each request: sets the language."""
    languages = current.services().languages
    named = _named(languages, page)
    speak(named or _of_browser(languages))
    has_text = page not in WITHOUT_TEXT and not (page is None and request.endpoint)
    if named is None and len(languages) > 1 and has_text and (user := current.user_or_none()):
        speak_to(user.account)


def forget(_error: BaseException | None = None) -> None:
    """After each request: resets the language, because a thread serves the next request too."""
    speak(ENGLISH)


def speak_to(account: Account) -> None:
    """Sets the account's language, if it has chosen one."""
    language = current.services().languages.get(account.language)
    if language is not None:
        speak(language)


def speak_to_browser() -> None:
    """Sets the language of the next page, for a receipt of a request that ends a session or leaves a public page."""
    speak(_of_browser(current.services().languages))


def differs_from_page() -> bool:
    """True when HTMX asks for a part of a page whose language is no longer that of the request."""
    return request.headers.get(OF_PAGE, spoken().code) != spoken().code


def without_parameter(path: str) -> str:
    """The path without a language, for the return to a page after another language was chosen."""
    parts = urlsplit(path)
    if PARAMETER not in parts.query:
        return path
    others = [(name, value) for name, value in parse_qsl(parts.query, True) if name != PARAMETER]
    return f"{parts.path}?{urlencode(others)}" if others else parts.path


def links() -> Markup:
    """For the head of a public page: its canonical address and, for search engines, its address in each language.

    Pages of the mobile host name the main host's as canonical, and alternates on their own host.
    """
    services = current.services()
    if layouts.endpoint() not in PUBLIC:
        return Markup()
    settings, path = services.settings, request.path
    named = _named(services.languages, layouts.endpoint())
    query = f"?{PARAMETER}={named.code}" if named else ""
    canonical = Markup('<link rel="canonical" href="{}">').format(f"{settings.main_url}{quote(path)}{query}")
    return canonical + _alternates(f"{layouts.url()}{quote(path)}", tuple(services.languages))


def unreviewed() -> Markup | None:
    """The names of the site's languages for whose translation no native reader was found; None without one."""
    name = Markup('<bdi lang="{}" dir="{}">{}</bdi>')
    found = [one for one in current.services().languages.values() if one.code in UNREVIEWED]
    names = all_of([name.format(one.code, one.direction, one.autonym) for one in found])
    return Markup(names) if names else None  # noqa: S704  # escaped before


def _named(languages: Languages, page: str | None) -> Language | None:
    return languages.get(request.args.get(PARAMETER, "")) if page in PUBLIC else None


def _of_browser(languages: Languages) -> Language:
    chosen = languages.get(cookies.get(cookies.LANGUAGE) or "")
    if chosen is None and len(languages) > 1:
        header = request.headers.get("Accept-Language", "")[:LONGEST_HEADER]
        chosen = languages.get(_preferred(header, tuple(languages)) or "")
    return chosen or languages.get(ENGLISH.code) or next(iter(languages.values()))


_preferred = lru_cache(maxsize=256)(preferred)
"""Kept for the headers of most browsers: the tags of 44 languages take a hundredth of a page's time to compare."""


@lru_cache(maxsize=64)
def _alternates(url: str, codes: tuple[str, ...]) -> Markup:
    if len(codes) == 1:
        return Markup()
    link = Markup('<link rel="alternate" hreflang="{}" href="{}">')
    addresses = [(code, f"{url}?{PARAMETER}={code}") for code in codes]
    return Markup().join(link.format(code, address) for code, address in [*addresses, ("x-default", url)])
