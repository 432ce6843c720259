"""Pseudo-languages: they show what is untranslated, too long, or not mirrored.

In `en-XA` every sentence is enclosed in ⟦…⟧, accented and a third longer; in `ar-XB` it runs from right to left in
Arabic letters. Placeholders, markup and line ends are unchanged.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from gettext import NullTranslations

from webapp.domain.language import ENGLISH, Language

KEPT = re.compile(r"%\(\w+\)s|%%|<[^>]*>|&\w+;")
ACCENTED = str.maketrans(
    "ABCDEFGHIJKLMNOPRSTUVWYZabcdefghijklmnoprstuvwyz", "ÅƁÇĐÉƑĜĤÎĴĶĻṀÑÖÞŔŠŢÛṼŴÝŽåƀçđéƒĝĥîĵķļɱñöþŕšţûṽŵýž"
)
ARABIC = str.maketrans(dict(zip("abcdefghijklmnopqrstuvwxyz,?", "ابتدهفغحيجكلمنوپقرسطعڤشخىز،؟", strict=True)))


class Pseudo(NullTranslations):
    """Translates by replacing letters."""

    def __init__(self, change: Callable[[str], str]) -> None:
        super().__init__()
        self._change = change

    def gettext(self, message: str) -> str:
        return self._change(message)

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return self._change(msgid1 if n == 1 else msgid2)

    def pgettext(self, context: str, message: str) -> str:
        return self._change(message)

    def npgettext(self, context: str, msgid1: str, msgid2: str, n: int) -> str:
        return self._change(msgid1 if n == 1 else msgid2)


def accented(sentence: str) -> str:
    padding = "~" * max(1, len(sentence) * 3 // 10)
    return f"⟦{_outside(sentence, lambda text: text.translate(ACCENTED))} {padding}⟧"


def arabic(sentence: str) -> str:
    return _outside(sentence, lambda text: text.lower().translate(ARABIC))


def _outside(sentence: str, change: Callable[[str], str]) -> str:
    """Changes everything except placeholders, markup and entities."""
    kept = KEPT.findall(sentence)
    texts = [change(text) for text in KEPT.split(sentence)]
    return "".join(text + keep for text, keep in zip(texts, [*kept, ""], strict=True))


ACCENTS = Language("en-XA", "Accented", translations=Pseudo(accented))
RIGHT_TO_LEFT = Language("ar-XB", "Flipped", direction="rtl", translations=Pseudo(arabic))
LANGUAGES = {language.code: language for language in (ENGLISH, ACCENTS, RIGHT_TO_LEFT)}
