"""How many messages a text is billed as: the alphabets and lengths of 3GPP TS 23.038 and TS 23.040.

A text in the default alphabet is packed at seven bits a character, any other is sent as UCS-2. The national language
tables of the standard are left out: a gateway uses them only when asked to, and ours is not.
"""

from __future__ import annotations

from collections.abc import Iterable

# TS 23.038 section 6.2.1, sixteen characters a line in the order of the table; 0x1B is the escape and no character.
# 0x09 is the capital Ç. The small one, which some mapping files have in its place, needs UCS-2.
BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅå"
    "Δ_ΦΓΛΩΠΨΣΘΞÆæßÉ"
    " !\"#¤%&'()*+,-./"
    "0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNO"
    "PQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmno"
    "pqrstuvwxyzäöñüà"
)
# Section 6.2.1.1: each is sent as the escape and one septet more.
EXTENSION = frozenset("\f^{}\\[~]|€")

# 140 octets: 160 septets or 70 units of 16 bits. Each part of a longer text begins with a header of six octets
# (TS 23.040 section 9.2.3.24.1), after which 153 septets or 67 units fit.
SEPTETS, SEPTETS_OF_A_PART = 160, 153
UNITS, UNITS_OF_A_PART = 70, 67


def needs_unicode(text: str) -> bool:
    """True when a character is outside the default alphabet and its extension, so that all of it goes as UCS-2."""
    return not BASIC.union(EXTENSION).issuperset(text)


def segments(text: str) -> int:
    """How many messages it takes to send `text`; an empty text is one message."""
    if needs_unicode(text):
        return _parts((2 if ord(character) > 0xFFFF else 1 for character in text), UNITS, UNITS_OF_A_PART)
    return _parts((2 if character in EXTENSION else 1 for character in text), SEPTETS, SEPTETS_OF_A_PART)


def _parts(widths: Iterable[int], alone: int, of_a_part: int) -> int:
    # not a division: a surrogate pair, or an escape and its character, is not split between two parts
    total, parts, used = 0, 1, 0
    for width in widths:
        total += width
        used += width
        if used > of_a_part:
            parts, used = parts + 1, width
    return 1 if total <= alone else parts
