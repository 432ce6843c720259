"""Finds the account of a typed name, and checks at its log-in that password and factors did not change meanwhile."""

from __future__ import annotations

from sqlalchemy import ColumnElement, bindparam, select, union_all
from sqlalchemy.orm import aliased

from ..domain.names import login_key
from ..domain.refusals import WrongLogin
from ..models.account_rows import Accounts
from ..models.accounts import Account, lock_if_changed
from ..models.database import Database, Transaction
from ..models.factors import Factor
from ..models.names import FormerUsername


def has_factor(tx: Transaction, account_id: int) -> bool:
    """True when a factor is on. In a change of factors, the caller must have locked the account."""
    return tx.scalar(FACTOR_NOW, {"owner": account_id}) is not None


def has_username(key: ColumnElement[str]) -> ColumnElement[bool]:
    """The condition for the account that has this username or had it before, by its `key_of`.

    PostgreSQL would read every account for an OR of two tables; of a union it uses both indexes.
    """
    named = aliased(Account)
    present = select(named.id).where(named.username_key == key)
    former = select(FormerUsername.account_id).where(FormerUsername.username_key == key)
    return Account.id.in_(union_all(present, former))


BY_USERNAME = Accounts(has_username(bindparam("key")))
BY_EMAIL = Accounts(Account.email_key == bindparam("key"))
PASSWORD_NOW = (
    select(Account.password_hash, Account.delete_at, Account.locked_at)
    .where(Account.id == bindparam("owner"))
    .with_for_update(read=True)
)
FACTOR_NOW = select(Factor.id).where(Factor.account_id == bindparam("owner"), Factor.turned_off_at.is_(None)).limit(1)


def find_by_name(db: Database, typed: str) -> tuple[Account | None, list[Factor]]:
    """The account with this present or former username, or confirmed e-mail address, and its factors that are on."""
    key = login_key(typed)
    with db.read() as tx:
        found = (BY_EMAIL if "@" in key else BY_USERNAME).find(tx, {"key": key})
    if found is None:
        return None, []
    account, factors = found
    return account, [factor for factor in factors if factor.turned_off_at is None]


def needs_second_factor(tx: Transaction, account: Account) -> bool:
    """True when the account has a factor, read again under a lock: a first one may have been turned on meanwhile.

    Raises `WrongLogin` when the password was changed, or the account deleted by its owner or locked by an operator,
    since it was compared.
    """
    lock_if_changed(tx, account)
    now = tx.execute(PASSWORD_NOW, {"owner": account.id}).one_or_none()
    if now is None or now.locked_at is not None or now.password_hash != account.password_hash:
        raise WrongLogin()
    if now.delete_at is not None and account.delete_at is None:
        raise WrongLogin()
    # a second statement: after waiting for a lock, PostgreSQL reads only the locked row again, not what it joins
    return has_factor(tx, account.id)
