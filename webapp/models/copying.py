"""Copies a database in SQLite to PostgreSQL: the way of a site from one machine to several."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection, func, insert, select, text
from sqlalchemy.exc import DBAPIError

from ..domain.refusals import DatabaseUnavailable
from .database import Database, said
from .migrate import METADATA, migrate, trouble, writing
from .revisions import UnusableDatabase

ROWS_AT_ONCE = 1000
WRITTEN_BY_A_START = "site_values"
"""The table in which a site has rows before anyone used it."""


def copy_rows(file: Path, database_url: str) -> int:
    """Copies every row of the file to PostgreSQL, all or none, and returns how many. The file is not changed.

    Raises `UnusableDatabase`: also when the file is not of this version or in use, when the other has rows already, and
    when one of both fails meanwhile.
    """
    if database_url.startswith("sqlite"):
        raise UnusableDatabase("at NIGHTLATCH_DATABASE_URL is not PostgreSQL; a file of SQLite is copied by a backup")
    if found := trouble(url := f"sqlite:///{file}"):
        raise UnusableDatabase(f"{file} {found}")
    if _is_in_use(file):
        raise UnusableDatabase(f"{file} is in use; stop the site, its worker too")
    migrate(database_url)
    source = Database(url)
    try:
        with source.read() as tx, writing(database_url) as target:
            for table in METADATA.sorted_tables:
                if table.name != WRITTEN_BY_A_START and target.execute(select(table).limit(1)).first():
                    raise UnusableDatabase(f"at NIGHTLATCH_DATABASE_URL has rows in {table.name}; name an empty one")
            target.execute(METADATA.tables[WRITTEN_BY_A_START].delete())
            return sum(_copy(table.name, tx.connection, target) for table in METADATA.sorted_tables)
    except (DatabaseUnavailable, DBAPIError) as error:
        why = said(error).partition(" DETAIL:")[0]  # there PostgreSQL quotes the row
        raise UnusableDatabase(f"{file} can't be copied: {why}; it is copied whole or not at all") from error
    finally:
        source.engine.dispose()


def _is_in_use(file: Path) -> bool:
    """Whether a process has the file open: then it is not locked as a whole (https://sqlite.org/wal.html section 6)."""
    with closing(sqlite3.connect(file, timeout=0, isolation_level=None)) as connection:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            return error.sqlite_errorcode == sqlite3.SQLITE_BUSY
        return False


def _copy(name: str, source: Connection, target: Connection) -> int:
    table, count = METADATA.tables[name], 0
    for rows in source.execute(select(table)).mappings().partitions(ROWS_AT_ONCE):
        target.execute(insert(table), [dict(row) for row in rows])
        count += len(rows)
    if "id" in table.c:
        # what SQLite counted, for the id of a deleted row is not given again
        given = text("SELECT max(seq) FROM sqlite_sequence WHERE name = :name")
        newest = source.scalar(given, {"name": name}) or source.scalar(select(func.max(table.c.id)))
        if newest:
            target.execute(select(func.setval(func.pg_get_serial_sequence(name, "id"), newest)))
    return count
