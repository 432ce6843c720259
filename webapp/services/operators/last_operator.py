"""There is always an operator who can log in, once there is one: the last one stays."""

from __future__ import annotations

from sqlalchemy import select

from ...domain.app_refusals import LastOperator
from ...models.accounts import OPERATOR, Account
from ...models.database import Database, Transaction

OPERATORS = "operators"


def demand_another_operator(db: Database, tx: Transaction, account: Account) -> None:
    """Raises `LastOperator` when the account is an operator and no other one can log in.

    Must come after the account's row was locked, in every change by which it stops being an operator who can log in. It
    holds a lock until the transaction ends, so that two operators do not each rely on the other.
    """
    if account.role != OPERATOR:
        return
    db.serialize(tx, OPERATORS)
    others = Account.id != account.id, Account.role == OPERATOR
    if tx.scalar(select(Account.id).where(*others, Account.locked_at.is_(None), Account.delete_at.is_(None)).limit(1)):
        return
    raise LastOperator()
