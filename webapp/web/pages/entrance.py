"""Signing up, logging in and out, and a forgotten password."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request, session
from flask_login import login_required

from ...domain.account_refusals import SignUpClosed
from ...domain.key_refusals import KeyUnknown
from ...domain.language import gettext as _
from ...domain.refusals import CodeExpired, LinkInvalid, TemporaryPasswordHere, TooManyLogins, WrongLoginHere
from ...metrics import LOGINS, SECOND_FACTOR, SUCCESS, Attempt
from ...services.login.session_opening import LoggedIn
from .. import app_flow, confirming, cookies, current, guards, languages, layouts, render, times, words
from ..forms import (
    EmailForm,
    Form,
    InvitationForm,
    LogInForm,
    LoginLinkForm,
    NewPasswordForm,
    PasskeyForm,
    SignUpForm,
    untrusted,
)
from ..login_response import PREFILLED, after_password, logged_in, logged_out, make_known, prefill

BROWSER = "csrf_token"
"""In the form session: Flask-WTF's random CSRF value. It binds the challenge of a passkey to this browser."""

SENT_TO = "reset-sent-to"
"""In the form session: the e-mail address that the page after "Send link" shows."""

OFFER_LINK = WrongLoginHere, TooManyLogins, TemporaryPasswordHere
"""Refusals after which the page offers a link that makes this browser known, whether or not the name exists."""

bp = Blueprint("entrance", __name__)


@bp.route("/log-in", methods=["GET", "POST"])
def log_in() -> Any:
    form = LogInForm(next=request.args.get("next", ""), username=session.pop(PREFILLED, None))
    next_path = guards.local_path(form.next.data)
    place = app_flow.lead_on(next_path)
    app_flow.keep_request(next_path if place else None)
    if "credential" in request.form:
        with words.placing(form):
            if form.trusted():
                return logged_in(_with_passkey(PasskeyForm()))
    elif form.submitted():
        with words.placing(form):
            with Attempt(LOGINS, "password") as attempt:
                result = current.services().login.with_password(
                    form.username.data,
                    form.password.data,
                    persistent=form.keep.data,
                    next_path=next_path or "",
                    origin=current.origin(),
                    known_browser=cookies.known_browser(),
                    remembered=cookies.remembered_tokens(),
                )
                attempt.outcome = SUCCESS if isinstance(result, LoggedIn) else SECOND_FACTOR
            return after_password(result)
    elif request.method in guards.SAFE and current.user_or_none() is not None:
        return render.go(next_path or layouts.page_url("home.home"))
    unknown = current.services().passkeys.unknown_hints(request.form) if isinstance(form.refusal, KeyUnknown) else None
    passkey = PasskeyForm(next=request.args.get("next", "")) if current.services().passkeys.are_offered else None
    link = LoginLinkForm(username=form.username.data) if isinstance(form.refusal, OFFER_LINK) else None
    facts: dict[str, Any] = {"passkey": passkey, "tell_browser": unknown, "login_link": link, "place": place}
    return render.page("entrance/log_in.html", form, **facts)


def _with_passkey(form: PasskeyForm) -> LoggedIn:
    with Attempt(LOGINS, "passkey"):
        return current.services().passkeys.log_in(
            session.get(BROWSER, ""),
            request.form,
            persistent=form.keep.data,
            next_path=guards.local_path(form.next.data) or "",
            origin=current.origin(),
            known_browser=cookies.known_browser(),
        )


@bp.post("/log-in/passkey/options")
def passkey_options() -> Any:
    """The options of a passkey ceremony, for the button and for the browser's autofill. It never writes."""
    if not Form().trusted():
        return render.problem_details(untrusted())
    services = current.services()
    return services.passkeys.ask(session[BROWSER])


@bp.post("/log-out")
def log_out() -> Any:
    user = current.user_or_none()
    if user is not None and Form().submitted():
        current.services().active_access.end_own(user, current.origin())
    elif user is not None:
        return render.go_on(layouts.page_url("home.home"), untrusted(), whole=True)
    languages.speak_to_browser()
    return logged_out(_("You've been logged out."))


@bp.route("/sign-up", methods=["GET", "POST"])
def sign_up() -> Any:
    services = current.services()
    if not services.settings.sign_up_open:
        closed, status = SignUpClosed(), 200 if request.method in guards.SAFE else SignUpClosed.status
        return render.page("entrance/sign_up_closed.html", status=status, sentence=words.say(closed))
    form = SignUpForm()
    typed = form.name.data or "", form.username.data or "", form.password.data or ""
    if form.submitted():
        with words.placing(form):
            made, app_request = services.sign_up.create(*typed, current.origin()), app_flow.kept_request()
            response = logged_in(made, layouts.page_url("entrance.sign_up_email"))
            app_flow.keep_request(app_request)
            return response
    words.place_others(lambda: services.sign_up.problems(*typed), form)
    return render.page("entrance/sign_up.html", form, minimum=services.passwords.minimum)


