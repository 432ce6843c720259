"""The pages on which people log in to an app, and log out for one (OpenID Connect)."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request
from flask_login import login_required

from ...domain.language import gettext as _
from ...domain.refusals import DatabaseUnavailable, TooManyAttempts
from ...models.user import User
from ...services.openid import discovery, redirects
from ...services.openid.log_outs import LogOutAsked
from ...services.openid.requests import AuthorizationError, Unanswerable
from ...services.openid.steps import Ready
from .. import app_flow, current, languages, layouts, render
from ..forms import Form
from ..login_response import logged_out

bp = Blueprint("app_logins", __name__)
bp.register_error_handler(Unanswerable, app_flow.unanswerable)
bp.register_error_handler(AuthorizationError, app_flow.refused)
bp.register_error_handler(TooManyAttempts, app_flow.unavailable)
bp.register_error_handler(DatabaseUnavailable, app_flow.unavailable)


@bp.get(discovery.AUTHORIZE)
def authorize() -> Any:
    """A request of an app. What needs a page is stored, so that nothing of it is lost meanwhile."""
    service, user = current.services().openid.authorizations, current.user_or_none()
    parameters = current.services().openid.pushed_requests.take(list(request.args.items(multi=True)))
    asked = service.ask(parameters)
    context = service.now(user)
    step = service.next(asked, context, user)
    if user is not None and isinstance(step, Ready):
        return app_flow.redirect(service.grant(user, asked, context, current.origin()))
    return render.go(app_flow.page_of(service.keep(asked.app, parameters, user, current.origin())))


@bp.get("/oauth/consent")
def consent() -> Any:
    """Goes on with a stored request: log-in, step-up, the question, or the answer to the app."""
    if render.is_fragment():
        return render.go(current.path(), whole=True)  # a script would not follow the headers of the page
    service = current.services().openid.authorizations
    waiting, user = service.find(request.args.get(app_flow.HANDLE, "")), current.user_or_none()
    if waiting.canceled:
        return app_flow.refused(service.cancel(waiting), waiting.asked.app.name)
    return app_flow.show(waiting, service.next(waiting.asked, waiting.context, user))


@bp.post("/oauth/consent")
def agree() -> Any:
    service, form = current.services().openid.authorizations, Form()
    if "cancel" in request.form and form.trusted():
        return app_flow.cancel(current.path())
    if current.user_or_none() is None:
        return render.go(layouts.page_url("entrance.log_in", next=current.path()), whole=True)
    waiting = service.find(request.args.get(app_flow.HANDLE, ""))
    if not form.trusted():
        return app_flow.consent(waiting.asked, form)
    if "other" in request.form:
        return app_flow.log_in_as_other()
    service.decide(waiting, current.user(), agreed=True)
    return render.go(current.path())


@bp.get(discovery.LOG_OUT)
def log_out() -> Any:
    user = current.user_or_none()
    asked = _log_out_asked(user)
    if user is None or asked.is_of_session:
        needs_page = app_flow.STORED in request.args or not redirects.is_sent_whole(asked.address or "")
        return _log_out(asked, _logged_out_of() if needs_page else asked.address)
    return _ask(Form(), asked)


@bp.post("/oauth/log-out/confirm")
@login_required
def confirm_log_out() -> Any:
    """The form of that page; its address has the app's request."""
    form, asked = Form(), _log_out_asked(current.user())
    if not form.trusted():
        return _ask(form, asked)
    if "stay" in request.form:
        return render.go(layouts.page_url("home.home"))
    return _log_out(asked, _logged_out_of())


@bp.get("/oauth/logged-out")
def logged_out_of() -> Any:
    """After the form: leads on to the app (a POST must not)."""
    asked = _log_out_asked(None)
    if asked.app is None or asked.address is None:
        return render.go(layouts.page_url("entrance.log_in"))
    return app_flow.onward(asked.app.name, asked.address)


def _log_out_asked(user: User | None) -> LogOutAsked:
    """The request in the address, or the stored one that it names."""
    service, stored = current.services().openid.log_outs, request.args.get(app_flow.STORED)
    return service.ask(list(request.args.items(multi=True)) if stored is None else service.kept(stored), user)


def _logged_out_of() -> str:
    return f"{layouts.page_url('app_logins.logged_out_of')}?{_query()}"


def _query() -> str:
    return request.query_string.decode("latin-1")


def _ask(form: Form, asked: LogOutAsked) -> Any:
    to = f"{layouts.page_url('app_logins.confirm_log_out')}?{_query()}"
    return render.page("app_logins/log_out.html", form, app=asked.app, confirm_url=to)


def _log_out(asked: LogOutAsked, to: str | None) -> Any:
    """Without a session nothing is cleared in the browser: any site can lead there."""
    user, onward = current.user_or_none(), to if asked.address is not None else None
    if user is None:
        return render.go(onward or layouts.page_url("entrance.log_in"), whole=True)
    current.services().active_access.end_own(user, current.origin())
    languages.speak_to_browser()
    return app_flow.after_log_out(onward) if onward is not None else logged_out(_("You've been logged out."))
