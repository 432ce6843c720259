"""Where an enrollment leads that was begun on the way to another page: back to that page."""

from __future__ import annotations

from flask import session

from . import current

AFTER = "after-enrollment"
"""In the form session: the slug of the method, the path, and when it was kept, in Unix seconds."""
ANY = ""
"""In place of a slug: any method will do."""


def keep(method: str, path: str | None) -> None:
    """Keeps the path, unless it is None. `method` is a slug, or `ANY`."""
    if path is not None:
        session[AFTER] = [method, path, current.services().clock.now()]


def take(method: str) -> str | None:
    """The path that was kept for this method, once and for as long as an enrollment lives."""
    if AFTER not in session:
        return None
    kept, path, at = session.pop(AFTER)
    lately = current.services().clock.now() - at < current.services().settings.policy.draft_seconds
    return str(path) if kept in (method, ANY) and lately else None
