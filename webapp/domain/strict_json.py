"""JSON of others, as every database and every other program takes it."""

from __future__ import annotations

import json
from typing import Any


def read(text: str | bytes) -> Any:
    """Raises `ValueError` for what is no JSON (RFC 8259), such as NaN, an infinite number and too many brackets."""
    try:
        value = json.loads(text)
        json.dumps(value, allow_nan=False)
    except RecursionError as error:
        raise ValueError("too many brackets") from error
    return value
