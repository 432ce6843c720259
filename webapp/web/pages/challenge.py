"""A pending login: the second factor after the password."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request
from flask.wrappers import Response

from ...domain.refusals import Refusal
from ...models.login_requests import DENIED
from ...services.login import Login, LoginClaim
from ...services.method_kinds import Glance
from ...services.session_opening import LoggedIn
from .. import backup_card, cookies, current, guards, layouts, render, shown_once, words
from ..entering import let_in
from ..forms import RememberFields
from ..proof_pages import ProofPages

bp = Blueprint("challenge", __name__, url_prefix="/log-in")


class LoginProof(ProofPages):
    blueprint = "challenge"

    @property
    def flow(self) -> Login:
        return current.services().login

    @property
    def cancel_url(self) -> str:
        return layouts.to("entrance.log_in")

    def claim(self) -> LoginClaim:
        return self.flow.claim(cookies.login_token())

    def lost(self, refusal: Refusal) -> Response:
        """Back to the password."""
        if current.user_or_none() is None:
            render.problem(words.say(refusal))
        response = render.go(layouts.to("entrance.log_in"), whole=True)
        cookies.drop(response, cookies.LOGIN)
        return response

    def done(self, result: LoggedIn) -> Response:
        return let_in(result)

    def done_with_backup_code(self, result: LoggedIn, successor: str) -> Response:
        response = let_in(result, layouts.to("challenge.new_backup_code", next=result.next_path or None))
        shown_once.keep(backup_card.BACKUP_CODE, successor, result.token.session_id)
        return response

    def give_up(self, claim: LoginClaim) -> Response:  # type: ignore[override]  # the claims of this flow
        self.flow.give_up(claim)
        return render.go(layouts.to("entrance.log_in"), whole=True)

    def glance(self) -> Glance | None:
        return self.flow.glance(cookies.login_token())

    def was_denied(self) -> bool:
        seen = self.glance()
        return seen is not None and seen.state == DENIED

    def after_backup_code(self) -> dict[str, Any]:
        next_path = guards.local_path(request.args.get("next"))
        return {"next_path": next_path or layouts.to("home.home"), "form": None, "done_url": next_path}

    def extra_fields(self) -> tuple[type, ...]:
        return (RememberFields,) if current.services().settings.policy.remember_browsers else ()

    def options(self) -> dict[str, Any]:
        return {"remember": "remember" in request.form, "known_browser": cookies.known_browser()}


LoginProof().add_to(bp)
