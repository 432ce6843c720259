"""The owner's pages of an operator's reset of their second factors: what waits, and how it is stopped."""

from __future__ import annotations

from typing import Any

from flask import Blueprint
from flask_login import login_required

from ...domain.language import gettext as _
from ...domain.refusals import AlreadyDone, LinkInvalid
from ...models.accounts import Account
from ...services.factor_resets import PURPOSE
from .. import current, guards, layouts, operators, render, words
from ..event_sentences import happened
from ..forms import Form

bp = Blueprint("recoveries", __name__)


@bp.route("/settings/security/recovery", methods=["GET", "POST"])
@login_required
@guards.fresh
def waiting() -> Any:
    user, form = current.user(), Form()
    if user.account.recovery_at is None:
        return render.go(layouts.page_url("two_factor.methods"))
    if form.submitted():
        try:
            operators.services().recoveries.stop(user, current.origin())
            render.changed(_("Two-factor authentication stays on."))
        except AlreadyDone as refusal:
            render.problem(words.say(refusal))
        return render.go(layouts.page_url("two_factor.methods"))
    return render.page("settings/recovery.html", form, what=_what(user.account))


@bp.route("/stop-recovery/<token>", methods=["GET", "POST"])
def stop_by_link(token: str) -> Any:
    """The link in the email about a recovery: stops it and ends every session."""
    services, form = current.services(), Form()
    opened = services.links.find(PURPOSE, token)
    if opened.account.recovery_at is None:
        raise LinkInvalid()
    if form.submitted():
        services.operators.recoveries.stop_by_link(opened, current.origin())
        render.receipt(_("Two-factor authentication stays on. Now choose a new password."))
        return render.go(layouts.page_url("entrance.forgot_password"), whole=True)
    return render.page("entrance/stop_recovery.html", form, what=_what(opened.account))


def _what(account: Account) -> str:
    return happened("recovery-started", {"until": account.recovery_at, "why": account.recovery_why})
