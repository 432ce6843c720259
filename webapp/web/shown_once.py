"""Passes a secret from a POST to the page after it, which shows it until its owner opens another page.

A later visit must never show it again, nor another log-in, nor a page of another path.
"""

from __future__ import annotations

from flask import request, session

from . import current

SHOWN_ONCE = "shown-once"
"""In the form session: the path of the page, and the sealed secret."""


def keep(path: str, secret: str, session_id: int) -> None:
    session[SHOWN_ONCE] = [path, current.services().shown_once.seal(session_id, secret)]


def shown() -> str | None:
    """The secret of the page with this path, for the logged-in session; None when there is none."""
    path, sealed = session.get(SHOWN_ONCE, ("", ""))
    return current.services().shown_once.open(current.user().session.id, sealed) if path == request.path else None


def drop() -> None:
    session.pop(SHOWN_ONCE, None)


def leave_others() -> None:
    """Called for every page that is shown: a secret of another page is not shown again."""
    if SHOWN_ONCE in session and session[SHOWN_ONCE][0] != request.path:
        drop()
