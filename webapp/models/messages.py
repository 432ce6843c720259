"""The outbox, the counts of texts, and values of the whole site.

A message is committed with the change it is about, and delivered by the worker.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from .base import At, BigId, Key, MaybeAt, Short, Table

OWED, SENT, FAILED = "owed", "sent", "failed"


class Message(Table):
    __tablename__ = "messages"
    __table_args__ = (Index("ix_messages_due", "state", "due_at"),)

    id: Mapped[Key]
    uid: Mapped[str] = mapped_column(String(40), unique=True)
    """The same at all retries, so that the receiver can recognize a repetition."""
    channel: Mapped[str] = mapped_column(String(8))
    template: Mapped[str] = mapped_column(String(40))
    account_id: Mapped[int | None] = mapped_column(BigId, index=True)
    sealed: Mapped[str | None] = mapped_column(Text)
    """Recipient and content, as sealed JSON; removed once it was delivered or given up."""
    state: Mapped[str] = mapped_column(String(8), default=OWED)
    attempts: Mapped[int] = mapped_column(default=0)
    made_at: Mapped[At]
    due_at: Mapped[At]
    claimed_until: Mapped[MaybeAt]
    ended_at: Mapped[MaybeAt]
    received_at: Mapped[MaybeAt]
    """When the gateway reported that it arrived."""
    app_name: Mapped[Short | None]
    """Of the app that is told of a log-out, which may be deleted meanwhile."""
    complaint: Mapped[str | None] = mapped_column(String(200))
    """Why the last delivery failed."""


class TextCount(Table):
    """How many texts of one day were sent to a country, or refused, for the operator's report."""

    __tablename__ = "text_counts"

    day: Mapped[At] = mapped_column(BigInteger, primary_key=True)
    """Days since 1970-01-01 UTC."""
    country: Mapped[str] = mapped_column(String(3), primary_key=True)
    outcome: Mapped[str] = mapped_column(String(40), primary_key=True)
    count: Mapped[int]


class SiteValue(Table):
    """A value of the whole site, such as the count of heartbeats."""

    __tablename__ = "site_values"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[At]
