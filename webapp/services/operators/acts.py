"""What operators do is recorded: in the log, in the activity of the account it is done to, and in their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import structlog
from sqlalchemy import select

from ...domain.origin import NO_BROWSER, Origin
from ...domain.refusals import NotFound
from ...models.accounts import OPERATOR, Account
from ...models.database import Transaction
from ...models.sessions import Session
from ..core import Core
from ..notices import Notices
from ..sessions import Sessions

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: an operator by the id of their account, in a session, or None for the command line."""

    account_id: int | None = None
    origin: Origin = NO_BROWSER
    session: Session | None = None


COMMAND_LINE = Actor()


@dataclass(slots=True)
class Act:
    """A transaction of an operator, and what it did so far."""

    tx: Transaction
    actor: Actor
    notices: Notices
    done: list[tuple[str, dict[str, str | int]]] = field(default_factory=list)

    def note(self, kind: str, **details: str | int) -> None:
        """Records the event in the operator's own activity, and for the log."""
        if self.actor.account_id is not None:
            self.notices.record(self.tx, self.actor.account_id, kind, self.actor.origin, **details)
        self.done.append((kind, details))


@dataclass(frozen=True, slots=True)
class Acts:
    core: Core
    notices: Notices
    sessions: Sessions

    @contextmanager
    def write(self, actor: Actor) -> Iterator[Act]:
        """A writing transaction; what it noted is logged once it was committed.

        Raises `NotFound` when the account is no operator any more, and `LoginExpired` when the session was ended.
        """
        with self.core.db.write() as tx:
            if actor.account_id is not None:
                self._demand_operator(tx, actor.account_id)
            if actor.session is not None:  # not under `lock_account`: two who act on each other would both wait
                self.sessions.demand_open(tx, actor.session)
            act = Act(tx, actor, self.notices)
            yield act
        for kind, details in act.done:
            log.info("operator_act", act=kind, operator=actor.account_id, **details)

    def _demand_operator(self, tx: Transaction, account_id: int) -> None:
        active = Account.id == account_id, Account.role == OPERATOR, Account.locked_at.is_(None)
        if tx.scalar(select(Account.id).where(*active)) is None:
            raise NotFound()
