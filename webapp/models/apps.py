"""What apps that only know a password come in by, and who knocked at their door."""

from __future__ import annotations

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from .base import AccountId, At, BigId, Hash, Key, MaybeAt, Table


class TemporaryPassword(Table):
    """Good for one hour at the legacy door and nowhere else. Stored hashed, as the backup code is."""

    __tablename__ = "temporary_passwords"

    id: Mapped[Key]
    account_id: Mapped[AccountId]
    secret_hash: Mapped[Hash]
    made_at: Mapped[At]
    expires_at: Mapped[At]
    texted: Mapped[bool]
    """It went to the account's phone by itself; its owner made none on the page."""
    used_at: Mapped[MaybeAt]
    """When it opened the door last, and from where."""
    used_address: Mapped[str | None] = mapped_column(String(64))
    used_device: Mapped[str | None] = mapped_column(String(300))
    ended_at: Mapped[MaybeAt]


class AppSession(Table):
    """An app that traded a password for a token. The app has the token; the table only its SHA-256."""

    __tablename__ = "app_sessions"

    id: Mapped[Key]
    token_hash: Mapped[Hash]
    account_id: Mapped[AccountId]
    started_at: Mapped[At]
    seen_at: Mapped[At]
    address: Mapped[str] = mapped_column(String(64))
    device: Mapped[str] = mapped_column(String(300))
    """What the app says of itself."""
    ended_at: Mapped[MaybeAt]


class RefusedAccess(Table):
    """A refusal at the legacy door, until the worker has looked at it.

    There is one for each refusal, whoever knocked, so that the answer takes the same time for all; only one with the
    right usual password says whose it was.
    """

    __tablename__ = "refused_accesses"

    id: Mapped[Key]
    account_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("accounts.id", ondelete="CASCADE"), index=True)
    at: Mapped[At]
    address: Mapped[str] = mapped_column(String(64))
    device: Mapped[str] = mapped_column(String(300))
