"""Somebody who is logged in, as one read of the database shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .accounts import Account
from .factors import Factor
from .sessions import Session


@dataclass(frozen=True, slots=True)
class User:
    """The session, the account and the factors that are on."""

    session: Session
    account: Account
    factors: Sequence[Factor]
    recently_off_factors: Sequence[Factor]
    """Turned off moments ago: they can be turned back on, and prove nothing."""


@dataclass(frozen=True, slots=True)
class SessionToken:
    """A session that has just got a new token, with the only copy of it."""

    session_id: int
    token: str
    persistent: bool