def _sign_up_challenge() -> str:
    return f"email:sign-up:{current.user().session.id}"


@bp.route("/sign-up/email", methods=["GET", "POST"])
@login_required
@guards.fresh
def sign_up_email() -> Any:
    account = current.user().account
    if account.email is not None:
        return render.go(layouts.page_url("home.home"))
    form = EmailForm(email=account.unconfirmed_email)
    if form.submitted():
        with words.placing(form):
            emails = current.services().email_addresses
            emails.send_unless_sent(account, _sign_up_challenge(), form.email.data, current.origin())
            return render.go(layouts.page_url("entrance.sign_up_email_code"))
    return render.page("entrance/email.html", form, skip_url=layouts.page_url("home.home"))


@bp.route("/sign-up/email-code", methods=["GET", "POST"])
@login_required
def sign_up_email_code() -> Any:
    services, account = current.services(), current.user().account
    sent = services.email_addresses.sent(account.id, _sign_up_challenge())
    if sent is None or account.email is not None:
        if request.method == "POST" and account.email is None:
            render.problem(words.say(CodeExpired()))
        return render.go(layouts.page_url("entrance.sign_up_email" if account.email is None else "home.home"))
    return confirming.email_code(
        _sign_up_challenge(),
        sent,
        page="entrance.sign_up_email_code",
        before="entrance.sign_up_email",
        after=app_flow.kept_request() or layouts.page_url("home.home"),
        skip_url=layouts.page_url("home.home"),
    )


@bp.route("/forgot-password", methods=["GET", "POST"])
def forgot_password() -> Any:
    form = EmailForm()
    if form.submitted():
        with words.placing(form):
            current.services().password_changes.send_link(form.email.data, current.origin())
            session[SENT_TO] = form.email.data.strip()
            return render.go(layouts.page_url("entrance.forgot_password_sent"))
    return render.page("entrance/forgot_password.html", form)


@bp.get("/forgot-password/sent")
def forgot_password_sent() -> Any:
    if SENT_TO not in session:
        return render.go(layouts.page_url("entrance.forgot_password"))
    return render.page("entrance/forgot_password_sent.html", address=session[SENT_TO])


@bp.route("/reset-password/<token>", methods=["GET", "POST"])
def reset_password(token: str) -> Any:
    services, form = current.services(), NewPasswordForm()
    opened = services.links.find("reset", token)
    if form.submitted():
        with words.placing(form, but=LinkInvalid):
            services.password_changes.reset(opened, form.password.data, current.origin())
            render.receipt(_("Password changed. Log in with your new password."))
            response = render.go(app_flow.log_in_url(), whole=True)
            make_known(response, opened.account.id)
            prefill(opened.account.username)
            return response
    username, minimum = opened.account.username, services.passwords.minimum
    return render.page("entrance/reset_password.html", form, username=username, minimum=minimum)


@bp.route("/invite/<token>", methods=["GET", "POST"])
def invitation(token: str) -> Any:
    """The link in an invitation: sets the password of the account, and confirms its address."""
    services, form = current.services(), InvitationForm()
    opened = services.links.find("invite", token)
    if form.submitted():
        with words.placing(form, but=LinkInvalid):
            services.invitations.accept(opened, form.password.data, current.origin())
            render.receipt(_("Your account is ready. Log in with your new password."))
            response = render.go(layouts.page_url("entrance.log_in"), whole=True)
            make_known(response, opened.account.id)
            prefill(opened.account.username)
            return response
    username, minimum = opened.account.username, services.passwords.minimum
    return render.page("entrance/invitation.html", form, username=username, address=opened.link.email, minimum=minimum)


@bp.route("/undo-email/<token>", methods=["GET", "POST"])
def undo_email(token: str) -> Any:
    """The link in the e-mail to the earlier address: restores that address and ends every session."""
    services, form = current.services(), Form()
    opened = services.links.find("undo-email", token)
    if form.submitted():
        until = services.email_undos.ask(opened, current.origin())
        if until is not None:
            comes_back = _("Your old email address comes back on %(time)s.")
            render.receipt(times.sentence(comes_back, time=times.at(until)))
            return render.go(layouts.page_url("entrance.log_in"), whole=True)
        render.receipt(_("Your email address has been restored. Now choose a new password."))
        return render.go(layouts.page_url("entrance.forgot_password"), whole=True)
    waits = services.email_undos.waits(opened.account)
    return render.page("entrance/undo_email.html", form, address=opened.link.email, waits=waits)
