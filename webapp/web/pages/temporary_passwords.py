"""Temporary passwords in the settings: generating one, seeing where it was used, and ending it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, request
from flask_login import login_required

from ...domain.codes import groups
from ...domain.devices import app_name
from ...domain.language import gettext as _
from ...domain.refusals import TooManyTemporaryPasswords
from ...models.apps import TemporaryPassword
from ...policy import MINUTE
from .. import current, guards, layouts, legacy_credentials, render, row_ids, shown_once, words
from ..forms import Form

bp = Blueprint("temporary_passwords", __name__, url_prefix="/settings/security/two-factor/temporary-password")


@dataclass(frozen=True, slots=True)
class Row:
    """A valid temporary password as the page shows it."""

    id: int
    left: str
    made: str
    used: str


@bp.route("", methods=["GET", "POST"])
@login_required
def page() -> Any:
    form = Form()
    if not legacy_credentials.are_taken():
        if request.method == "POST":
            return render.go(layouts.page_url("temporary_passwords.page"))
        return render.page("two_factor/no_apps.html")
    if not current.user().factors:
        if request.method == "POST":
            return render.go(layouts.page_url("temporary_passwords.page"))
        what = _(
            "You need a temporary password only while a method is on. While none is on, apps take your usual password."
        )
        return render.page("two_factor/no_methods.html", heading=_("Temporary password"), what=what)
    if form.submitted():
        return _end(request.form["end"]) if "end" in request.form else _made()
    return _shown(form, shown_once.shown())


@guards.fresh
def _made() -> Any:
    form, user = Form(), current.user()
    try:
        password = current.services().temporary_passwords.make(user, current.origin())
    except TooManyTemporaryPasswords as refusal:
        words.place(refusal, form)
        return _shown(form)
    url = layouts.page_url("temporary_passwords.page")
    shown_once.keep(url, password, user.session.id)
    return render.go(url)


def _end(password_id: str) -> Any:
    """Without step-up: an owner who sees misuse must be quick, and an attacker gains nothing by ending one."""
    account, chosen = current.user().account, row_ids.read(password_id)
    ended = current.services().temporary_passwords.end(account, chosen, current.origin())
    shown_once.drop()
    if ended:
        render.receipt(_("Temporary password ended. We sent you a confirmation email."))
    return render.go(layouts.page_url("temporary_passwords.page"))


def _shown(form: Form, secret: str | None = None) -> Any:
    account = current.user().account
    rows = [_row(password) for password in current.services().temporary_passwords.live(account.id)]
    return render.page("two_factor/temporary_password.html", form, rows=rows, secret=groups(secret) if secret else None)


def _row(password: TemporaryPassword) -> Row:
    now = current.services().clock.now()
    used = _("Not used yet")
    if password.used_at is not None:
        used = _(
            "Last used %(time)s ago by %(app)s from %(address)s",
            time=words.since(now - password.used_at),
            app=app_name(password.used_device or ""),
            address=password.used_address or "?",
        )
    left = words.left(password.expires_at - now)
    return Row(password.id, left, _made_when(password, now - password.made_at), used)


def _made_when(password: TemporaryPassword, age: int) -> str:
    if password.texted:
        return _("Texted to your phone %(time)s ago", time=words.since(age))
    return _("Generated here just now") if age < MINUTE else _("Generated here %(time)s ago", time=words.since(age))
