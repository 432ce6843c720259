"""Passes a secret from a POST to the page after it, which shows it once: a reload must never show it again."""

from __future__ import annotations

from flask import session

from . import current

SHOWN_ONCE = "shown-once"
"""In the form session: the name of the secret, and the sealed secret."""


def keep(what: str, secret: str, session_id: int) -> None:
    session[SHOWN_ONCE] = [what, current.services().shown_once.seal(session_id, secret)]


def take(what: str) -> str | None:
    """The secret of that name for the logged-in session, once; None when there is none."""
    kept, sealed = session.get(SHOWN_ONCE, ("", ""))
    if kept != what:
        return None
    del session[SHOWN_ONCE]
    return current.services().shown_once.open(current.user().session.id, sealed)
