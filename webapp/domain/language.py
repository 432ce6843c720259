"""Sentences in the reader's language, in a request, in the worker and in a command alike.

A language is a context variable, so that the layers below the web can speak without knowing about it.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from gettext import NullTranslations
from typing import Any


@dataclass(frozen=True, slots=True)
class Language:
    """One of the site's languages. `code` is its BCP 47 tag, `direction` is ltr or rtl."""

    code: str
    autonym: str
    direction: str = "ltr"
    translations: NullTranslations = field(default_factory=NullTranslations, compare=False)


ENGLISH = Language("en", "English")
Languages = Mapping[str, Language]
DEFAULT: Languages = {ENGLISH.code: ENGLISH}

_spoken: ContextVar[Language] = ContextVar("language", default=ENGLISH)


def spoken() -> Language:
    return _spoken.get()


def speak(language: Language) -> None:
    """From here on in this context (a request, usually)."""
    _spoken.set(language)


@contextmanager
def speaking(language: Language) -> Iterator[None]:
    before = _spoken.set(language)
    try:
        yield
    finally:
        _spoken.reset(before)


def gettext(sentence: str, **facts: Any) -> str:
    translated: str = _spoken.get().translations.gettext(sentence)
    return translated % facts if facts else translated


def ngettext(singular: str, plural: str, num: int, **facts: Any) -> str:
    return plural_form(singular, plural, num) % {"num": num, **facts}


def plural_form(singular: str, plural: str, num: int) -> str:
    """The translated form for `num`, with its facts still to be put in (Jinja does that itself)."""
    translated: str = _spoken.get().translations.ngettext(singular, plural, num)
    return translated


def bidi_isolate(code: str) -> str:
    """A number inside a sentence: from left to right, whichever way the sentence runs."""
    return f"\u2066{code}\u2069" if _spoken.get().direction == "rtl" else code


class Sentence:
    """A sentence written once, said later in whatever language is then spoken."""

    __slots__ = ("msgid",)

    def __init__(self, msgid: str) -> None:
        self.msgid = msgid

    def __str__(self) -> str:
        return gettext(self.msgid)

    def __html__(self) -> str:
        return html.escape(str(self))

    def __mod__(self, facts: object) -> str:
        return str(self) % facts

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sentence) and other.msgid == self.msgid

    def __hash__(self) -> int:
        return hash(self.msgid)


def lazy(msgid: str) -> Sentence:
    """Marks a sentence in a module's constants for extraction and says it when shown."""
    return Sentence(msgid)
