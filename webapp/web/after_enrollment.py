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


def kept(method: str) -> str | None:
    """The path that was kept for this method, for as long as an enrollment lives."""
    slug, path, at = session.get(AFTER, (None, "", 0))
    lately = current.services().clock.now() - at < current.services().settings.policy.draft_seconds
    return str(path) if slug in (method, ANY) and lately else None


def take(method: str) -> str | None:
    """The same, once."""
    path = kept(method)
    drop()
    return path


def drop() -> None:
    session.pop(AFTER, None)
