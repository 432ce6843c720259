"""The page that takes the code from an e-mail, wherever the address was asked for."""

from __future__ import annotations

from typing import Any

from flask import request

from ..domain.language import gettext as _
from ..domain.refusals import Refusal
from ..models.accounts import Account
from ..services.challenge import Choice
from ..services.email_addresses import Asked
from . import current, layouts, render, words
from .forms import EmailCodeForm, Form


def challenge(choice: Choice, account: Account, name: str) -> dict[str, Any]:
    """What the page of a challenge says: where its code comes from and, where one is sent, what became of it."""
    method = choice.method.challenge
    context = {"source": method.source(choice.factor, account)}
    if method.send is not None:
        services = current.services()
        asked = services.challenges.asked(choice, account, name)
        context.update(render.sent(asked, 0 if asked else services.phones.wait(account)))
    return context


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


def phone_code(name: str, discoverable: bool | None, *, page: str, before: str, after: str) -> Any:
    """The same for the code from a text."""
    phones, account, form = current.services().phones, current.somebody().account, EmailCodeForm()
    try:
        if "resend" in request.form and Form().submitted():
            phones.ask_again(account, name, current.origin())
            return render.go(layouts.to(page))
        if form.submitted():
            phones.confirm(account, name, form.code.data, current.origin(), discoverable)
            render.receipt(_("Your phone number is confirmed."))
            return render.go(layouts.to(after))
    except Refusal as refusal:
        words.place(refusal, form)
    ways_out: dict[str, Any] = {"different_url": layouts.to(before), "cancel_url": layouts.to(after)}
    return render.page("entrance/phone_code.html", form, **render.sent(phones.asked(account, name)), **ways_out)
