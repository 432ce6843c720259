"""What the operator's pages share: their services, who acts, and the links between the pages of a list."""

from __future__ import annotations

from typing import Any

from flask import request

from ..services.operators import Actor, Operators
from ..services.operators.account_pages import AccountPage
from . import current, layouts


def services() -> Operators:
    return current.services().operators


def actor() -> Actor:
    """The logged-in operator, in a view with `guards.operator`."""
    user = current.user()
    return Actor(user.account.id, current.origin(), user.session)


def after() -> str | None:
    """The username that the page of a list comes after; None for the first page."""
    return request.args.get("after") or None


def paging(page: AccountPage, endpoint: str, **values: Any) -> dict[str, str | None]:
    """What templates/operator/paging.html needs for this page of the list at `endpoint`."""
    following = page.next_after
    return {
        "first_url": layouts.page_url(endpoint, **values) if after() else None,
        "next_url": layouts.page_url(endpoint, **values, after=following) if following else None,
    }
