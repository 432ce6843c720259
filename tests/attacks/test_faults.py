"""Failures below the site: locked databases, full disks, missing keys and killed processes."""

from __future__ import annotations

import random
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from sqlalchemy import event, text
from structlog.testing import capture_logs

from tests.attacks.tools import cookies_of, count, enrolled, everything, give, is_in, live_sessions, stale
from tests.conftest import Site
from tests.people import Owner, Page
from tests.relying_party import RelyingParty
from webapp import create_app
from webapp.models import database
from webapp.settings import ROOT, Settings

METHOD = "/settings/security/two-factor/authentication-app"
KEYS = {name: f"{name}:{text}" for name, text in (
    ("k1", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="),
    ("k2", "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXphYmNkZWY="),
)}  # fmt: skip

TIME_OUTS = {"lock_timeout": "5s", "statement_timeout": "8s", "idle_in_transaction_session_timeout": "30s"}

sqlite_only = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""These failures are specific to SQLite's file and its driver."""


def file_of(site: Site) -> Path:
    return Path(site.services.settings.database_url.removeprefix("sqlite:///"))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shortens the driver's five seconds to half a second."""
    monkeypatch.setattr(database, "BUSY_MILLISECONDS", 500)


@contextmanager
def locked(site: Site) -> Iterator[None]:
    """Another program has the write lock."""
    other = site.services.db.engine.connect()
    try:
        if site.services.db.is_sqlite:
            with other.begin():
                site.services.db.begin(other, "BEGIN IMMEDIATE")
                yield
        else:
            with other.begin():
                other.execute(text("LOCK TABLE accounts, attempts, pending_logins, sessions IN ACCESS EXCLUSIVE MODE"))
                yield
    finally:
        other.close()


def assert_not_now(page: Page) -> None:
    assert page.status == 503
    assert int(page.response.headers["Retry-After"]) > 0
    assert page.response.headers["Cache-Control"] == "no-store"
    for cookie in page.response.headers.getlist("Set-Cookie"):
        assert not cookie.startswith(("session=", "login=", "remembered=")), cookie


# -- Locked and full databases ---------------------------------------------------------------------


@pytest.mark.usefixtures("impatient")
class TestLocked:
    @pytest.fixture
    def site(self, impatient: None, site: Site) -> Site:
        return site

    def test_a_database_that_stays_locked_answers_503_and_no_change_is_half_written(
        self, site: Site, ada: Owner
    ) -> None:
        stranger = ada.other_browser()
        stranger.open("/log-in")
        token, pending = stranger.token(), ada.other_browser()
        pending.log_in()
        pending_csrf_token, before = pending.token(), everything(site, but=set())
        with locked(site):
            began = time.perf_counter()
            data = {"csrf_token": token, "username": "ada", "password": ada.password}
            assert_not_now(stranger.send("POST", "/log-in", data=data, follow=False))
            assert 0.3 < time.perf_counter() - began < 3
            data = {"csrf_token": pending_csrf_token, "code": ada.code()}
            assert_not_now(pending.send("POST", "/log-in/verify", data=data, follow=False))
            assert site.app.test_client().get("/healthz").status_code == 200
        assert everything(site, but=set()) == before
        assert pending.post("/log-in/verify", code=ada.code()).h1 == "Welcome, Ada Lovelace", "and then it works"

    def test_the_log_says_why_once_a_minute(self, site: Site, ada: Owner) -> None:
        stranger = ada.other_browser()
        stranger.open("/log-in")
        data = {"csrf_token": stranger.token(), "username": "ada", "password": ada.password}
        told: list[list[str]] = []
        with locked(site), capture_logs() as logs:
            for seconds in (0, 30, 30):
                site.clock.pass_(seconds)
                assert_not_now(stranger.send("POST", "/log-in", data=data, follow=False))
                told.append([line["error"] for line in logs if line["event"] == "database_unavailable"])
        assert [len(errors) for errors in told] == [1, 1, 2]
        assert "is locked" in told[2][0] or "due to lock timeout" in told[2][0]


def test_the_busy_timeout_is_five_seconds_and_writers_are_durable(site: Site) -> None:
    with site.services.db.engine.connect() as connection:
        if site.services.db.is_sqlite:
            assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 5000
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
            assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
        else:
            shown = {name: connection.exec_driver_sql(f"SHOW {name}").scalar() for name in TIME_OUTS}
            assert shown == TIME_OUTS


@sqlite_only
def test_a_full_disk_answers_503_and_no_session_is_created(site: Site, ada: Owner) -> None:
    file_of(site)
    pending = ada.log_in_elsewhere()
    token = pending.token()
    with site.services.db.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        pages = int(connection.exec_driver_sql("PRAGMA page_count").scalar_one())

    def full(connection: Any, _record: Any, _proxy: Any) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages}")

    event.listen(site.services.db.engine, "checkout", full)
    before, refused = everything(site), 0
    padding = {"User-Agent": "x" * 300}
    for number in range(200):
        eve = ada.other_browser(address=f"198.51.{number}.1")
        eve_token = eve.token()
        data = {"csrf_token": eve_token, "username": f"nobody-{'x' * 200}{number}", "password": "x"}
        page = eve.send("POST", "/log-in", data=data, headers=padding, follow=False)
        refused += page.status == 503
        if refused:
            break
    assert refused, "the disk never filled up"
    data = {"csrf_token": token, "code": ada.code()}
    page = pending.send("POST", "/log-in/verify", data=data, follow=False)
    if page.status == 503:
        assert_not_now(page)
        assert everything(site) == before
    else:  # it fitted into the space left in a page: then the change is complete
        assert live_sessions(site) == 2
    event.remove(site.services.db.engine, "checkout", full)
    with site.services.db.engine.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {2**30}")
    site.services.db.engine.dispose()
    if page.status == 503:
        assert pending.post("/log-in/verify", code=ada.code()).h1 == "Welcome, Ada Lovelace"


