"""The heartbeat count in a file. The file must not be part of a backup of the database (docs/operating.md)."""

from __future__ import annotations

from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import structlog
from sqlalchemy import make_url

log = structlog.get_logger()


def file_name(database_url: str) -> str:
    return f"heartbeat-{sha256(database_url.encode()).hexdigest()[:12]}"


class FileHeartbeat:
    def __init__(self, instance: Path, database_url: str) -> None:
        """The file name has a hash of `database_url` without its password, so that another database is not taken for an
        older one."""
        url = make_url(database_url).set(password=None).difference_update_query(["password"])
        self._path = instance / file_name(url.render_as_string())
        self._former = instance / file_name(database_url)
        """Its name until November 2026: read until the first count, which deletes it."""

    def newest(self) -> int | None:
        for path in (self._path, self._former):
            with suppress(OSError, ValueError):
                return int(path.read_text("utf-8"))
        return None

    def keep(self, beats: int) -> None:
        draft = self._path.with_suffix(".new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            draft.write_text(f"{beats}\n")
            draft.replace(self._path)
            if self._former != self._path:
                self._former.unlink(missing_ok=True)
        except OSError as error:  # without the file the site runs, but /readyz is 503
            log.warning("heartbeat_not_kept", error=type(error).__name__)
