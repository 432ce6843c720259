"""A database in SQLite is copied to PostgreSQL, whole or not at all."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from sqlalchemy import create_engine, insert, select, text

from tests.models.test_migrations import NAMES
from tests.models.test_migrations import url as url  # the fixture
from tests.upgrade.test_upgrade import write_before
from tests.upgrade.version_before import environment
from webapp import create_app
from webapp.models.accounts import Account
from webapp.models.migrate import METADATA, migrate
from webapp.models.revisions import OUTDATED
from webapp.settings import Settings

to_postgresql = pytest.mark.parametrize("url", ["postgresql"], indirect=True)
DELETED = 4711
DIES = """
CREATE FUNCTION dies() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$;
CREATE TRIGGER dies BEFORE INSERT ON sessions EXECUTE FUNCTION dies();
"""
"""After the accounts were copied."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The database of a site that people use, whose newest account was deleted."""
    file = tmp_path / "site.sqlite3"
    write_before(f"sqlite:///{file}")
    migrate(f"sqlite:///{file}")
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = 'accounts'", (DELETED,))
        connection.commit()
    return file


def copy(url: str, file: Path) -> Result:
    app = create_app(Settings.read(environment(url), file.parent / "instance"))
    return app.test_cli_runner().invoke(args=["copy-from", str(file)])


def rows(url: str) -> dict[str, list[Any]]:
    engine = create_engine(url)
    try:
        with engine.connect() as there:
            return {table.name: sorted(there.execute(select(table)), key=repr) for table in METADATA.sorted_tables}
    finally:
        engine.dispose()


@to_postgresql
def test_every_row_is_copied_and_no_id_is_given_again(url: str, file: Path) -> None:
    written = rows(f"sqlite:///{file}")
    count = sum(len(those) for those in written.values())
    result = copy(url, file)
    assert (result.exit_code, result.output.startswith(f"Copied {count} rows. Next, run")) == (0, True), result.output
    assert rows(url) == written == rows(f"sqlite:///{file}")
    engine = create_engine(url)
    with engine.begin() as connection:
        made = insert(Account).values(created_at=0, **dict.fromkeys(NAMES, "new")).returning(Account.id)
        assert connection.execute(made).scalar_one() == DELETED + 1
    engine.dispose()


@to_postgresql
def test_a_database_with_rows_is_left_as_it_is(url: str, file: Path) -> None:
    copy(url, file)
    before = rows(url)
    result = copy(url, file)
    assert result.exit_code == 1
    assert result.output.endswith(" name an empty one.\n")
    assert rows(url) == before


@to_postgresql
def test_a_row_that_does_not_fit_is_told_and_nothing_is_copied(url: str, file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE accounts SET name = char(65, 0, 66) WHERE id = 1")
        connection.commit()
    result = copy(url, file)
    assert result.output.startswith(f"Error: The database {file} can't be copied: "), result.output
    assert (result.exit_code, "NUL" in result.output) == (1, True)
    assert not any(rows(url).values())


@to_postgresql
def test_a_connection_that_dies_meanwhile_is_told_and_nothing_is_copied(url: str, file: Path) -> None:
    migrate(url)
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(DIES))
    result = copy(url, file)
    assert result.stderr.startswith(f"Error: The database {file} can't be copied: "), result.output
    assert (result.exit_code, result.stderr.count("\n"), result.stdout) == (1, 1, "")
    with engine.begin() as connection:
        connection.execute(text("DROP TRIGGER dies ON sessions"))
        connection.execute(text("DROP FUNCTION dies"))
    engine.dispose()
    assert not any(rows(url).values())
    assert copy(url, file).exit_code == 0, "the same again"


def test_a_file_that_is_not_up_to_date_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    result = copy("postgresql+psycopg://127.0.0.1:1/site", tmp_path / "empty")
    assert (result.exit_code, result.output) == (1, f"Error: The database {tmp_path}/empty {OUTDATED}.\n")


def test_a_file_that_the_site_has_open_is_refused(file: Path) -> None:
    site = create_app(Settings.read(environment(f"sqlite:///{file}"), file.parent / "instance"))
    try:
        assert site.test_client().get("/readyz").status_code == 200
        result = copy("postgresql+psycopg://127.0.0.1:1/site", file)
    finally:
        site.extensions["nightlatch"].db.engine.dispose()
    said = f"Error: The database {file} is in use; stop the site, its worker too.\n"
    assert (result.exit_code, result.output) == (1, said)
    result = copy("postgresql+psycopg://127.0.0.1:1/site", file)
    assert "in use" not in result.output


def test_sqlite_is_no_target(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    result = copy(f"sqlite:///{tmp_path}/other", tmp_path / "empty")
    assert (result.exit_code, "is not PostgreSQL" in result.output) == (1, True)
    assert not (tmp_path / "other").exists()
