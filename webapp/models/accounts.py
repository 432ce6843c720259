"""A person's account, and the one backup code that is a part of it."""

from __future__ import annotations

from sqlalchemy import String, bindparam, select
from sqlalchemy.orm import Mapped, mapped_column

from .base import At, Key, MaybeAt, Sealed, Short, Table
from .database import Transaction


class Account(Table):
    __tablename__ = "accounts"

    id: Mapped[Key]
    created_at: Mapped[At]
    name: Mapped[Short]
    username: Mapped[Short]
    username_key: Mapped[str] = mapped_column(String(255), unique=True)
    password_hash: Mapped[Short]
    language: Mapped[str] = mapped_column(String(16), default="en")

    # An address is here only once its owner confirmed it, and then it is nobody else's.
    email: Mapped[str | None] = mapped_column(String(320))
    email_key: Mapped[str | None] = mapped_column(String(320), unique=True)
    # What somebody typed and nobody confirmed: several accounts may claim the same one.
    unconfirmed_email: Mapped[str | None] = mapped_column(String(320), index=True)

    # A number is here only once a code sent to it came back.
    phone_number: Mapped[Sealed | None]
    phone_number_hint: Mapped[str | None] = mapped_column(String(8))
    """What its owner knows it by, such as "...42"."""
    discoverable: Mapped[bool] = mapped_column(default=False)
    """Existing contacts may find its owner, when both have each other's number."""

    backup_code_hash: Mapped[str | None] = mapped_column(String(64))
    backup_code_made_at: Mapped[MaybeAt]


HOLD = select(Account.id).where(Account.id == bindparam("account")).with_for_update(key_share=True)
SHARE = select(Account.id).where(Account.id == bindparam("account")).with_for_update(read=True)


def lock_account(tx: Transaction, account_id: int) -> None:
    """Nobody comes in, and no first factor comes on, between this and the end of the transaction.

    The first statement of every deed that ends others' sessions; whoever lets somebody in holds the same row shared,
    or is a half log-in, which such a deed ends before it ends sessions.
    On SQLite a writer is alone already.
    """
    tx.execute(HOLD, {"account": account_id})


def share_account(tx: Transaction, account_id: int) -> None:
    """Before somebody is let in: waits for whoever holds it, and lets others in beside."""
    tx.execute(SHARE, {"account": account_id})
