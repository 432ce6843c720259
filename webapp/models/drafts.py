"""The table of drafts: enrollments under way, at most one for each account and method.

A draft is deleted when the enrollment is finished or cancelled, or after 30 minutes without use.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from .base import AccountId, At, Key, MaybeAt, Sealed, Table


class Draft(Table):
    __tablename__ = "drafts"
    __table_args__ = (UniqueConstraint("account_id", "method"),)

    id: Mapped[Key]
    account_id: Mapped[AccountId]
    method: Mapped[str] = mapped_column(String(32))
    session_id: Mapped[int] = mapped_column(BigInteger)
    """Only the session that began it may continue it."""
    started_at: Mapped[At]
    touched_at: Mapped[At]
    sealed: Mapped[Sealed]
    """The notes of the steps so far (`Visit.notes`), as sealed JSON."""
    finished_at: Mapped[MaybeAt]


def draft_bound(account_id: int, method: str) -> str:
    """What a draft's sealed notes are bound to."""
    return f"account:{account_id}:draft:{method}"
