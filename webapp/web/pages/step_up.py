"""The step-up pages: the user proves password and second factor again, then continues with what was requested."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request, session
from flask.wrappers import Response
from flask_login import login_required

from ...domain.language import gettext as _
from ...domain.refusals import LoginExpired, NotFresh, Refusal
from ...metrics import STEP_UPS
from ...models.user import SessionToken
from ...services.login.proof import Claim
from ...services.login.step_up import StepUp, StepUpClaim
from ...services.method_kinds import Glance, OutOfBand
from .. import app_flow, cookies, current, guards, kept_acts, layouts, render, sent_twice, words
from ..forms import BackupCodeForm, PasswordForm
from ..proof_pages import ProofPages

bp = Blueprint("step_up", __name__, url_prefix="/step-up")
TYPES_BACKUP_CODE = "types-backup-code"
"""In the form session: the id of the account for which the page of the backup code was shown."""


@bp.before_request
def repeat_backup_code() -> Response | None:
    """Answers a right code again whose first answer was lost: the browser has the token that its session had before."""
    account_id = session.get(TYPES_BACKUP_CODE)
    if current.user_or_none() is not None or account_id is None or layouts.endpoint() != "step_up.backup_code":
        return None
    if not BackupCodeForm().trusted():
        return None
    try:
        typed, token = request.form.get("code", ""), cookies.session_token()
        return proof.done_with_backup_code(proof.flow.repeat_exchange(account_id, token, typed, current.origin()))
    except LoginExpired:
        return None  # to the log-in


@bp.before_request
@login_required
def demand_login() -> None:
    """Every page of this blueprint needs a session."""
    app_flow.lead_on(request.args.get("next"))


class StepUpProof(ProofPages):
    blueprint = "step_up"
    counter = STEP_UPS

    @property
    def flow(self) -> StepUp:
        return current.services().step_up

    @property
    def cancel_label(self) -> str:
        return _("Cancel")

    def claim(self) -> StepUpClaim:
        """Raises `NotFresh` when the password must be proved first."""
        user = current.user()
        if not user.factors or not current.services().sessions.password_is_fresh(user):
            raise NotFresh()
        return self.flow.claim(user)

    def lost(self, refusal: Refusal) -> Response:
        if isinstance(refusal, NotFresh):
            return render.go(self.url("password"))
        render.problem(words.say(refusal))
        return render.go(layouts.page_url("home.home"))

    def done(self, result: SessionToken) -> Response:
        return _continue(result)

    def done_with_backup_code(self, result: SessionToken) -> Response:
        response = render.go(self.url("new_backup_code"))
        sent_twice.note(sent_twice.this_form(), response.location)
        return render.logged_in_as(response, result)

    def backup_code(self) -> Any:
        session[TYPES_BACKUP_CODE] = current.user().account.id
        return super().backup_code()

    def give_up(self, claim: Claim) -> Response:
        self.flow.withdraw(claim)  # type: ignore[arg-type]  # this flow has claims of this type
        return _cancel()

    def glance(self) -> Glance | None:
        try:
            claim = self.claim()
        except NotFresh:
            return None  # the page is loaded again and leads to the password: a part of it cannot
        choice = self.flow.choice(claim, self.awaited(claim))
        status = choice.method.status(choice.challenge) if isinstance(choice.method, OutOfBand) else None
        return Glance(status.state, status.since) if status is not None else None

    def after_backup_code(self) -> Response:
        """Continues with what was requested, if the session is still fresh."""
        if not current.services().sessions.is_fresh(current.user()):
            return render.go(layouts.page_url("home.home"))
        return _continue(None)

    def url(self, page: str, **values: Any) -> str:
        return super().url(page, **values, next=_next())


proof = StepUpProof()
proof.add_to(bp)
bp.register_error_handler(NotFresh, proof.lost)


@bp.route("/password", methods=["GET", "POST"])
def password() -> Any:
    services, user, form = current.services(), current.user(), PasswordForm()
    method = request.args.get("method")  # one that must be proved, although another one was
    if "cancel" in request.form:
        if form.trusted():
            return _cancel()
    elif form.submitted():
        if method is not None:  # 404 without it, before the session gets a token that no answer would bring
            services.step_up.choice(services.step_up.claim(user), method)
        try:
            token = services.password_proof.verify(user, form.password.data)
        except Refusal as refusal:
            words.place(refusal, form)
        else:
            if method is None and services.sessions.is_fresh(user):
                return _continue(token)
            _choice, unsent = services.step_up.choose(services.step_up.claim(user), method, current.origin())
            return render.logged_in_as(render.go_on(proof.url("verify", method=method), unsent), token)
    return render.page("step_up/password.html", form)


def _next() -> str | None:
    return guards.local_path(request.args.get("next"))


def _cancel() -> Response:
    return app_flow.cancel(_next()) or render.go(layouts.page_url("settings.overview"))


def _continue(token: SessionToken | None) -> Response:
    """Submits the kept form, or redirects to the requested page."""
    key = session.get(kept_acts.KEY)
    act = current.services().kept_acts.take(current.user(), key, _next()) if key is not None else None
    if act is not None:
        return kept_acts.do(act, token)
    session.pop(kept_acts.KEY, None)
    response = render.go(_next() or layouts.page_url("settings.overview"))
    if token is None:
        return response
    sent_twice.note(sent_twice.this_form(), response.location)
    return render.logged_in_as(response, token)
