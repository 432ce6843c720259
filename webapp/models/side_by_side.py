"""Rows of several tables in one statement, as objects, past the ORM's session.

For the statements that every page or every log-in runs: the ORM takes four times as long to make the same objects.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, inspect

from .base import Table, rows_of


class SideBySide:
    """Tables whose whole rows a statement reads: it selects `columns`, and `objects` makes its rows objects."""

    def __init__(self, *tables: type[Table]) -> None:
        self.columns = [column for table in tables for column in rows_of(table).c]
        self._parts = []
        start = 0
        for table in tables:
            names = rows_of(table).c.keys()
            self._parts.append((inspect(table).class_manager.new_instance, names, slice(start, start + len(names))))
            start += len(names)

    def objects(self, row: Row[Any]) -> list[Any]:
        """One of each table, in their order, and of no session; None where an outer join found no row."""
        found: list[Any] = []
        for new, names, place in self._parts:
            values = row[place]
            if values[0] is None:  # a table's key comes first
                found.append(None)
                continue
            one = new()
            one.__dict__.update(zip(names, values, strict=True))
            found.append(one)
        return found
