"""The pages that take a code from a message: what they say, and what the code makes the account's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import request

from ..domain.channels import Sent
from ..domain.language import gettext as _
from ..domain.refusals import Refusal
from . import current, layouts, render, words
from .forms import ConfirmationCodeForm, Form


def email_code(challenge: str, sent: Sent, **where: Any) -> Any:
    """The code from an e-mail makes its address the account's own. `where` as in `_code`."""
    addresses, account = current.services().email_addresses, current.user().account
    return _code(
        "entrance/email_code.html",
        sent,
        send_again=lambda: addresses.send_code(account, challenge, sent.address),
        confirm=lambda typed: addresses.confirm(account, challenge, typed, current.origin()),
        receipt=_("Your email address is confirmed."),
        **where,
    )


def phone_code(challenge: str, sent: Sent, discoverable: bool | None, **where: Any) -> Any:
    """The same for the code from a text and its number."""
    phones, account = current.services().phone_numbers, current.user().account
    return _code(
        "entrance/phone_code.html",
        sent,
        send_again=lambda: phones.resend_code(account, challenge, current.origin()),
        confirm=lambda typed: phones.confirm(account, challenge, typed, current.origin(), discoverable),
        receipt=_("Your phone number is confirmed."),
        **where,
    )


def _code(
    template: str,
    sent: Sent,
    *,
    send_again: Callable[[], object],
    confirm: Callable[[str], object],
    receipt: str,
    page: str,
    before: str,
    after: str,
    **ways_out: Any,
) -> Any:
    """`page`, `before` and `after` are endpoints: this page, where another is typed, and where it ends."""
    form = ConfirmationCodeForm()
    try:
        if "resend" in request.form and Form().submitted():
            send_again()
            return render.go(layouts.to(page))
        if form.submitted():
            confirm(form.code.data)
            render.changed(receipt)
            return render.go(layouts.to(after))
    except Refusal as refusal:
        words.place(refusal, form)
    return render.page(template, form, **render.sent(sent), different_url=layouts.to(before), **ways_out)
