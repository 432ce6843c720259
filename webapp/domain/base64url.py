"""Base64url without padding (RFC 4648 section 5), the form of bytes in WebAuthn and Web Push.

docs/decisions/base64url.md says why this is not `webauthn.helpers`.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode


def as_text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def as_bytes(text: str) -> bytes:
    """Decodes `text`, with or without padding. Raises `ValueError` for a length that base64 cannot have."""
    bare = text.rstrip("=")
    return urlsafe_b64decode(bare + "=" * (-len(bare) % 4))
