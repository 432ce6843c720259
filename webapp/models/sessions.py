"""Who is logged in, who is half logged in, and which browsers skip the second factor."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from .base import AccountId, At, BigId, Hash, Key, MaybeAt, Sealed, Table


class Session(Table):
    """A session. The cookie has the token; the table only its SHA-256."""

    __tablename__ = "sessions"

    id: Mapped[Key]
    token_hash: Mapped[Hash]
    account_id: Mapped[AccountId]
    started_at: Mapped[At]
    seen_at: Mapped[At]
    persistent: Mapped[bool]
    password_at: Mapped[MaybeAt]
    second_factor_at: Mapped[MaybeAt]
    address: Mapped[str] = mapped_column(String(64))
    device: Mapped[str] = mapped_column(String(300))
    ended_at: Mapped[MaybeAt]


PENDING_CHALLENGE = "log-in:"
"""What the codes of a pending login are bound to, with its id behind it."""


class PendingLogin(Table):
    """The password was right, the second factor is still to be proved. It opens nothing but the challenge."""

    __tablename__ = "pending_logins"

    id: Mapped[Key]
    token_hash: Mapped[Hash]
    account_id: Mapped[AccountId]
    started_at: Mapped[At]
    persistent: Mapped[bool]
    """Keep me logged in was ticked."""
    next_path: Mapped[str] = mapped_column(String(2000))
    address: Mapped[str] = mapped_column(String(64))
    device: Mapped[str] = mapped_column(String(300))
    ended_at: Mapped[MaybeAt]

    @property
    def challenge(self) -> str:
        return f"{PENDING_CHALLENGE}{self.id}"


class RememberedBrowser(Table):
    __tablename__ = "remembered_browsers"

    id: Mapped[Key]
    token_hash: Mapped[Hash]
    account_id: Mapped[AccountId]
    added_at: Mapped[At]
    used_at: Mapped[At]
    address: Mapped[str] = mapped_column(String(64))
    device: Mapped[str] = mapped_column(String(300))
    ended_at: Mapped[MaybeAt]


class KeptAct(Table):
    """What a person had asked for when step-up came between: kept sealed, done once afterwards."""

    __tablename__ = "kept_acts"

    id: Mapped[Key]
    session_id: Mapped[int] = mapped_column(BigId, ForeignKey("sessions.id", ondelete="CASCADE"), unique=True)
    at: Mapped[At]
    sealed: Mapped[Sealed]


class Attempt(Table):
    """One attempt that counts against a limit. `bucket` names the limit and whom it protects."""

    __tablename__ = "attempts"

    id: Mapped[Key]
    bucket: Mapped[str] = mapped_column(String(160), index=True)
    at: Mapped[At]
    account_id: Mapped[int | None] = mapped_column(BigId)
    """For a bucket that many share: whose try it was, so that a full log-in takes back that account's own."""


class Activity(Table):
    """A security event of one account, for its owner to read."""

    __tablename__ = "activity"
    __table_args__ = (Index("ix_activity_account_id_id", "account_id", "id"),)  # a page is one stretch of it

    id: Mapped[Key]
    account_id: Mapped[int] = mapped_column(BigId, ForeignKey("accounts.id", ondelete="CASCADE"))
    at: Mapped[At]
    kind: Mapped[str] = mapped_column(String(40))
    details: Mapped[str] = mapped_column(Text)
    address: Mapped[str | None] = mapped_column(String(64))
    device: Mapped[str] = mapped_column(String(300))
