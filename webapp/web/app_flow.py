"""The pages between an app's request and its answer: which page comes next, and how the app is answered.

A POST never ends in a redirect to an app: browsers hold the whole chain of redirects to the `form-action` of the page
that sent the form. So the answer after a form is a page that leads on by itself.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs, urlsplit

from flask import g, request, session
from flask.wrappers import Response

from ..domain.app_rules import rule_for
from ..domain.language import gettext as _
from ..domain.language_tags import preferred
from ..domain.refusals import CodeExpired, DatabaseUnavailable, NotFound, Refusal
from ..models.registered_apps import RegisteredApp
from ..models.user import User
from ..services.guarded.logins import GuardedLoginExpired
from ..services.openid import redirects
from ..services.openid.authorizations import Answer, PendingRequest
from ..services.openid.requests import SELECT_ACCOUNT, AuthorizationError, CheckedRequest, Parameters, Unanswerable
from ..services.openid.steps import Consent, Enroll, LogIn, Ready, Step, StepUp
from . import (
    after_enrollment,
    current,
    errors,
    guarded_hosts,
    guards,
    headers,
    languages,
    layouts,
    login_response,
    render,
    row_ids,
    words,
)
from .forms import Form

CONSENT, GUARDED_LOGIN, DEVICE_CODE = "app_logins.consent", "guarded_logins.log_in", "device.code"
LOG_OUTS = "app_logins.log_out", "app_logins.confirm_log_out", "app_logins.logged_out_of", f"{guards.OPENID}.log_out"
HANDLE = "id"
"""In the query of the page: the stored request."""
CANCELED = "canceled"
"""In the query of the page of a guarded host's log-in: it was canceled."""
FORM_POST = "form_post"
KEPT = "app-request"
"""In the form session: the path of the app's request that the log-in page led to."""
STORED = "stored"
"""In the query of the page of log-out: the request that a form sent, so that no redirect may lead on to an app."""


def page_of(handle: str) -> str:
    """The path of the page that goes on with a stored request."""
    return layouts.page_url(CONSENT, **{HANDLE: handle})


def lead_on(path: str | None) -> str:
    """For a page of log-in or step-up that leads to `path`: if that is an app's request, its headers name the app.

    Returns the host or scheme to which the browser then goes, or an empty string.
    """
    found = _request_at(path)
    if isinstance(found, RegisteredApp):
        name_host(found)
        return str(found.host)
    if found is not None:
        name_app(found)
        return _place(found)
    return ""


def _request_at(path: str | None) -> RegisteredApp | CheckedRequest | None:
    """The guarded host or the app's request to which the path leads, while that waits for an answer."""
    to_host, to_app = _handle_in(path, GUARDED_LOGIN), _handle_in(path, CONSENT)
    if to_host is not None:
        with suppress(GuardedLoginExpired):
            return current.services().guarded.logins.find(to_host).app
    if to_app is not None:
        with suppress(Unanswerable, AuthorizationError):
            return current.services().openid.authorizations.find(to_app).asked
    return None


def keep_request(path: str | None) -> None:
    """Keeps the path of an app's request through what may come between log-in pages: a new password, sign-up, a
    challenge that runs out. None forgets it."""
    session.pop(KEPT, None)
    if path is not None:
        session[KEPT] = path


def kept_request() -> str | None:
    """The path that was kept, while the app's request waits for an answer."""
    path = session.get(KEPT)
    return path if _request_at(path) is not None else None


def log_in_url(next_path: str | None = None) -> str:
    """The log-in page that leads on to `next_path`, by default to the app's request that was kept, if there is one."""
    return layouts.page_url("entrance.log_in", next=next_path or kept_request())


