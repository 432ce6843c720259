"""Reads an account with its factors, and a row that belongs to it such as a session, in one statement.

Every page of a logged-in user and every log-in begin with it. The rows are read by Core and made into objects here: as
ORM objects they took twice the time (docs/decisions/stock-frameworks.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Select, select

from .accounts import Account
from .base import Table, rows_of
from .database import Transaction
from .factors import Factor
from .sessions import PendingLogin, Session

Owned = TypeVar("Owned", Session, PendingLogin)
Found = tuple[list[Any], list[Factor]]
"""Objects of one row of each table, and all factors of the account among them."""


class WithFactors:
    """A statement that finds one row of each of these tables, `Account` among them, and all factors of that account."""

    def __init__(self, *tables: type[Table]) -> None:
        self.tables = tables
        all_tables: tuple[type[Table], ...] = (*tables, Factor)
        columns = [list(rows_of(table).c) for table in all_tables]
        self.names = [[column.key for column in of_table] for of_table in columns]
        self.query = select(*chain(*columns)).order_by(Factor.id)

    def find(self, tx: Transaction, query: Select[Any], parameters: Mapping[str, Any]) -> Found | None:
        """`query` is the one of this object, with joins and with conditions that at most one account fulfils."""
        rows = tx.execute(query, parameters).all()
        if not rows:
            return None
        *of_tables, of_factor = self.names
        found, start = list[Any](), 0
        for table, names in zip(self.tables, of_tables, strict=True):
            end = start + len(names)
            found.append(table(**_set(names, rows[0][start:end])))
            start = end
        factors = [_set(of_factor, row[start:]) for row in rows]
        return found, [Factor(**values) for values in factors if values]


def _set(names: Sequence[str], values: Sequence[Any]) -> dict[str, Any]:
    """Without those that are None, as an attribute that was not set is, because most columns of an account are."""
    return {name: value for name, value in zip(names, values, strict=True) if value is not None}


class AccountRows(Generic[Owned]):
    """Finds one row of `table` by these conditions, with its account and all factors of that."""

    def __init__(self, table: type[Owned], *conditions: ColumnElement[bool]) -> None:
        self._rows = WithFactors(table, Account)
        joined = self._rows.query.join_from(table, Account, Account.id == table.account_id)
        self._query = joined.outerjoin(Factor, Factor.account_id == Account.id).where(*conditions)

    def find(self, tx: Transaction, parameters: Mapping[str, Any]) -> tuple[Owned, Account, list[Factor]] | None:
        """The row that fulfils the conditions, of which there is at most one, its account and all its factors."""
        found = self._rows.find(tx, self._query, parameters)
        if found is None:
            return None
        (row, account), factors = found
        return row, account, factors


class Accounts:
    """Finds an account by these conditions, with all its factors."""

    def __init__(self, *conditions: ColumnElement[bool]) -> None:
        self._rows = WithFactors(Account)
        joined = self._rows.query.outerjoin_from(Account, Factor, Factor.account_id == Account.id)
        self._query = joined.where(*conditions)

    def find(self, tx: Transaction, parameters: Mapping[str, Any]) -> tuple[Account, list[Factor]] | None:
        found = self._rows.find(tx, self._query, parameters)
        if found is None:
            return None
        (account,), factors = found
        return account, factors
