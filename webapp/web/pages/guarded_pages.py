"""The pages of Nightlatch at a guarded host, which its proxy passes by exact path.

They know the host by the Host header, and have no cookie or script of the site.
"""

from __future__ import annotations

import re
from typing import Any

from flask import Blueprint, abort, make_response, request
from flask.wrappers import Response

from ...domain.language import gettext as _
from ...domain.refusals import LoginExpired
from ...models.registered_apps import RegisteredApp
from ...services.guarded.logins import GuardedLoginExpired
from .. import app_flow, assets, current, guarded_hosts, guarded_page, guards, layouts
from ..guarded_hosts import AGAIN, cookie_name, start_cookie

bp = Blueprint(guards.GUARDED, __name__, url_prefix="/.nightlatch")
NUMBER = re.compile("[0-9a-f]{16}")
"""An error id."""


@bp.get("/start")
def start() -> Any:
    """Gives the browser the cookie in which its log-in must end, and leads on to the site."""
    host, handle = str(_app().host), request.args.get("id", "")
    started = current.services().guarded.logins.start(host, handle, asks=start_cookie(host, AGAIN) in request.cookies)
    site = current.services().settings.main_url
    response = _go(f"{site}{layouts.page_url('guarded_logins.log_in', id=started.handle)}")
    for old in [*guarded_hosts.started(host)][: 1 - guarded_hosts.MOST_STARTED]:
        guarded_hosts.drop(response, host, old)
    lasts = current.services().settings.policy.guarded_login_seconds
    guarded_hosts.put(response, host, start_cookie(host, handle), started.nonce, lasts)
    return response


@bp.get("/back")
def back() -> Any:
    """Opens the session of the host, and leads to the page that was asked for."""
    host, code = str(_app().host), request.args.get("code", "")
    started, earlier = guarded_hosts.started(host), request.cookies.get(cookie_name(host), "")
    opened = current.services().guarded.visits.open(host, code, [*started.values()], earlier, current.origin())
    response = _go(guarded_hosts.url(host, opened.path))
    guarded_hosts.put(response, host, cookie_name(host), opened.token, None)
    ended = [name for name, nonce in started.items() if nonce == opened.nonce]
    for name in (*ended, start_cookie(host, AGAIN)):
        if name in request.cookies:
            guarded_hosts.drop(response, host, name)
    return response


@bp.route("/log-out", methods=["GET", "POST"])
def log_out() -> Any:
    app = _app()
    host, url = str(app.host), current.services().settings.main_url
    everywhere = [(_("Log out everywhere"), f"{url}{layouts.page_url('sessions.sessions')}")]
    if request.method == "GET" or not _is_own_form(host):
        heading, status = _("Log out of %(app)s?", app=app.name), 200 if request.method == "GET" else 403
        return guarded_page.page(heading, button=_("Log out"), links=everywhere, status=status)
    current.services().guarded.visits.end(host, request.cookies.get(cookie_name(host), ""), current.origin())
    links = [(_("Log in again"), guarded_hosts.url(host, "/")), *everywhere]
    response = guarded_page.page(app.name, _("You've been logged out."), links=links)
    guarded_hosts.drop(response, host, cookie_name(host))
    lasts = current.services().settings.policy.kept_session_total
    guarded_hosts.put(response, host, start_cookie(host, AGAIN), "1", lasts)
    return response


@bp.get("/forbidden")
def forbidden() -> Any:
    """nginx shows it in place of the answer of a check, whose error id it has in the query."""
    number = request.args.get("id", "")
    return guarded_page.forbidden(_app(), number if NUMBER.fullmatch(number) else None)


@bp.get("/style.css")
def style() -> Any:
    """The style sheet of these pages. It reads no table: it is for the page about a database that is unavailable, too.

    Pages name its version in the query. During an update, a process of another version may answer: browsers keep only
    what was asked for.
    """
    found = assets.current_assets()
    response = Response((found.folder / "css" / "guarded.css").read_bytes(), mimetype="text/css")
    is_asked_for = request.args.get("v") == found.version
    response.headers["Cache-Control"] = assets.ONE_YEAR if is_asked_for else "no-cache"
    return response


@bp.errorhandler(GuardedLoginExpired)
@bp.errorhandler(LoginExpired)
def expired(_refusal: Exception) -> Any:
    """A page, and no redirect, so that nothing can lead round in a circle."""
    again = (_("Log in again"), guarded_hosts.url(guarded_hosts.here(), "/"))
    heading, sentence = _("This login request can't be completed"), str(GuardedLoginExpired.sentence)
    number = app_flow.note("host-login", "", [("host", guarded_hosts.here())])
    return guarded_page.page(heading, sentence, links=[again], number=number, status=400)


def _app() -> RegisteredApp:
    app = current.services().guarded.logins.app_at(guarded_hosts.here())
    if app is None:
        abort(404)
    return app


def _is_own_form(host: str) -> bool:
    """Every browser sends Origin with a form (Fetch standard, section 3.2)."""
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    return site == "same-origin" and request.headers.get("Origin") == guarded_hosts.url(host, "")


def _go(url: str) -> Response:
    response = make_response("", 303)
    response.headers["Location"] = url
    return response
