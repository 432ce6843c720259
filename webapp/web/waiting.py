"""The page of a challenge that is answered on another device: the number to type there, and how that stands.

The browser asks every two seconds, in one small request that says nothing while nothing is new. It never writes: what
it learns makes the page send its own form.
"""

from __future__ import annotations

from typing import Any

from flask import request

from ..enrollment.method import RequestStatus
from ..models.accounts import Account
from ..models.login_requests import APPROVED, DENIED, WAITING
from ..services.challenge import Choice, stand_in
from ..services.login_requests import Glance
from . import current, layouts, render
from .forms import Form


def page(choice: Choice, account: Account, standing: RequestStatus | None, form: Form, **where: Any) -> Any:
    """`where` has the address that the browser asks, and the ways out."""
    method = choice.method.challenge
    assert method.waits is not None  # the pages lead here for no other
    is_phone = any(factor.external_id in current.origin().external_ids for factor in choice.factors)
    return render.page(
        method.template,
        form,
        source=method.source(choice.factor, account),
        state=standing.state if standing else None,
        number=standing.number if standing and standing.is_live else None,
        every=current.services().settings.policy.asks_every,
        answer_url=layouts.to("requests.listed", method=choice.method.slug) if is_phone else None,
        **where,
    )


def denied(template: str) -> Any:
    """The attempt is over: there is no way on but the password."""
    return render.page(template, state=DENIED, number=None, again_url=layouts.to("entrance.log_in"))


def text_instead(factors: Any, account: Account) -> str | None:
    """The slug of what sends a code to the account's phone in its stead, where this house has a way to."""
    choice = stand_in(factors, account)
    return choice.method.slug if choice is not None and current.services().offers(choice.method) else None


def news(seen: RequestStatus | Glance | None, state_page: str, page: str) -> Any:
    """204 while nothing is new; else what makes the page ask less often, send its form, or show how it ended."""
    policy, state = current.services().settings.policy, seen.state if seen is not None else None
    asked = {name: request.args[name] for name in ("method", "next") if name in request.args}
    if seen is not None and state == WAITING:
        is_late = current.services().clock.now() - seen.since >= policy.asks_slower_after
        if not is_late or "slower" in request.args:
            return "", 204
        url = layouts.to(state_page, **asked, slower="1")
        return render.part("parts/asking.html", state_url=url, every=policy.asks_slower_every)
    return render.part("parts/answered.html", url=layouts.to(page, **asked), is_approved=state == APPROVED)
