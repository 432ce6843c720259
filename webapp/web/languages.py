"""The language of a request: the user's choice in a cookie, else what the browser prefers, else English."""

from __future__ import annotations

from collections.abc import Mapping

from flask import request

from ..domain.language import ENGLISH, Language, speak
from . import cookies, current

# language tags that browsers send (BCP 47), and the code of the same language here
ALIASES = {"no": "nb", "nn": "nb", "zh-cn": "zh-Hans", "zh-sg": "zh-Hans", "zh": "zh-Hans", "zh-tw": "zh-Hant",
           "zh-hk": "zh-Hant", "zh-mo": "zh-Hant", "prs": "fa-AF", "tl": "fil", "iw": "he", "in": "id"}  # fmt: skip


def choose() -> None:
    """Before each request: sets the language."""
    speak(preferred(current.services().languages))


def forget(_error: BaseException | None = None) -> None:
    """After each request: resets the language, because a thread serves the next request too."""
    speak(ENGLISH)


def preferred(languages: Mapping[str, Language]) -> Language:
    if len(languages) == 1:
        return next(iter(languages.values()))
    chosen = cookies.get(cookies.LANGUAGE)
    if chosen is not None and chosen in languages:
        return languages[chosen]
    known = {code.lower(): language for code, language in languages.items()}
    for tag, quality in request.accept_languages:
        candidates = tag.lower(), tag.lower().split("-")[0]
        for candidate in candidates:
            found = known.get(ALIASES.get(candidate, candidate).lower())
            if found is not None and quality > 0:
                return found
    return languages.get(ENGLISH.code) or next(iter(languages.values()))
