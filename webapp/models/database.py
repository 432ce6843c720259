"""The engine and the two kinds of transaction: one that reads, one that writes.

SQLite's defaults lose updates between processes; here a writing transaction takes the write lock when it
begins (BEGIN IMMEDIATE) and waits up to five seconds for it. What must happen once is decided by the row count
of a conditional UPDATE, which holds on PostgreSQL at READ COMMITTED too.

docs/decisions/postgresql-faults.md says what happens when PostgreSQL fails.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import local
from typing import Any, NoReturn

from sqlalchemy import Connection, Delete, Engine, Insert, Update, create_engine, event, func, make_url, select, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as NoFreeConnection
from sqlalchemy.orm import Session, configure_mappers

from ..domain.refusals import DatabaseUnavailable
from .silence import SILENCE

BUSY_MILLISECONDS = 5000  # to wait for a lock
RETRY_AFTER = 5  # seconds
POOL: dict[str, Any] = {"pool_size": 8, "max_overflow": 16, "pool_timeout": 5}
"""Connections of a process: 8 stay open, 24 are the most, and a thread waits 5 seconds for one."""

STATEMENT_MILLISECONDS = 8000  # PostgreSQL cancels a longer statement
IDLE_MILLISECONDS = 30_000  # and ends a transaction whose process vanished between two statements
SILENT_SECONDS = 10  # for a whole transaction; longer than a statement, which then ends by itself
LONG_SECONDS = 600  # the same for work on whole tables
CONNECTING = {
    "connect_timeout": "3",  # seconds for each host of the URL
    "keepalives_idle": "10",  # an idle connection to a machine that vanished ends after 10 + 2 x 5 s
    "keepalives_interval": "5",
    "keepalives_count": "2",
    "tcp_user_timeout": "10000",  # ms for which a machine may acknowledge nothing
    "client_encoding": "utf8",  # whatever the server and PGCLIENTENCODING say
}
"""Parameters of libpq, unless the URL has others."""
READ_ONLY = "25006"
DENIED = "42501"  # the role may not use a table
REPEATABLE = {"40001", "40P01"}
"""SQLSTATE of a serialization failure and of a deadlock."""
WARNED = "warned"
"""Of a connection: PostgreSQL sent a warning. To a COMMIT it does so when its wait for a replica was canceled, and then
reports success, although the change is lost when another server takes over."""


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
        self._request = local()
        configure_mappers()  # else the first requests would, several at once

    def begin_request(self) -> None:
        """From now on `may_repeat` speaks of what this thread does."""
        self._request.lost = self._request.committed = False

    def may_repeat(self) -> bool:
        """True when a transaction of the request was lost, and no COMMIT was sent in it: then nothing was changed, and
        the whole request can be done again. A COMMIT without an answer may have been carried out."""
        return bool(self._request.lost and not self._request.committed)

    def why_unavailable(self) -> str | None:
        """What the driver said of the last refused transaction of this thread, once. It has no value of a row."""
        why: str | None = getattr(self._request, "why", None)
        self._request.why = None
        return why

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
            self._commit(tx.connection)

    def _commit(self, connection: Connection) -> None:
        self._request.committed = True
        about = connection.info
        about[WARNED] = False
        connection.commit()
        if about[WARNED]:
            self._refuse(TimeoutError("no replica confirmed the change"))

    @contextmanager
    def _transaction(self, *commands: str) -> Iterator[Transaction]:
        """Rolls back on leaving what was not committed."""
        with self._translated(), self.engine.connect() as connection:
            connection.begin()  # so that the ORM session does not commit or roll back by itself
            self.begin(connection, *commands)
            tx = Transaction(connection)
            try:
                yield tx
            finally:
                tx.close()

    def take_time(self, tx: Transaction) -> None:
        """Gives the transaction ten minutes on PostgreSQL: for work on whole tables, for which no request waits."""
        if not self.is_sqlite:
            SILENCE.watch(tx.connection.connection.dbapi_connection, LONG_SECONDS)
            tx.execute(text(f"SET LOCAL statement_timeout = '{LONG_SECONDS}s'"))

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.OperationalError, NoFreeConnection) as error:  # sqlite3: BEGIN IMMEDIATE
            self._refuse(error)
        except DBAPIError as error:
            state = getattr(error.orig, "sqlstate", None)
            self._request.lost = error.connection_invalidated or state in REPEATABLE
            if not isinstance(error, OperationalError) and not self._request.lost and state != DENIED:
                raise
            self._refuse(error)

    def _refuse(self, error: Exception) -> NoReturn:
        self._request.why = said(error)
        raise DatabaseUnavailable(RETRY_AFTER) from error

    def answers(self) -> bool:
        """True when a trivial query succeeds."""
        try:
            with self.read() as tx:
                tx.execute(text("SELECT 1"))
        except (DatabaseUnavailable, DBAPIError):
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


def said(error: BaseException) -> str:
    """What the driver said, in one line: of an `OperationalError` or `DatabaseUnavailable` it has no value of a row."""
    while error.__cause__ is not None:
        error = error.__cause__
    return " ".join(str(error).split())


def reason(error: Exception) -> str:
    """For the log: what the driver said of a database that is not available; of any other error the name of its type,
    for its text may quote a row."""
    return said(error) if isinstance(error, DatabaseUnavailable) else type(error).__name__


def changed_one_row(
    tx: Transaction, statement: Update | Delete | Insert, parameters: Mapping[str, Any] | None = None
) -> bool:
    """True when the conditional statement changed exactly one row. Of several requests at once, one gets True."""
    return tx.execute(statement, parameters).rowcount == 1


def _sqlite(url: str) -> Engine:
    engine = create_engine(
        url,
        connect_args={"timeout": BUSY_MILLISECONDS / 1000},
        **POOL,
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
    """No pre-ping, which costs an exchange in each transaction: the first error on a dead connection makes the pool
    replace all older ones."""
    ours = {name: value for name, value in CONNECTING.items() if name not in make_url(url).query}
    engine = create_engine(url, connect_args=ours, **POOL, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def connected(connection: Any, record: Any) -> None:
        SILENCE.watch(connection, SILENT_SECONDS)
        connection.execute(
            f"SET lock_timeout = {BUSY_MILLISECONDS}; SET statement_timeout = {STATEMENT_MILLISECONDS};"
            f" SET idle_in_transaction_session_timeout = {IDLE_MILLISECONDS}"
        )
        connection.commit()

        def noticed(notice: Any) -> None:
            if notice.severity_nonlocalized == "WARNING":
                record.info[WARNED] = True

        connection.add_notice_handler(noticed)

    @event.listens_for(engine, "checkout")
    def taken(connection: Any, _record: Any, _proxy: Any) -> None:
        SILENCE.watch(connection, SILENT_SECONDS)

    @event.listens_for(engine, "checkin")
    @event.listens_for(engine, "invalidate")
    def returned(connection: Any, _record: Any, _error: Any = None) -> None:
        SILENCE.release(connection)

    @event.listens_for(engine, "handle_error")
    def failed(context: Any) -> None:
        """A server that became a replica is left, so that the next connection finds the primary."""
        if getattr(context.original_exception, "sqlstate", None) == READ_ONLY:
            context.is_disconnect = True

    return engine
