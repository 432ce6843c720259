"""Codes that people read and type: generating them, normalizing what was typed, and showing them in groups."""

from __future__ import annotations

import re
import unicodedata
from hashlib import sha256

from .ports import Entropy
from .refusals import CodeMalformed

DIGITS, LETTERS = 6, 16
"""The lengths of the two kinds of codes."""
LONGEST_TYPED = 300
BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"  # RFC 4648 section 6
LOOK_ALIKES = str.maketrans("018\u0130", "OIBI")  # 0, 1 and 8 are not in the alphabet, so no code is ambiguous
IN_MESSAGE = re.compile(r"(?<!\d)\d{6}(?!\d)")


def draw_digits(entropy: Entropy) -> str:
    """A random code of six decimal digits."""
    return str(entropy.below(10**DIGITS)).zfill(DIGITS)


def draw_base32(entropy: Entropy) -> str:
    """Sixteen random characters of base32, five bits each, without separators."""
    return "".join(BASE32[entropy.below(32)] for _ in range(LETTERS))


def draw_token(entropy: Entropy) -> str:
    """256 random bits for a cookie or a link, as 64 hexadecimal digits."""
    return entropy.bytes(32).hex()


def hash_of(token: str) -> str:
    """SHA-256 in hexadecimal. A token has 256 random bits, so it needs neither a salt nor a slow hash."""
    return sha256(token.encode()).hexdigest()


def tidy_digits(typed: str) -> str:
    """Digits of any script (full-width, Persian, Arabic, Devanagari, Thai) as ASCII, without separators.

    Any other character stays, so that the caller can refuse it.
    """
    return "".join(_in_ascii(c) for c in typed if not _separates(c))


def tidy_base32(typed: str) -> str:
    """Upper case, digits of any script as ASCII, without separators, with 0, 1 and 8 read as O, I and B.

    Turkish keyboards write I with a dot, and lower-case it without one: both are I. Empty for what is far longer than a
    code with any separators: a character may become eighteen when it is normalized.
    """
    if len(typed) > LONGEST_TYPED:
        return ""
    folded = unicodedata.normalize("NFKC", typed).upper()
    return "".join(_in_ascii(c) for c in folded if not _separates(c)).translate(LOOK_ALIKES)


def is_digits(code: str) -> bool:
    return len(code) == DIGITS and code.isascii() and code.isdigit()


def is_base32(code: str) -> bool:
    return len(code) == LETTERS and all(c in BASE32 for c in code)


def read_digits(typed: str) -> str:
    """The six digits that were typed, tidied, or those of the message that was pasted whole. Raises `CodeMalformed`.

    A message may repeat its code; one that has two has none.
    """
    code = tidy_digits(typed)
    if is_digits(code):
        return code
    is_message = any(c.isalpha() for c in typed)
    found = {tidy_digits(digits) for digits in IN_MESSAGE.findall(typed)} if is_message else set()
    if len(found) != 1:
        raise CodeMalformed()
    return found.pop()


def read_base32(typed: str) -> str:
    """The sixteen characters that were typed, tidied. Raises `CodeMalformed`."""
    code = tidy_base32(typed)
    if not is_base32(code):
        raise CodeMalformed()
    return code


def groups(code: str, size: int = 4) -> list[str]:
    """ABCDEFGH as ["ABCD", "EFGH"]."""
    return [code[i : i + size] for i in range(0, len(code), size)]


def grouped(code: str) -> str:
    """ABCDEFGH as ABCD-EFGH."""
    return "-".join(groups(code))


def _in_ascii(character: str) -> str:
    digit = unicodedata.digit(character, None)
    return character if digit is None else str(digit)


def _separates(character: str) -> bool:
    # spaces, dashes, dots and invisible marks such as those that surround a number in right-to-left text
    return unicodedata.category(character) in {"Zs", "Pd", "Cf", "Cc"} or character in ".·_"
