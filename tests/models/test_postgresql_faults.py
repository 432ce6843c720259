"""Connections to PostgreSQL that are lost, silent or refused, and what a request notices of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from threading import Barrier
from typing import Any

import pytest
from alembic import command
from sqlalchemy import URL, Engine, create_engine, event, make_url, text
from structlog.testing import capture_logs

from tests.conftest import POSTGRES, Site
from tests.people import Owner, Person
from tests.silent_proxy import SilentProxy
from webapp import create_app
from webapp.domain.refusals import DatabaseUnavailable
from webapp.models import database
from webapp.models.database import Database
from webapp.models.migrate import alembic_config
from webapp.settings import Settings

pytestmark = [
    pytest.mark.skipif(not POSTGRES, reason="NIGHTLATCH_TEST_POSTGRES_URL is not set"),
    pytest.mark.parametrize("database_url", ["postgresql"], indirect=True),
]
OPENED = "SELECT count(*) FROM sessions WHERE ended_at IS NULL"


@pytest.fixture
def ada(site: Site) -> Owner:
    """Logged in, without a second factor."""
    return Owner.signed_up(site)


def kill_connections(engine: Engine) -> None:
    """Ends every connection of this engine, as a failover does. Its pool does not know."""
    raws: list[Any] = []
    event.listen(engine, "checkout", listener := lambda raw, *_: raws.append(raw))
    held = [engine.connect() for _ in range(max(1, engine.pool.checkedin()))]  # type: ignore[attr-defined]
    for connection in held:
        connection.close()
    event.remove(engine, "checkout", listener)
    other = create_engine(engine.url)
    with other.connect() as connection:
        for raw in raws:
            connection.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": raw.info.backend_pid})
    other.dispose()


@contextmanager
def opened(url: str) -> Iterator[Database]:
    """A database of its own, whose connections are closed at the end."""
    db = Database(url)
    yield db
    db.engine.dispose()


def one(db: Database) -> int:
    with db.read() as tx:
        return int(tx.scalar(text("SELECT 1")) or 0)


# -- Lost connections --------------------------------------------------------------------------------


def test_one_error_replaces_all_dead_connections(database_url: str) -> None:
    with opened(database_url) as db:
        held = [db.engine.connect() for _ in range(4)]
        for connection in held:
            connection.close()
        kill_connections(db.engine)
        with pytest.raises(DatabaseUnavailable):
            one(db)
        assert [one(db) for _ in range(8)] == [1] * 8


def test_a_request_on_a_dead_connection_is_answered_all_the_same(site: Site, ada: Owner) -> None:
    engine = site.services.db.engine
    kill_connections(engine)
    assert ada.open("/settings/account").status == 200
    ada.open("/settings/account/name")
    kill_connections(engine)
    assert ada.press("Save", name="Ada King").status == 200
    assert site.services.accounts.named("ada").name == "Ada King", "the form was read twice and saved once"


def lose(engine: Engine, fails: Callable[[str], bool]) -> Callable[[], None]:
    """The next statement that `fails` says ends its own connection. Returns how to stop that."""

    def heard(connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if fails(statement):
            event.remove(engine, "before_cursor_execute", heard)
            raw = connection.connection.dbapi_connection
            other = create_engine(engine.url)
            with other.connect() as killer:
                killer.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": raw.info.backend_pid})
            other.dispose()

    event.listen(engine, "before_cursor_execute", heard)
    return lambda: (
        event.contains(engine, "before_cursor_execute", heard) and event.remove(engine, "before_cursor_execute", heard)
    )


def test_a_request_is_not_repeated_after_a_commit(site: Site, ada: Owner) -> None:
    """The attempt is counted and committed; then the connection is lost. Repeated, it would count twice."""
    stranger = ada.other_browser()
    stranger.open("/log-in")
    token = stranger.token()
    stop = lose(site.services.db.engine, lambda statement: statement.startswith("INSERT INTO sessions"))
    data = {"csrf_token": token, "username": "ada", "password": ada.password}
    page = stranger.send("POST", "/log-in", data=data, follow=False)
    stop()
    assert page.status == 503, page.problems
    with site.services.db.read() as tx:
        assert tx.scalar(text(OPENED)) == 1
        attempts = tx.scalar(text("SELECT count(*) FROM attempts WHERE bucket LIKE 'password:%'"))
    assert attempts <= 1  # type: ignore[operator]
    assert stranger.log_in().h1 == "Welcome, Ada Lovelace"


def test_the_transaction_that_a_deadlock_ended_may_be_repeated(database_url: str) -> None:
    both, lock = Barrier(2), text("SELECT pg_advisory_xact_lock(:name)")

    def ended(db: Database, *names: int) -> bool:
        db.begin_request()
        try:
            with db.write() as tx:
                tx.execute(lock, {"name": names[0]})
                both.wait()
                tx.execute(lock, {"name": names[1]})
        except DatabaseUnavailable:
            return db.may_repeat()
        assert not db.may_repeat()
        return False

    with opened(database_url) as db, ThreadPoolExecutor(2) as pool:
        ends = [pool.submit(ended, db, *names) for names in ((1, 2), (2, 1))]
        assert sorted(end.result() for end in ends) == [False, True]


def test_a_server_that_became_a_replica_is_left(site: Site, ada: Owner) -> None:
    with site.services.db.engine.connect() as connection:
        connection.execute(text("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"))
        connection.commit()
    ada.open("/settings/account/name")
    assert ada.press("Save", name="Ada King").status == 200
    assert site.services.accounts.named("ada").name == "Ada King"


# -- Time-outs ---------------------------------------------------------------------------------------


@pytest.fixture
def proxy(database_url: str) -> Iterator[SilentProxy]:
    url = make_url(database_url)
    with closing(SilentProxy(url.host or "127.0.0.1", url.port or 5432)) as proxy:
        yield proxy


def through(url: str, proxy: SilentProxy) -> str:
    changed: URL = make_url(url).set(host="127.0.0.1", port=proxy.port)
    return changed.render_as_string(hide_password=False)


def test_a_transaction_on_a_silent_server_ends(
    database_url: str, proxy: SilentProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a server that is stopped: its system acknowledges what is sent, so no time-out of TCP helps."""
    monkeypatch.setattr(database, "SILENT_SECONDS", 0.5)
    with opened(through(database_url, proxy)) as db:
        assert one(db) == 1
        proxy.silence()
        began = time.monotonic()
        with pytest.raises(DatabaseUnavailable):
            one(db)
        assert time.monotonic() - began < 4