@sqlite_only
@pytest.mark.parametrize("table", ["sessions", "activity", "attempts", "pending_logins"])
def test_no_log_in_succeeds_without_a_durable_record_of_the_used_code(site: Site, ada: Owner, table: str) -> None:
    """The disk fills up at each statement of the log-in in turn: all of it is written or nothing."""
    file_of(site)
    pending = ada.log_in_elsewhere()
    token, before, code = pending.token(), everything(site), ada.code()

    def fail(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith(("INSERT", "UPDATE", "DELETE")) and f" {table} " in statement.replace("(", " ("):
            raise sqlite3.OperationalError("database or disk is full")

    event.listen(site.services.db.engine, "before_cursor_execute", fail)
    page = pending.send("POST", "/log-in/verify", data={"csrf_token": token, "code": code}, follow=False)
    event.remove(site.services.db.engine, "before_cursor_execute", fail)
    assert_not_now(page)
    assert everything(site) == before
    assert pending.post("/log-in/verify", code=code).h1 == "Welcome, Ada Lovelace"


@sqlite_only
def test_a_crash_may_lose_an_attempt_and_a_pending_login_and_no_later_commit(site: Site, ada: Owner) -> None:
    waited: list[bool] = []

    def committed(connection: Any) -> None:
        (level,) = connection.connection.dbapi_connection.execute("PRAGMA synchronous").fetchone()
        waited.append(level == 2)

    event.listen(site.services.db.engine, "commit", committed)
    pending = ada.log_in_elsewhere()
    assert waited == [False, False], "the attempt with the password, and the pending login"
    pending.press("Verify", code=ada.code())
    assert waited[2:] == [False, True], "the try with the code, and the code that was used with its session"
    event.remove(site.services.db.engine, "commit", committed)


@sqlite_only
def test_with_the_database_missing_pages_answer_503_and_no_user_is_logged_in(site: Site, ada: Owner) -> None:
    path = file_of(site)
    site.services.db.engine.dispose()
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()
    path.mkdir()
    try:
        assert_not_now(ada.open("/settings", follow=False))
        response = site.app.test_client().get("/readyz")
        assert response.status_code == 503
        assert ada.open("/log-in", follow=False).status in (200, 503)
    finally:
        path.rmdir()


# -- Keys ------------------------------------------------------------------------------------------


def moved(owner: Owner, site: Site) -> Owner:
    """The same browser at the restarted site."""
    twin = Owner(site, owner.username, layout=owner.layout)
    twin.password, twin.secret, twin.kept_code = owner.password, owner.secret, owner.kept_code
    give(twin, **cookies_of(owner))
    return twin


@pytest.fixture
def restarted(site: Site, environ: dict[str, str], tmp_path: Path, overrides: dict[str, Any]) -> Any:
    """Restarts the site with other keys on the same database."""

    def restart(**keys: str) -> Site:
        given = {**environ, **{f"NIGHTLATCH_{name}": value for name, value in keys.items()}}
        app = create_app(Settings.read(given, tmp_path / "instance"), clock=site.clock, **overrides)
        return Site(app, app.extensions["nightlatch"], site.clock)

    return restart


def test_a_new_secret_key_logs_everyone_out_and_keeps_their_factors(site: Site, ada: Owner, restarted: Any) -> None:
    new = restarted(SECRET_KEY="fedcba9876543210" * 4)
    later = moved(ada, new)
    assert not is_in(later)
    assert later.log_in_whole().h1 == "Welcome, Ada Lovelace"


def test_with_the_old_secret_key_as_fallback_sessions_survive(site: Site, ada: Owner, restarted: Any) -> None:
    old = site.services.settings.secret_key
    later = moved(ada, restarted(SECRET_KEY="fedcba9876543210" * 4, SECRET_KEY_FALLBACKS=old))
    assert is_in(later)
    later.log_out()
    assert later.log_in_whole().h1 == "Welcome, Ada Lovelace"


def test_after_an_encryption_key_was_lost_what_operating_says_makes_the_site_whole_again(
    site: Site, restarted: Any
) -> None:
    first = restarted(ENCRYPTION_KEYS=KEYS["k1"])
    ada, bob = enrolled(first, "ada"), Owner(first, "bob")
    ada.log_in_whole()
    RelyingParty(first).tokens(ada)
    bob.sign_up()
    first.services.accounts.delete("bob")
    lost = restarted(ENCRYPTION_KEYS=KEYS["k2"])
    eve = Owner(lost, "eve")
    assert eve.open("/sign-up").status == 200
    assert eve.press("Sign up", name="Eve", username="eve", password=eve.password).status == 503
    run = lost.app.test_cli_runner()
    assert run.invoke(args=["accounts", "reset-second-factors", "ada", "--why", "lost"]).exit_code == 0
    assert run.invoke(args=["signing-keys", "rotate", "--now"]).exit_code == 0
    with lost.services.db.write() as tx:
        tx.execute(text("DELETE FROM site_keys"))
    again = restarted(ENCRYPTION_KEYS=KEYS["k2"])
    ada = moved(ada, again).other_browser()
    ada.secret = None
    ada.log_in()
    assert "id_token" in RelyingParty(again).tokens(ada)
    eve = Owner(again, "eve")
    assert eve.sign_up(confirm_email=False).status == 200


def test_a_new_encryption_key_opens_what_the_old_one_sealed_and_reseals_all_of_it(
    site: Site, environ: dict[str, str], restarted: Any
) -> None:
    first = restarted(ENCRYPTION_KEYS=KEYS["k1"])
    ada, bob, eve = enrolled(first, "ada"), Owner(first, "bob"), Owner(first, "eve")
    ada.log_in_whole()
    bob.sign_up()
    bob.turn_on_app()
    eve.sign_up()
    eve.open("/settings/security/two-factor")
    eve.press("Authentication app")
    secret = eve.press("Start").setup_key
    stale(ada).post("/settings/account/password", password="a much longer new password")
    eve.open("/sign-up")
    both = restarted(ENCRYPTION_KEYS=f"{KEYS['k2']},{KEYS['k1']}")
    assert both.services.maintenance.reseal() >= 4
    assert both.services.maintenance.reseal() == 0
    only = restarted(ENCRYPTION_KEYS=KEYS["k2"])
    for table, rows in everything(only, but=set()).items():
        assert "'k1." not in repr([r for r in rows if table != "codes"]), table
    later = moved(ada, only)
    later.open("/step-up/password?next=/settings/account/password")
    assert later.press("Verify", password=ada.password).h1 == "Enter your code"
    assert later.press("Verify", code=ada.next_code()).path == "/settings/account"
    assert count(only, "SELECT count(*) FROM activity WHERE kind = 'password-changed'") == 1
    later = moved(bob, only).other_browser()
    later.log_in()
    assert later.press("Verify", code=bob.next_code()).h1 == "Welcome, Ada Lovelace"
    later = moved(eve, only)
    assert secret == resumed(later)
    only.services.delivery.deliver_due()
    assert count(only, "SELECT count(*) FROM messages WHERE state = 'owed'") == 0


def resumed(owner: Owner) -> str:
    page = owner.open(f"{METHOD}/link")
    if page.h1 == "Enter your password":
        page = owner.press("Verify", password=owner.password)
    return page.setup_key


@pytest.mark.no_cover
def test_secrets_are_resealed_while_people_enroll_and_log_in(site: Site, restarted: Any) -> None:
    first = restarted(ENCRYPTION_KEYS=KEYS["k1"])
    people = [enrolled(first, f"person-{number}") for number in range(6)]
    both = restarted(ENCRYPTION_KEYS=f"{KEYS['k2']},{KEYS['k1']}")
    resealed, came_in = Event(), list[str]()

    def live() -> None:
        for number in range(100):
            owner = moved(people[number % len(people)], both).other_browser()
            came_in.append(owner.log_in_whole().h1)
            eve = Owner.signed_up(both, f"eve-{number}", address=f"198.51.{number}.1")
            came_in.append(eve.turn_on_app().h1)
            if resealed.is_set():
                return

    traffic = Thread(target=live)
    traffic.start()
    while not came_in:
        time.sleep(0.01)
    while both.services.maintenance.reseal():
        pass
    resealed.set()
    traffic.join(60)
    assert not traffic.is_alive()
    assert set(came_in) == {"Welcome, Ada Lovelace", "You're all set"}
    only = restarted(ENCRYPTION_KEYS=KEYS["k2"])
    for owner in people:
        assert moved(owner, only).other_browser().log_in_whole().h1 == "Welcome, Ada Lovelace"


# -- Killed processes ------------------------------------------------------------------------------

ACTIONS = {
    "enroll": (f"{METHOD}/code", (2, 5, 9)),
    "log-in": ("/log-in/verify", (2, 4)),
    "backup": ("/log-in/backup-code", (2, 6)),
}
KILLED = """
import os, shutil, sys
from pathlib import Path
from sqlalchemy import event
from tests.attacks.test_faults import ACTIONS
from tests.attacks.tools import enrolled
from tests.conftest import Site
from tests.doubles import CheapHasher, FakeClock
from tests.people import Owner
from webapp import create_app
from webapp.settings import Settings

folder, clock = Path(sys.argv[1]), FakeClock()

def die_after(nth):
    seen = [0]
    def die(connection, cursor, statement, *rest):
        if statement.startswith(("INSERT", "UPDATE", "DELETE")):
            seen[0] += 1
            if seen[0] > nth:
                os._exit(9)
    return die

def run(action, nth):
    path = folder / f"{action}{nth}.sqlite3"
    shutil.copy(folder / "empty.sqlite3", path)
    environ = {"NIGHTLATCH_DATABASE_URL": f"sqlite:///{path}"}
    app = create_app(Settings.read(environ, folder / "instance"), clock=clock, hasher=CheapHasher())
    site = Site(app, app.extensions["nightlatch"], clock)
    bob = Owner(site, "bob") if action == "enroll" else enrolled(site, "bob")
    if action == "enroll":
        bob.sign_up()
        bob.open("/settings/security/two-factor")
        bob.press("Authentication app")
        bob.secret = bob.press("Start").setup_key
        bob.press("Next")
    else:
        bob.log_in()
    data = {"csrf_token": bob.token(), "code": bob.kept_code if action == "backup" else bob.code()}
    event.listen(site.services.db.engine, "after_cursor_execute", die_after(nth))
    bob.send("POST", ACTIONS[action][0], data=data, follow=False)

for action, (_, writes) in ACTIONS.items():
    for nth in writes:
        child = os.fork()
        if child == 0:
            run(action, nth)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9, (action, nth)
"""


@sqlite_only
def test_a_process_killed_inside_a_transaction_leaves_all_of_it_or_nothing(site: Site, tmp_path: Path) -> None:
    shutil.copy(file_of(site), tmp_path / "empty.sqlite3")
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    for action, (_, writes) in ACTIONS.items():
        for nth in writes:
            with closing(sqlite3.connect(tmp_path / f"{action}{nth}.sqlite3")) as db:
                found = [db.execute(f"SELECT count(*) FROM {what}").fetchone()[0] for what in WHOLE[action]]
            assert len(set(found)) == 1, (action, nth, found)
            assert action == "enroll" or found[0] == 0, (action, nth, found)


def test_processes_that_are_killed_at_random_moments_leave_no_half_of_a_change(tmp_path: Path) -> None:
    """tests/faults/kills.py kills ten times as many, on both databases."""
    url, seed = f"sqlite:///{tmp_path / 'site.sqlite3'}", str(random.randrange(10**6))
    command = [sys.executable, "-m", "tests.faults.killed", url, str(tmp_path), "20", seed]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"with seed {seed}: {done.stderr}"


WHOLE = {
    "enroll": (
        "factors",
        "accounts WHERE backup_code_hash IS NOT NULL",
        "drafts WHERE finished_at IS NOT NULL",
        "sessions WHERE sealed_backup_code IS NOT NULL",
        "activity WHERE kind = 'factor-on'",
    ),
    "log-in": ("sessions", "factors WHERE counter > 0", "activity WHERE kind = 'logged-in'"),
    "backup": ("sessions", "activity WHERE kind = 'backup-code-used'", "activity WHERE kind = 'logged-in'"),
}


# -- Two tabs and restarts -------------------------------------------------------------------------


def test_two_tabs_that_enroll_at_once_share_a_secret_and_the_second_is_told(site: Site) -> None:
    bob = Owner.signed_up(site, "bob")
    bob.open("/settings/security/two-factor")
    bob.press("Authentication app")
    secret = bob.press("Start").setup_key
    second = bob.other_browser()
    give(second, **cookies_of(bob))
    assert second.open(f"{METHOD}/link").setup_key == secret
    second.press("Next")
    assert second.page.path == f"{METHOD}/code"
    bob.press("Next")
    token = second.token()
    bob.secret = secret
    last = bob.press("Verify", code=bob.code())
    assert last.h1 == "You're all set"
    give(second, **cookies_of(bob))
    late = second.send("POST", f"{METHOD}/code", data={"csrf_token": token, "code": bob.code()})
    assert late.status == 200
    assert late.h1 == "You're all set"
    assert late.backup_code == last.backup_code
    assert count(site, "SELECT count(*) FROM factors") == 1
    assert count(site, "SELECT count(*) FROM activity WHERE kind = 'factor-on'") == 1


def test_a_reload_a_wrong_code_and_a_restart_keep_the_qr_code(site: Site, restarted: Any) -> None:
    bob = Owner.signed_up(site, "bob")
    bob.open("/settings/security/two-factor")
    bob.press("Authentication app")
    secret = bob.press("Start").setup_key
    drawing = bob.page.soup.find("svg", class_="qr")
    bob.press("Next")
    bob.press("Verify", code="000000")
    later = moved(bob, restarted())
    assert later.open(f"{METHOD}/link").setup_key == secret
    assert later.page.soup.find("svg", class_="qr") == drawing


def test_a_user_whose_clock_is_wrong_is_told_and_codes_outside_the_window_stay_refused(site: Site, ada: Owner) -> None:
    other = ada.log_in_elsewhere()
    page = other.press("Verify", code=ada.code(-240))
    assert "about 4 minutes slow" in page.problems[0]
    page = other.press("Verify", code=ada.code(-1200))
    assert page.problems == ["Wrong code. Check it and try again."]
    assert not is_in(other)


def test_mail_that_cannot_be_delivered_delays_no_page(site: Site, ada: Owner) -> None:
    """Messages are committed with the change and a worker delivers them."""
    ada.open("/settings/account/password")
    ada.press("Save", password="the first of two new ones")  # a process reads the list of common passwords once
    began = time.perf_counter()
    ada.open("/settings/account/password")
    ada.press("Save", password="a much longer new password")
    assert time.perf_counter() - began < 1
    assert count(site, "SELECT count(*) FROM messages WHERE state = 'owed'") >= 1
