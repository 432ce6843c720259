"""The tables of sessions, pending logins, remembered browsers, kept acts, attempts and activity."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from .base import AccountId, At, BigId, Hash, Key, MaybeAt, Sealed, Table

PASSWORD_PROOF, BACKUP_CODE_PROOF = "password", "backup-code"
"""Names in `Session.proofs`, beside the slugs of methods."""


class Session(Table):
    """A session. The cookie has the token; the table only its SHA-256."""

    __tablename__ = "sessions"
    __table_args__ = (
        # the worker looks for sessions that ended lately, to tell apps
        Index("ix_sessions_ended_at", "ended_at"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[Key]
    """Never given again: apps know the session by a hash of it."""
    token_hash: Mapped[Hash]
    account_id: Mapped[AccountId]
    started_at: Mapped[At]
    seen_at: Mapped[At]
    persistent: Mapped[bool]
    """The box "Keep me logged in" was ticked."""
    password_at: Mapped[MaybeAt]
    """When the password was last proved."""
    second_factor_at: Mapped[MaybeAt]
    """When a second factor was last proved."""
    proofs: Mapped[str] = mapped_column(Text, default="{}")
    """What was proved in it, as JSON: `PASSWORD_PROOF`, `BACKUP_CODE_PROOF` or the slug of a method, each with the last
    time. A passkey alone proves its method and no password, although `password_at` is set."""
    factor_added_at: Mapped[MaybeAt]
    """When the factor was turned on that was proved at this log-in; None when none was."""
    address: Mapped[str] = mapped_column(String(64))
    device: Mapped[str] = mapped_column(String(300))
    ended_at: Mapped[MaybeAt]
    sealed_backup_code: Mapped[str | None] = mapped_column(Text)
    """The backup code that was generated in this session, until its owner has saved it."""
    backup_code_at: Mapped[MaybeAt]
    """When it was generated."""


def new_backup_code_bound(account_id: int, session_id: int) -> str:
    """What a session's sealed backup code is bound to."""
    return f"account:{account_id}:session:{session_id}:backup-code"


PENDING_CHALLENGE = "log-in:"
"""With the id of a pending login after it: the name of its challenge."""


class PendingLogin(Table):
    """The password was right and the second factor is not proved yet. It gives access to the challenge only."""

    __tablename__ = "pending_logins"
    __table_args__ = ({"sqlite_autoincrement": True},)
    id: Mapped[Key]
    """Never given again: codes and attempts are counted by it."""
    token_hash: Mapped[Hash]
    account_id: Mapped[AccountId]
    started_at: Mapped[At]
    persistent: Mapped[bool]
    """The box "Keep me logged in" was ticked."""
    next_path: Mapped[str] = mapped_column(String(2000))
    address: Mapped[str] = mapped_column(String(64))
    device: Mapped[str] = mapped_column(String(300))
    ended_at: Mapped[MaybeAt]

    @property
    def challenge(self) -> str:
        return f"{PENDING_CHALLENGE}{self.id}"


class RememberedBrowser(Table):
    """A browser that skips the second factor, never the password. Its cookie has the token; the table the SHA-256."""

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
    """A form that was sent when step-up was due: sealed, and sent again once after step-up."""

    __tablename__ = "kept_acts"

    id: Mapped[Key]
    session_id: Mapped[int] = mapped_column(BigId, ForeignKey("sessions.id", ondelete="CASCADE"), unique=True)
    at: Mapped[At]
    sealed: Mapped[Sealed]


class Attempt(Table):
    """One attempt that counts against a rate limit. `bucket` is the name under which attempts are counted."""

    __tablename__ = "attempts"

    id: Mapped[Key]
    bucket: Mapped[str] = mapped_column(String(160), index=True)
    at: Mapped[At]
    account_id: Mapped[int | None] = mapped_column(BigId, index=True)
    """The account of an attempt in a bucket by network or address, so that its full log-in deletes its own."""


class Activity(Table):
    """A security event of one account, for its owner to read."""

    __tablename__ = "activity"
    __table_args__ = (Index("ix_activity_account_id_id", "account_id", "id"),)  # a page is one range of it

    id: Mapped[Key]
    account_id: Mapped[int] = mapped_column(BigId, ForeignKey("accounts.id", ondelete="CASCADE"))
    at: Mapped[At]
    kind: Mapped[str] = mapped_column(String(40))
    details: Mapped[str] = mapped_column(Text)
    address: Mapped[str | None] = mapped_column(String(64))
    device: Mapped[str] = mapped_column(String(300))
