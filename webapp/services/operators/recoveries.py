"""Recovery: an operator resets the second factors of a person who lost them.

It waits for a day. Every channel of the owner is told at once, and a link in the email, a full log-in with a second
factor or a button stops it: an attacker who persuades an operator must not get in before the owner can answer.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select, update

from ...domain.account_refusals import ChangesPaused
from ...domain.app_refusals import ReasonMalformed
from ...domain.origin import NO_BROWSER, Origin
from ...domain.refusals import AlreadyDone, LinkInvalid, NotFound
from ...models.accounts import PERSON, Account, locked_account
from ...models.database import Transaction, changed_one_row
from ...models.user import User
from ..account_lookup import has_factor
from ..attempt_rules import SlidingWindows
from ..attempts import Attempts, Bucket
from ..core import Core
from ..due import do_each
from ..factor_resets import PURPOSE, reset_factors, stop_recovery
from ..links import Links, OpenLink
from ..notices import Notices, sentence_for, subject_for
from ..outbox import Outbox
from ..phone_numbers import PhoneNumbers
from ..requests import RequestPushes
from ..sessions import Sessions
from .acts import Actor, Acts
from .roles import demand_a_person, locked_by_name


@dataclass(frozen=True, slots=True)
class Recoveries:
    core: Core
    acts: Acts
    attempts: Attempts
    sessions: Sessions
    links: Links
    notices: Notices
    outbox: Outbox
    numbers: PhoneNumbers
    pushes: RequestPushes

    def start(self, username: str, why: str, actor: Actor) -> int:
        """Begins a recovery, tells the owner why, and returns when the factors will be reset, in Unix seconds.

        Raises `ReasonMalformed`, `UnknownUsername`, `OtherOperator`, `ChangesPaused`, `TooManyAttempts`, `AlreadyDone`
        when one waits, and `NotFound` for an account that is locked or deleted, has no second factor, or has no
        confirmed email address: its owner could not be told.
        """
        why, most = " ".join(why.split()), self.core.policy.recovery_why_maximum
        if not 0 < len(why) <= most:
            raise ReasonMalformed(most)
        until = self.core.clock.now() + self.core.policy.recovery_waits
        with self.acts.write(actor) as act:
            tx, account = act.tx, locked_by_name(act.tx, username)
            demand_a_person(account, actor)
            if account.undo_at is not None:
                raise ChangesPaused(account.undo_at)
            if account.email is None or not self._can_be_recovered(tx, account):
                raise NotFound()
            asked = Bucket(f"recovery:{account.id}", SlidingWindows((self.core.policy.recoveries_started,)))
            none_waits = Account.id == account.id, Account.recovery_at.is_(None)
            values = {"recovery_at": until, "recovery_why": why, "recovery_by": actor.account_id}
            if not changed_one_row(tx, update(Account).where(*none_waits).values(values)):
                raise AlreadyDone()
            self.attempts.count_within(tx, asked)
            self.notices.record(tx, account.id, "recovery-started", NO_BROWSER, until=until, why=why)
            self._tell(tx, account, account.email, until, why)
            act.note("operator-recovery-started", username=account.username)
        return until

    def cancel(self, username: str, actor: Actor) -> None:
        """Stops it for an operator. Raises `UnknownUsername`, `OtherOperator`, or `AlreadyDone` when none waits."""
        with self.acts.write(actor) as act:
            account = locked_by_name(act.tx, username)
            demand_a_person(account, actor)
            if not stop_recovery(act.tx, self.notices, account, NO_BROWSER, actor.account_id):
                raise AlreadyDone()
            act.note("operator-recovery-canceled", username=account.username)

    def started_at(self, account: Account) -> int | None:
        """When the recovery that waits was started, in Unix seconds."""
        return None if account.recovery_at is None else account.recovery_at - self.core.policy.recovery_waits

    def stop(self, user: User, origin: Origin) -> None:
        """Stops it for the owner, who proved password and second factor.

        Raises `NotFresh`, `LoginExpired`, or `AlreadyDone` when that recovery does not wait any more.
        """
        self.sessions.demand_fresh(user)
        with self.core.db.write() as tx:
            account = locked_account(tx, user.account.id)
            self.sessions.demand_open(tx, user.session)
            if account is None or account.recovery_at is None or account.recovery_at != user.account.recovery_at:
                raise AlreadyDone()
            stop_recovery(tx, self.notices, account, origin)

    def stop_by_link(self, opened: OpenLink, origin: Origin) -> None:
        """Stops the recovery that this link was sent for, and ends every session, an attacker's too.

        Raises `LinkInvalid`, also when that recovery does not wait any more.
        """
        with self.core.db.write() as tx:
            account = locked_account(tx, opened.link.account_id)
            started = None if account is None else self.started_at(account)
            if account is None or started is None or started > opened.link.made_at:
                raise LinkInvalid()
            self.links.use(tx, opened.link)
            self.sessions.end_others(tx, account.id, None)
            stop_recovery(tx, self.notices, account, origin)

    def finish_due(self) -> int:
        """Resets the factors of the recoveries that have waited long enough, and returns how many. For the worker."""
        with self.core.db.read() as tx:
            due = list(tx.scalars(select(Account.id).where(Account.recovery_at <= self.core.clock.now())))
        return do_each(due, self._finish)

    def _finish(self, account_id: int) -> bool:
        with self.core.db.write() as tx:
            account = locked_account(tx, account_id)
            if account is None or account.recovery_at is None or account.recovery_at > self.core.clock.now():
                return False  # stopped, or done by another worker
            if not self._can_be_recovered(tx, account):
                stop_recovery(tx, self.notices, account, NO_BROWSER)
                return False
            reset_factors(tx, self.sessions, self.notices, account, account.recovery_why or "")
        return True

    def _can_be_recovered(self, tx: Transaction, account: Account) -> bool:
        """False for an operator too: their factors are reset by command only."""
        if account.role != PERSON or account.locked_at is not None or account.delete_at is not None:
            return False
        return has_factor(tx, account.id)

    def _tell(self, tx: Transaction, account: Account, to: str, until: int, why: str) -> None:
        """Tells the owner by email, by text, and by a push to each phone that approves log-ins."""
        kind = "recovery-started"
        details: dict[str, str | int] = {"until": until, "why": why}
        with self.outbox.speaking_to(account):
            subject, what = subject_for(kind, details), sentence_for(kind, details)
        self.outbox.post_email(
            tx,
            to=to,
            template="recovery",
            account=account,
            subject=subject,
            what=what,
            at=self.core.clock.now(),
            stop_url=self.links.draw(tx, account, PURPOSE, to, self.core.policy.recovery_waits),
        )
        self.numbers.warn(tx, account, "recovery")
        self.pushes.warn(tx, account, kind, details)
