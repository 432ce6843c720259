"""The logged-in user, as one query reads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .accounts import Account
from .factors import Factor
from .sessions import Session


@dataclass(frozen=True, slots=True)
class User:
    """The session, the account and the factors that are on.

    The properties and `get_id` are the interface that Flask-Login demands. Without a live session there is no user.
    """

    session: Session
    account: Account
    factors: Sequence[Factor]
    recently_off_factors: Sequence[Factor]
    """Turned off recently: they can be turned back on, and prove nothing meanwhile."""

    def factors_of(self, method: str) -> list[Factor]:
        """Those of the method with this slug that are on."""
        return [factor for factor in self.factors if factor.method == method]

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
    """A session that has just been given a new token, with the only copy of the token."""

    session_id: int
    token: str
    persistent: bool
