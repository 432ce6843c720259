"""The phone numbers of a vCard file (RFC 6350, and the older 3.0 and 2.1), whatever state it is in.

`vobject` unfolds and decodes its lines. Its whole-file reader is not used: it gives up at the first broken card, and
it logs lines, in which numbers stand.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from io import StringIO
from urllib.parse import unquote

from vobject.base import getLogicalLines, textLineToContentLine

LONGEST_LINE = 1000  # characters of a TEL line; a number with every label that a phone writes needs a fifth

_NAME = re.compile(r"(?:[\w-]+\.)?([\w-]+)", re.ASCII)
_VALUE = r"(?:\"[^\"]*\"|[^\";:,]*)"
# vobject's own pattern takes exponential time on a line that it does not match: it sees only lines that it does
_HEAD = re.compile(rf"[^;:]+(?:;[\w-]+(?:={_VALUE}(?:,{_VALUE})*)?)*(?=:)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Cards:
    """The numbers as they stand there, and how many lines could not be read."""

    numbers: list[str]
    unread: int


def read(file: bytes) -> Cards:
    """All that can be read; never raises. What is no vCard at all has only lines that cannot be read."""
    numbers, unread = [], 0
    for line, _number in getLogicalLines(StringIO(_text(file)), allowQP=True):
        name = _NAME.match(line)
        if name is None or "\0" in line or line[name.end() : name.end() + 1] not in (";", ":"):
            unread += 1
        elif name[1].upper() == "TEL":
            value = _value(line)
            if value is None:
                unread += 1
            else:
                numbers.append(value)
    return Cards(numbers, unread)


def _text(file: bytes) -> str:
    """As UTF-8, or UTF-16 where it says so. Older phones wrote other tables: digits are the same in all of them."""
    is_wide = file.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = file.decode("utf-16" if is_wide else "utf-8-sig", "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _value(line: str) -> str | None:
    """What a TEL line holds; None when it cannot be read."""
    head = _HEAD.match(line)
    if head is None or len(line) > LONGEST_LINE:
        return None
    try:
        # vobject knows its parameters in upper case only
        value = textLineToContentLine(head[0].upper() + line[head.end() :]).value
    except Exception:  # text tables that do not exist, are none or do not fit: each fails in a way of its own
        return None
    number: str = value.strip().replace("\\", "")
    if number.lower().startswith("tel:"):  # RFC 3966, as vCard 4.0 writes it
        number = unquote(number.partition(";")[0])
    return number or None
