"""The operator's pages of accounts: finding one, what is known of it, logging it out, locking it, and inviting."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, abort

from ...domain import devices
from ...domain.app_refusals import UnknownUsername
from ...domain.language import Sentence, lazy
from ...domain.language import gettext as _
from ...models.accounts import OPERATOR
from ...policy import HOUR
from ...services.activity import NEWEST
from ...services.notices import RECOVERY_CANCELED, RECOVERY_STARTED
from ...services.operators.accounts import AccountView
from .. import current, guards, layouts, operators, render, words
from ..event_sentences import happened
from ..forms import FindAccountForm, Form, InviteForm, ReasonForm

bp = Blueprint("operator_accounts", __name__, url_prefix="/operator")


@dataclass(frozen=True, slots=True)
class Act:
    """The texts of a page that asks before an act, and the act. Sentences contain `%(name)s`, the account's name."""

    heading: Sentence
    what: Sentence
    button: Sentence
    receipt: Sentence
    do: Callable[[str], object]


ACTS = {
    "log-out": Act(
        lazy("Log out %(name)s everywhere"),
        lazy("This ends every login, app, and remembered browser of %(name)s. We tell them by email."),
        lazy("Log out everywhere"),
        lazy("%(name)s is logged out on all devices."),
        lambda username: operators.services().accounts.log_out(username, operators.actor()),
    ),
    "lock": Act(
        lazy("Lock %(name)s"),
        lazy("%(name)s is logged out everywhere and can't log in until you unlock the account."),
        lazy("Lock"),
        lazy("%(name)s is locked."),
        lambda username: operators.services().roles.lock(username, operators.actor()),
    ),
    "unlock": Act(
        lazy("Unlock %(name)s"),
        lazy("%(name)s can then log in again."),
        lazy("Unlock"),
        lazy("%(name)s is unlocked."),
        lambda username: operators.services().roles.unlock(username, operators.actor()),
    ),
    "cancel-recovery": Act(
        lazy("Cancel recovery"),
        lazy("Two-factor authentication of %(name)s stays on."),
        lazy("Cancel recovery"),
        RECOVERY_CANCELED,
        lambda username: operators.services().recoveries.cancel(username, operators.actor()),
    ),
}
START_RECOVERY = lazy("Start recovery")


@bp.route("/accounts", methods=["GET", "POST"])
@guards.operator
def listed() -> Any:
    form, service = FindAccountForm(), operators.services().accounts
    if form.submitted():
        with words.placing(form):
            return render.go(_url(service.find(form.username.data).username))
    page = service.page(operators.after())
    return render.page(
        "operator/accounts.html",
        form,
        rows=[(account, _url(account.username)) for account in page.accounts],
        invite_url=layouts.page_url("operator_accounts.invite"),
        paging=operators.paging(page, "operator_accounts.listed"),
    )


@bp.get("/accounts/<username>")
@guards.operator
def account(username: str) -> Any:
    view = _view(username)
    events = current.services().activity.page(view.account.id, NEWEST).events
    return render.page(
        "operator/account.html",
        view=view,
        factors=[(factor.label or str(method.general_title), method.icon, factor) for method, factor in view.factors],
        sessions=[(devices.device(one.device), devices.form(one.device), one) for one in view.sessions],
        events=[(event, happened(event.kind, event.details)) for event in events],
        acts=list(_acts(view)),
        recovery_started_at=operators.services().recoveries.started_at(view.account),
        group_urls=[(name, layouts.page_url("operator.group", group_name=name)) for name in view.groups],
    )


@bp.route("/accounts/<username>/<any('log-out', 'lock', 'unlock', 'cancel-recovery'):act>", methods=["GET", "POST"])
@guards.operator
def confirm(username: str, act: str) -> Any:
    found, form, chosen = _view(username).account, Form(), ACTS[act]
    if form.submitted():
        with words.placing(form):
            chosen.do(found.username)
            render.receipt(chosen.receipt % {"name": found.name, "username": found.username})
            return render.go(_url(found.username))
    heading, what = chosen.heading % {"name": found.name}, chosen.what % {"name": found.name}
    return render.page(
        "operator/act.html",
        form,
        heading=heading,
        what=what,
        act=chosen,
        account=found,
        cancel_url=_url(found.username),
    )


@bp.route("/accounts/<username>/recover", methods=["GET", "POST"])
@guards.operator
def recover(username: str) -> Any:
    """Asks why, and starts the recovery of the account."""
    found, form = _view(username).account, ReasonForm()
    if form.submitted():
        with words.placing(form):
            operators.services().recoveries.start(found.username, form.why.data or "", operators.actor())
            render.receipt(RECOVERY_STARTED % {"username": found.username})
            return render.go(_url(found.username))
    hours = current.services().settings.policy.recovery_waits // HOUR
    return render.page("operator/recover.html", form, account=found, hours=hours, cancel_url=_url(found.username))


@bp.route("/invitations", methods=["GET", "POST"])
@guards.operator
def invite() -> Any:
    form = InviteForm()
    if form.submitted():
        with words.placing(form):
            return _invited(form)
    typed = form.email.data or "", form.username.data, form.name.data
    words.place_others(lambda: current.services().invitations.problems(*typed), form)
    hours = current.services().settings.policy.invitation_seconds // HOUR
    return render.page("operator/invite.html", form, hours=hours)


def _invited(form: InviteForm) -> Any:
    username, name = form.username.data or None, form.name.data or None
    made = current.services().invitations.send(form.email.data, username, name)
    operators.services().accounts.invited(made.username, operators.actor())
    render.receipt(_("You invited @%(username)s.", username=made.username))
    return render.go(_url(made.username))


def _view(username: str) -> AccountView:
    """404 for a username that no account has."""
    try:
        return operators.services().accounts.view(username)
    except UnknownUsername:
        abort(404)


def _acts(view: AccountView) -> Iterator[tuple[Sentence, str]]:
    """The label and the URL of each thing that can be done to the account here: nothing to an operator's."""
    account = view.account
    if account.role == OPERATOR:
        return
    names = ["log-out", "unlock" if account.locked_at else "lock"]
    yield from ((ACTS[name].button, _act_url(account.username, name)) for name in names)
    if account.recovery_at is not None:
        yield ACTS["cancel-recovery"].button, _act_url(account.username, "cancel-recovery")
    elif view.factors and account.email and not account.locked_at and not account.delete_at:
        yield START_RECOVERY, layouts.page_url("operator_accounts.recover", username=account.username)


def _url(username: str) -> str:
    return layouts.page_url("operator_accounts.account", username=username)


def _act_url(username: str, act: str) -> str:
    return layouts.page_url("operator_accounts.confirm", username=username, act=act)
