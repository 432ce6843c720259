"""The table of accounts, each with its one backup code, and the locks on its rows."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Index, String, bindparam, case, select
from sqlalchemy.orm import Mapped, mapped_column

from ..domain.account_refusals import ChangesPaused
from ..domain.refusals import LoginExpired, NotFound
from .base import At, BigId, Key, MaybeAt, Sealed, Short, Table
from .database import Transaction

NO_ACCOUNT = 0
"""The id of no account, with which a query for an unknown name does the same work."""
SYSTEM = "system"
"""The theme of an account whose pages follow the device."""
PERSON, OPERATOR = "person", "operator"
"""Roles: only an operator sees the pages that register apps and look after accounts."""


def _created_at(context: Any) -> int:
    """The default of `used_at`: the value of `created_at` in the same row."""
    return int(context.get_current_parameters()["created_at"])


class Account(Table):
    __tablename__ = "accounts"
    __table_args__ = (
        Index("ix_accounts_phone_number", "phone_number_hint", "phone_number_mac"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[Key]
    """Never given again: a browser that is known for a deleted account must not be known for another one."""
    created_at: Mapped[At]
    used_at: Mapped[At] = mapped_column(default=_created_at)
    """When it was last used, to the day."""
    made_by_operator: Mapped[bool] = mapped_column(default=False)
    role: Mapped[str] = mapped_column(String(16), default=PERSON, index=True)
    """`PERSON` or `OPERATOR`."""
    locked_at: Mapped[MaybeAt]
    """Set by an operator: until it is None again, every log-in is answered like a wrong password."""
    name: Mapped[Short]
    username: Mapped[Short]
    username_key: Mapped[str] = mapped_column(String(255), unique=True)
    password_hash: Mapped[Short]
    language: Mapped[str] = mapped_column(String(16), default="")
    """A BCP 47 tag; empty while neither its owner nor a log-in has set it."""
    theme: Mapped[str] = mapped_column(String(8), default=SYSTEM)
    """Of the pages: light, dark, or that of the device."""

    login_method: Mapped[str | None] = mapped_column(String(32))
    """The slug of the method that the last log-in with one was proved with: the next log-in asks for it first."""

    # Set only once a code or link sent to the address was used, and unique over all accounts.
    email: Mapped[str | None] = mapped_column(String(320))
    email_key: Mapped[str | None] = mapped_column(String(320), unique=True)
    # Entered but not confirmed: several accounts may have the same one.
    unconfirmed_email: Mapped[str | None] = mapped_column(String(320), index=True)
    claimed_at: Mapped[MaybeAt]
    """When `unconfirmed_email` was last entered."""

    # Set while an undo of a change of the address waits.
    undo_email: Mapped[str | None] = mapped_column(String(320))
    """The earlier address, which becomes the account's again."""
    undo_changed_at: Mapped[MaybeAt]
    """When the change that is undone was made: a factor that is older may stop the undo."""
    undo_at: Mapped[MaybeAt] = mapped_column(index=True)
    """When the earlier address becomes the account's again."""

    # Set while a change of the username waits.
    new_username: Mapped[str | None] = mapped_column(String(255))
    new_username_key: Mapped[str | None] = mapped_column(String(255), unique=True)
    rename_at: Mapped[MaybeAt] = mapped_column(index=True)
    """When `new_username` becomes the username."""
    rename_asked_at: Mapped[MaybeAt]
    """When the last change of the username was asked for; None when it was stopped."""

    # Set while an operator's reset of the second factors waits.
    recovery_at: Mapped[MaybeAt] = mapped_column(index=True)
    """When the second factors are reset."""
    recovery_why: Mapped[str | None] = mapped_column(String(200))
    """The reason that the operator gave."""
    recovery_by: Mapped[int | None] = mapped_column(BigId)
    """`Account.id` of the operator, who may be gone; None for the command line."""

    delete_at: Mapped[MaybeAt] = mapped_column(index=True)
    """Set when the owner deleted the account: when its rows go, unless a full log-in comes first."""

    # Set only once a code sent to the number was entered, or by the operator.
    phone_number: Mapped[Sealed | None]
    phone_number_hint: Mapped[str | None] = mapped_column(String(8))
    """Its last digits, as shown to the owner, such as "...42"."""
    phone_number_mac: Mapped[str | None] = mapped_column(String(200))
    """A keyed hash of the number, key id in front, by which the accounts of one number are counted. None where it is
    not known yet: for a number from an earlier version, or sealed again under a newer key."""
    discoverable: Mapped[bool] = mapped_column(default=False)
    """Contacts may find the owner, if each has the other's number."""

    backup_code_hash: Mapped[str | None] = mapped_column(String(64))
    backup_code_made_at: Mapped[MaybeAt]


