"""Whether an account may use an app now, and with what proof: asked by the OpenID Connect flow and by guarded hosts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, and_, not_, or_, select

from ...models.accounts import Account
from ...models.app_logins import AppAuthorization, end_given
from ...models.database import Transaction
from ...models.groups import Membership
from ...models.registered_apps import KEY, PASSWORD, TWO_FACTOR, AppGroup, RegisteredApp
from ...models.user import User
from ..core import Core
from ..method_kinds import Methods, Passwordless

STRENGTHS = (PASSWORD, TWO_FACTOR, KEY)
"""Proofs, each stronger than those before it."""


class Verdict:
    """The names of what to do with a request for an app."""

    ALLOWED: Final = "allowed"
    FORBIDDEN: Final = "forbidden"
    """The account may not use the app."""
    EMAIL_NEEDED: Final = "email-needed"
    """It may once it has a confirmed email address."""
    ENROLLMENT_NEEDED: Final = "enrollment-needed"
    """The account has no method that could prove what the app asks for."""
    STEP_UP_NEEDED: Final = "step-up-needed"
    """The proof of this session is too weak or too old."""


@dataclass(frozen=True, slots=True)
class Access:
    """The verdict, one of `Verdict`, with the proof and the greatest age in seconds that were asked for."""

    verdict: str
    proof: str
    max_age: int | None


@dataclass(frozen=True, slots=True)
class AppAccess:
    core: Core
    methods: Methods

    def judge(self, app: RegisteredApp, user: User, *, proof: str | None = None, max_age: int | None = None) -> Access:
        """What this account and session may do with the app now. Writes nothing.

        `proof` and `max_age` (seconds) are those that the request asks for: the stronger and the shorter hold. It takes
        one statement for an app that is open to groups only, else none.
        """
        needed = max(app.proof, proof or PASSWORD, key=STRENGTHS.index)
        ages = [age for age in (app.max_age, max_age) if age is not None]
        oldest = min(ages) if ages else None
        return Access(self._verdict(app, user, needed, oldest), needed, oldest)

    def is_member(self, app: RegisteredApp, account_id: int) -> bool:
        """True when the account is in a group that the app is open to."""
        shared = select(Membership.id).join(AppGroup, AppGroup.group_name == Membership.group_name)
        with self.core.db.read() as tx:
            mine = shared.where(AppGroup.app_id == app.id, Membership.account_id == account_id)
            return tx.scalar(mine.limit(1)) is not None

    def proved_at(self, user: User, proof: str) -> int | None:
        """When this session last proved as much, in Unix seconds; None when it never did.

        For `KEY` only a method counts whose answer cannot be relayed by another site (NIST SP 800-63B-4 section
        3.2.5). A passkey that logged in without a password is two factors, and the password's time is set with it.
        """
        if proof == KEY:
            proofs: dict[str, int] = json.loads(user.session.proofs)
            return max((at for name, at in proofs.items() if self._is_key(name)), default=None)
        if proof == TWO_FACTOR:
            return user.session.second_factor_at
        return user.session.password_at

    def has_key(self, user: User) -> bool:
        """True when the account has a security key or passkey."""
        return any(self._is_key(factor.method) for factor in user.factors)

    def key_is_fresh(self, user: User) -> bool:
        """True when this session proved a security key in the last ten minutes, as operators must for each act."""
        policy, at = self.core.policy, self.proved_at(user, KEY)
        return at is not None and -policy.clock_ahead <= self.core.clock.now() - at < policy.fresh

    def _verdict(self, app: RegisteredApp, user: User, needed: str, max_age: int | None) -> str:
        if app.limited:
            if not self.is_member(app, user.account.id):
                return Verdict.FORBIDDEN
        elif user.account.email is None:
            return Verdict.EMAIL_NEEDED
        if not self._can_prove(user, needed):
            return Verdict.ENROLLMENT_NEEDED
        return Verdict.ALLOWED if self._has_proved(user, needed, max_age) else Verdict.STEP_UP_NEEDED

    def _can_prove(self, user: User, needed: str) -> bool:
        if needed == KEY:
            return self.has_key(user)
        return needed == PASSWORD or bool(user.factors)

    def _has_proved(self, user: User, needed: str, max_age: int | None) -> bool:
        """The newest proof of the log-in counts for its age (OpenID Connect Core 1.0 section 2, `auth_time`)."""
        at = self.proved_at(user, needed)
        if at is None:
            return False
        age, policy = self.core.clock.now() - at, self.core.policy
        return -policy.clock_ahead <= age and (max_age is None or age <= max_age)

    def _is_key(self, name: str) -> bool:
        return isinstance(self.methods.named(name), Passwordless)


def end_shut_out(tx: Transaction, now: int, *which: ColumnElement[bool]) -> None:
    """Ends what accounts gave to apps that they may not use any more, only of `which`; `now` is in Unix seconds.

    Without it, tokens that outlive their session would work again once the account may use the app again.
    """
    given, member = AppAuthorization, select(Membership.id)
    of_app = member.join(AppGroup, AppGroup.group_name == Membership.group_name).where(AppGroup.app_id == given.app_id)
    is_member = of_app.where(Membership.account_id == given.account_id).exists()
    is_confirmed = select(Account.id).where(Account.id == given.account_id, Account.email.is_not(None)).exists()
    limited = select(RegisteredApp.id).where(RegisteredApp.id == given.app_id, RegisteredApp.limited).exists()
    end_given(tx, now, *which, not_(or_(and_(limited, is_member), and_(not_(limited), is_confirmed))))
