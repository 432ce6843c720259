"""Ids of rows as they come from outside: in an address, or as the value of a button."""

from __future__ import annotations

from werkzeug.routing import IntegerConverter, Map

from ..domain.refusals import NotFound

LONGEST = 18  # digits: what every database takes as a number


class RowId(IntegerConverter):
    """In an address, as `<id:name>`."""

    def __init__(self, map: Map) -> None:  # Werkzeug's name for it
        super().__init__(map, max=10**LONGEST - 1)


def read(text: str) -> int:
    """Raises `Missing` for what is no row's id."""
    if not (text.isascii() and text.isdigit()) or len(text) > LONGEST:
        raise NotFound()
    return int(text)
