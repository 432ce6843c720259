"""Proving again who one is, then back to the page and act that were asked for."""

from __future__ import annotations

from io import BytesIO
from typing import Any
from urllib.parse import urlencode, urlsplit

from flask import Blueprint, current_app, g, request, session
from flask.wrappers import Response
from flask_login import login_required

from ...domain.language import gettext as _
from ...domain.refusals import ChallengeExhausted, Refusal
from ...models.user import SessionToken
from ...services.challenge import choice_of, choices
from ...services.step_up import Act
from .. import backup_card, confirming, cookies, current, guards, layouts, render, shown_once, words
from .. import waiting as waits
from ..forms import BackupCodeForm, Form, PasswordForm, form_of

bp = Blueprint("step_up", __name__, url_prefix="/step-up")


@bp.route("/password", methods=["GET", "POST"])
@login_required
def password() -> Any:
    services, user, form = current.services(), current.user(), PasswordForm()
    if form.submitted():
        try:
            opened = services.step_up.with_password(user, form.password.data)
        except Refusal as refusal:
            words.place(refusal, form)
        else:
            if services.sessions.is_fresh(user):
                return _onward(opened)
            _choice, unsent = services.step_up.choose(user, None, current.origin())
            return render.logged_in_as(render.go_on(layouts.to("step_up.verify", next=_next()), unsent), opened)
    return render.page("step_up/password.html", form, cancel_url=layouts.to("settings.overview"))


@bp.route("/verify", methods=["GET", "POST"])
@login_required
def verify() -> Any:
    user, slug = current.user(), request.args.get("method")
    if not _may_prove():
        return _back_to_password()
    choice = choice_of(user.factors, slug)
    if choice.method.challenge.waits is not None:
        return render.go(layouts.to("step_up.waiting", method=slug, next=_next()))
    form = form_of(choice.method.challenge.fields)()
    if "resend" in request.form and form.trusted():
        try:
            current.services().step_up.send_again(user, slug, current.origin())
            return render.go(current.here())
        except Refusal as refusal:
            words.place(refusal, form)
    elif form.trusted():
        try:
            opened = current.services().step_up.with_factor(user, slug, request.form, current.origin())
            return _onward(opened)
        except ChallengeExhausted as refusal:
            render.problem(words.say(refusal))
            return render.go(layouts.to("home.home"))
        except Refusal as refusal:
            words.place(refusal, form)
    return render.page(
        choice.method.challenge.template,
        form,
        **confirming.challenge(choice, user.account, current.services().step_up.challenge_of(user)),
        choose_url=layouts.to("step_up.methods", next=_next()),
        backup_url=layouts.to("step_up.backup_code", next=_next()),
    )


@bp.route("/waiting", methods=["GET", "POST"])
@login_required
def waiting() -> Any:
    """Where the answer comes from another device."""
    user, slug, services = current.user(), request.args.get("method"), current.services()
    if not _may_prove():
        return _back_to_password()
    choice, name = choice_of(user.factors, slug), services.step_up.challenge_of(user)
    if choice.method.challenge.waits is None:
        return render.go(layouts.to("step_up.verify", method=slug, next=_next()))
    form = Form()
    if form.submitted():
        try:
            if "cancel" in request.form:
                services.login_requests.withdraw(user.account, name)
                return render.go(layouts.to("settings.overview"))
            if "resend" in request.form:
                services.step_up.send_again(user, slug, current.origin())
                return render.go(current.here())
            return _onward(services.step_up.with_factor(user, slug, request.form, current.origin()))
        except Refusal as refusal:
            words.place(refusal, form)
    standing = services.challenges.standing(choice, user.account, name)
    url = layouts.to("step_up.news", method=slug, next=_next())
    choose, backup = layouts.to("step_up.methods", next=_next()), layouts.to("step_up.backup_code", next=_next())
    ways = {"choose_url": choose, "backup_url": backup}
    return waits.page(choice, user.account, standing, form, state_url=url, **ways)


@bp.get("/waiting/news")
@login_required
def news() -> Any:
    user, services = current.user(), current.services()
    choice = choice_of(user.factors, request.args.get("method"))
    standing = services.challenges.standing(choice, user.account, services.step_up.challenge_of(user))
    return waits.news(standing, "step_up.news", "step_up.waiting")


