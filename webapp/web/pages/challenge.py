"""Half logged in: proving a second factor, choosing another, or using the backup code."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Blueprint, request
from flask_login import login_required

from ...domain.language import gettext as _
from ...domain.refusals import ChallengeExhausted, LoginExpired, Refusal
from ...domain.request_refusals import NotApproved
from ...services.challenge import choice_of, choices, first_waiting
from ...services.entry import LoggedIn
from ...services.login import LoginClaim, challenge_of
from .. import backup_card, confirming, cookies, current, guards, layouts, render, shown_once, words
from .. import waiting as waits
from ..entering import let_in
from ..forms import BackupCodeForm, Form, RememberFields, form_of

bp = Blueprint("challenge", __name__, url_prefix="/log-in")


def pending_login_seconds(view: Callable[[LoginClaim], Any]) -> Callable[[], Any]:
    """Everybody else is led to the password."""

    @wraps(view)
    def guarded() -> Any:
        try:
            return view(current.services().login.pending(cookies.login_token()))
        except (LoginExpired, ChallengeExhausted) as refusal:
            if current.user_or_none() is None:
                render.problem(words.say(refusal))
            response = render.go(layouts.to("entrance.log_in"), whole=True)
            cookies.drop(response, cookies.LOGIN)
            return response

    return guarded


@bp.route("/verify", methods=["GET", "POST"])
@pending_login_seconds
def verify(pending: LoginClaim) -> Any:
    slug = request.args.get("method")
    choice = choice_of(pending.factors, slug, pending.account)
    if choice.method.challenge.waits is not None:
        return render.go(layouts.to("challenge.waiting", method=slug))
    services = current.services()
    extras = (RememberFields,) if services.settings.policy.remember_browsers else ()
    form = form_of(choice.method.challenge.fields, *extras)()
    if "resend" in request.form and form.trusted():
        try:
            services.login.send_again(pending, slug, current.origin())
            return render.go(current.here())
        except Refusal as refusal:
            words.place(refusal, form)
    elif request.method == "POST" and form.trusted():
        try:
            return let_in(_proved(pending, slug))
        except (LoginExpired, ChallengeExhausted):
            raise
        except Refusal as refusal:
            words.place(refusal, form)
    return render.page(
        choice.method.challenge.template,
        form,
        **confirming.challenge(choice, pending.account, challenge_of(pending)),
        choose_url=layouts.to("challenge.methods"),
        backup_url=layouts.to("challenge.backup_code"),
    )


@bp.route("/waiting", methods=["GET", "POST"])
def waiting() -> Any:
    """Where the answer comes from another device: a number to type there, and in as soon as it said yes."""
    token, services = cookies.login_token(), current.services()
    if request.method == "GET" and services.login_requests.was_denied(token):
        return waits.denied(first_waiting().template)
    return _waiting()


@pending_login_seconds
def _waiting(pending: LoginClaim) -> Any:
    slug, services, account = request.args.get("method"), current.services(), pending.account
    choice, name = choice_of(pending.factors, slug, account), challenge_of(pending)
    if choice.method.challenge.waits is None:
        return render.go(layouts.to("challenge.verify", method=slug))
    instead = waits.text_instead(pending.factors, account)
    form = form_of(*((RememberFields,) if services.settings.policy.remember_browsers else ()))()
    if form.trusted() and request.method == "POST":
        try:
            if "cancel" in request.form:
                services.login.give_up(pending)
                return render.go(layouts.to("entrance.log_in"), whole=True)
            if "text" in request.form and instead is not None:
                _choice, refusal = services.login.choose(pending, instead, current.origin())
                return render.go_on(layouts.to("challenge.verify", method=instead), refusal)
            if "resend" in request.form:
                services.login.send_again(pending, slug, current.origin())
                return render.go(current.here())
            return let_in(_proved(pending, slug))
        except (LoginExpired, ChallengeExhausted):
            raise
        except Refusal as refusal:
            standing = services.challenges.standing(choice, account, name)
            if isinstance(refusal, NotApproved) and (standing is None or not standing.is_live):
                return render.go(current.here())  # the page itself says how it ended
            words.place(refusal, form)
    return waits.page(
        choice,
        account,
        services.challenges.standing(choice, account, name),
        form,
        state_url=layouts.to("challenge.news", method=slug),
        offers_text=instead is not None,
        choose_url=layouts.to("challenge.methods"),
        backup_url=layouts.to("challenge.backup_code"),
    )


@bp.get("/waiting/news")
def news() -> Any:
    """Asked every two seconds: one statement, whoever asks."""
    seen = current.services().login_requests.glance(cookies.login_token())
    return waits.news(seen, "challenge.news", "challenge.waiting")


@bp.route("/methods", methods=["GET", "POST"])
@pending_login_seconds
def methods(pending: LoginClaim) -> Any:
    form = Form()
    if form.submitted():
        chosen = request.form.get("method")
        if chosen == "backup-code":
            return render.go(layouts.to("challenge.backup_code"))
        choice, refusal = current.services().login.choose(pending, chosen, current.origin())
        return render.go_on(layouts.to("challenge.verify", method=choice.method.slug), refusal)
    account = pending.account
    offered = [(c.method.challenge.hint(c.factor, account), c.method.slug) for c in choices(pending.factors)]
    offered.append((_("Backup code"), "backup-code"))
    return render.page("challenge/methods.html", form, choices=offered, cancel_url=layouts.to("entrance.log_in"))


@bp.route("/backup-code", methods=["GET", "POST"])
@pending_login_seconds
def backup_code(pending: LoginClaim) -> Any:
    form = BackupCodeForm()
    if request.method == "POST" and form.trusted():
        try:
            result = current.services().login.with_backup_code(
                pending, request.form.get("code", ""), origin=current.origin(), known_browser=cookies.known_browser()
            )
        except (LoginExpired, ChallengeExhausted):
            raise
        except Refusal as refusal:
            words.place(refusal, form)
        else:
            response = let_in(result, layouts.to("challenge.new_backup_code", next=result.next_path or None))
            shown_once.keep(backup_card.BACKUP_CODE, result.backup_code or "", result.opened.session_id)
            return response
    return render.page("challenge/backup_code.html", form, choose_url=layouts.to("challenge.methods"))


@bp.get("/backup-code/new")
@login_required
def new_backup_code() -> Any:
    """In the place of the one that opened the account."""
    code, done_url = shown_once.take(backup_card.BACKUP_CODE), guards.local_path(request.args.get("next"))
    if code is None:
        return render.go(done_url or layouts.to("home.home"))
    card = backup_card.card(current.user().account, code)
    return render.page("challenge/new_backup_code.html", card=card, done_url=done_url)


def _proved(pending: LoginClaim, slug: str | None) -> LoggedIn:
    return current.services().login.with_factor(
        pending,
        slug,
        request.form,
        remember="remember" in request.form,
        origin=current.origin(),
        known_browser=cookies.known_browser(),
    )
