"""The account of a name that was typed, and whether what was compared with it still holds when it logs in."""

from __future__ import annotations

from sqlalchemy import bindparam, select

from ..domain.names import key_of
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
    """The account of a username or a confirmed email address, and the factors that it has on."""
    key = key_of(typed)
    with db.read() as tx:
        rows = tx.objects.execute(BY_EMAIL if "@" in key else BY_USERNAME, {"key": key}).all()
    return (rows[0][0] if rows else None), [factor for _, factor in rows if factor is not None]


def owes_second_factor(tx: Transaction, account: Account) -> bool:
    """Looked up again under a lock: a first factor that came while the password was compared is asked for.

    Raises `WrongLogin` when the password is another by now.
    """
    owner = {"owner": account.id}
    if tx.scalar(PASSWORD_NOW, owner) != account.password_hash:
        raise WrongLogin()
    # a statement of its own: PostgreSQL looks again at the row that it locked, and at no other of the same statement
    return tx.scalar(FACTOR_NOW, owner) is not None