NO_RENAME = {"new_username": None, "new_username_key": None, "rename_at": None}
STOPPED_RENAME = {**NO_RENAME, "rename_asked_at": case((Account.rename_at.is_(None), Account.rename_asked_at))}
"""A change that was stopped does not count as one. One that took effect does: only time allows the next."""
NO_RECOVERY = {"recovery_at": None, "recovery_why": None, "recovery_by": None}
STOPPED_CHANGES = {**STOPPED_RENAME, **NO_RECOVERY}
"""What ends with every change that waits and that a link in an email would stop."""

LOCKED = select(Account).with_for_update(key_share=True)
"""For `lock_account` of an account that is found in another way than by its id."""
EXCLUSIVE = select(Account.id).where(Account.id == bindparam("account")).with_for_update(key_share=True)
NOW = LOCKED.where(Account.id == bindparam("account"))
SHARED = (
    select(Account.delete_at, Account.locked_at).where(Account.id == bindparam("account")).with_for_update(read=True)
)


def lock_account(tx: Transaction, account_id: int) -> None:
    """Locks the account's row: until the transaction ends, no session is opened and no first factor is turned on.

    Must be the first statement of every change that ends other sessions. A log-in locks the same row shared
    (`share_account`), or completes a pending login, which such a change ends before it ends sessions.
    On SQLite there is only one writer at a time anyway.
    """
    tx.execute(EXCLUSIVE, {"account": account_id})


def locked_account(tx: Transaction, account_id: int) -> Account | None:
    """As `lock_account`, and returns the account as it is now; None when it was deleted.

    The object is detached: changing it writes nothing.
    """
    account = tx.objects.scalars(NOW, {"account": account_id}).one_or_none()
    if account is not None:
        tx.objects.expunge(account)
    return account


def lock_for_change(tx: Transaction, account_id: int) -> Account:
    """As `locked_account`, for every change of e-mail address, phone number, password or factors.

    Raises `NotFound` when it was deleted, and `ChangesPaused` while an undo of a change of the address waits.
    """
    account = locked_account(tx, account_id)
    if account is None:
        raise NotFound()
    if account.undo_at is not None:
        raise ChangesPaused(account.undo_at)
    return account


def lock_if_changed(tx: Transaction, account: Account, method: str | None = None) -> None:
    """Must come before a log-in locks the account's row shared, or a factor. One that undoes a deletion, stops a
    recovery, or sets the language or the method (`method` is its slug, if it has one) changes the row, so it takes the
    lock alone: two that share it would wait for each other."""
    is_other_method = method not in (None, account.login_method)
    if account.delete_at is not None or account.recovery_at is not None or not account.language or is_other_method:
        lock_account(tx, account.id)


def share_account(tx: Transaction, account: Account, method: str | None = None) -> None:
    """Must come before a session is opened: waits for a transaction with `lock_account`, but not for other log-ins that
    change nothing of the account. `method` is the slug of what the log-in is proved with.

    Raises `LoginExpired` when the owner deleted the account, or an operator locked it, since it was read.
    """
    lock_if_changed(tx, account, method)
    now = tx.execute(SHARED, {"account": account.id}).one_or_none()
    if now is None or now.locked_at is not None or (now.delete_at is not None and account.delete_at is None):
        raise LoginExpired()
