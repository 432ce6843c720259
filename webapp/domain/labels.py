"""Names that people enter: their own, and labels for factors of which they have several."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection

from .account_refusals import NameMalformed
from .names import LONGEST_TYPED, with_joiners, without_marks
from .refusals import LabelTaken


def tidy_label(typed: str, taken: Collection[str], maximum: int) -> str:
    """The label to store, normalized by `tidy_name`. Raises `NameMalformed`, or `LabelTaken` if it is in `taken`."""
    label = tidy_name(typed, maximum)
    if label.casefold() in {other.casefold() for other in taken}:
        raise LabelTaken()
    return label


def tidy_name(typed: str, maximum: int) -> str:
    """The name to store: NFC, single spaces, 1 to `maximum` characters, no invisible mark but joiners that letters or
    emoji need. Raises `NameMalformed`.
    """
    if len(typed) > LONGEST_TYPED:
        raise NameMalformed()
    name = " ".join(with_joiners(unicodedata.normalize("NFC", typed)).split())
    if not name or len(name) > maximum or not without_marks(name).isprintable():
        raise NameMalformed()
    return name


def unused_label(wanted: str, taken: Collection[str]) -> str:
    """`wanted`, or the first of "wanted 2", "wanted 3" that is not in `taken`."""
    used, number, label = {other.casefold() for other in taken}, 1, wanted
    while label.casefold() in used:
        number += 1
        label = f"{wanted} {number}"
    return label
