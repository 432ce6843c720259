"""Somebody who is logged in, as one read of the database shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .accounts import Account
from .factors import Factor
from .sessions import LoggedIn


@dataclass(frozen=True, slots=True)
class Presence:
    """The session, the account and the factors that are on."""

    session: LoggedIn
    account: Account
    factors: Sequence[Factor]
    stale_factors: Sequence[Factor]
    """Turned off moments ago: they can be turned back on, and prove nothing."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A session that has just got a new token, with the only copy of it."""

    session_id: int
    token: str
    kept: bool
