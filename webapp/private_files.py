"""Keeps the files of the site readable by its own user only: they hold hashes, addresses and keys (ASVS V13.3).

SQLite gives its log the mode of the database.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from stat import S_ISDIR, S_ISREG

PRIVATE_FILE, PRIVATE_FOLDER = 0o600, 0o700
SQLITE = "sqlite:///"


def keep_private(instance: Path, database_url: str) -> None:
    """New files of this process are private, and existing ones of the instance folder and of SQLite become so.

    A file of another user is left as it is, and so is a folder that the setting names by mistake: its files would be
    out of reach.
    """
    os.umask(0o077)
    if instance.is_dir():
        _restrict(instance, PRIVATE_FOLDER)
        for path in instance.rglob("*"):
            _restrict(path, PRIVATE_FOLDER if path.is_dir() else PRIVATE_FILE)
    if (file := sqlite_file(database_url)) is not None:
        for suffix in ("", "-wal", "-shm"):
            _restrict(Path(f"{file}{suffix}"), PRIVATE_FILE)


def sqlite_file(database_url: str) -> Path | None:
    """The file of a database in SQLite; None for another kind."""
    if not database_url.startswith(SQLITE):
        return None
    return Path(database_url.removeprefix(SQLITE).partition("?")[0])


def _restrict(path: Path, mode: int) -> None:
    with suppress(FileNotFoundError, PermissionError):
        found = path.lstat().st_mode
        is_kind = S_ISDIR if mode == PRIVATE_FOLDER else S_ISREG
        if found & 0o077 and is_kind(found):
            path.chmod(mode)
