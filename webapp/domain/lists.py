"""Joins words to a list in the current language, as CLDR writes it, and begins a line with one."""

from __future__ import annotations

from collections.abc import Sequence

from babel.lists import format_list

from .moments import cldr_locale


def one_of(words: Sequence[str]) -> str:
    """Such as "A, B, or C"."""
    return format_list(words, "or", cldr_locale())


def all_of(words: Sequence[str]) -> str:
    """Such as "A, B, and C"."""
    return format_list(words, "standard", cldr_locale())


def at_the_beginning(words: str) -> str:
    """With a capital, where the script has them."""
    return words[:1].title() + words[1:]
