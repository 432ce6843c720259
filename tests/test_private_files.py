"""The files of the site are readable by its own user only."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from webapp.models.database import Database
from webapp.models.migrate import METADATA
from webapp.private_files import keep_private
from webapp.settings import ROOT


@pytest.fixture(autouse=True)
def unmasked() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_existing_files_become_private_with_the_database_wherever_it_is(tmp_path: Path) -> None:
    instance, elsewhere = tmp_path / "instance", tmp_path / "data"
    (instance / "static").mkdir(parents=True)
    elsewhere.mkdir()
    names = [instance / "demo-password.txt", instance / "static" / "site.css"]
    names += [elsewhere / f"site.sqlite3{suffix}" for suffix in ("", "-wal", "-shm")]
    for path in (*names, elsewhere / "other"):
        path.write_text("x")
    keep_private(instance, f"sqlite:///{elsewhere / 'site.sqlite3'}")
    assert [mode(path) for path in names] == [0o600] * len(names)
    assert [mode(path) for path in (instance, instance / "static")] == [0o700] * 2
    assert (mode(elsewhere), mode(elsewhere / "other")) == (0o755, 0o644), "they are not the site's"


def test_a_folder_that_is_named_as_the_database_keeps_its_mode(tmp_path: Path) -> None:
    """It was made 600, and its files were out of reach of all but root: `/tmp`, where the setting named it."""
    folder = tmp_path / "data"
    folder.mkdir()
    keep_private(tmp_path / "instance", f"sqlite:///{folder}")
    assert mode(folder) == 0o755


def test_a_new_database_and_its_log_are_private(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'site.sqlite3'}"
    keep_private(tmp_path / "instance", url)
    db = Database(url)
    with db.engine.begin() as connection:
        METADATA.create_all(connection)
        assert {mode(path) for path in tmp_path.iterdir()} == {0o600}
    db.engine.dispose()


def test_every_command_makes_the_files_private(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'site.sqlite3'}"
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "migrate"]
    subprocess.run(command, env={**os.environ, "NIGHTLATCH_DATABASE_URL": url}, cwd=ROOT, check=True)
    assert mode(tmp_path / "site.sqlite3") == 0o600
