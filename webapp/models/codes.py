"""Short-lived secrets that travel by message: six-digit codes and links."""

from __future__ import annotations

from sqlalchemy import BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from .base import AccountId, At, Hash, Key, MaybeAt, Sealed, Table


class Code(Table):
    """A six-digit code, stored as a keyed HMAC that is bound to its account and challenge."""

    __tablename__ = "codes"

    id: Mapped[Key]
    account_id: Mapped[AccountId]
    challenge: Mapped[str] = mapped_column(String(80), index=True)
    """The challenge it belongs to, such as log-in:12; a newer code of the same challenge voids it."""
    target: Mapped[str] = mapped_column(String(320))
    """The e-mail address it was sent to, or a keyed HMAC of the phone number, by which two numbers are compared."""
    adopted_by: Mapped[str | None] = mapped_column(String(80), index=True)
    """A second challenge that accepts it: a log-in that began when no other code could be sent yet."""
    sealed_target: Mapped[Sealed | None]
    mac: Mapped[str] = mapped_column(String(200))
    made_at: Mapped[At]
    attempts: Mapped[int] = mapped_column(default=0)
    used_at: Mapped[MaybeAt]
    voided_at: Mapped[MaybeAt]
    message_id: Mapped[int | None] = mapped_column(BigInteger)


class Link(Table):
    """A link with a token of 256 bits, stored as SHA-256. `email` is the address it was sent to."""

    __tablename__ = "links"

    id: Mapped[Key]
    account_id: Mapped[AccountId]
    purpose: Mapped[str] = mapped_column(String(32))
    token_hash: Mapped[Hash]
    email: Mapped[str] = mapped_column(String(320))
    made_at: Mapped[At]
    expires_at: Mapped[At]
    used_at: Mapped[MaybeAt]
