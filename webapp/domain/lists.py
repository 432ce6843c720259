"""Joins words to a list in the current language, as CLDR writes it, and begins a line with one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from babel.lists import format_list

from . import cldr

OF_OUR_OWN = {("om", "or"): (", ", " yookiin "), ("om", "standard"): (", ", " fi "), ("ps", "or"): ("، ", " یا ")}
"""What CLDR lacks or has in English: between words, and before the last one."""
MOST_NAMED = 3


def shortened(names: Sequence[str]) -> list[str]:
    """The first three and "…", where there are more than four: an account may have any number of keys."""
    return [*names[:MOST_NAMED], "…"] if len(names) > MOST_NAMED + 1 else [*names]


def one_of(words: Sequence[str]) -> str:
    """Such as "A, B, or C"."""
    return _joined(words, "or")


def all_of(words: Sequence[str]) -> str:
    """Such as "A, B, and C"."""
    return _joined(words, "standard")


def _joined(words: Sequence[str], kind: Literal["or", "standard"]) -> str:
    locale = cldr.current()
    between, last = OF_OUR_OWN.get((locale.language, kind), ("", ""))
    if not last or len(words) < 2:
        return format_list(words, kind, locale)
    return f"{between.join(words[:-1])}{last}{words[-1]}"


def at_the_beginning(words: str) -> str:
    """With a capital, where the script has them. That of "i" is "İ" in Turkish."""
    first = words[:1]
    return ("İ" if first == "i" and cldr.current().language == "tr" else first.title()) + words[1:]
