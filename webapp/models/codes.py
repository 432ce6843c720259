"""Short-lived secrets that travel by message: six-digit codes and links."""

from __future__ import annotations

from sqlalchemy import BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from .base import AccountId, At, Hash, Key, MaybeAt, Sealed, Table


class Code(Table):
    """Stored as a keyed HMAC, bound to account, purpose and challenge."""

    __tablename__ = "codes"

    id: Mapped[Key]
    account_id: Mapped[AccountId]
    challenge: Mapped[str] = mapped_column(String(80), index=True)
    """What it was asked for, such as email-confirmation:session:12; a newer code of it voids the older."""
    target: Mapped[str] = mapped_column(String(320))
    """The address it went to; for a phone number a keyed HMAC, which only tells whether it is the same."""
    sealed_target: Mapped[Sealed | None]
    mac: Mapped[str] = mapped_column(String(200))
    made_at: Mapped[At]
    attempts: Mapped[int] = mapped_column(default=0)
    used_at: Mapped[MaybeAt]
    voided_at: Mapped[MaybeAt]
    message_id: Mapped[int | None] = mapped_column(BigInteger)


class Link(Table):
    """A 256-bit link, stored as SHA-256. `email` is the address it speaks for."""

    __tablename__ = "links"

    id: Mapped[Key]
    account_id: Mapped[AccountId]
    purpose: Mapped[str] = mapped_column(String(32))
    token_hash: Mapped[Hash]
    email: Mapped[str] = mapped_column(String(320))
    made_at: Mapped[At]
    expires_at: Mapped[At]
    used_at: Mapped[MaybeAt]
