"""Migrations of tables with a million rows, while the site reads and writes them: no statement waits long."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from alembic import command
from sqlalchemy import Engine, create_engine, text

from tests.faults.postgres import postgres
from webapp.models.migrate import LOCK_SECONDS, METADATA, VALID, alembic_config, migrate, trouble, writing

ROWS = 1_000_000
FROM = "0012_refused_requests"
ACCOUNTS = """
INSERT INTO accounts (created_at, name, username, username_key, password_hash, language, discoverable, used_at,
                      made_by_operator, theme, role)
SELECT 0, 'Ada', 'a' || n, 'a' || n, 'x', 'en', false, 0, false, 'system', 'person' FROM generate_series(1, :rows) n
"""
SESSIONS = """
INSERT INTO sessions (token_hash, account_id, started_at, seen_at, persistent, proofs, address, device)
SELECT md5(n::text), n, 0, 0, false, '{}', '', '' FROM generate_series(1, :rows) n
"""
LOAD = (
    "UPDATE accounts SET used_at = used_at + 1 WHERE id = :id",
    "UPDATE sessions SET seen_at = seen_at + 1 WHERE id = :id",
    "SELECT name FROM accounts JOIN sessions ON account_id = accounts.id WHERE sessions.id = :id",
    "INSERT INTO sessions (token_hash, account_id, started_at, seen_at, persistent, proofs, address, device)"
    " VALUES (gen_random_uuid(), :id, 0, 0, false, '{}', '', '')",
)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with postgres() as url:
        with writing(url) as connection:
            command.upgrade(alembic_config(connection), FROM)
        with writing(url) as connection:
            for rows in (ACCOUNTS, SESSIONS):
                connection.execute(text(rows), {"rows": ROWS})
        yield url


def longest_wait(engine: Engine, statement: str, stop: Event) -> float:
    longest = 0.0
    while not stop.is_set():
        began = time.perf_counter()
        with engine.begin() as connection:
            connection.execute(text(statement), {"id": random.randint(1, ROWS)})
        longest = max(longest, time.perf_counter() - began)
    return longest


def read_for_a_while(engine: Engine, seconds: float) -> None:
    """A transaction that keeps a table from being changed, as a long report does."""
    with engine.begin() as connection:
        connection.execute(text("SELECT name FROM accounts LIMIT 1"))
        time.sleep(seconds)


def test_no_statement_waits_long_while_tables_of_a_million_rows_are_migrated(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    engine, stop = create_engine(url), Event()
    with ThreadPoolExecutor(len(LOAD) + 1) as pool:
        waits = [pool.submit(longest_wait, engine, statement, stop) for statement in LOAD]
        report = pool.submit(read_for_a_while, engine, 2.5 * LOCK_SECONDS)
        time.sleep(1)
        began = time.perf_counter()
        try:
            migrate(url)
        finally:
            took = time.perf_counter() - began
            stop.set()
        report.result()
        longest = max(wait.result() for wait in waits)
    with capsys.disabled():
        print(f"\nmigrated in {took:.1f} s; of {len(LOAD)} kinds of statement the slowest took {longest:.2f} s")
    assert trouble(url) is None
    with engine.connect() as connection:
        valid = set(connection.scalars(text(VALID)))
    assert {str(index.name) for table in METADATA.sorted_tables for index in table.indexes} <= valid
    engine.dispose()
    assert longest < LOCK_SECONDS + 1
