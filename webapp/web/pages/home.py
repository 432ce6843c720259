"""The page after log-in: how well the account is protected, and what to do next."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, session
from flask_login import login_required

from ...domain.language import gettext as _
from ...models.user import User
from .. import backup_card, cookies, current, forecast_rows, layouts, login_response, render, times

bp = Blueprint("home", __name__)


@bp.get("/")
@login_required
def home() -> Any:
    user = current.user()
    offer = _passkey_offer(user)
    response = render.page(
        "home/home.html",
        check_up=check_up(user),
        two_factor_on=bool(user.factors),
        offer_url=offer,
        forecast=forecast_rows.rows(user),
    )
    if offer:
        cookies.put(response, cookies.PASSKEY_OFFERED, "1", cookies.YEAR)
    return response


def _passkey_offer(user: User) -> str | None:
    """The URL of the enrollment, once in a browser: after a password log-in, without a passkey of this account."""
    method = current.services().methods.passwordless
    just_typed = session.pop(login_response.PASSWORD_TYPED, False)
    if method is None or not just_typed or cookies.get(cookies.PASSKEY_OFFERED) is not None:
        return None
    keys = [f for f in user.factors if f.method == method.slug]
    if any(method.is_here(factor, current.origin()) for factor in keys):
        return None
    return layouts.page_url("enrollment.step", method=method.slug, step=method.first_step)


def check_up(user: User) -> list[tuple[str, str, str | None, str | None, str]]:
    """Title, text, URL, label of the URL, and "good" or "todo" of each item."""
    return [_email(user), _two_factor(user), *_backup_code(user)]


def _email(user: User) -> tuple[str, str, str | None, str | None, str]:
    title = _("Email address")
    if user.account.email is None:
        text = _("Add and confirm an email address so you can reset your password and get security alerts.")
        return title, text, layouts.page_url("settings.email"), _("Confirm your email"), "todo"
    if user.account.undo_at is not None:
        text = times.sentence(
            _("Someone asked to bring back your old email address, at %(time)s."),
            time=times.at(user.account.undo_at),
        )
        return title, text, layouts.page_url("settings.email_undo"), _("See who asked and how to stop it"), "todo"
    text = _("%(email)s is confirmed.", email=user.account.email)
    return title, text, layouts.page_url("settings.email"), _("Change your email"), "good"


def _two_factor(user: User) -> tuple[str, str, str | None, str | None, str]:
    title, url = _("Two-factor authentication"), layouts.page_url("two_factor.methods")
    if not user.factors:
        text = _("Anyone who learns your password can log in. Add a second step. It takes two minutes.")
        return title, text, url, _("Turn on two-factor authentication"), "todo"
    text = _("Your password alone isn't enough to log in.")
    return title, text, url, _("Manage two-factor authentication"), "good"


def _backup_code(user: User) -> list[tuple[str, str, str | None, str | None, str]]:
    if not user.factors:
        return []
    title, url = _("Backup code"), layouts.page_url("two_factor.backup_code")
    unsaved_url = backup_card.unsaved_url("challenge")
    if unsaved_url is not None:
        return [(title, _("You haven't saved your new code yet."), unsaved_url, _("Save your new backup code"), "todo")]
    if user.account.backup_code_hash is None:
        text = _("Without a backup code, losing your phone could lock you out.")
        return [(title, text, url, _("Get a backup code"), "todo")]
    text = _("If you lose your phone, your saved backup code will let you in once.")
    return [(title, text, url, _("Backup code"), "good")]
