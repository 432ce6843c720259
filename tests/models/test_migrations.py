"""The migrations make exactly the tables of the models, and several processes may run them at once."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from uuid import uuid4

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import (
    Boolean,
    Connection,
    MetaData,
    String,
    UniqueConstraint,
    create_engine,
    delete,
    func,
    insert,
    inspect,
    make_url,
    select,
    text,
)

from webapp.models import migrate as migrations
from webapp.models.accounts import Account
from webapp.models.migrate import METADATA, VALID, alembic_config, migrate, trouble, writing
from webapp.models.revisions import UnusableDatabase, is_known_current, newest_revision
from webapp.models.sessions import Activity, Attempt

ROOT = Path(__file__).resolve().parents[2]
AT_ONCE = 6
NAMES = ("name", "username", "username_key", "password_hash")

TABLES_SINCE_0001 = {
    "contact_look_ups": "contact_lookups",
    "facts": "site_values",
    "half_logged_in": "pending_logins",
    "knocks": "refused_accesses",
    "pending_acts": "kept_acts",
    "tries": "attempts",
}
COLUMNS_SINCE_0001 = {
    ("accounts", "phone"): "phone_number",
    ("accounts", "phone_hint"): "phone_number_hint",
    ("activity", "facts"): "details",
    ("codes", "tries"): "attempts",
    ("factors", "facts"): "attributes",
    ("factors", "last_step"): "counter",
    ("factors", "slot"): "external_id",
    ("half_logged_in", "keep"): "persistent",
    ("login_requests", "chance"): "nonce",
    ("messages", "tries"): "attempts",
    ("sessions", "kept"): "persistent",
}


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database for this test."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'site.sqlite3'}"
        return
    server = os.environ.get("NIGHTLATCH_TEST_POSTGRES_URL")
    if not server:
        pytest.skip("NIGHTLATCH_TEST_POSTGRES_URL is not set")
    name = f"migrations_{uuid4().hex}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield make_url(server).set(database=name).render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


def tables(url: str) -> set[str]:
    engine = create_engine(url)
    try:
        return set(inspect(engine).get_table_names())
    finally:
        engine.dispose()


def test_an_empty_database_gets_the_tables_of_the_models(url: str) -> None:
    assert trouble(url)
    migrate(url)
    assert trouble(url) is None
    assert tables(url) == {*METADATA.tables, "alembic_version"}


def test_autogenerate_finds_no_difference_to_the_models(url: str) -> None:
    migrate(url)
    with writing(url) as connection:
        options = {"compare_type": True, "compare_server_default": True}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), METADATA) == []


def test_constraints_have_the_names_of_the_models(url: str) -> None:
    """A later migration refers to a constraint by its name, which autogenerate does not compare everywhere."""
    migrate(url)
    with writing(url) as connection:
        there = inspect(connection)
        is_sqlite = connection.dialect.name == "sqlite"
        for table in METADATA.sorted_tables:
            unnamed = is_sqlite and table.dialect_options["sqlite"]["autoincrement"]  # lost when a table is rebuilt
            assert there.get_pk_constraint(table.name)["name"] == (None if unnamed else table.primary_key.name)
            assert not is_sqlite or unnamed == ("AUTOINCREMENT" in made_by(connection, table.name))
            named = {constraint.name for constraint in table.foreign_key_constraints}
            assert {key["name"] for key in there.get_foreign_keys(table.name)} == named
            unique = {one.name for one in table.constraints if isinstance(one, UniqueConstraint)}
            assert {one["name"] for one in there.get_unique_constraints(table.name)} == unique
            indexes = [one for one in there.get_indexes(table.name) if "duplicates_constraint" not in one]
            assert {index["name"] for index in indexes} == {index.name for index in table.indexes}
        if connection.dialect.name == "postgresql":
            counted = {f"{table.name}_id_seq" for table in METADATA.sorted_tables if "id" in table.c}
            assert set(there.get_sequence_names()) == counted


def made_by(connection: Connection, table: str) -> str:
    """The statement that makes the table, on SQLite."""
    made = connection.execute(text("SELECT sql FROM sqlite_master WHERE name = :table"), {"table": table})
    return str(made.scalar_one())


def test_migrating_again_changes_nothing(url: str) -> None:
    migrate(url)
    migrate(url)
    assert trouble(url) is None


def test_the_start_knows_a_current_sqlite_database_without_alembic(url: str, tmp_path: Path) -> None:
    assert ScriptDirectory.from_config(alembic_config()).get_heads() == [newest_revision()]
    assert not is_known_current(url)
    migrate(url)
    assert is_known_current(url) == url.startswith("sqlite")
    with writing(url) as connection:
        command.downgrade(alembic_config(connection), "-1")
    assert not is_known_current(url)
    for content in (b"", b"no database, but longer than a header of SQLite" * 3):
        (tmp_path / "other").write_bytes(content)
        assert not is_known_current(f"sqlite:///{tmp_path}/other")


def test_downgrading_leads_to_an_empty_database(url: str) -> None:
    migrate(url)
    with writing(url) as connection:
        command.downgrade(alembic_config(connection), "base")
    assert tables(url) == {"alembic_version"}
    assert trouble(url)
    migrate(url)
    assert trouble(url) is None


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_a_server_that_takes_no_change_is_told_in_a_sentence(url: str) -> None:
    with pytest.raises(UnusableDatabase, match="can't be migrated: cannot execute CREATE TABLE in a read-only"):
        migrate(f"{url}?options=-c%20default_transaction_read_only%3Don")


def test_rows_survive_the_rebuilding_of_a_table_they_refer_to(url: str) -> None:
    """SQLite alters a table by copying and dropping it, which must not delete by cascade."""
    migrate(url)
    with writing(url) as connection:
        connection.execute(insert(Account).values(id=1, created_at=0, **dict.fromkeys(NAMES, "ada")))
        connection.execute(insert(Activity).values(account_id=1, at=0, kind="logged-in", details="{}", device=""))
    with writing(url) as connection:
        operations = Operations(MigrationContext.configure(connection))
        with operations.batch_alter_table("accounts") as accounts:
            accounts.alter_column("name", type_=String(300))
    with writing(url) as connection:
        assert connection.execute(select(func.count()).select_from(Activity)).scalar() == 1


def test_rows_from_before_the_renamed_tables_and_columns_survive(url: str) -> None:
    with writing(url) as connection:
        command.upgrade(alembic_config(connection), "0001_first")
    with writing(url) as connection:
        fill(connection)
        written = rows(connection)
    renamed = {
        TABLES_SINCE_0001.get(table, table): [
            {COLUMNS_SINCE_0001.get((table, column), column): value for column, value in row.items()} for row in those
        ]
        for table, those in written.items()
    }
    with writing(url) as connection:
        command.upgrade(alembic_config(connection), "0002_field_terms")
    with writing(url) as connection:
        assert rows(connection) == renamed
    with writing(url) as connection:
        connection.execute(insert(Attempt).values(bucket="reset:ada", at=0))
        assert connection.execute(select(func.max(Attempt.id))).scalar() == 2
        connection.execute(delete(Attempt).where(Attempt.id == 2))
    with writing(url) as connection:
        command.downgrade(alembic_config(connection), "0001_first")
    with writing(url) as connection:
        assert rows(connection) == written


def test_existing_accounts_count_as_used_at_the_migration_and_as_the_operators_unless_they_signed_up(url: str) -> None:
    with writing(url) as connection:
        command.upgrade(alembic_config(connection), "0002_field_terms")
    began = int(time.time())
    with writing(url) as connection:
        tables = reflected(connection).tables
        for number, kind in enumerate(("signed-up", "logged-in"), 1):
            row = {"id": number, "created_at": 0, "language": "en", "discoverable": False}
            connection.execute(insert(tables["accounts"]).values(**row, **dict.fromkeys(NAMES, kind)))
            event = {"account_id": number, "at": 0, "kind": kind, "details": "{}", "device": ""}
            connection.execute(insert(tables["activity"]).values(event))
    migrate(url)
    with writing(url) as connection:
        query = select(Account.username, Account.made_by_operator, Account.used_at).order_by(Account.id)
        found = connection.execute(query).all()
    assert [tuple(row)[:2] for row in found] == [("signed-up", False), ("logged-in", True)]
    assert all(began <= row.used_at <= time.time() for row in found)


def reflected(connection: Connection) -> MetaData:
    there = MetaData()
    there.reflect(connection)
    there.remove(there.tables["alembic_version"])
    return there


def fill(connection: Connection) -> None:
    """One row in every table, with a different value in every column except flags."""
    number = count(100)
    for table in reflected(connection).sorted_tables:
        row: dict[str, object] = {}
        for column in table.columns:
            if column.name == "id":
                continue
            if column.foreign_keys:
                row[column.name] = 1
            elif isinstance(column.type, Boolean):
                row[column.name] = True
            else:
                row[column.name] = column.type.python_type(next(number))
        connection.execute(insert(table).values(row))


def rows(connection: Connection) -> dict[str, list[dict[str, object]]]:
    tables = reflected(connection).sorted_tables
    return {table.name: [dict(row) for row in connection.execute(select(table)).mappings()] for table in tables}


def test_processes_that_start_together_migrate_once(url: str) -> None:
    program = f"from webapp.models.migrate import migrate; migrate({url!r})"
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(AT_ONCE)
    ]
    ended = [(process.communicate(timeout=60), process.returncode) for process in started]
    assert ended == [(("", ""), 0)] * AT_ONCE
    assert trouble(url) is None


def test_a_failed_migration_leaves_no_table_behind(url: str) -> None:
    def fail_at_the_end() -> None:
        with writing(url) as connection:
            command.upgrade(alembic_config(connection), "head")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_at_the_end()
    assert tables(url) == set()


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_an_index_that_is_missing_or_half_made_is_created(url: str) -> None:
    migrate(url)
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("DROP INDEX ix_sessions_ended_at"))
        connection.execute(
            text("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix_messages_due'::regclass")
        )
    migrate(url)
    with engine.connect() as connection:
        assert {"ix_sessions_ended_at", "ix_messages_due"} <= set(connection.scalars(text(VALID)))
    engine.dispose()


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_an_index_that_cannot_be_made_is_told_in_a_sentence(url: str) -> None:
    migrate(url)
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("DROP INDEX ix_sessions_ended_at"))
    engine.dispose()
    with pytest.raises(UnusableDatabase, match="can't be migrated: cannot execute DROP INDEX"):
        migrate(f"{url}?options=-c%20default_transaction_read_only%3Don")


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_a_migration_that_finds_a_table_in_use_lets_others_go_on_and_comes_back(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "LOCK_SECONDS", 0.2)
    with writing(url) as connection:
        command.upgrade(alembic_config(connection), "0016_secrets_of_apps")
    engine = create_engine(url)
    with engine.connect() as connection, ThreadPoolExecutor(1) as pool:
        connection.execute(text("SELECT count(*) FROM accounts"))
        migrating = pool.submit(migrate, url)
        time.sleep(0.7)
        assert not migrating.done()
        with engine.begin() as other:
            other.execute(text("SET LOCAL lock_timeout = '100ms'"))
            other.execute(text("SELECT count(*) FROM accounts"))
        connection.rollback()
        migrating.result()
    engine.dispose()
    assert trouble(url) is None


LIMITS = "('statement_timeout', 'lock_timeout', 'transaction_timeout')"


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_no_time_out_of_the_server_ends_a_migration(url: str) -> None:
    """They may be set for the role, and be enough for requests. That of a transaction is new in PostgreSQL 17."""
    engine = create_engine(url)
    with engine.connect() as connection:
        limits = connection.scalars(text(f"SELECT name FROM pg_settings WHERE name IN {LIMITS}")).all()
    engine.dispose()
    assert {"statement_timeout", "lock_timeout"} <= set(limits)
    options = "%20".join(f"-c%20{limit}%3D200ms" for limit in limits)
    with ThreadPoolExecutor(1) as pool, writing(url):
        migrating = pool.submit(migrate, f"{url}?options={options}")
        time.sleep(1)
        assert not migrating.done()
    migrating.result()
    assert trouble(url) is None


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_a_new_database_that_cannot_hold_all_names_is_refused(url: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    name = f"latin_{uuid4().hex}"
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0"))
        latin = make_url(url).set(database=name).render_as_string(hide_password=False)
        try:
            with pytest.raises(UnusableDatabase, match="has the encoding LATIN1, which lacks letters"):
                migrate(latin)
            assert tables(latin) == set()
        finally:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()
