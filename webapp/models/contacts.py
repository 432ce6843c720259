"""Whom people have in their phone books, as keyed hashes only, and how many new ones they came with."""

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
    """A keyed hash with its key's id in front; the number itself is stored nowhere."""
    added_at: Mapped[At]


class ContactLookups(Table):
    """One upload's share of the day's new look-ups: a row an upload, not one a number."""

    __tablename__ = "contact_lookups"

    id: Mapped[Key]
    account_id: Mapped[AccountId]
    at: Mapped[At]
    count: Mapped[int]
