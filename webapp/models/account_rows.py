"""Reads a row that belongs to an account, such as a session, with the account and its factors, in one statement.

Every page of a logged-in user begins with it. The rows are read by Core and made into objects here: as ORM objects they
took twice the time (docs/decisions/stock-frameworks.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, select

from .accounts import Account
from .base import rows_of
from .database import Transaction
from .factors import Factor
from .sessions import PendingLogin, Session

Owned = TypeVar("Owned", Session, PendingLogin)


class AccountRows(Generic[Owned]):
    """A statement that finds one row of `table` by these conditions, with its account and all factors of that."""

    def __init__(self, table: type[Owned], *conditions: ColumnElement[bool]) -> None:
        self.table: type[Owned] = table
        columns = [list(rows_of(part).c) for part in (table, Account, Factor)]
        self.names = [[column.key for column in of_part] for of_part in columns]
        self.query = (
            select(*chain(*columns))
            .join_from(table, Account, Account.id == table.account_id)
            .outerjoin(Factor, Factor.account_id == Account.id)
            .where(*conditions)
            .order_by(Factor.id)
        )

    def find(self, tx: Transaction, parameters: Mapping[str, Any]) -> tuple[Owned, Account, list[Factor]] | None:
        """The row that fulfils the conditions, of which there is at most one, its account and all its factors."""
        rows = tx.execute(self.query, parameters).all()
        if not rows:
            return None
        of_table, of_account, of_factor = self.names
        account_at, factor_at = len(of_table), len(of_table) + len(of_account)
        factors = [dict(zip(of_factor, row[factor_at:], strict=True)) for row in rows]
        return (
            self.table(**dict(zip(of_table, rows[0][:account_at], strict=True))),
            Account(**dict(zip(of_account, rows[0][account_at:factor_at], strict=True))),
            [Factor(**values) for values in factors if values["id"] is not None],
        )
