"""`make crawl`: every screen in every language, on the narrowest window (WCAG 2.2, 1.4.10), in both layouts.

It takes too long for each run of CI, whose tests walk through the screens in two pseudo-languages instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

import pytest

from tests.browser import screens
from tests.browser.conftest import Walks
from tests.browser.live import Visitor
from tests.browser.test_accessibility import CUT, found_by_axe
from tests.browser.test_languages import LEFT_OUT
from tests.catalogues.update import first_of, forms, path_of, read
from tests.people import ANDROID, DESKTOP
from webapp.adapters.catalogues import offered
from webapp.domain.language import ENGLISH, Language

BY_AXE = ("ar", "he", "fa", "th", "ja")
"""Three from right to left, one without spaces between words, one in ideographs."""
BETWEEN = re.compile(r"%\(\w+\)s|<[^>]*>|&\w+;|\n")
WORDS = re.compile(r"[A-Za-z]{2,}")
THEIRS = "bdi, option, .brand, .who, .secret, svg, script, style, article.sent, [lang=en]"
CODES = [code for code in offered() if code != ENGLISH.code]
pytestmark = [
    pytest.mark.parametrize("layout", [DESKTOP, ANDROID], ids=["desktop", "mobile"]),
    pytest.mark.parametrize("code", CODES),
]  # fmt: skip


@cache
def english(language: Language) -> frozenset[str]:
    """The pieces of English sentences that no sentence of that language has."""
    locale = language.code.replace("-", "_")
    catalog = read(path_of(locale), locale)
    theirs = "\n".join(text for message in catalog for text in forms(message))
    pieces = {piece.strip() for message in catalog if message.id for piece in BETWEEN.split(first_of(message))}
    return frozenset(piece for piece in pieces if len(WORDS.findall(piece)) >= 2 and piece not in theirs)


def faults(screen: screens.Screen, visitor: Visitor, language: Language) -> Iterator[str]:
    page = visitor.page
    root: dict[str, str] = page.evaluate("(({lang, dir}) => ({lang, dir}))(document.documentElement)")
    if root != {"lang": language.code, "dir": language.direction}:
        yield f"the page says {root}"
    shown = " ".join(" ".join(page.evaluate(LEFT_OUT, THEIRS)).split())
    yield from (f"in English: {piece}" for piece in english(language) if piece in shown)
    yield from page.evaluate(CUT)
    if language.code in BY_AXE:
        yield from found_by_axe(page)


def test_every_screen_is_translated_and_fits(walk: Walks, layout: str, code: str) -> None:
    stage, language = walk(layout, viewport={"width": 320, "height": 640}), offered()[code]
    visitor = stage.visitor
    visitor.speak(code)
    found = [f"{screen.name}: {fault}" for screen in screens.walk(stage) for fault in faults(screen, visitor, language)]
    assert not found, "\n".join(found)
