"""The moment of logging in: which cookies go, which come, and where the person lands."""

from __future__ import annotations

from flask import session
from flask.wrappers import Response

from ..services.login import PendingToken
from ..services.session_opening import LoggedIn
from . import cookies, current, layouts, render

JUST_TYPED = "typed"
"""In the form session: the next home page may offer a way without it."""


def enter(result: LoggedIn | PendingToken) -> Response:
    """After a right password: to the challenge, or in."""
    current.services().sessions.forget(pending=cookies.login_token())
    if isinstance(result, LoggedIn):
        return let_in(result)
    response = render.go_on(layouts.to("challenge.verify"), result.refusal, whole=True)
    cookies.put_login(response, result.token, current.services().settings.policy.pending_login_seconds)
    return response


def let_in(result: LoggedIn, to: str | None = None) -> Response:
    """A full log-in, and on to the page that was asked for."""
    # nothing that was planted before a log-in is of use after it
    current.services().sessions.forget(session=cookies.session_token())
    session.clear()
    response = render.go(to or result.next_path or layouts.to("home.home"), whole=True)
    policy = current.services().settings.policy
    if result.with_password:
        session[JUST_TYPED] = True
    render.logged_in_as(response, result.token)
    cookies.drop(response, cookies.LOGIN)
    cookies.put_known(response, result.account.id, current.services().entropy.bytes(12).hex(), policy.known_browser)
    if result.remembered is not None:
        cookies.put_remembered(response, result.remembered, policy.remembered_browser)
    return response
