"""The outbox: a message is committed with the change that owes it, and delivered by a worker."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from .base import At, BigId, Key, MaybeAt, Table

OWED, SENT, FAILED = "owed", "sent", "failed"


class Message(Table):
    __tablename__ = "messages"
    __table_args__ = (Index("ix_messages_due", "state", "due_at"),)

    id: Mapped[Key]
    uid: Mapped[str] = mapped_column(String(40), unique=True)
    """Stays the same over all retries, so that the other side can tell a repetition."""
    channel: Mapped[str] = mapped_column(String(8))
    template: Mapped[str] = mapped_column(String(40))
    account_id: Mapped[int | None] = mapped_column(BigId, index=True)
    sealed: Mapped[str | None] = mapped_column(Text)
    """To whom and what, as sealed JSON; gone once it was delivered or given up."""
    state: Mapped[str] = mapped_column(String(8), default=OWED)
    attempts: Mapped[int] = mapped_column(default=0)
    made_at: Mapped[At]
    due_at: Mapped[At]
    claimed_until: Mapped[MaybeAt]
    ended_at: Mapped[MaybeAt]
    received_at: Mapped[MaybeAt]
    """When the other side said that it arrived."""
    complaint: Mapped[str | None] = mapped_column(String(200))


class TextCount(Table):
    """How many texts of a day went to a country or were refused, for who pays for them."""

    __tablename__ = "text_counts"

    day: Mapped[At] = mapped_column(BigInteger, primary_key=True)
    """Days since 1970-01-01 UTC."""
    country: Mapped[str] = mapped_column(String(3), primary_key=True)
    outcome: Mapped[str] = mapped_column(String(40), primary_key=True)
    count: Mapped[int]


class SiteValue(Table):
    """Something the site knows about itself, such as how far its heart has beaten."""

    __tablename__ = "site_values"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[At]