def test_no_connection_is_waited_for_long(database_url: str, proxy: SilentProxy) -> None:
    proxy.silence()
    with opened(through(database_url, proxy)) as db:
        began = time.monotonic()
        with pytest.raises(DatabaseUnavailable):
            one(db)
        assert time.monotonic() - began < 5


def test_a_statement_ends_after_a_while_unless_it_may_take_time(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "STATEMENT_MILLISECONDS", 200)
    with opened(database_url) as db:
        with pytest.raises(DatabaseUnavailable), db.read() as tx:
            tx.execute(text("SELECT pg_sleep(5)"))
        for transaction in (db.read, db.write):
            with transaction() as tx:
                db.take_time(tx)
                tx.execute(text("SELECT pg_sleep(0.3)"))
        with pytest.raises(DatabaseUnavailable), db.read() as tx:
            tx.execute(text("SELECT pg_sleep(5)"))


def test_a_thread_that_gets_no_connection_is_refused(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"pool_size": 1, "max_overflow": 0, "pool_timeout": 0.1}.items():
        monkeypatch.setitem(database.POOL, name, value)
    with opened(database_url) as db, db.read(), pytest.raises(DatabaseUnavailable):
        one(db)


# -- Several hosts -----------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["host={dead}&host={alive}", "host=127.0.0.1,{host}&port=1,{port}"])
def test_of_several_hosts_the_one_that_takes_writes_is_found(database_url: str, form: str) -> None:
    url = make_url(database_url)
    hosts = form.format(dead="127.0.0.1:1", alive=f"{url.host}:{url.port}", host=url.host, port=url.port)
    options = "".join(f"&{name}={value}" for name, value in url.query.items()).replace(" ", "%20")
    user = url.username + (f":{url.password}" if url.password else "")  # type: ignore[operator]
    several = f"postgresql+psycopg://{user}@/{url.database}?{hosts}&target_session_attrs=read-write{options}"
    with opened(several) as db:
        assert one(db) == 1
    with opened(several.replace("read-write", "standby")) as db, pytest.raises(DatabaseUnavailable):
        one(db)


# -- Refusals ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("role=nightlatch_test_reader", "permission denied for table "),
        ("default_transaction_read_only=on", "cannot execute DELETE in a read-only transaction"),
    ],
)
def test_a_server_that_takes_no_change_is_a_503_and_check_and_commands_say_why(
    site: Site, ada: Owner, database_url: str, option: str, said: str
) -> None:
    with site.services.db.engine.begin() as connection:
        command.stamp(alembic_config(connection), "head")
        schema = connection.scalar(text("SELECT current_schema()"))
        connection.execute(text("DROP ROLE IF EXISTS nightlatch_test_reader"))
        connection.execute(text("CREATE ROLE nightlatch_test_reader"))
        connection.execute(text(f"GRANT USAGE ON SCHEMA {schema} TO nightlatch_test_reader"))
        connection.execute(text(f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO nightlatch_test_reader"))
    url = f"{database_url}%20-c{option.replace('=', '%3D')}"
    limited = create_app(Settings.read({"NIGHTLATCH_DATABASE_URL": url}, site.services.settings.instance))
    try:
        reader = Person(limited)
        assert reader.open("/forgot-password").status == 200
        with capture_logs() as logs:
            assert reader.press("Send link", email=ada.email).status == 503
        assert [line["error"] for line in logs if line["event"] == "database_unavailable"]
        assert not [line for line in logs if line["event"] == "bug"]
        run = limited.test_cli_runner()
        assert f"Database: can't be written: {said}" in run.invoke(args=["check"]).output
        refused = run.invoke(args=["accounts", "log-out", "ada"])
        assert (refused.exit_code, refused.output[:29]) == (1, "Error: The database refused: ")
    finally:
        limited.extensions["nightlatch"].db.engine.dispose()
        with site.services.db.engine.begin() as connection:
            connection.execute(text("DROP OWNED BY nightlatch_test_reader"))
            connection.execute(text("DROP ROLE nightlatch_test_reader"))


def test_check_names_a_table_that_is_missing(site: Site) -> None:
    """As of a backup that was restored in part."""
    with site.services.db.engine.begin() as connection:
        command.stamp(alembic_config(connection), "head")
        connection.execute(text("ALTER TABLE attempts RENAME TO lost"))
    try:
        run = site.app.test_cli_runner().invoke(args=["check"])
        assert 'Database: can\'t be written: relation "attempts" does not exist' in run.output
        assert run.exit_code == 1
    finally:
        with site.services.db.engine.begin() as connection:
            connection.execute(text("ALTER TABLE lost RENAME TO attempts"))
