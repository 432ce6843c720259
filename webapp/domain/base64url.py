"""Base64url (RFC 4648 section 5), as browsers and push services have bytes: without padding."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode


def as_text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def as_bytes(text: str) -> bytes:
    """Of a text with padding or without. Raises `ValueError` for one of an impossible length."""
    bare = text.rstrip("=")
    return urlsafe_b64decode(bare + "=" * (-len(bare) % 4))
