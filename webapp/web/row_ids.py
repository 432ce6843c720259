"""Reads row ids from URLs and form values."""

from __future__ import annotations

from werkzeug.routing import IntegerConverter, Map

from ..domain.refusals import NotFound

LONGEST = 18  # digits; any such number fits a BIGINT column


class RowId(IntegerConverter):
    """The URL converter `<id:name>`."""

    def __init__(self, map: Map) -> None:  # Werkzeug passes it by this name
        super().__init__(map, max=10**LONGEST - 1)


def read(text: str) -> int:
    """The id in a form value. Raises `NotFound` for anything but up to 18 ASCII digits."""
    if not (text.isascii() and text.isdigit()) or len(text) > LONGEST:
        raise NotFound()
    return int(text)
