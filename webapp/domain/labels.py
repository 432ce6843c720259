"""The names that people give to what they have several of."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection

from .refusals import LabelTaken, NameMalformed


def tidy_label(typed: str, taken: Collection[str], maximum: int) -> str:
    """As it is kept: composed, one space between words. Raises `NameMalformed` or `LabelTaken`."""
    label = tidy_name(typed, maximum)
    if label.casefold() in {other.casefold() for other in taken}:
        raise LabelTaken()
    return label


def tidy_name(typed: str, maximum: int) -> str:
    """The same for a name that others may have too; `maximum` counts characters. Raises `NameMalformed`."""
    name = " ".join(unicodedata.normalize("NFC", typed).split())
    if not name or len(name) > maximum or not name.isprintable():
        raise NameMalformed()
    return name


def unused_label(wanted: str, taken: Collection[str]) -> str:
    """`wanted`, or the first of "wanted 2", "wanted 3" that nobody has."""
    have, number, label = {other.casefold() for other in taken}, 1, wanted
    while label.casefold() in have:
        number += 1
        label = f"{wanted} {number}"
    return label
