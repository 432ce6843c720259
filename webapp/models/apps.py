"""The tables of legacy access: temporary passwords, app sessions, networks of apps, and refusals."""

from __future__ import annotations

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from .base import AccountId, At, BigId, Hash, Key, MaybeAt, Table


class TemporaryPassword(Table):
    """Valid for one hour, at legacy access and guarded hosts only. Stored as a hash, as the backup code is."""

    __tablename__ = "temporary_passwords"

    id: Mapped[Key]
    account_id: Mapped[AccountId]
    secret_hash: Mapped[Hash]
    made_at: Mapped[At]
    expires_at: Mapped[At]
    texted: Mapped[bool]
    """It was sent to the account's phone number because an app was refused; else its owner made it on the page."""
    used_at: Mapped[MaybeAt]
    """When it was last used; `used_address` and `used_device` say from where."""
    used_address: Mapped[str | None] = mapped_column(String(64))
    used_device: Mapped[str | None] = mapped_column(String(300))
    ended_at: Mapped[MaybeAt]


class AppSession(Table):
    """An app that exchanged a password for a token. The app has the token; the table only its SHA-256."""

    __tablename__ = "app_sessions"

    id: Mapped[Key]
    token_hash: Mapped[Hash]
    account_id: Mapped[AccountId]
    started_at: Mapped[At]
    seen_at: Mapped[At]
    address: Mapped[str] = mapped_column(String(64))
    device: Mapped[str] = mapped_column(String(300))
    """The app's User-Agent header."""
    ended_at: Mapped[MaybeAt]


class KnownNetwork(Table):
    """A network from which an app of the account succeeded. Wrong passwords from there are counted apart."""

    __tablename__ = "known_networks"
    __table_args__ = (UniqueConstraint("account_id", "network"),)

    id: Mapped[Key]
    account_id: Mapped[int] = mapped_column(BigId, ForeignKey("accounts.id", ondelete="CASCADE"))
    network: Mapped[str] = mapped_column(String(64))
    at: Mapped[At]
    """When an app last succeeded."""


class RefusedAccess(Table):
    """A refusal at legacy access, until the worker has processed it.

    Every refusal adds a row, so that all take the same time. `account_id` is set only when the usual password of an
    account was right.
    """

    __tablename__ = "refused_accesses"

    id: Mapped[Key]
    account_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("accounts.id", ondelete="CASCADE"), index=True)
    at: Mapped[At]
    address: Mapped[str] = mapped_column(String(64))
    device: Mapped[str] = mapped_column(String(300))
