"""Brings a database to the tables of this version; safe to call from several processes at once.

The whole upgrade is one transaction under a lock, so a failure leaves the database as it was. It must print
nothing on standard output, which is the site's log.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, event, text

from .base import Table
from .database import Database

SCRIPTS = Path(__file__).resolve().parents[2] / "migrations"
LOCK = 7_236_014_431  # the key of PostgreSQL's advisory lock: arbitrary, but it must not change

for module in iter_modules([str(Path(__file__).parent)]):  # METADATA has the tables of imported modules only
    if module.name != "migrate":
        import_module(f"{__package__}.{module.name}")
METADATA = Table.metadata


def migrate(database_url: str) -> None:
    """Upgrades to the newest revision; does nothing when the database has it already."""
    with writing(database_url) as connection:
        command.upgrade(alembic_config(connection), "head")


def is_current(database_url: str) -> bool:
    """True when the database has exactly the newest revision of this version."""
    database = Database(database_url)
    try:
        with database.engine.connect() as connection:
            heads = MigrationContext.configure(connection).get_current_heads()
    finally:
        database.engine.dispose()
    return set(heads) == set(ScriptDirectory.from_config(alembic_config()).get_heads())


@contextmanager
def writing(database_url: str) -> Iterator[Connection]:
    """A connection in a transaction that excludes other migrations; committed on leaving.

    Raises `RuntimeError` when a foreign key would refer to no row.
    """
    database = Database(database_url)
    if database.is_sqlite:
        # Rebuilding a table drops the old one, and with foreign keys on that deletes the rows that refer to it.
        event.listen(database.engine, "connect", lambda connection, _: connection.execute("PRAGMA foreign_keys=OFF"))
    try:
        with database.engine.connect() as connection, connection.begin():
            database.begin(connection, "BEGIN IMMEDIATE")
            if not database.is_sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            yield connection
            if database.is_sqlite and connection.execute(text("PRAGMA foreign_key_check")).first():
                raise RuntimeError("The migration would leave rows that point at nothing, so it was undone.")
    finally:
        database.engine.dispose()


def alembic_config(connection: Connection | None = None) -> Config:
    config = Config(stdout=sys.stderr)
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
