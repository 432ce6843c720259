"""A COMMIT waits for a replica that never confirms it: the site must not tell anybody that it was done."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import create_engine, insert, text

from tests.faults.postgres import postgres
from webapp.domain.refusals import DatabaseUnavailable
from webapp.models import database
from webapp.models.database import Database
from webapp.models.migrate import METADATA
from webapp.models.sessions import Attempt

WAITING = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
LOCAL = "options=-c%20synchronous_commit%3Dlocal"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with postgres(synchronous_standby_names="nobody") as url:
        engine = create_engine(f"{url}?{LOCAL}")
        METADATA.create_all(engine)
        engine.dispose()
        yield url


def change(db: Database) -> None:
    with db.write() as tx:
        tx.execute(insert(Attempt).values(bucket="a change", at=0))


def test_a_change_that_no_replica_confirms_is_refused_in_time(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "SILENT_SECONDS", 1)
    db = Database(url)
    with pytest.raises(DatabaseUnavailable):
        change(db)
    db.engine.dispose()


def test_a_change_whose_wait_is_canceled_is_refused_although_postgresql_reports_success(url: str) -> None:
    db, other = Database(url), create_engine(f"{url}?{LOCAL}", isolation_level="AUTOCOMMIT")
    with ThreadPoolExecutor(1) as pool, other.connect() as connection:
        changing = pool.submit(change, db)
        until = time.monotonic() + 9
        while not changing.done() and time.monotonic() < until:
            connection.execute(text(WAITING))
            time.sleep(0.1)
        with pytest.raises(DatabaseUnavailable) as refusal:
            changing.result()
        assert pool.submit(db.why_unavailable).result() == "no replica confirmed the change", "for the log"
    assert isinstance(refusal.value.__cause__, TimeoutError), "the COMMIT itself reported no error"
    for engine in (db.engine, other):
        engine.dispose()
