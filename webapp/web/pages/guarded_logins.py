"""The page of the site between a guarded host and its log-in: which page comes next, or back to the host."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request

from ...domain.language import gettext as _
from ...models.registered_apps import RegisteredApp
from ...models.user import User
from ...services.guarded.logins import GuardedLoginExpired, HostLogin
from ...services.openid.steps import Consent, Enroll, LogIn, Ready, Step, StepUp
from .. import app_flow, current, guarded_hosts, layouts, render
from ..forms import Form

bp = Blueprint("guarded_logins", __name__)
FROM_ANOTHER_SITE = ("cross-site", "same-site")


@bp.route("/hosts/log-in", methods=["GET", "POST"])
def log_in() -> Any:
    """Log-in, step-up, an enrollment, the question after a log-out, or the way back to the host."""
    if render.is_fragment():
        return render.go(current.path(), whole=True)  # a script would not follow the headers of the page
    logins, user, form = current.services().guarded.logins, current.user_or_none(), Form()
    waiting = logins.find(request.args.get("id", ""))
    app_flow.name_host(waiting.app)
    if "other" in request.form and user is not None and form.trusted():
        return app_flow.log_in_as_other()
    if "cancel" in request.form and user is not None and form.trusted():
        return app_flow.cancel(current.path())
    if app_flow.CANCELED in request.args:
        return _leave(waiting, user)
    step = logins.next(waiting, user)
    if isinstance(step, Consent) and form.trusted():
        logins.agree(waiting, current.user())
        return render.go(current.path())
    if isinstance(step, Consent):
        return render.page("guarded/log_in.html", form, app=waiting.app)
    return _go_back(waiting) if isinstance(step, Ready) else _before(waiting.app, step)


def _before(app: RegisteredApp, step: Step) -> Any:
    """What comes before the way back: log-in, step-up, an enrollment, or the page that says who may not."""
    if isinstance(step, LogIn):
        return render.go(layouts.page_url("entrance.log_in", next=current.path()), whole=True)
    if isinstance(step, StepUp):
        return app_flow.step_up(step)
    if isinstance(step, Enroll):
        return app_flow.enroll(app, step)
    return app_flow.forbidden(app, [("host", str(app.host))])


def _leave(waiting: HostLogin, user: User | None) -> Any:
    """To the first page of the host, unless that would lead back here."""
    if user is None or not current.services().guarded.logins.may_enter(waiting, user):
        return render.go(layouts.page_url("home.home"))
    return app_flow.onward(waiting.app.name, guarded_hosts.url(str(waiting.app.host), "/"))


def _go_back(waiting: HostLogin) -> Any:
    """A redirect where no form led here: browsers hold what follows a form to the page of the form."""
    granted = current.services().guarded.logins.grant(waiting, current.user())
    to = guarded_hosts.url(str(granted.app.host), f"/.nightlatch/back?code={granted.code}")
    if request.headers.get("Sec-Fetch-Site") in FROM_ANOTHER_SITE:
        return render.go(to)
    return app_flow.onward(granted.app.name, to)


@bp.errorhandler(GuardedLoginExpired)
def expired(_refusal: GuardedLoginExpired) -> Any:
    actions, number = [(_("Go to the home page"), layouts.page_url("home.home"))], app_flow.note("host-login", "", ())
    return render.page("guarded/expired.html", number=number, actions=actions, status=400)
