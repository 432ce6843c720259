"""Pages that confirm an e-mail address or a phone number by a code that was sent to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import request

from ..domain.channels import Sent
from ..domain.language import gettext as _
from ..domain.refusals import AlreadyDone, CodeExpired
from . import current, layouts, render, words
from .forms import ConfirmationCodeForm


def email_code(challenge: str, sent: Sent, **where: Any) -> Any:
    """Confirms the e-mail address to which `sent` went. `where` are keyword arguments of `_code`."""
    addresses, account = current.services().email_addresses, current.user().account
    return _code(
        "entrance/email_code.html",
        sent,
        send_again=lambda: addresses.send_code(account, challenge, sent.address, current.origin()),
        confirm=lambda typed: addresses.confirm(current.user(), challenge, typed, current.origin()),
        receipt=_("Your email address is confirmed."),
        **where,
    )


def phone_code(challenge: str, sent: Sent, discoverable: bool | None, **where: Any) -> Any:
    """As `email_code`, for a phone number and a text message."""
    phones, account = current.services().phone_numbers, current.user().account
    return _code(
        "entrance/phone_code.html",
        sent,
        send_again=lambda: phones.resend_code(account, challenge, current.origin()),
        confirm=lambda typed: phones.confirm(current.user(), challenge, typed, current.origin(), discoverable),
        receipt=_("Your phone number is confirmed."),
        **where,
    )


def without_code(before: str, *, is_done: bool) -> Any:
    """Where no code is valid: to the page `before`, or to the account when the form was sent twice."""
    if is_done:
        return render.go_on(layouts.page_url("settings.account"), AlreadyDone())
    return render.go_on(layouts.page_url(before), CodeExpired() if request.method == "POST" else None)


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
    **links: Any,
) -> Any:
    """`page` and `before` are endpoints: this page, and where the address is entered. `after` is the path where it
    ends."""
    form = ConfirmationCodeForm()
    with words.placing(form):
        if "resend" in request.form:
            if form.trusted():
                send_again()
                return render.go(layouts.page_url(page))
        elif form.submitted():
            confirm(form.code.data)
            render.changed(receipt)
            return render.go(after)
    return render.page(template, form, **render.sent(sent), different_url=layouts.page_url(before), **links)
