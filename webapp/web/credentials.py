"""What an app sends instead of a form: the Authorization header of RFC 7617 (Basic) and RFC 6750 (Bearer).

Whatever is malformed is nobody's, at next to no cost: it is refused as a wrong password is, and never compared.
"""

from __future__ import annotations

import binascii
import re
import unicodedata
from base64 import b64decode
from dataclasses import dataclass

LONGEST = 8_000  # characters of a header: more than any name and password that we take
TOKEN = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Basic:
    name: str
    password: str


@dataclass(frozen=True, slots=True)
class Bearer:
    token: str


def read(header: str) -> Basic | Bearer | None:
    """None for a scheme that is not ours, bad base64, bad UTF-8, a NUL, or no colon."""
    if len(header) > LONGEST:
        return None
    scheme, _, rest = header.partition(" ")
    if scheme.lower() == "bearer":
        return Bearer(rest) if TOKEN.fullmatch(rest) else None
    return _basic(rest.strip()) if scheme.lower() == "basic" else None


def _basic(encoded: str) -> Basic | None:
    try:
        name, colon, password = b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    return Basic(name, password) if colon and "\0" not in name + password else None


def header_safe(text: str | None) -> str | None:
    """UTF-8 in the bytes of a header, which is how nginx and its kind pass it on; WSGI wants them as Latin-1.

    Nothing that could end a header or hide in one is let through: no control, format or separator character. None
    when nothing is left.
    """
    kept = [" " if c.isspace() else c for c in text or "" if c.isspace() or unicodedata.category(c)[0] not in "CZ"]
    return " ".join("".join(kept).split()).encode().decode("latin-1") or None
