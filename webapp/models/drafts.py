"""An enrollment under way: one an account and method, until it is finished, cancelled or 30 minutes old."""

from __future__ import annotations

from sqlalchemy import BigInteger, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from .base import AccountId, At, Key, MaybeAt, Sealed, Table


class Draft(Table):
    __tablename__ = "drafts"
    __table_args__ = (UniqueConstraint("account_id", "method"),)

    id: Mapped[Key]
    account_id: Mapped[AccountId]
    method: Mapped[str] = mapped_column(String(32))
    session_id: Mapped[int] = mapped_column(BigInteger)
    """Only the log-in that began it goes on with it, and sees its backup code."""
    started_at: Mapped[At]
    touched_at: Mapped[At]
    sealed: Mapped[Sealed]
    """What the method has drawn and learnt so far, as sealed JSON."""
    finished_at: Mapped[MaybeAt]
    sealed_backup_code: Mapped[str | None] = mapped_column(Text)


def draft_bound(account_id: int, method: str) -> str:
    """What a draft's sealed notes are bound to."""
    return f"account:{account_id}:draft:{method}"


def backup_code_bound(account_id: int, method: str) -> str:
    """What the backup code of a finished draft is bound to."""
    return f"{draft_bound(account_id, method)}:backup-code"
