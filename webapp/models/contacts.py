"""The contacts that users uploaded, as keyed hashes only, and the look-ups that count against the daily limit."""

from __future__ import annotations

from sqlalchemy import Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from .base import AccountId, At, Key, Table


class Contact(Table):
    __tablename__ = "contacts"
    __table_args__ = (UniqueConstraint("account_id", "number_mac"), Index("ix_contacts_number_mac", "number_mac"))

    id: Mapped[Key]
    account_id: Mapped[AccountId]
    number_mac: Mapped[str] = mapped_column(String(200))
    """A keyed hash with its key's id in front. The number itself must not be stored."""
    added_at: Mapped[At]


class ContactLookups(Table):
    """What one upload read: one row for each upload, a refused one too."""

    __tablename__ = "contact_lookups"

    id: Mapped[Key]
    account_id: Mapped[AccountId]
    at: Mapped[At]
    count: Mapped[int]
    """New numbers, which were looked up."""
    entries: Mapped[int]
    """Numbers and lines of every kind, which took time to read."""
