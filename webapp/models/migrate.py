"""Brings a database to the tables of this version; safe to call from several processes at once.

The whole upgrade is one transaction under a lock, so a failure leaves the database as it was. It must print
nothing on standard output, which is the site's log.

On PostgreSQL others may go on writing: the upgrade gives up after it waited `LOCK_SECONDS` for a table, because
everybody else waits behind it, and begins again later. Indexes are created afterwards, while others write.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from time import sleep

from alembic import command
from alembic.config import Config
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, NullPool, create_engine, event, func, select, text
from sqlalchemy.exc import DBAPIError, OperationalError

from ..private_files import sqlite_file
from .base import Table
from .database import DENIED, READ_ONLY, Database, said
from .revisions import NEWER, OUTDATED, SCRIPTS, UnusableDatabase, missing_file

LOCK = 7_236_014_431  # the key of PostgreSQL's advisory lock: arbitrary, but it must not change
INDEX_LOCK = LOCK + 1
LOCK_SECONDS = 2
AGAIN_AFTER = (1, 2, 4, 8, 15, 30)
"""Seconds before each further attempt, when a table was not free."""
UNLIMITED = """
    SELECT set_config(name, '0', false) FROM pg_settings WHERE name IN
    ('statement_timeout', 'lock_timeout', 'transaction_timeout', 'idle_in_transaction_session_timeout')"""
"""For the connection of a migration: a server or role may have time-outs that are enough for requests only. That of a
transaction is new in PostgreSQL 17."""
LOCK_NOT_AVAILABLE = "55P03"  # SQLSTATE
REFUSALS = {READ_ONLY, DENIED}
"""SQLSTATE of a server that takes no change, and of one that the user may not make."""
ENCODING = "SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname = current_database()"
VALID = "SELECT indexrelid::regclass::text FROM pg_index WHERE indisvalid AND pg_table_is_visible(indrelid)"
"""The names of the usable indexes. One whose creation was interrupted is there, and not valid."""

for module in iter_modules([str(Path(__file__).parent)]):  # METADATA has the tables of imported modules only
    if module.name not in ("migrate", "copying"):
        import_module(f"{__package__}.{module.name}")
METADATA = Table.metadata


def migrate(database_url: str) -> None:
    """Upgrades to the newest revision; does nothing when the database has it already.

    Raises `UnusableDatabase`, also when a table was not free in a minute.
    """
    if missing_file(database_url) is None and (found := trouble(database_url)) not in (None, OUTDATED):
        raise UnusableDatabase(found)
    for wait in (*AGAIN_AFTER, None):
        try:
            with writing(database_url) as connection:
                command.upgrade(alembic_config(connection), "head")
            if not database_url.startswith("sqlite"):
                create_missing_indexes(database_url)
            break
        except (DBAPIError, sqlite3.OperationalError) as error:
            state = getattr(error.__cause__, "sqlstate", None)
            if state not in REFUSALS and not isinstance(error, OperationalError | sqlite3.OperationalError):
                raise  # a bug of ours
            if wait is None or state != LOCK_NOT_AVAILABLE:
                where = sqlite_file(database_url) or "at NIGHTLATCH_DATABASE_URL"
                raise UnusableDatabase(f"{where} can't be migrated: {said(error)}") from error
            sleep(wait)


def create_missing_indexes(database_url: str) -> None:
    """Creates each index of the tables that PostgreSQL does not have yet, while others write."""
    engine = create_engine(database_url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(text(UNLIMITED))
        # not a statement that waits for the lock: CREATE INDEX CONCURRENTLY would wait for its end
        while not connection.scalar(select(func.pg_try_advisory_lock(INDEX_LOCK))):
            sleep(0.2)
        valid, operations = set(connection.scalars(text(VALID))), Operations(MigrationContext.configure(connection))
        for table in METADATA.sorted_tables:
            for index in (index for index in table.indexes if index.name not in valid):
                place, columns = (str(index.name), table.name), [column.name for column in index.columns]
                operations.drop_index(*place, if_exists=True, postgresql_concurrently=True)
                operations.create_index(*place, columns, unique=index.unique, postgresql_concurrently=True)


def trouble(database_url: str) -> str | None:
    """Why this version cannot use the database, after the words "The database"; None when it can. Changes nothing."""
    if missing := missing_file(database_url):
        return missing
    database = Database(database_url)
    try:
        with database.engine.connect() as connection:
            heads = set(MigrationContext.configure(connection).get_current_heads())
            if not heads and not database.is_sqlite and (encoding := connection.scalar(text(ENCODING))) != "UTF8":
                return f"has the encoding {encoding}, which lacks letters of people's names; make it with UTF8"
    except DBAPIError as error:
        file = sqlite_file(database_url)
        look_at = f"look at {file}, its owner and its disk" if file else "check NIGHTLATCH_DATABASE_URL"
        return f"can't be used: {said(error)}; {look_at}"
    finally:
        database.engine.dispose()
    scripts = ScriptDirectory.from_config(alembic_config())
    if heads == set(scripts.get_heads()):
        return None
    return OUTDATED if heads <= {script.revision for script in scripts.walk_revisions()} else NEWER


@contextmanager
def writing(database_url: str) -> Iterator[Connection]:
    """A connection in a transaction that excludes other migrations; committed on leaving.

    Raises `RuntimeError` when a foreign key would refer to no row.
    """
    if not database_url.startswith("sqlite"):
        # not the engine of `Database`, whose statements must be short
        engine = create_engine(database_url, poolclass=NullPool)
        with engine.begin() as connection:
            connection.execute(text(UNLIMITED))
            connection.execute(select(func.pg_advisory_xact_lock(LOCK)))
            connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'"))
            yield connection
        return
    database = Database(database_url)
    # Rebuilding a table drops the old one, and with foreign keys on that deletes the rows that refer to it.
    event.listen(database.engine, "connect", lambda connection, _: connection.execute("PRAGMA foreign_keys=OFF"))
    try:
        with database.engine.connect() as connection, connection.begin():
            database.begin(connection, "BEGIN IMMEDIATE")
            yield connection
            if connection.execute(text("PRAGMA foreign_key_check")).first():
                raise RuntimeError("The migration would leave rows that point at nothing, so it was undone.")
    finally:
        database.engine.dispose()


def alembic_config(connection: Connection | None = None) -> Config:
    config = Config(stdout=sys.stderr)
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
