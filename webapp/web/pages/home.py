"""The page after log-in: how well the account is protected, and what to do next."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, session
from flask_login import login_required

from ...models.user import User
from .. import check_up, cookies, current, forecast_rows, layouts, login_response, render

bp = Blueprint("home", __name__)


@bp.get("/")
@login_required
def home() -> Any:
    user = current.user()
    offer = _passkey_offer(user)
    outlooks = current.services().forecasts.of(user)
    lines = check_up.lines(user, outlooks)
    missing = [line for line in lines if line.act is not None]
    response = render.page(
        "home/home.html",
        check_up=lines,
        state=check_up.state(user, len(missing)),
        act=missing[0].act if missing else None,
        offer_url=offer,
        forecast=forecast_rows.rows(user, outlooks),
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
    if any(method.is_here(key, current.origin()) for key in user.factors_of(method.slug)):
        return None
    return layouts.page_url("enrollment.step", method=method.slug, step=method.first_step)
