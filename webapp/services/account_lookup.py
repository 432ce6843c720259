"""Finds the account of a typed name, and checks at its log-in that password and factors did not change meanwhile."""

from __future__ import annotations

from sqlalchemy import bindparam, select

from ..domain.names import login_key
from ..domain.refusals import WrongLogin
from ..models.accounts import Account
from ..models.database import Database, Transaction
from ..models.factors import Factor

BY_NAME = select(Account, Factor).outerjoin(Factor, (Factor.account_id == Account.id) & Factor.turned_off_at.is_(None))
BY_USERNAME = BY_NAME.where(Account.username_key == bindparam("key"))
BY_EMAIL = BY_NAME.where(Account.email_key == bindparam("key"))
PASSWORD_NOW = select(Account.password_hash).where(Account.id == bindparam("owner")).with_for_update(read=True)
FACTOR_NOW = select(Factor.id).where(Factor.account_id == bindparam("owner"), Factor.turned_off_at.is_(None)).limit(1)


def find_by_name(db: Database, typed: str) -> tuple[Account | None, list[Factor]]:
    """The account with this username or confirmed e-mail address, if any, and its factors that are on."""
    key = login_key(typed)
    with db.read() as tx:
        rows = tx.objects.execute(BY_EMAIL if "@" in key else BY_USERNAME, {"key": key}).all()
    return (rows[0][0] if rows else None), [factor for _, factor in rows if factor is not None]


def needs_second_factor(tx: Transaction, account: Account) -> bool:
    """True when the account has a factor, read again under a lock: a first one may have been turned on meanwhile.

    Raises `WrongLogin` when the password was changed since it was compared.
    """
    owner = {"owner": account.id}
    if tx.scalar(PASSWORD_NOW, owner) != account.password_hash:
        raise WrongLogin()
    # a second statement: after waiting for a lock, PostgreSQL reads only the locked row again, not what it joins
    return tx.scalar(FACTOR_NOW, owner) is not None
