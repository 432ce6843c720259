"""From a POST to the page after it: a secret that this page shows, and no reload of it."""

from __future__ import annotations

from flask import session

from . import current

SHOWN_ONCE = "shown-once"
"""In the form session: what the secret is, and the secret, sealed."""


def keep(what: str, secret: str, session_id: int) -> None:
    session[SHOWN_ONCE] = [what, current.services().shown_once.seal(session_id, secret)]


def take(what: str) -> str | None:
    """For whoever is logged in; None when no such secret waits."""
    kept, sealed = session.get(SHOWN_ONCE, ("", ""))
    if kept != what:
        return None
    del session[SHOWN_ONCE]
    return current.services().shown_once.open(current.user().session.id, sealed)
