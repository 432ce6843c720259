"""Goes through a table of any size in parts, each for a short transaction of its own.

PostgreSQL cancels a long statement, and others wait for the rows or, on SQLite, for the whole database that it locks.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import ColumnElement, and_, func, inspect, select

from .base import Table
from .database import Database

ROWS = 2000
"""Of a part: deleting so many, with all that refers to them, takes less than a second."""


def parts_of(db: Database, table: type[Table], *which: ColumnElement[bool]) -> Iterator[ColumnElement[bool]]:
    """Conditions for one part after the other of the rows of `which`, by default of all: ranges of the primary key, or
    of its first column. Rows that are added meanwhile may be left out. Raises `DatabaseUnavailable`."""
    key, first = inspect(table).primary_key[0], list[ColumnElement[bool]]()
    while True:
        part = select(key).where(*which, *first).order_by(key).limit(ROWS).subquery()
        with db.read() as tx:
            last = tx.scalar(select(func.max(part.c[0])))
        if last is None:
            return
        yield and_(*which, *first, key <= last)
        first = [key > last]
