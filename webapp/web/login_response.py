"""The response to a right password or a full log-in: which cookies it sets and removes, and where it redirects to."""

from __future__ import annotations

from contextlib import suppress

from flask import session
from flask.wrappers import Response

from ..domain.language import gettext as _
from ..domain.refusals import DatabaseUnavailable, LoginExpired
from ..services.login.login import PendingToken
from ..services.login.session_opening import LoggedIn
from . import cookies, current, languages, layouts, render, sent_twice

PASSWORD_TYPED = "typed"  # noqa: S105  # the name of a field, not a password
"""In the form session after a log-in with a password: the home page may then offer a passkey."""

LONGEST_NAME = 320  # characters, of an email address; browsers drop a cookie of more than 4096 bytes
PREFILLED = "username"
"""In the form session: the username that the next login page shows, after a reset or too many wrong codes."""


def after_password(result: LoggedIn | PendingToken) -> Response:
    """After a right password: logs in, or redirects to the challenge of the pending login."""
    current.services().sessions.forget(pending=cookies.login_token())
    if isinstance(result, LoggedIn):
        return logged_in(result)
    languages.speak_to_browser()
    response = render.go_on(layouts.page_url("challenge.verify"), result.refusal, whole=True)
    cookies.put_login(response, result.token, current.services().settings.policy.pending_login_seconds)
    return response


def pending_login_url() -> str | None:
    """The challenge of the login that waits for its second factor in this browser, if there is one."""
    token = cookies.login_token()
    if token is not None:
        with suppress(LoginExpired, DatabaseUnavailable):  # the help needs no database
            current.services().login.claim(token)
            return layouts.page_url("challenge.verify")
    return None


def logged_in(result: LoggedIn, to: str | None = None) -> Response:
    """After a full log-in: sets the cookies, and redirects to `to`, else to the page that was requested, else home."""
    # a session that an attacker set before the log-in must not survive it (session fixation, ASVS V7.2.4)
    left = None if result.with_password else cookies.login_token()
    current.services().sessions.forget(session=cookies.session_token(), pending=left)
    session.clear()
    response = render.go(to or result.next_path or layouts.page_url("home.home"), whole=True)
    policy = current.services().settings.policy
    if result.with_password:
        session[PASSWORD_TYPED] = True
    languages.speak_to(result.account)
    if result.came_back:
        render.changed(_("Welcome back. Your account is no longer being deleted."))
    sent_twice.note(sent_twice.this_form(), render.leads_to(response))
    render.logged_in_as(response, result.token)
    cookies.drop(response, cookies.LOGIN)
    make_known(response, result.account.id)
    if result.remembered is not None:
        cookies.put_remembered(response, result.remembered, policy.remembered_browser)
    return response


def prefill(username: str) -> None:
    """Fills the username or email in on the next login page of this browser."""
    session[PREFILLED] = username[:LONGEST_NAME]


def logged_out(sentence: str, next_path: str | None = None) -> Response:
    """After the session has ended: removes its cookies and leads to the log-in page, which shows the sentence.

    `next_path` is where the next log-in leads."""
    session.clear()
    render.receipt(sentence)
    return without_session(render.go(layouts.page_url("entrance.log_in", next=next_path), whole=True))


def without_session(response: Response) -> Response:
    """Removes the cookies of a session that has ended, and what the browser kept of its pages."""
    cookies.drop(response, cookies.SESSION)
    cookies.drop(response, cookies.LOGIN)
    # not "cookies": a browser stays remembered; not "storage" on an approving device: it would lose its pushes
    response.headers["Clear-Site-Data"] = '"cache"' if cookies.device_tokens() else '"cache", "storage"'
    return response


def make_known(response: Response, account_id: int) -> None:
    """Makes this browser known for the account: its wrong passwords are counted apart from now on."""
    services = current.services()
    cookies.put_known(response, account_id, services.entropy.bytes(12).hex(), services.settings.policy.known_browser)
