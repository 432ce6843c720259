"""The operator's page of messages: what was sent, what failed and why, and a test message."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, session

from ...domain import ports as p
from ...domain.language import Sentence, lazy, lazy_pgettext
from ...domain.language import gettext as _
from ...models.messages import FAILED, OWED, SENT, Message
from ...services.notices import RECOVERY_SUBJECT
from ...services.operators.messages import KEPT, Tested
from ...services.outbox import EMAIL, LOG_OUT, PUSH, TEXT
from .. import current, guards, layouts, operators, render, words
from ..forms import Form

bp = Blueprint("operator_messages", __name__, url_prefix="/operator/messages")

RESULTS = "test-message"
"""In the Flask session: what the page after a test message says."""

CHANNELS: dict[str, Sentence] = {
    EMAIL: lazy("Email"),
    TEXT: lazy("Text message"),
    PUSH: lazy("Notification"),
    LOG_OUT: lazy("App"),
}
KINDS: dict[str, Sentence] = {
    "account-deleted": lazy("Your %(site)s account was deleted"),
    "account-deletion": lazy("Your %(site)s account will be deleted"),
    "address-in-use": lazy("Someone tried to use your email address on %(site)s"),
    "address-notice": lazy("The email address of your %(site)s account"),
    "app-log-out": lazy("Logout"),
    "code": lazy("Confirmation code"),
    "email-changed": lazy("Your %(site)s email address was changed"),
    "email-undo": lazy("The email address of your %(site)s account changes back"),
    "invitation": lazy("Your account at %(site)s"),
    "log-in-link": lazy("Log in to %(site)s in another browser"),
    "login-request": lazy("Are you trying to log in to %(site)s?"),
    "notice": lazy("Security alert"),
    "number-changed": lazy("Your phone number was changed. Not you? Check your email."),
    **dict.fromkeys(("recovery", "recovery-started"), RECOVERY_SUBJECT),
    "reset-link": lazy("Reset your %(site)s password"),
    "temporary-password": lazy("Temporary password"),
    "test": lazy("Test message"),
    "text-budget": lazy("Daily text message limit"),
    "username-change": lazy("Your %(site)s username will change"),
}
"""What a message is about, by its template: its subject, unless that has facts, which are sealed."""
STATES: dict[str, Sentence] = {
    OWED: lazy_pgettext("message", "Waiting"),
    SENT: lazy_pgettext("message", "Sent"),
    FAILED: lazy_pgettext("message", "Failed"),
}
FAULTS: dict[str | None, Sentence] = {
    None: lazy("The server took the test message. It should arrive soon."),
    KEPT: lazy("The settings name no server for this, so nothing was sent."),
    p.NAME_UNKNOWN: lazy("The name of the server wasn't found."),
    p.CONNECTION_REFUSED: lazy("The server refused the connection."),
    p.NO_TLS: lazy("There was no encrypted connection to the server (TLS)."),
    p.CERTIFICATE: lazy("The server's certificate isn't trusted."),
    p.CREDENTIALS: lazy("The server didn't accept the username and password in the settings."),
    p.RELAY_DENIED: lazy("The server doesn't pass on email from this site to that address (relay denied)."),
    p.TIMED_OUT: lazy("The server took too long to answer."),
    p.OTHER_FAULT: lazy("The server didn't take the test message."),
}
"""The sentence of each fault."""


@bp.get("")
@guards.operator
def listed() -> Any:
    return _listed(Form())


@bp.post("/test")
@guards.operator
def send_test() -> Any:
    """Sends a test message while the operator waits."""
    form = Form()
    if form.submitted():
        with words.placing(form):
            results = operators.services().messages.test(current.user().account, operators.actor())
            session[RESULTS] = [(result.channel, _sentence(result), result.complaint) for result in results]
            return render.go(layouts.page_url("operator_messages.test"))
    return _listed(form)


@bp.get("/test")
@guards.operator
def test() -> Any:
    """How the test message went, once."""
    rows = [(CHANNELS[channel], sentence, complaint) for channel, sentence, complaint in session.pop(RESULTS, [])]
    if not rows:
        return render.go(layouts.page_url("operator_messages.listed"))
    return render.page("operator/message_test.html", rows=rows)


def _listed(form: Form) -> Any:
    service, test_url = operators.services().messages, layouts.page_url("operator_messages.send_test")
    lists = [(_("Failed messages"), service.newest(failed=True)), (_("Newest messages"), service.newest())]
    shown = [(heading, [_row(message) for message in messages]) for heading, messages in lists if messages]
    return render.page("operator/messages.html", form, lists=shown, test_url=test_url)


def _row(message: Message) -> tuple[Message, str, Sentence, Sentence]:
    """The message with what it is about, its channel and its state. A method's own template has no word here."""
    channel = CHANNELS[message.channel]
    kind = KINDS.get(message.template, channel)
    return message, _(kind.msgid, site=current.services().settings.site_name), channel, STATES[message.state]


def _sentence(result: Tested) -> str:
    return words.say(result.refusal) if result.refusal is not None else str(FAULTS[result.fault])
