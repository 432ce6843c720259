"""Every method the site offers, in display order. A new one is its own file and one line here."""

from __future__ import annotations

from ..enrollment.method import Method
from . import authentication_app

CATALOGUE: tuple[Method, ...] = (authentication_app.METHOD,)


def method_named(slug: str) -> Method | None:
    return next((m for m in CATALOGUE if m.slug == slug), None)
