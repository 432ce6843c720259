"""The tables of groups: a name that the operator gives to accounts, so that apps can be open to these only."""

from __future__ import annotations

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from .base import AccountId, At, Key, Table

GROUP_NAME = 40


class Group(Table):
    """A group. Its name is its key and never changes: apps that are told the groups of an account know it by that."""

    __tablename__ = "groups"

    name: Mapped[str] = mapped_column(String(GROUP_NAME), primary_key=True)
    made_at: Mapped[At]


class Membership(Table):
    """An account that is in a group."""

    __tablename__ = "memberships"
    __table_args__ = (UniqueConstraint("group_name", "account_id"),)

    id: Mapped[Key]
    group_name: Mapped[str] = mapped_column(String(GROUP_NAME), ForeignKey("groups.name", ondelete="CASCADE"))
    account_id: Mapped[AccountId]
    added_at: Mapped[At]
