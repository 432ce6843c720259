"""Reads the phone numbers of a vCard file (RFC 6350, and the older 3.0 and 2.1), even if parts of it are broken.

What stands between TEL and the number never matters, so parameters are not parsed. The time grows with the size of the
file and no faster, whatever is in it.
"""

from __future__ import annotations

import codecs
import quopri
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote

LONGEST_NUMBER = 300  # characters, encoded; a number with an extension and pauses needs a fifth

_TEL = re.compile(r"(?:[\w-]+\.)?TEL(?=[;:])", re.ASCII | re.IGNORECASE)
_BEGIN = re.compile(r"BEGIN\s*:\s*VCARD", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Cards:
    """The numbers as written in the file, and how many telephone lines could not be read."""

    numbers: list[str]
    unread: int
    is_list: bool = True
    """False for a file that is no contact list: it has neither a card nor a telephone line."""


def read(file: bytes) -> Cards:
    """Every number that can be read. Raises nothing. Lines that are not about a telephone are not looked at."""
    numbers, unread, text = [], 0, _text(file)
    for line in _unfolded(text):
        if _TEL.match(line) is None:
            continue
        value = _value(line)
        if value is None:
            unread += 1
        else:
            numbers.append(value)
    return Cards(numbers, unread, bool(numbers or unread or _BEGIN.search(text) or not text.strip()))


def _text(file: bytes) -> str:
    """Decodes UTF-8, or UTF-16 with a byte order mark. Older phones used other encodings with the same digits."""
    is_wide = file.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = file.decode("utf-16" if is_wide else "utf-8-sig", "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _unfolded(text: str) -> Iterator[str]:
    """Lines with those that continue them: after a space or tab (RFC 6350 section 3.2), or behind a line of quoted-
    printable text that ends with "=", which stays as it is (RFC 2045 section 6.7)."""
    parts: list[str] = []
    is_quoted = False
    for line in text.split("\n"):
        is_soft = is_quoted and parts[-1].endswith("=")
        is_more = is_soft or line.startswith((" ", "\t"))
        if not (parts and is_more and line.strip()):
            yield "".join(parts)
            parts, is_quoted = [], False
        if line.strip():
            parts.append(f"\n{line}" if is_soft else line[1:] if is_more else line)
            is_quoted = is_quoted or "quoted-printable" in line.lower()
    yield "".join(parts)


def _value(line: str) -> str | None:
    """The number of a TEL line, after its last colon; None when it cannot be read."""
    head, _, value = line.rpartition(":")
    if "\0" in line or len(value) > LONGEST_NUMBER:
        return None
    if "QUOTED-PRINTABLE" in head.upper():
        value = quopri.decodestring(value.encode()).decode("utf-8", "replace")
    number = value.strip().replace("\\", "")
    if head.lower().endswith(":tel"):  # a URI (RFC 3966), as vCard 4.0 writes it
        number = unquote(number.partition(";")[0])
    return number or None