def cancel(path: str | None) -> Response | None:
    """The response to Cancel on a page of log-in, step-up or enrollment that leads on to `path`; None for a path of
    this site. An app is told of it (RFC 6749 section 4.1.2.1), and so is a device (RFC 8628 section 3.5). The session
    stays as it is."""
    after_enrollment.drop()
    to_host, to_app, user = _handle_in(path, GUARDED_LOGIN), _handle_in(path, CONSENT), current.user_or_none()
    if to_app is not None:
        service = current.services().openid.authorizations
        with suppress(Unanswerable, AuthorizationError):  # the page says so
            service.decide(service.find(to_app), user, agreed=False)
        return render.go(page_of(to_app), whole=True)
    if to_host is not None and user is not None:
        return render.go(layouts.page_url(GUARDED_LOGIN, **{HANDLE: to_host, CANCELED: 1}), whole=True)
    device_code, _slash, request_id = (path or "").partition("?")[0].rpartition("/")
    if path is None or user is None or device_code != layouts.page_url(DEVICE_CODE):
        return None
    with suppress(CodeExpired, NotFound):  # the page says so
        return deny_device(user, row_ids.read(request_id))
    return render.go(path)


def deny_device(user: User, request_id: int) -> Response:
    """Tells the device, and leads to the home page. Raises `CodeExpired`, also for a request that was answered."""
    current.services().openid.devices.deny(user, request_id, current.origin())
    render.receipt(_("The device wasn't connected."))
    return render.go(layouts.page_url("home.home"))


def _handle_in(path: str | None, page: str) -> str | None:
    """The handle in the query of the path; None unless it is a path of this page, without a host in front."""
    here, _mark, query = (path or "").partition("?")
    return parse_qs(query).get(HANDLE, [""])[0] if here == layouts.page_url(page) else None


def name_host(app: RegisteredApp) -> None:
    headers.lead_to(guarded_hosts.url(str(app.host), ""))


def name_app(asked: CheckedRequest) -> None:
    headers.lead_to(redirects.source_of(asked.reply.address))


def show(waiting: PendingRequest, step: Step) -> Any:
    """The page, or the redirect to one, for the next step of a stored request."""
    name_app(waiting.asked)
    if isinstance(step, Consent):
        return consent(waiting.asked, Form())
    return _ready(waiting) if isinstance(step, Ready) else before(waiting.asked, step)


def before(asked: CheckedRequest, step: Step) -> Any:
    """The page, or the redirect to one, for what comes before the question: log-in, step-up or enrollment."""
    if isinstance(step, LogIn):
        return _log_in(asked)
    if isinstance(step, StepUp):
        return step_up(step)
    if isinstance(step, Enroll):
        return enroll(asked.app, step)
    return forbidden(asked.app, asked.reply.parameters)


def step_up(step: StepUp) -> Response:
    page = "step_up.password" if step.password else "step_up.verify"
    return render.go(layouts.page_url(page, next=current.path(), method=step.method))


def log_in_as_other() -> Response:
    """For Not you?: ends this session, and comes back after the log-in of another account."""
    current.services().active_access.end_own(current.user(), current.origin())
    languages.speak_to_browser()
    return login_response.logged_out(_("You've been logged out."), next_path=current.path())


def _log_in(asked: CheckedRequest) -> Response:
    if asked.login_hint:
        login_response.prefill(asked.login_hint)
    language = preferred(",".join(asked.ui_locales), current.services().languages)
    return render.go(layouts.page_url("entrance.log_in", next=current.path(), lang=language), whole=True)


def enroll(app: RegisteredApp, step: Enroll) -> Response:
    """The method that the app asks for is not on: leads to its enrollment, and keeps the way back."""
    passwordless = current.services().methods.passwordless
    if step.key and passwordless is not None:
        to = layouts.page_url("enrollment.start", method=passwordless.slug, next=current.path())
    else:
        after_enrollment.keep(after_enrollment.ANY, current.path())
        to = layouts.page_url("two_factor.methods")
    return render.page("app_logins/enroll.html", app=app, needs_key=step.key, to=to)


def forbidden(app: RegisteredApp, parameters: Parameters) -> Response:
    """The page for who may not use the app. Where the request waits, another account can go on with it."""
    actions = [(_("Go to the home page"), layouts.page_url("home.home"))]
    number, can_change = note("access", app.client_id, parameters), layouts.endpoint() in (CONSENT, GUARDED_LOGIN)
    facts: dict[str, Any] = {"app": app, "number": number, "actions": actions, "can_change": can_change}
    return render.page("app_logins/forbidden.html", status=403, **facts)


