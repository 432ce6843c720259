"""The table of the keys that sign the tokens for apps."""

from __future__ import annotations

from sqlalchemy import String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from .base import At, Key, MaybeAt, Sealed, Table


class SigningKey(Table):
    """A key pair (RFC 7517). The public half is as it is published, the private half is sealed."""

    __tablename__ = "signing_keys"
    # two processes that make the same key at once make one
    __table_args__ = (UniqueConstraint("algorithm", "generation"), {"sqlite_autoincrement": True})

    id: Mapped[Key]
    """Never given again: the highest one tells whether there is a newer key."""
    kid: Mapped[str] = mapped_column(String(64), unique=True)
    """Its name in tokens: the thumbprint of the public key (RFC 7638)."""
    algorithm: Mapped[str] = mapped_column(String(16))
    """RS256 or ES256 (RFC 7518 section 3.1)."""
    generation: Mapped[int]
    """1 for the first key of its algorithm; each next key has the next number."""
    public: Mapped[str] = mapped_column(Text)
    """The public JWK, as JSON."""
    sealed: Mapped[Sealed]
    made_at: Mapped[At]
    signs_from: Mapped[At]
    """In the future while it is only published."""
    signs_until: Mapped[MaybeAt]
    """When the next key takes its place; None while there is no next one."""
    withdrawn_at: Mapped[MaybeAt]
    """Since when nothing that it signed is believed, because others may know it."""


def signing_key_bound(kid: str) -> str:
    """What a sealed private key is bound to."""
    return f"signing-key:{kid}"
