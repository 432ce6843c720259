"""The heartbeat count in a file. The file must not be part of a backup of the database (docs/operating.md)."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import structlog

log = structlog.get_logger()


class FileHeartbeat:
    def __init__(self, instance: Path, database_url: str) -> None:
        """The file name has a hash of `database_url`, so that another database is not taken for an older one."""
        self._path = instance / f"heartbeat-{sha256(database_url.encode()).hexdigest()[:12]}"

    def newest(self) -> int | None:
        try:
            return int(self._path.read_text())
        except (OSError, ValueError):
            return None

    def keep(self, beats: int) -> None:
        draft = self._path.with_suffix(".new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            draft.write_text(f"{beats}\n")
            draft.replace(self._path)
        except OSError as error:  # without the file the site runs, but /readyz is 503
            log.warning("heartbeat_not_kept", error=type(error).__name__)