def consent(asked: CheckedRequest, form: Form) -> Response:
    name_app(asked)
    place, can_change = _place(asked), SELECT_ACCOUNT in asked.prompts
    return render.page("app_logins/consent.html", form, app=asked.app, asked=asked, place=place, can_change=can_change)


def _place(asked: CheckedRequest) -> str:
    """Where the browser goes then, as a person is shown it: a host, or the scheme of an installed app, after which
    anything may follow."""
    address = asked.reply.address
    return urlsplit(address).netloc if redirects.is_web(address) else redirects.source_of(address)


def _ready(waiting: PendingRequest) -> Response:
    service = current.services().openid.authorizations
    answer = service.grant(current.user(), waiting.asked, waiting.context, current.origin(), waiting.id)
    return redirect(answer) if answer.reply.is_silent else page(waiting.asked.app.name, answer)


def redirect(answer: Answer) -> Response:
    """To the app, in answer to a GET. `form_post` needs a page, and so does an address that a redirect would change."""
    if answer.reply.mode == FORM_POST or not redirects.is_sent_whole(answer.reply.address):
        return page("", answer)
    return render.go(redirects.with_parameters(answer.reply.address, answer.parameters))


def page(name: str, answer: Answer) -> Response:
    """A page with the button Continue, that leads to the app by itself at once."""
    headers.lead_to(redirects.source_of(answer.reply.address))
    if answer.reply.mode == FORM_POST:
        to = answer.reply.address
        return render.page("app_logins/form_post.html", app=name, to=to, fields=answer.parameters)
    return onward(name, redirects.with_parameters(answer.reply.address, answer.parameters))


def onward(name: str, to: str) -> Response:
    headers.lead_to(redirects.source_of(to))
    response = render.page("app_logins/onward.html", app=name, to=to)
    response.headers["Refresh"] = f"0; url={to}"
    return response


def after_log_out(to: str) -> Response:
    """A redirect, after the session has ended."""
    session.clear()
    return login_response.without_session(render.go(to, whole=True))


def unanswerable(refusal: Unanswerable) -> Response:
    """A request that cannot be answered to an app: nothing of it is followed (RFC 6749 section 4.1.2.1)."""
    number = note(refusal.why, request.values.get("client_id", refusal.client_id), _sent())
    g.pop("leads_to", None)
    actions = [(_("Go to the home page"), layouts.page_url("home.home"))]
    if (layouts.endpoint() or request.endpoint) not in LOG_OUTS:
        heading = _("This login request can't be completed")
    elif current.user_or_none() is None:
        heading = _("Logout")
    else:
        heading = _("Log out?")
        actions.insert(0, (_("Log out"), layouts.page_url("app_logins.log_out")))
    return render.page(
        "app_logins/unanswerable.html",
        heading=heading,
        number=number,
        is_over=refusal.why in ("expired", "answered"),
        actions=actions,
        status=400,
    )


def unavailable(refusal: Refusal) -> Response:
    """The usual error page, with an error id. The refusal is `TooManyAttempts` or `DatabaseUnavailable`."""
    rule = "unavailable" if isinstance(refusal, DatabaseUnavailable) else "too-many-requests"
    number = note(rule, request.values.get("client_id", ""), _sent())
    response: Response = errors.page(refusal.status, words.say(refusal), number)
    response.headers["Retry-After"] = str(refusal.wait)
    return response


def refused(error: AuthorizationError, name: str = "") -> Response:
    """An error for the app: a redirect in answer to its own request, and a page where a form may have led here."""
    rule, said = rule_for(error.code, error.description), {"error": error.code, "error_description": error.description}
    number = note(rule, error.reply.client_id, error.reply.parameters, **said)
    answer = current.services().openid.authorizations.refuse(error, number)
    return redirect(answer) if HANDLE not in request.args or answer.reply.is_silent else page(name, answer)


def _sent() -> Parameters:
    return [*request.args.items(multi=True), *request.form.items(multi=True)]


def note(rule: str, client_id: str, parameters: Parameters, **facts: str) -> str:
    """Keeps a refusal for `flask why`. Returns its error id."""
    service, origin = current.services().operators.refusals, current.origin()
    return service.note(rule, endpoint=request.path, origin=origin, client_id=client_id, asked=parameters, **facts)
