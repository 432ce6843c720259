"""The factors of methods of which an account may have several: listing, renaming and deleting them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, delete, select, update

from ...domain.labels import tidy_label
from ...domain.origin import Origin
from ...domain.refusals import NotFound
from ...models.accounts import lock_account, lock_for_change
from ...models.database import changed_one_row
from ...models.factors import Factor
from ...models.user import User
from ..account_lookup import has_factor
from ..core import Core
from ..method_kinds import Several
from ..notices import Notices
from ..sessions import Sessions


@dataclass(frozen=True, slots=True)
class NamedFactors:
    core: Core
    sessions: Sessions
    notices: Notices

    def of(self, user: User, method: Several) -> Sequence[Factor]:
        """The user's factors of the method that are on, in the order in which they were added."""
        return sorted(user.factors_of(method.slug), key=lambda f: f.id)

    def one(self, user: User, method: Several, factor_id: int) -> Factor:
        """One of them. Raises `NotFound`, also for another account's."""
        for factor in self.of(user, method):
            if factor.id == factor_id:
                return factor
        raise NotFound()

    def rename(self, user: User, method: Several, factor_id: int, typed: str, origin: Origin) -> str:
        """The new name. Raises `NotFound`, `NotFresh`, `LoginExpired`, `NameMalformed` or `LabelTaken`."""
        self.sessions.demand_fresh(user)
        factor = self.one(user, method, factor_id)
        others = select(Factor.label).where(
            Factor.account_id == user.account.id,
            Factor.method == method.slug,
            Factor.id != factor_id,
            Factor.turned_off_at.is_(None),
        )
        with self.core.db.write() as tx:
            lock_account(tx, user.account.id)
            self.sessions.demand_open(tx, user.session)
            label = tidy_label(typed, tx.scalars(others).all(), self.core.policy.name_maximum)
            if not changed_one_row(tx, update(Factor).where(*_mine(user, factor)).values(label=label)):
                raise NotFound()
            if label != factor.label:
                details = {"method": method.title.msgid, "name": label}
                self.notices.tell(tx, user.account, "factor-renamed", origin, **details)
        return label

    def delete(self, user: User, method: Several, factor_id: int, origin: Origin) -> Factor:
        """Deletes a factor and ends every other session.

        Raises `NotFound`, `NotFresh`, `LoginExpired` or what `lock_for_change` raises.
        """
        self.sessions.demand_fresh(user)
        factor = self.one(user, method, factor_id)
        with self.core.db.write() as tx:
            lock_for_change(tx, user.account.id)
            self.sessions.demand_open(tx, user.session)
            if not changed_one_row(tx, delete(Factor).where(*_mine(user, factor))):
                raise NotFound()
            self.sessions.end_others(tx, user.account.id, user.session.id)
            kind = "factor-deleted" if has_factor(tx, user.account.id) else "last-factor-deleted"
            details = {"method": method.title.msgid, "name": factor.label}
            self.notices.tell(tx, user.account, kind, origin, **details)
        return factor

    def is_last(self, user: User) -> bool:
        """True when the user has only one factor, so that without it only the password is left."""
        return len(user.factors) == 1


def _mine(user: User, factor: Factor) -> tuple[ColumnElement[bool], ...]:
    return Factor.id == factor.id, Factor.account_id == user.account.id
