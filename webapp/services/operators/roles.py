"""Which accounts are operators, and which are locked.

A locked account is answered like a wrong password by every way in (`services/login`, `services/password_changes.py`,
`services/apps`), until it is unlocked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Update, literal, update

from ...domain.app_refusals import OtherOperator, UnknownUsername
from ...domain.names import key_of
from ...domain.origin import NO_BROWSER
from ...models.accounts import LOCKED, NO_RECOVERY, OPERATOR, PERSON, STOPPED_CHANGES, Account
from ...models.codes import Link
from ...models.database import Transaction, changed_one_row
from ..account_lookup import has_username
from ..core import Core
from ..factor_resets import note_stop
from ..links import PROTECTING, Links
from ..notices import Notices
from ..sessions import Sessions
from .acts import COMMAND_LINE, Act, Actor, Acts
from .last_operator import demand_another_operator


@dataclass(frozen=True, slots=True)
class Roles:
    core: Core
    acts: Acts
    sessions: Sessions
    links: Links
    notices: Notices

    def promote(self, username: str) -> bool:
        """Makes the account an operator. False when it was one already. Raises `UnknownUsername`."""
        with self.acts.write(COMMAND_LINE) as act:
            account = locked_by_name(act.tx, username)
            if not changed_one_row(act.tx, _change(account, Account.role == PERSON, role=OPERATOR, **NO_RECOVERY)):
                return False
            note_stop(act.tx, self.notices, account)
            self._tell(act, account, "promoted")
        return True

    def demote(self, username: str) -> bool:
        """Makes an operator a person again. False when it was none. Raises `UnknownUsername` or `LastOperator`."""
        with self.acts.write(COMMAND_LINE) as act:
            account = locked_by_name(act.tx, username)
            demand_another_operator(self.core.db, act.tx, account)
            if not changed_one_row(act.tx, _change(account, Account.role == OPERATOR, role=PERSON)):
                return False
            self._tell(act, account, "demoted")
        return True

    def lock(self, username: str, actor: Actor = COMMAND_LINE) -> bool:
        """Ends every session of the account, and lets none be opened until `unlock`. False when it was locked.

        Links that were mailed to it end too, but for those by which its owner answers a thief, and so does each change
        that waits and that one of them would stop. Raises `UnknownUsername`, `LastOperator`, and `OtherOperator` for an
        operator unless by the command line.
        """
        with self.acts.write(actor) as act:
            account = locked_by_name(act.tx, username)
            demand_a_person(account, actor)
            demand_another_operator(self.core.db, act.tx, account)
            values = {"locked_at": self.core.clock.now(), **STOPPED_CHANGES}
            if not changed_one_row(act.tx, _change(account, Account.locked_at.is_(None), **values)):
                return False
            self.sessions.end_others(act.tx, account.id, None)
            self.links.void_all(act.tx, account.id, Link.purpose.not_in(PROTECTING))
            note_stop(act.tx, self.notices, account)
            self._tell(act, account, "locked")
        return True

    def unlock(self, username: str, actor: Actor = COMMAND_LINE) -> bool:
        """False when it was not locked. Raises `UnknownUsername`, and `OtherOperator` as `lock` does."""
        with self.acts.write(actor) as act:
            account = locked_by_name(act.tx, username)
            demand_a_person(account, actor)
            if not changed_one_row(act.tx, _change(account, Account.locked_at.is_not(None), locked_at=None)):
                return False
            self._tell(act, account, "unlocked")
        return True

    def _tell(self, act: Act, account: Account, kind: str) -> None:
        """`kind` is the end of the kinds of two events: of the account's owner, and of the operator."""
        self.notices.tell(act.tx, account, kind, NO_BROWSER)  # not the network address of the operator
        act.note(f"operator-{kind}", username=account.username)


def demand_a_person(account: Account, actor: Actor) -> None:
    """Raises `OtherOperator` when an operator acts on an operator in a page: that is done by command only."""
    if account.role == OPERATOR and actor.account_id is not None:
        raise OtherOperator()


def locked_by_name(tx: Transaction, username: str) -> Account:
    """The account that has this username, or had it before, with its row locked. Raises `UnknownUsername`."""
    named = LOCKED.where(has_username(literal(key_of(username.strip().removeprefix("@")))))
    account = tx.objects.scalars(named).one_or_none()
    if account is None:
        raise UnknownUsername()
    return account


def _change(account: Account, condition: ColumnElement[bool], **values: Any) -> Update:
    return update(Account).where(Account.id == account.id, condition).values(values)
