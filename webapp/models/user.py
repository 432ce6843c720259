"""The logged-in user, as one read of the database shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .accounts import Account
from .factors import Factor
from .sessions import Session


@dataclass(frozen=True, slots=True)
class User:
    """The session, the account and the factors that are on.

    The properties and `get_id` are what Flask-Login asks of a user; there is none without a live session.
    """

    session: Session
    account: Account
    factors: Sequence[Factor]
    recently_off_factors: Sequence[Factor]
    """Turned off moments ago: they can be turned back on, and prove nothing."""

    @property
    def is_authenticated(self) -> bool:
        return True

    @property
    def is_active(self) -> bool:
        return True

    @property
    def is_anonymous(self) -> bool:
        return False

    def get_id(self) -> str:
        return str(self.account.id)


@dataclass(frozen=True, slots=True)
class SessionToken:
    """A session that has just got a new token, with the only copy of it."""

    session_id: int
    token: str
    persistent: bool
