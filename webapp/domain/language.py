"""Translates sentences into the current language, which a request, a job of the worker or a command sets.
The language is a context variable, so that services write messages without Flask (docs/decisions/languages.md).
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

_spoken: ContextVar[Language] = ContextVar("language", default=ENGLISH)


def spoken() -> Language:
    """The current language; English when none was set."""
    return _spoken.get()


def speak(language: Language) -> None:
    """Sets the language for the rest of this context: a request, or a job of the worker."""
    _spoken.set(language)


@contextmanager
def speaking(language: Language) -> Iterator[None]:
    """Sets the language inside a `with` block."""
    before = _spoken.set(language)
    try:
        yield
    finally:
        _spoken.reset(before)


def gettext(sentence: str, **values: Any) -> str:
    translated: str = _spoken.get().translations.gettext(sentence)
    return translated % values if values else translated


def ngettext(singular: str, plural: str, num: int, **values: Any) -> str:
    return plural_form(singular, plural, num) % {"num": num, **values}


def plural_form(singular: str, plural: str, num: int) -> str:
    """The translated form for `num` with its placeholders left in, because Jinja fills them in."""
    translated: str = _spoken.get().translations.ngettext(singular, plural, num)
    return translated


def pgettext(context: str, sentence: str, **values: Any) -> str:
    """As `gettext`, for a sentence that is translated in several ways: `context` says which one is meant."""
    translated: str = _spoken.get().translations.pgettext(context, sentence)
    return translated % values if values else translated


def npgettext(context: str, singular: str, plural: str, num: int, **values: Any) -> str:
    return plural_form_in_context(context, singular, plural, num) % {"num": num, **values}


def plural_form_in_context(context: str, singular: str, plural: str, num: int) -> str:
    """As `plural_form`."""
    translated: str = _spoken.get().translations.npgettext(context, singular, plural, num)
    return translated


def bidi_isolate(code: str) -> str:
    """`code` in bidi isolates when the language is written right to left, so that it reads left to right (UAX 9)."""
    return f"\u2066{code}\u2069" if _spoken.get().direction == "rtl" else code


class Sentence:
    """A sentence that is translated when it is shown."""

    __slots__ = ("context", "msgid")

    def __init__(self, msgid: str, context: str | None = None) -> None:
        self.msgid, self.context = msgid, context

    def __str__(self) -> str:
        return gettext(self.msgid) if self.context is None else pgettext(self.context, self.msgid)

    def __html__(self) -> str:
        return html.escape(str(self))

    def __mod__(self, values: object) -> str:
        return str(self) % values

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sentence) and (other.msgid, other.context) == (self.msgid, self.context)

    def __hash__(self) -> int:
        return hash((self.msgid, self.context))


def lazy(msgid: str) -> Sentence:
    """Marks a sentence in a module's constants for extraction; it is translated when it is shown."""
    return Sentence(msgid)


def lazy_pgettext(context: str, msgid: str) -> Sentence:
    """As `lazy`, with a context as `pgettext` takes it."""
    return Sentence(msgid, context)
