"""The checks of pofilter (translate-toolkit) that fit gettext catalogues of a web site, for one message at a time."""

from __future__ import annotations

from collections.abc import Iterator

from babel.messages.catalog import Message
from translate.filters import checks
from translate.misc.multistring import multistring
from translate.storage.base import TranslationUnit

from .update import forms

NAMES = ("variables", "xmltags", "urls", "endpunc", "doublewords")
"""The others that fit have their own check in `Checks`, because those of pofilter refuse good translations: "unchanged"
does not know the words that a language takes from English, "numbers" not the languages that write "six" as a digit,
"brackets" counts those of placeholders, which a form of a plural may leave out, and "nplurals" differs from CLDR.
"""
OTHER_ENDS = frozenset(("ja", "fr", "hi", "th", "vi", "ps", "ti"))
"""pofilter does not know how these end sentences, so `Checks.ends` alone says it."""


class Pofilter:
    def __init__(self, locale: str) -> None:
        names = [name for name in NAMES if name != "endpunc" or locale not in OTHER_ENDS]
        self.checker = checks.StandardChecker(checks.CheckerConfig(targetlanguage=locale), limitfilters=names)

    def found(self, message: Message) -> Iterator[tuple[str, str]]:
        translated = forms(message)
        unit = TranslationUnit(message.id if isinstance(message.id, str) else multistring(list(message.id)))
        unit.target = translated[0] if isinstance(message.id, str) else multistring(translated)
        for name, failure in self.checker.run_filters(unit).items():
            yield name, str(failure)
