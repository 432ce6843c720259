"""Every method the site offers, in display order. A new one is its own file and one line here."""

from __future__ import annotations

from ..enrollment.method import Alone, Method
from . import authentication_app, login_requests, security_key, text_message

CATALOGUE: tuple[Method, ...] = (
    text_message.METHOD,
    authentication_app.METHOD,
    security_key.METHOD,
    login_requests.METHOD,
)


def method_named(slug: str) -> Method | None:
    return next((m for m in CATALOGUE if m.slug == slug), None)


def method_that_stands_alone() -> tuple[Method, Alone]:
    """The one that opens an account without a password."""
    return next((method, method.alone) for method in CATALOGUE if method.alone is not None)
