"""The engine and the two kinds of transaction: one that reads, one that writes.

SQLite's defaults lose updates between processes; here a writing transaction takes the write lock when it
begins (BEGIN IMMEDIATE) and waits up to five seconds for it. What must happen once is decided by the row count
of a conditional UPDATE, which holds on PostgreSQL at READ COMMITTED too.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Delete, Engine, Insert, Update, create_engine, event, func, select, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session, configure_mappers

from ..domain.refusals import DatabaseUnavailable

BUSY_MILLISECONDS = 5000
RETRY_AFTER = 5  # seconds


class Transaction:
    """One transaction. `execute`, `scalar` and `scalars` work on rows; `objects` reads and adds ORM objects.

    The ORM session is made at its first use: it costs as much as two statements, and most transactions of a log-in
    need none.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.execute = connection.execute
        self.scalar = connection.scalar
        self.scalars = connection.scalars
        self._objects: Session | None = None

    @property
    def objects(self) -> Session:
        """The ORM session of this transaction. Its objects stay readable after the commit."""
        if self._objects is None:
            self._objects = Session(self.connection, expire_on_commit=False)
        return self._objects

    def flush(self) -> None:
        """Writes what was added to `objects`, if anything was: their rows have ids then."""
        if self._objects is not None:
            self._objects.flush()

    def close(self) -> None:
        if self._objects is not None:
            self._objects.close()


class Database:
    def __init__(self, url: str) -> None:
        self.is_sqlite = url.startswith("sqlite")
        self.engine = _sqlite(url) if self.is_sqlite else _postgresql(url)
        configure_mappers()  # else the first requests would, several at once

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """A transaction that reads one consistent view of the data. Raises `DatabaseUnavailable`."""
        with self._transaction("BEGIN") as tx:
            yield tx

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[Transaction]:
        """A transaction that writes: committed on leaving, rolled back on any exception. Raises `DatabaseUnavailable`.

        Without `durable` SQLite does not wait for the disk: the change is visible at once and survives a crash of the
        process, but a crash of the machine may undo it until the next durable commit.
        """
        synchronous = "FULL" if durable else "NORMAL"
        with self._transaction(f"PRAGMA synchronous={synchronous}", "BEGIN IMMEDIATE") as tx:
            yield tx
            tx.flush()
            tx.connection.commit()

    @contextmanager
    def _transaction(self, *commands: str) -> Iterator[Transaction]:
        """Rolls back on leaving what was not committed."""
        with _translated(), self.engine.connect() as connection:
            connection.begin()  # so that the ORM session does not commit or roll back by itself
            self.begin(connection, *commands)
            tx = Transaction(connection)
            try:
                yield tx
            finally:
                tx.close()

    def answers(self) -> bool:
        """True when a trivial query succeeds."""
        try:
            with self.engine.connect() as connection:
                connection.execute(text("SELECT 1"))
        except DBAPIError:
            return False
        return True

    def begin(self, connection: Connection, *commands: str) -> None:
        """Begins the transaction on SQLite, where the driver begins none, by executing these commands.

        An event listener of the engine could do it too, but would slow down every statement.
        """
        if self.is_sqlite:
            raw: Any = connection.connection.dbapi_connection
            for command in commands:
                raw.execute(command)

    def serialize(self, tx: Transaction, *names: str) -> None:
        """Locks each name until the transaction ends. On SQLite there is only one writer at a time anyway."""
        if not self.is_sqlite:
            # all transactions take their locks in the same order, so that there is no deadlock
            locks = [func.pg_advisory_xact_lock(func.hashtextextended(name, 0)) for name in sorted(names)]
            tx.execute(select(*locks))


def changed_one_row(
    tx: Transaction, statement: Update | Delete | Insert, parameters: Mapping[str, Any] | None = None
) -> bool:
    """True when the conditional statement changed exactly one row. Of several requests at once, one gets True."""
    return tx.execute(statement, parameters).rowcount == 1


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (OperationalError, sqlite3.OperationalError) as error:  # sqlite3: BEGIN IMMEDIATE
        raise DatabaseUnavailable(RETRY_AFTER) from error


def _sqlite(url: str) -> Engine:
    engine = create_engine(
        url,
        connect_args={"timeout": BUSY_MILLISECONDS / 1000},
        pool_size=8,
        max_overflow=16,
        hide_parameters=True,  # errors are logged, and parameters contain hashes and user input
    )

    @event.listens_for(engine, "connect")
    def connected(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver must not begin transactions by itself
        for pragma in (
            "journal_mode=WAL",
            f"busy_timeout={BUSY_MILLISECONDS}",
            "foreign_keys=ON",
        ):
            connection.execute(f"PRAGMA {pragma}")

    return engine


def _postgresql(url: str) -> Engine:
    engine = create_engine(url, pool_size=8, max_overflow=16, pool_pre_ping=True, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def connected(connection: Any, _record: Any) -> None:
        connection.execute(f"SET lock_timeout = {BUSY_MILLISECONDS}")
        connection.commit()

    return engine
