"""What the commands say of a database that they cannot use: one sentence with its reason, and status 1."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask

from webapp import create_app
from webapp.domain.refusals import DatabaseUnavailable
from webapp.models.database import Database, Transaction
from webapp.models.migrate import migrate
from webapp.models.revisions import NEWER, OUTDATED
from webapp.settings import ROOT, Settings

COMMANDS = (
    ("accounts", "list"), ("accounts", "show", "ada"), ("groups", "list"), ("apps", "list"), ("messages", "report"),
    ("messages", "send"), ("keys", "reseal"), ("signing-keys", "list"), ("signing-keys", "rotate"), ("purge",),
    ("why", "ab12"), ("restored",), ("moved",),
)  # fmt: skip
NO_DATABASE = b"longer than the header of a file of SQLite, and yet none of them at all" * 2


def app_with(url: str, folder: Path) -> Flask:
    return create_app(Settings.read({"NIGHTLATCH_DATABASE_URL": url}, folder / "instance"))


def run(app: Flask, *words: str) -> Result:
    return app.test_cli_runner().invoke(args=words)


def test_each_command_says_that_the_tables_are_missing(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    app = app_with(f"sqlite:///{tmp_path}/empty", tmp_path)
    for words in COMMANDS:
        result = run(app, *words)
        assert (result.exit_code, result.output) == (1, f"Error: The database {OUTDATED}.\n"), words


def test_no_command_but_migrate_makes_a_database(tmp_path: Path) -> None:
    file = tmp_path / "misspelt.sqlite3"
    app = app_with(f"sqlite:///{file}", tmp_path)
    for words in COMMANDS:
        result = run(app, *words)
        assert result.exit_code == 1
        assert result.output.startswith(f"Error: The database is not there: {file}; check NIGHTLATCH_DATABASE_URL")
    result = run(app, "check")
    assert result.exit_code == 1
    assert f"Database: is not there: {file}; " in result.output
    assert not file.exists()
    assert run(app, "migrate").exit_code == 0
    assert (run(app, "accounts", "list").exit_code, file.exists()) == (0, True)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql+psycopg://ada:hunter2@127.0.0.1:1/site", "can't be used: connection failed: "),
        ("sqlite:///{}/text", "can't be used: file is not a database; look at "),
    ],
)
def test_the_reason_of_the_driver_is_told_and_no_secret(tmp_path: Path, url: str, said: str) -> None:
    (tmp_path / "text").write_bytes(NO_DATABASE)
    app = app_with(url.format(tmp_path), tmp_path)
    for words in (("check",), ("migrate",), ("develop",), ("accounts", "list")):
        result = run(app, *words)
        assert result.exit_code == 1
        assert f"atabase{':' if words == ('check',) else ''} {said}" in result.output
        assert "hunter2" not in result.output


def test_a_database_of_a_newer_version_is_neither_migrated_nor_called_outdated(tmp_path: Path) -> None:
    file = tmp_path / "newer.sqlite3"
    migrate(f"sqlite:///{file}")
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999_future'")
        connection.commit()
    app = app_with(f"sqlite:///{file}", tmp_path)
    result = run(app, "migrate")
    assert (result.exit_code, result.output) == (1, f"Error: The database {NEWER}.\n")
    assert f"Database: {NEWER}\n" in run(app, "check").output


def test_a_database_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    file = tmp_path / "no-folder" / "site.sqlite3"
    result = run(app_with(f"sqlite:///{file}", tmp_path), "migrate")
    said = f"Error: The database {file} can't be migrated: unable to open database file.\n"
    assert (result.exit_code, result.output) == (1, said)


def test_check_says_that_a_database_cannot_be_written(tmp_path: Path) -> None:
    class ReadOnly(Database):
        @contextmanager
        def write(self, *, durable: bool = True) -> Iterator[Transaction]:
            raise DatabaseUnavailable(5) from sqlite3.OperationalError("attempt to write a readonly database")
            yield

    url = f"sqlite:///{tmp_path}/site.sqlite3"
    migrate(url)
    settings = Settings.read({"NIGHTLATCH_DATABASE_URL": url}, tmp_path / "instance")
    result = run(create_app(settings, db=ReadOnly(url)), "check")
    assert result.exit_code == 1
    assert "Database: can't be written: attempt to write a readonly database\n" in result.output


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    file = tmp_path / "site.sqlite3"
    migrate(f"sqlite:///{file}")
    app = app_with(f"sqlite:///{file}", tmp_path)
    with app.extensions["nightlatch"].db.engine.connect() as connection:
        connection.connection.execute("PRAGMA max_page_count=1")  # of this connection, which the pool gives again
    for number in range(200):
        result = run(app, "groups", "create", f"{number:040}")
        if result.exit_code:
            break
    assert (result.exit_code, result.output) == (1, "Error: The database refused: database or disk is full.\n")


def test_a_password_is_asked_of_no_one_where_standard_input_is_closed(tmp_path: Path) -> None:
    """As a service manager may start a command."""
    url = f"sqlite:///{tmp_path}/site.sqlite3"
    migrate(url)
    command = [
        sys.executable,
        "-m",
        "flask",
        "--app",
        "wsgi",
        "accounts",
        "create",
        "--username",
        "ada",
        "--name",
        "Ada",
    ]
    closed = ["sh", "-c", 'exec "$@" <&-', "sh", *command]
    environ = {**os.environ, "NIGHTLATCH_DATABASE_URL": url}
    result = subprocess.run(closed, env=environ, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (1, "Error: Use at least 15 characters.\n")
