"""Whatever fails in PostgreSQL during a log-in, the answer is 503 with Retry-After, and the code still works."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, create_engine, event, text

from tests.attacks.test_faults import assert_not_now
from tests.attacks.tools import everything
from tests.conftest import POSTGRES, Site
from tests.doubles import CheapHasher
from tests.people import Owner, Page
from tests.relying_party import PUBLIC, RelyingParty
from tests.test_processes import eventually
from webapp import create_app
from webapp.models import database
from webapp.settings import Settings

pytestmark = [
    pytest.mark.skipif(not POSTGRES, reason="NIGHTLATCH_TEST_POSTGRES_URL is not set"),
    pytest.mark.parametrize("database_url", ["postgresql"], indirect=True),
]
HELD = "UPDATE pending_logins SET device = device"
BLOCKED = text("SELECT pid FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))")
Act = Callable[[Connection, int], object]


def wait(_holder: Connection, _pid: int) -> None:
    """Until a time-out ends the statement."""


def cancel(holder: Connection, pid: int) -> None:
    holder.execute(text("SELECT pg_cancel_backend(:pid)"), {"pid": pid})


def terminate(holder: Connection, pid: int) -> None:
    holder.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})


def commit(holder: Connection, _pid: int) -> None:
    holder.commit()


def want_the_factor(holder: Connection, _pid: int) -> None:
    """Which the log-in has changed already."""
    holder.execute(text("UPDATE factors SET label = label"))


FAULTS: dict[str, tuple[str, dict[str, int], Act]] = {
    "lock time-out": ("55P03", {"BUSY_MILLISECONDS": 300}, wait),
    "statement time-out": ("57014", {"STATEMENT_MILLISECONDS": 300}, wait),
    "canceled by an administrator": ("57014", {}, cancel),
    "ended by an administrator": ("57P01", {}, terminate),
    "serialization failure": ("40001", {}, commit),
    "deadlock": ("40P01", {}, want_the_factor),
}


@contextmanager
def codes_of_errors(engine: Engine) -> Iterator[list[str | None]]:
    """The SQLSTATE of each error."""
    found: list[str | None] = []

    def heard(context: Any) -> None:
        found.append(context.original_exception.sqlstate)

    event.listen(engine, "handle_error", heard)
    yield found
    event.remove(engine, "handle_error", heard)


@contextmanager
def repeatable_read(engine: Engine) -> Iterator[None]:
    """Where a serialization failure is possible."""

    def connected(connection: Any, _record: Any) -> None:
        connection.execute("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        connection.commit()

    event.listen(engine, "connect", connected)
    yield
    event.remove(engine, "connect", connected)
    engine.dispose()


def pending_login(ada: Owner) -> tuple[Owner, dict[str, str]]:
    """A browser after the password, and the form with the right code."""
    pending = ada.log_in_elsewhere()
    return pending, {"csrf_token": pending.token(), "code": ada.code()}


def send(pending: Owner, form: dict[str, str]) -> Page:
    return pending.send("POST", "/log-in/verify", data=form, follow=False)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_log_in_that_fails_in_postgresql_is_refused_and_can_be_repeated(
    site: Site, ada: Owner, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (code, limits, act), engine = FAULTS[fault], site.services.db.engine
    for name, value in limits.items():
        monkeypatch.setattr(database, name, value)
    pending, form = pending_login(ada)
    engine.dispose()
    before, other = everything(site), create_engine(engine.url)
    engine.dispose()
    with repeatable_read(engine), codes_of_errors(engine) as codes, other.connect() as holder:
        with ThreadPoolExecutor(1) as pool:
            holder.execute(text("SET deadlock_timeout = '20s'"))  # the log-in notices the deadlock
            holder.execute(text(HELD))
            sent = pool.submit(send, pending, form)
            assert eventually(lambda: holder.scalar(BLOCKED) is not None)
            act(holder, holder.scalar(BLOCKED) or 0)
            assert_not_now(sent.result())
        holder.rollback()
    other.dispose()
    assert codes == [code]
    assert everything(site) == before
    assert send(pending, form).status == 303


def test_a_log_in_that_was_idle_in_its_transaction_is_refused_and_can_be_repeated(
    site: Site, ada: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "IDLE_MILLISECONDS", 200)
    engine = site.services.db.engine
    pending, form = pending_login(ada)
    engine.dispose()
    before = everything(site)
    engine.dispose()

    def sleep(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith("INSERT INTO sessions"):
            time.sleep(0.5)

    event.listen(engine, "before_cursor_execute", sleep)
    with codes_of_errors(engine) as codes:
        assert_not_now(send(pending, form))
    event.remove(engine, "before_cursor_execute", sleep)
    assert codes == ["25P03"]
    assert everything(site) == before
    assert send(pending, form).status == 303


def test_a_log_in_that_gets_no_connection_is_refused_and_can_be_repeated(
    site: Site, ada: Owner, environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"pool_size": 1, "max_overflow": 0, "pool_timeout": 0.1}.items():
        monkeypatch.setitem(database.POOL, name, value)
    small = create_app(Settings.read(environ, tmp_path / "instance"), clock=site.clock, hasher=CheapHasher())
    services = small.extensions["nightlatch"]
    elsewhere = Owner(Site(small, services, site.clock))
    elsewhere.secret = ada.secret
    pending, form = pending_login(elsewhere)
    before = everything(site)
    with services.db.read():
        assert_not_now(send(pending, form))
    assert everything(site) == before
    assert send(pending, form).status == 303


def test_a_request_whose_repetition_fails_too_is_refused(site: Site, ada: Owner) -> None:
    engine, other, ended = site.services.db.engine, create_engine(site.services.db.engine.url), list[str]()

    def end(connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        ended.append(statement)
        pid = connection.connection.dbapi_connection.info.backend_pid
        with other.connect() as killer:
            killer.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})

    event.listen(engine, "before_cursor_execute", end)
    assert_not_now(ada.open("/settings/account", follow=False))
    event.remove(engine, "before_cursor_execute", end)
    other.dispose()
    assert len(ended) == 2
    assert ada.open("/settings/account").status == 200


# -- Failures while an answer is made --------------------------------------------------------------


@contextmanager
def locked(site: Site, table: str) -> Iterator[None]:
    other = create_engine(site.services.db.engine.url)
    with other.begin() as connection:
        connection.execute(text(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"))
        yield
    other.dispose()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch, site: Site) -> None:
    monkeypatch.setattr(database, "BUSY_MILLISECONDS", 300)
    site.services.db.engine.dispose()


@pytest.mark.usefixtures("impatient")
def test_a_page_for_another_refusal_that_cannot_read_the_user_is_refused(site: Site, ada: Owner) -> None:
    """The pending login has expired; who is logged in is read for the way back only."""
    site.services.db.engine.dispose()
    with locked(site, "sessions"):
        assert_not_now(ada.open("/log-in/verify", follow=False))
    assert ada.open("/log-in/verify", follow=False).status == 303


@pytest.mark.usefixtures("impatient")
def test_the_origin_of_a_script_is_read_before_anything_is_done(site: Site) -> None:
    spa = RelyingParty(site, PUBLIC, redirect_uris=("https://spa.example/back",))
    form = {"grant_type": "authorization_code", "code": "x", "client_id": spa.client_id}
    site.services.db.engine.dispose()
    with locked(site, "registered_apps"):
        page = spa.server.send("POST", "/oauth/token", data=form, headers={"Origin": "https://spa.example"})
    assert page.status == 503, page.text
    assert page.response.headers["Retry-After"]
    assert page.response.get_json()["error"] == "temporarily_unavailable"
    page = spa.server.send("POST", "/oauth/token", data=form, headers={"Origin": "https://spa.example"})
    assert page.response.get_json()["error"] == "invalid_grant"
