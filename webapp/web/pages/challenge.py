"""The pages of a pending login: the second factor after the password."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, g, request
from flask.wrappers import Response

from ...domain.language import gettext as _
from ...domain.refusals import ChallengeExhausted, LoginExpired, Refusal
from ...metrics import LOGINS
from ...models.login_requests import DENIED
from ...services.login.login import Login, LoginClaim
from ...services.login.session_opening import LoggedIn
from ...services.method_kinds import Glance
from .. import app_flow, cookies, current, guards, layouts, render, themes, words
from ..forms import BackupCodeForm, RememberFields
from ..login_response import logged_in, prefill
from ..proof_pages import ProofPages

bp = Blueprint("challenge", __name__, url_prefix="/log-in")


class LoginProof(ProofPages):
    blueprint = "challenge"
    counter = LOGINS

    @property
    def flow(self) -> Login:
        return current.services().login

    @property
    def cancel_label(self) -> str:
        return _("Cancel login")

    def claim(self) -> LoginClaim:
        claim = self.flow.claim(cookies.login_token())
        themes.use(claim.account)
        g.pending_username = claim.account.username  # for the line "Logging in as"
        g.pending_next = claim.pending.next_path or None
        app_flow.lead_on(claim.pending.next_path)
        return claim

    def lost(self, refusal: Refusal) -> Response:
        """A redirect to the password."""
        if current.user_or_none() is None:
            render.problem(words.say(refusal))
            if isinstance(refusal, ChallengeExhausted):
                prefill(g.pending_username)
        response = _log_in_again()
        cookies.drop(response, cookies.LOGIN)
        return response

    def done(self, result: LoggedIn) -> Response:
        return logged_in(result)

    def done_with_backup_code(self, result: LoggedIn) -> Response:
        return logged_in(result, layouts.page_url("challenge.new_backup_code", next=result.next_path or None))

    def give_up(self, claim: LoginClaim) -> Response:  # type: ignore[override]  # this flow has claims of this type
        self.flow.give_up(claim)
        return app_flow.cancel(claim.pending.next_path) or _log_in_again()

    def glance(self) -> Glance | None:
        return self.flow.glance(cookies.login_token())

    def was_denied(self) -> bool:
        seen = self.glance()
        return seen is not None and seen.state == DENIED

    def backup_code(self) -> Any:
        """Answers a right code again whose first answer was lost."""
        try:
            return super().backup_code()
        except LoginExpired:
            if not BackupCodeForm().trusted():
                raise
            typed = request.form.get("code", "")
            return self.done_with_backup_code(
                self.flow.repeat_backup_code(cookies.login_token(), typed, current.origin())
            )

    def after_backup_code(self) -> Response:
        return render.go(guards.local_path(request.args.get("next")) or layouts.page_url("home.home"))

    def extra_fields(self) -> tuple[type, ...]:
        return (RememberFields,) if current.services().settings.policy.remember_browsers else ()

    def options(self) -> dict[str, Any]:
        return {"remember": "remember" in request.form, "known_browser": cookies.known_browser()}


def _log_in_again() -> Response:
    """To the page of the password, which then leads where the pending login did."""
    return render.go(app_flow.log_in_url(g.get("pending_next")), whole=True)


LoginProof().add_to(bp)
