"""Usernames that no other account may have: former ones, and those of deleted accounts with the key of their hashes."""

from __future__ import annotations

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from .base import AccountId, At, Hash, Key, Sealed, Short, Table


class FormerUsername(Table):
    """A username that an account had before: no other account may have it, and it still logs this one in."""

    __tablename__ = "former_usernames"

    id: Mapped[Key]
    account_id: Mapped[AccountId]
    username: Mapped[Short]
    username_key: Mapped[str] = mapped_column(String(255), unique=True)
    until: Mapped[At]
    """When it was replaced."""


class DeletedName(Table):
    """The username of a deleted account, as an HMAC only: it stays taken, and the row does not tell whose it was."""

    __tablename__ = "deleted_names"

    id: Mapped[Key]
    name_mac: Mapped[Hash]


class SiteKey(Table):
    """A random key of the whole site, sealed. Resealed under the newest key of the settings, it outlives them all."""

    __tablename__ = "site_keys"

    id: Mapped[Key]
    name: Mapped[str] = mapped_column(String(40), unique=True)
    sealed: Mapped[Sealed]


def site_key_bound(name: str) -> str:
    """What a sealed key of the site is bound to."""
    return f"site-key:{name}"
