"""Whether a database needs a migration, asked without SQLAlchemy and Alembic, whose import is a third of a start."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from ..private_files import sqlite_file

OUTDATED = "isn't up to date; run `flask --app wsgi migrate`"
NEWER = "was migrated by a newer version of Nightlatch; install that one, or restore the backup from before its upgrade"
SCRIPTS = Path(__file__).resolve().parents[2] / "migrations"


class UnusableDatabase(RuntimeError):
    """Why this version cannot use the database: for the operator, after the words "The database"."""


def missing_file(database_url: str) -> str | None:
    """What is wrong when this is SQLite and its file is not there: any use but a migration would make an empty one."""
    file = sqlite_file(database_url)
    if file is None or file.exists():
        return None
    return f"is not there: {file}; check NIGHTLATCH_DATABASE_URL, or make it with `flask --app wsgi migrate`"


def newest_revision() -> str:
    """The files are named by their revisions, which begin with a number."""
    return max(path.stem for path in (SCRIPTS / "versions").glob("[0-9]*.py"))


def is_known_current(database_url: str) -> bool:
    """True when this is SQLite and has exactly the newest revision. Other databases are not asked."""
    file = sqlite_file(database_url)
    if file is None or not file.exists():
        return False
    try:
        with closing(sqlite3.connect(file)) as connection:
            found = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    except sqlite3.Error:  # no tables yet, or busy: the migration waits, and says what is wrong
        return False
    return found == [(newest_revision(),)]
