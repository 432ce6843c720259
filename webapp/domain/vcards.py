"""Reads the phone numbers of a vCard file (RFC 6350, and the older 3.0 and 2.1), even if parts of it are broken.

`vobject` unfolds and decodes its lines. Its whole-file reader is not used: it stops at the first broken card, and it
logs lines, which contain phone numbers.
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
# vobject's own pattern takes exponential time on a line that it does not match, so it is given matching lines only
_HEAD = re.compile(rf"[^;:]+(?:;[\w-]+(?:={_VALUE}(?:,{_VALUE})*)?)*(?=:)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Cards:
    """The numbers as written in the file, and how many lines could not be read."""

    numbers: list[str]
    unread: int


def read(file: bytes) -> Cards:
    """Every number that can be read. Raises nothing: in a file that is not a vCard, all lines count as unread."""
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
    """Decodes UTF-8, or UTF-16 with a byte order mark. Older phones used other encodings with the same digits."""
    is_wide = file.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = file.decode("utf-16" if is_wide else "utf-8-sig", "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _value(line: str) -> str | None:
    """The number of a TEL line; None when it cannot be read."""
    head = _HEAD.match(line)
    if head is None or len(line) > LONGEST_LINE:
        return None
    try:
        # vobject knows its parameters in upper case only
        value = textLineToContentLine(head[0].upper() + line[head.end() :]).value
    except Exception:  # an unknown or wrong character encoding raises one of many exceptions
        return None
    number: str = value.strip().replace("\\", "")
    if number.lower().startswith("tel:"):  # RFC 3966, as vCard 4.0 writes it
        number = unquote(number.partition(";")[0])
    return number or None
