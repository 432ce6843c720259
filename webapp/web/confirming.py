"""The page that takes the code from an e-mail, wherever the address was asked for."""

from __future__ import annotations

from typing import Any

from flask import request

from ..domain.language import gettext as _
from ..domain.refusals import Refusal
from ..services.email_addresses import Asked
from . import current, layouts, render, words
from .forms import EmailCodeForm, Form


def email_code(challenge: str, asked: Asked, *, page: str, before: str, after: str, **ways_out: Any) -> Any:
    """`page`, `before` and `after` are endpoints: this page, where another address is typed, and where it ends."""
    addresses, account, form = current.services().email_addresses, current.somebody().account, EmailCodeForm()
    try:
        if "resend" in request.form and Form().submitted():
            addresses.ask(account, challenge, asked.address)
            return render.go(layouts.to(page))
        if form.submitted():
            addresses.confirm(account, challenge, form.code.data, current.origin())
            render.receipt(_("Your email address is confirmed."))
            return render.go(layouts.to(after))
    except Refusal as refusal:
        words.place(refusal, form)
    different_url = layouts.to(before)
    return render.page("entrance/email_code.html", form, **render.sent(asked), different_url=different_url, **ways_out)
