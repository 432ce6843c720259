"""CSRF tokens of Flask-WTF, masked anew in each response.

The length of a compressed page tells what its parts have in common, so a token in it must never be the same twice
(BREACH, CVE-2013-3587). A masked token is random bytes, followed by the token XORed with them; Django masks its tokens
in the same way.
"""

from __future__ import annotations

from flask import g
from flask_wtf.csrf import generate_csrf, validate_csrf

from ..domain import base64url
from . import current


def token() -> str:
    """The masked token of this browser, the same for all forms of a page, so that they compress to one."""
    found: str | None = g.get("masked_csrf_token")
    if found is None:
        signed = generate_csrf().encode()
        g.masked_csrf_token = found = masked(signed, current.services().entropy.bytes(len(signed)))
    return found


def is_valid(text: str, lasts: int | None = None) -> bool:
    """True for a masked token of this browser that has not expired: after `lasts` seconds, or WTF_CSRF_TIME_LIMIT."""
    try:
        validate_csrf(_unmasked(text), time_limit=lasts)
    except ValueError:  # a `ValidationError` is one
        return False
    return True


def masked(signed: bytes, mask: bytes) -> str:
    """`mask` has the length of `signed`."""
    return base64url.as_text(mask + _xor(mask, signed))


def _unmasked(text: str) -> str:
    """Raises `ValueError` for a text that `masked` did not make."""
    raw = base64url.as_bytes(text)
    half = len(raw) // 2
    return _xor(raw[:half], raw[half : 2 * half]).decode("ascii")


def _xor(one: bytes, other: bytes) -> bytes:
    return (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).to_bytes(len(one), "big")
