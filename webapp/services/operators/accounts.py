"""What operators see of an account, and how they log it out everywhere. No secret is among it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from ...domain.app_refusals import UnknownUsername
from ...domain.origin import NO_BROWSER
from ...models.accounts import Account
from ...models.factors import Factor
from ...models.sessions import Session
from ..account_lookup import find_by_name
from ..core import Core
from ..method import Method
from ..method_kinds import Methods
from ..notices import Notices
from ..sessions import Sessions
from .account_pages import AccountPage, account_page
from .acts import Actor, Acts
from .groups import groups_of
from .roles import demand_a_person, locked_by_name


@dataclass(frozen=True, slots=True)
class AccountView:
    """An account with its factors that are on, each with its method, its open sessions and the names of its groups."""

    account: Account
    factors: Sequence[tuple[Method, Factor]]
    sessions: Sequence[Session]
    groups: Sequence[str]


@dataclass(frozen=True, slots=True)
class OperatedAccounts:
    core: Core
    acts: Acts
    sessions: Sessions
    notices: Notices
    methods: Methods

    def page(self, after: str | None = None) -> AccountPage:
        """The accounts whose username comes after this one."""
        with self.core.db.read() as tx:
            return account_page(tx, select(Account), after, self.core.policy.operator_page)

    def find(self, typed: str) -> Account:
        """The account with this present or former username, or confirmed address. Raises `UnknownUsername`."""
        account, _factors = find_by_name(self.core.db, typed)
        if account is None:
            raise UnknownUsername()
        return account

    def view(self, username: str) -> AccountView:
        """Raises `UnknownUsername`."""
        account = self.find(username)
        on = Factor.account_id == account.id, Factor.turned_off_at.is_(None)
        open_now = Session.account_id == account.id, self.sessions.live()
        with self.core.db.read() as tx:
            factors = tx.objects.scalars(select(Factor).where(*on).order_by(Factor.id)).all()
            sessions = tx.objects.scalars(select(Session).where(*open_now).order_by(Session.seen_at.desc())).all()
            groups = groups_of(tx, account.id)
        known = [(self.methods.named(factor.method), factor) for factor in factors]
        return AccountView(account, [(method, factor) for method, factor in known if method], sessions, groups)

    def log_out(self, username: str, actor: Actor) -> None:
        """Ends every session of the account, and tells its owner. Raises `UnknownUsername` or `OtherOperator`."""
        with self.acts.write(actor) as act:
            account = locked_by_name(act.tx, username)
            demand_a_person(account, actor)
            self.sessions.end_others(act.tx, account.id, None)
            self.notices.tell(act.tx, account, "logged-out-by-operator", NO_BROWSER)
            act.note("operator-logged-out", username=account.username)

    def invited(self, username: str, actor: Actor) -> None:
        """Records that the operator invited the owner of this account."""
        with self.acts.write(actor) as act:
            act.note("operator-invited", username=username)
