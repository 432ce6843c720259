"""What the operator's pages share: their services, and who acts."""

from __future__ import annotations

from ..services.operators import Actor, Operators
from . import current


def services() -> Operators:
    return current.services().operators


def actor() -> Actor:
    """The logged-in operator, in a view with `guards.operator`."""
    return Actor(current.user().account.id, current.origin())
