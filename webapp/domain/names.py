"""The forms of names, usernames and e-mail addresses: what is stored, and what is compared and looked up."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

import idna

ZWNJ, ZWJ = "\u200c", "\u200d"
EMOJI_TAILS = {"So", "Sk", "Mn", "Me"}  # an emoji, its skin tone, or the mark that makes a symbol one

LONGEST_TYPED = 300
"""Characters that are read of a name, a username or an email address, which has at most 254 (RFC 5321 section 4.5.3.1):
the rest is room for invisible marks. A character may become eighteen when it is normalized."""
MOST_MARKS = 30
"""Combining marks in a row, as in Unicode's stream-safe text format (UAX #15 section 13)."""


def is_stream_safe(text: str) -> bool:
    """False for a text with so many combining marks in a row that its normalization takes long: the time to sort them
    grows with the square of their number. Invisible marks between them do not count, because they are dropped."""
    row = 0
    for character in without_marks(text):
        row = row + 1 if _is_combining(character) else 0
        if row > MOST_MARKS:
            return False
    return True


def key_of(name: str) -> str:
    """NFKC (Unicode TR15), visible, trimmed and case-folded: compatibility characters and case make no difference.

    What is longer than any name is read as its beginning.
    """
    return without_marks(unicodedata.normalize("NFKC", name[:LONGEST_TYPED])).strip().casefold()


def login_key(typed: str) -> str:
    """The key of what was typed as username or e-mail address: a username may be written with its @.

    Turkish keyboards write the capital of i with a dot (U+0130). Usernames are ASCII, so it can only be an i there.
    """
    key = key_of(typed)
    if "@" in key[1:]:
        return key
    return key.removeprefix("@").replace("i\u0307", "i")


def without_marks(text: str) -> str:
    """Without invisible marks, such as those that come along when text is copied (category Cf)."""
    return "".join(c for c in text if unicodedata.category(c) != "Cf")


def with_joiners(text: str) -> str:
    """As `without_marks`, but with the joiners that letters or emoji need (RFC 5892, appendices A.1 and A.2)."""
    kept = "".join(c for c in text if c in (ZWNJ, ZWJ) or unicodedata.category(c) != "Cf")
    return "".join(c for at, c in enumerate(kept) if c not in (ZWNJ, ZWJ) or _joins(kept, at))


def _joins(text: str, at: int) -> bool:
    if not 0 < at < len(text) - 1:
        return False
    if text[at] == ZWJ and unicodedata.category(text[at - 1]) in EMOJI_TAILS and _is_symbol(text[at + 1]):
        return True
    return bool(idna.valid_contextj(text, at))


@lru_cache(maxsize=4096)
def _is_combining(character: str) -> bool:
    """True for a combining mark, also in a form that becomes one, such as U+FF9E."""
    return unicodedata.combining(unicodedata.normalize("NFKD", character)[0]) > 0


def _is_symbol(character: str) -> bool:
    return unicodedata.category(character) == "So"
