"""Turning factors off and on again, and making a new backup code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, update

from ...domain.origin import Origin
from ...domain.refusals import NotFound
from ...models.accounts import lock_for_change
from ...models.database import changed_one_row
from ...models.drafts import Draft
from ...models.factors import Factor
from ...models.user import User
from ..account_lookup import has_factor
from ..backup_codes import BackupCodes
from ..core import Core
from ..method import Method
from ..method_kinds import Methods
from ..notices import Notices
from ..sessions import Sessions


@dataclass(frozen=True, slots=True)
class SecondFactors:
    core: Core
    sessions: Sessions
    backup_codes: BackupCodes
    notices: Notices
    methods: Methods

    def one(self, user: User, method: Method, origin: Origin) -> Factor | None:
        """The factor that the list of methods turns off: of a method with several, the one that is this browser."""
        return _one(user.factors, method, origin)

    def is_last(self, user: User, method: Method) -> bool:
        """True when turning the method off leaves only the password."""
        return all(f.method == method.slug for f in user.factors) and len(user.factors) <= 1

    def turn_off(self, user: User, method: Method, origin: Origin) -> None:
        """Turns the factor off and ends every other session. It can be turned back on for ten minutes.

        Raises `NotFound`, `NotFresh`, `LoginExpired` or what `lock_for_change` raises.
        """
        self.sessions.demand_fresh(user)
        account = user.account
        factor = self.one(user, method, origin)
        if factor is None:
            raise NotFound()
        on = Factor.id == factor.id, Factor.turned_off_at.is_(None)
        with self.core.db.write() as tx:
            lock_for_change(tx, account.id)
            self.sessions.demand_open(tx, user.session)
            if not changed_one_row(tx, update(Factor).where(*on).values(turned_off_at=self.core.clock.now())):
                raise NotFound()
            kind = "factor-off" if has_factor(tx, account.id) else "last-factor-off"
            tx.execute(delete(Draft).where(Draft.account_id == account.id, Draft.method == method.slug))
            self.sessions.end_others(tx, account.id, user.session.id)
            self.notices.tell(tx, account, kind, origin, method=method.title.msgid)

    def turned_off(self, user: User, origin: Origin) -> Method | None:
        """The method that was turned off last, while it can be turned back on."""
        seconds = self.core.policy.turn_back_on_seconds
        recent = [f for f in user.recently_off_factors if self.core.is_within(f.turned_off_at or 0, seconds)]
        if not recent:
            return None
        method = self.methods.named(max(recent, key=lambda f: f.turned_off_at or 0).method)
        return method if method is not None and _one(recent, method, origin) is not None else None

    def turn_back_on(self, user: User, method: Method, origin: Origin) -> None:
        """Raises `NotFound` after the ten minutes, `NotFresh` when step-up is due, `LoginExpired` when the session was
        ended meanwhile, or what `lock_for_change` raises."""
        self.sessions.demand_fresh(user)
        account = user.account
        factor = _one(user.recently_off_factors, method, origin)
        if factor is None:
            raise NotFound()
        is_recent = self.core.within(Factor.turned_off_at, self.core.policy.turn_back_on_seconds)
        recent = Factor.id == factor.id, is_recent
        with self.core.db.write() as tx:
            lock_for_change(tx, account.id)
            self.sessions.demand_open(tx, user.session)
            is_first = not has_factor(tx, account.id)
            if not changed_one_row(tx, update(Factor).where(*recent).values(turned_off_at=None)):
                raise NotFound()
            if is_first:
                self.sessions.end_others(tx, account.id, user.session.id)
            else:
                self.sessions.end_offline(tx, account.id)
            self.notices.tell(tx, account, "factor-on", origin, method=method.title.msgid)

    def new_backup_code(self, user: User, origin: Origin) -> None:
        """Makes a code, which is kept for this session.

        Raises `NotFound` without a factor, `NotFresh` if step-up is due, `LoginExpired` when the session was ended
        meanwhile, or what `lock_for_change` raises.
        """
        self.sessions.demand_fresh(user)
        with self.core.db.write() as tx:
            lock_for_change(tx, user.account.id)
            self.sessions.demand_open(tx, user.session)
            if not has_factor(tx, user.account.id):
                raise NotFound()
            code = self.backup_codes.make(tx, user.account.id)
            self.backup_codes.keep(tx, user.account.id, user.session.id, code)
            self.notices.tell(tx, user.account, "backup-code-made", origin)


def _one(factors: Sequence[Factor], method: Method, origin: Origin) -> Factor | None:
    of_method = [f for f in factors if f.method == method.slug]
    return next(iter(method.shown(of_method, origin)), None)
