"""The pages of Nightlatch at a guarded host, which its proxy passes by exact path.

They know the host by the Host header, and have no cookie, script or style of the site.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, make_response, request
from flask.wrappers import Response

from ...domain.language import gettext as _
from ...domain.refusals import LoginExpired
from ...models.registered_apps import RegisteredApp
from ...services.guarded.logins import GuardedLoginExpired
from .. import current, guarded_hosts, guarded_page, guards, layouts
from ..guarded_hosts import AGAIN, cookie_name, start_cookie

bp = Blueprint(guards.GUARDED, __name__, url_prefix="/.nightlatch")


@bp.get("/start")
def start() -> Any:
    """Gives the browser the cookie in which its log-in must end, and leads on to the site."""
    app, handle = _app(), request.args.get("id", "")
    again = start_cookie(_host(app), AGAIN)
    nonce = _guarded().logins.start(_host(app), handle, asks=again in request.cookies)
    site = current.services().settings.main_url
    response = _go(f"{site}{layouts.page_url('guarded_logins.log_in', id=handle)}")
    lasts = current.services().settings.policy.guarded_login_seconds
    guarded_hosts.put(response, _host(app), start_cookie(_host(app), handle), nonce, lasts)
    return response


@bp.get("/back")
def back() -> Any:
    """Opens the session of the host, and leads to the page that was asked for."""
    host, code = _host(_app()), request.args.get("code", "")
    nonces, earlier = guarded_hosts.nonces(host), request.cookies.get(cookie_name(host), "")
    opened = _guarded().visits.open(host, code, nonces, earlier, current.origin())
    response = _go(guarded_hosts.url(host, opened.path))
    guarded_hosts.put(response, host, cookie_name(host), opened.token, None)
    for done in (guarded_hosts.started_with(host, opened.nonce), start_cookie(host, AGAIN)):
        if done in request.cookies:
            guarded_hosts.drop(response, host, str(done))
    return response


@bp.route("/log-out", methods=["GET", "POST"])
def log_out() -> Any:
    app = _app()
    host, url = _host(app), current.services().settings.main_url
    everywhere = [(_("Log out everywhere"), f"{url}{layouts.page_url('sessions.sessions')}")]
    if request.method == "GET" or not _is_own_form(host):
        heading, status = _("Log out of %(app)s?", app=app.name), 200 if request.method == "GET" else 403
        return guarded_page.page(heading, button=_("Log out"), links=everywhere, status=status)
    _guarded().visits.end(host, request.cookies.get(cookie_name(host), ""), current.origin())
    links = [(_("Log in again"), guarded_hosts.url(host, "/")), *everywhere]
    response = guarded_page.page(_("You've been logged out."), links=links)
    guarded_hosts.drop(response, host, cookie_name(host))
    lasts = current.services().settings.policy.kept_session_total
    guarded_hosts.put(response, host, start_cookie(host, AGAIN), "1", lasts)
    return response


@bp.get("/forbidden")
def forbidden() -> Any:
    return guarded_page.forbidden(_app())


@bp.errorhandler(GuardedLoginExpired)
@bp.errorhandler(LoginExpired)
def expired(_refusal: Exception) -> Any:
    """A page, and no redirect, so that nothing can lead round in a circle."""
    again = (_("Log in again"), guarded_hosts.url(guarded_hosts.here(), "/"))
    return guarded_page.page(_("This login request can't be completed"), links=[again], status=400)


def _guarded() -> Any:
    return current.services().guarded


def _app() -> RegisteredApp:
    app: RegisteredApp | None = _guarded().logins.app_at(guarded_hosts.here())
    if app is None:
        abort(404)
    return app


def _host(app: RegisteredApp) -> str:
    return str(app.host)


def _is_own_form(host: str) -> bool:
    """Every browser sends Origin with a form (Fetch standard, section 3.2)."""
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    return site == "same-origin" and request.headers.get("Origin") == guarded_hosts.url(host, "")


def _go(url: str) -> Response:
    response = make_response("", 303)
    response.headers["Location"] = url
    return response
