"""PostgreSQL with 300,000 rows in each table that grows: statements use an index, or work on a bounded part."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, event, func, select, text

from tests.attacks.tools import enroll
from tests.conftest import Site
from tests.faults.postgres import postgres
from tests.people import Owner
from tests.relying_party import RelyingParty
from webapp.models import database
from webapp.models.accounts import Account
from webapp.models.app_logins import AppAuthorization, AppConnection, SessionApp
from webapp.models.base import rows_of
from webapp.models.groups import Group, Membership
from webapp.models.messages import Message
from webapp.models.migrate import METADATA
from webapp.models.names import FormerUsername
from webapp.models.sessions import Activity, Attempt, PendingLogin, Session

ROWS = 300_000
ZERO = {int: "0", str: "'{}'", bool: "false", object: "'[]'"}
"""In SQL, for columns that a test does not name."""
GROWING: dict[Any, dict[str, str]] = {
    Account: {"username": "'a' || n", "username_key": "'a' || n", "email": "'a' || n || '@example.org'",
              "email_key": "'a' || n || '@example.org'", "role": "'person'", "phone_number": "'x'",
              "phone_number_hint": "'...' || lpad((n % 100)::text, 2, '0')", "phone_number_mac": "'k:' || n"},
    Membership: {"group_name": "'staff'", "account_id": "n"},
    FormerUsername: {"account_id": "n", "username_key": "'f' || n"},
    Session: {"account_id": "n", "token_hash": "'s' || n"},
    PendingLogin: {"account_id": "n", "token_hash": "'p' || n"},
    Attempt: {"bucket": "'second-factor:' || n"},
    Activity: {"account_id": "n"},
    Message: {"uid": "'m' || n", "account_id": "n", "state": "'sent'"},
}  # fmt: skip
TABLES = "|".join(table.__tablename__ for table in GROWING)
LONGEST = 1000  # milliseconds of a statement


def fill(connection: Connection, table: Any, number: int = ROWS, **given: str) -> None:
    """Inserts rows; `given` are expressions in SQL, in which `n` is the number of the row."""
    columns = {
        column.name: given.get(column.name) or ZERO[column.type.python_type]
        for column in rows_of(table).columns
        if column.name in given or not (column.nullable or column.primary_key)
    }
    names, values = ", ".join(columns), ", ".join(columns.values())
    rows = f"INSERT INTO {table.__tablename__} ({names}) SELECT {values} FROM generate_series(1, {number}) n"
    connection.execute(text(rows))


@pytest.fixture(scope="module")
def filled() -> Iterator[str]:
    with postgres() as url:
        engine = create_engine(url)
        METADATA.create_all(engine)
        with engine.begin() as connection:
            fill(connection, Group, 1, name="'staff'")
            for table, given in GROWING.items():
                fill(connection, table, **given)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("ANALYZE"))
        engine.dispose()
        yield url


@pytest.fixture
def database_url(filled: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(database, "STATEMENT_MILLISECONDS", LONGEST)
    return filled


@contextmanager
def heard(site: Site) -> Iterator[list[tuple[str, Any]]]:
    """Each statement, with its parameters."""
    found: list[tuple[str, Any]] = []

    def hear(_connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, is_many: bool) -> None:
        found.append((statement, parameters[0] if is_many else parameters))

    event.listen(site.services.db.engine, "before_cursor_execute", hear)
    yield found
    event.remove(site.services.db.engine, "before_cursor_execute", hear)


def test_statements_of_a_log_in_and_of_operators_use_indexes(site: Site) -> None:
    services = site.services
    with heard(site) as statements:
        ada = enroll(Owner(site))
        for name in ("ada", "ada@example.org", "nobody", "f1000"):
            browser = ada.other_browser(address="198.51.100.7")
            browser.open("/log-in")
            browser.press("Log in", username=name, password=ada.password)
        ada.log_in_whole()
        ada.open("/settings/sessions")
        ada.open("/activity")
        page = services.operators.accounts.page()
        assert len(services.operators.accounts.page(page.next_after).accounts) == 100
        members = services.operators.groups.members("staff")
        assert len(services.operators.groups.members("staff", members.next_after).accounts) == 100
        services.operators.roles.promote("a3000")
        services.operators.roles.promote("a4000")
        services.operators.roles.demote("a3000")
        assert services.operators.accounts.view("f1000").account.username == "a1000"
        assert next(services.accounts.all()).username == "a1"
        services.accounts.delete("a2000")
    assert len(statements) > 50
    with services.db.engine.connect() as connection:
        plans = {
            statement: "\n".join(connection.exec_driver_sql(f"EXPLAIN {statement}", parameters).scalars())
            for statement, parameters in statements
        }
    whole = [
        f"{statement}\n{plan}" for statement, plan in plans.items() if re.search(rf"Seq Scan on ({TABLES})\b", plan)
    ]
    assert not whole, "\n\n".join(whole)


def seconds_of(act: Callable[[], object]) -> float:
    began = time.monotonic()
    act()
    return time.monotonic() - began


def number_of(site: Site, table: Any) -> int:
    with site.services.db.engine.connect() as connection:
        return int(connection.scalar(select(func.count()).select_from(table)) or 0)


def test_an_app_with_many_users_is_closed_and_deleted_without_a_long_statement(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    wiki, of_use = RelyingParty(site), (SessionApp, AppAuthorization, AppConnection)
    engine = create_engine(site.services.db.engine.url)
    with engine.begin() as connection:
        app_id = f"(SELECT max(id) FROM registered_apps WHERE client_id = '{wiki.client_id}')"
        accounts = {"app_id": app_id, "account_id": "n + (SELECT min(id) FROM accounts) - 1"}
        connection.execute(text("SET LOCAL session_replication_role = replica"))  # one of the accounts is deleted
        fill(connection, SessionApp, **accounts, session_id="n")
        fill(connection, AppAuthorization, **accounts, uid="'u' || n", code_hash="'c' || n", session_id="n")
        fill(connection, AppConnection, **accounts)
    engine.dispose()
    apps = site.services.operators.apps
    site.services.operators.groups.create("board")
    options = replace(apps.named(wiki.client_id).options, groups=("board",))
    closing = seconds_of(lambda: apps.change(wiki.client_id, options))
    given = select(func.count()).where(AppAuthorization.ended_at.is_(None))
    with site.services.db.engine.connect() as connection:
        assert connection.scalar(given) == 0
    took = seconds_of(lambda: apps.delete(wiki.client_id))
    assert [number_of(site, table) for table in of_use] == [0, 0, 0]
    with capsys.disabled():
        print(f"\nan app with {ROWS:,} users was closed to all of them in {closing:.1f} s, and deleted in {took:.1f} s")


def test_a_purge_of_many_rows_has_no_long_statement(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    took = seconds_of(site.services.maintenance.purge)
    assert max(number_of(site, table) for table in (Session, PendingLogin, Activity, Message)) < 100, "those of today"
    assert number_of(site, Account) >= ROWS - 1, "they have a confirmed address"
    with capsys.disabled():
        print(f"\na purge deleted {4 * ROWS:,} rows in {took:.1f} s")