@bp.route("/methods", methods=["GET", "POST"])
@login_required
def methods() -> Any:
    form, user = Form(), current.user()
    if not _may_prove():
        return _back_to_password()
    if form.submitted():
        chosen = request.form.get("method")
        if chosen == "backup-code":
            return render.go(layouts.to("step_up.backup_code", next=_next()))
        choice, unsent = current.services().step_up.choose(user, chosen, current.origin())
        return render.go_on(layouts.to("step_up.verify", method=choice.method.slug, next=_next()), unsent)
    account = user.account
    offered = [(c.method.challenge.hint(c.factor, account), c.method.slug) for c in choices(user.factors)]
    offered.append((_("Backup code"), "backup-code"))
    cancel = layouts.to("settings.overview")
    return render.page("challenge/methods.html", form, choices=offered, cancel_url=cancel)


@bp.route("/backup-code", methods=["GET", "POST"])
@login_required
def backup_code() -> Any:
    user, form = current.user(), BackupCodeForm()
    if not _may_prove():
        return _back_to_password()
    if form.trusted():
        typed = request.form.get("code", "")
        try:
            opened, successor = current.services().step_up.with_backup_code(user, typed, current.origin())
        except ChallengeExhausted as refusal:
            render.problem(words.say(refusal))
            return render.go(layouts.to("home.home"))
        except Refusal as refusal:
            words.place(refusal, form)
        else:
            shown_once.keep(backup_card.BACKUP_CODE, successor, user.session.id)
            return render.logged_in_as(render.go(layouts.to("step_up.new_backup_code", next=_next())), opened)
    return render.page("challenge/backup_code.html", form, choose_url=layouts.to("step_up.methods", next=_next()))


@bp.get("/backup-code/new")
@login_required
def new_backup_code() -> Any:
    """In the place of the used one."""
    code = shown_once.take(backup_card.BACKUP_CODE)
    if code is None:
        return render.go(_next() or layouts.to("settings.overview"))
    card, done_url = backup_card.card(current.user().account, code), layouts.to("step_up.resume", next=_next())
    return render.page("challenge/new_backup_code.html", Form(), card=card, done_url=done_url)


@bp.post("/resume")
@login_required
@guards.fresh
def resume() -> Any:
    """After the new backup code was kept: on to what was asked for."""
    return _onward(None) if Form().submitted() else render.go(layouts.to("home.home"))


def _may_prove() -> bool:
    """The second factor is asked only after the password."""
    user = current.user()
    return bool(user.factors) and current.services().sessions.password_is_fresh(user)


def _back_to_password() -> Response:
    return render.go(layouts.to("step_up.password", next=_next()))


def _next() -> str | None:
    return guards.local_path(request.args.get("next"))


def _onward(opened: SessionToken | None) -> Response:
    act = current.services().step_up.take(current.user(), session.get(guards.KEPT_ACT, ""))
    if act is not None and act.form is not None:
        return _do(act, opened)
    response = render.go(_next() or layouts.to("settings.overview"))
    return render.logged_in_as(response, opened) if opened else response


def _do(act: Act, opened: SessionToken | None) -> Response:
    """Sends the kept form once more, in a request of its own made from this one."""
    parts, body = urlsplit(act.path), urlencode(act.form or []).encode()
    environ = {
        **request.environ,
        "PATH_INFO": parts.path,
        "QUERY_STRING": parts.query,
        "REQUEST_METHOD": "POST",
        "CONTENT_TYPE": "application/x-www-form-urlencoded",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": BytesIO(body),
    }
    for made_by_this_request in ("werkzeug.request", "flask._preserve_context", "wsgi.input_terminated"):
        environ.pop(made_by_this_request, None)
    app = current_app._get_current_object()  # type: ignore[attr-defined]  # the proxy's documented way to the app
    with app.request_context(environ):
        g.kept_act = True  # its token was right when it was kept
        if opened is not None:
            current.is_now(opened.token)
        response: Response = app.full_dispatch_request()
        newer = any(
            c.startswith(f"{cookies.name_of(cookies.SESSION)}=") for c in response.headers.getlist("Set-Cookie")
        )
    return response if newer or opened is None else render.logged_in_as(response, opened)
