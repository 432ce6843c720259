"""The approximate place of a network address, from a file in MaxMind's format (GeoLite2, DB-IP and others)."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any
from weakref import finalize

from maxminddb import MODE_FILE, Reader, open_database

from ..domain.language import spoken


class FilePlaces:
    def __init__(self, path: Path) -> None:
        self._path = path

    def near(self, address: str) -> str | None:
        try:
            found = self._reader.get(address)
        except Exception:  # an invalid address or a missing or damaged file: the page works without a place
            return None
        if not isinstance(found, dict):
            return None
        parts = [name for part in ("city", "country") if (name := _name(found.get(part)))]
        return ", ".join(parts) or None

    @cached_property
    def _reader(self) -> Reader:
        # not mapped into memory: a file that is overwritten while it is mapped ends the process (SIGBUS)
        reader = open_database(self._path, MODE_FILE)
        finalize(self, reader.close)
        return reader


def _name(part: Any) -> str | None:
    """The name in the current language, else in English."""
    names = part.get("names") if isinstance(part, dict) else None
    if not isinstance(names, dict):
        return None
    code = spoken().code.replace("_", "-")
    found = names.get(code) or names.get(code.partition("-")[0]) or names.get("en")
    return found if isinstance(found, str) else None
