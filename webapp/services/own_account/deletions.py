"""Deleting an account: by its owner, who can come back for 30 days, or by the operator at once.

In the 30 days only a full log-in reaches the account, and it undoes the deletion (`SessionOpening.open`): an account
that waits to be deleted must never have a session. Then every row goes, but not the name: other sites may have trusted
it, so it stays taken.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, String, cast, delete, select, update

from ...domain.origin import Origin
from ...models.accounts import STOPPED_CHANGES, Account, lock_for_change, locked_account
from ...models.codes import Link
from ...models.database import Transaction
from ...models.messages import Message
from ...models.names import FormerUsername
from ...models.sessions import Attempt
from ...models.user import User
from ..core import Core
from ..due import do_each
from ..factor_resets import note_stop
from ..links import PROTECTING, Links
from ..login.proof import SHARED_BUCKETS
from ..notices import Notices
from ..operators.last_operator import demand_another_operator
from ..outbox import Outbox
from ..sessions import Sessions
from ..usernames import Usernames


@dataclass(frozen=True, slots=True)
class Deletions:
    core: Core
    sessions: Sessions
    links: Links
    notices: Notices
    outbox: Outbox
    usernames: Usernames
    main_url: str

    def ask(self, user: User, origin: Origin) -> int:
        """Deletes the account for its owner, and returns when its rows will go, in Unix seconds.

        Every session, this one too, app, remembered browser, temporary password and login in progress ends at once, and
        so do the links that open something. Raises `NotFresh`, `LoginExpired` when this session was ended meanwhile, by
        another deletion too, `LastOperator`, and what `lock_for_change` raises.
        """
        self.sessions.demand_fresh(user)
        until = self.core.clock.now() + self.core.policy.deletion_waits
        with self.core.db.write() as tx:
            account = lock_for_change(tx, user.account.id)
            self.sessions.demand_open(tx, user.session)
            demand_another_operator(self.core.db, tx, account)
            note_stop(tx, self.notices, account)
            values = {"delete_at": until, **STOPPED_CHANGES}
            tx.execute(update(Account).where(Account.id == account.id).values(values))
            self.sessions.end_others(tx, account.id, None)
            self.links.void_all(tx, account.id, Link.purpose.not_in(PROTECTING))
            self.notices.record(tx, account.id, "deletion-asked", origin, until=until)
            self._mail(tx, account, origin, until)
        return until

    def finish_due(self) -> int:
        """Deletes the accounts whose time to come back is over, and returns how many. Called by the purge."""
        with self.core.db.read() as tx:
            due = list(tx.scalars(select(Account.id).where(Account.delete_at <= self.core.clock.now())))
        return do_each(due, self._finish)

    def erase(self, tx: Transaction, account: Account, *, by_operator: bool) -> None:
        """Deletes the account with all rows that refer to it. The caller must have locked it.

        Raises `LastOperator` with `by_operator`; a deletion by the owner was judged when it was asked for.

        Its last e-mail is owed first. Its names stay taken, if its address was confirmed.
        """
        if by_operator:
            demand_another_operator(self.core.db, tx, account)
        if account.email is not None:
            former = tx.scalars(select(FormerUsername.username).where(FormerUsername.account_id == account.id)).all()
            for username in (account.username, *former):
                self.usernames.keep_taken(tx, username)
            self.outbox.post_email(
                tx,
                to=account.email,
                template="account-deleted",
                account=account,
                by_operator=by_operator,
            )
        delete_accounts(tx, Account.id == account.id)

    def _finish(self, account_id: int) -> bool:
        with self.core.db.write() as tx:
            account = locked_account(tx, account_id)
            if account is None or account.delete_at is None or account.delete_at > self.core.clock.now():
                return False  # its owner came back, or another worker deleted it
            self.erase(tx, account, by_operator=False)
        return True

    def _mail(self, tx: Transaction, account: Account, origin: Origin, until: int) -> None:
        if account.email is None:
            return
        self.outbox.post_email(
            tx,
            to=account.email,
            template="account-deletion",
            account=account,
            until=until,
            at=self.core.clock.now(),
            origin=origin,
            login_url=f"{self.main_url}/log-in",
            not_you_url=self.links.draw(tx, account, "not-you", account.email, self.core.policy.notice_link_seconds),
        )


def delete_accounts(tx: Transaction, which: ColumnElement[bool]) -> int:
    """Deletes these accounts with all rows that refer to them, also by number only; returns how many accounts.

    Messages stay without the number, because some are still owed.
    """
    ids = select(Account.id).where(which)
    failures = select(SHARED_BUCKETS + cast(Account.id, String)).where(which)
    tx.execute(update(Message).where(Message.account_id.in_(ids)).values(account_id=None))
    for attempts in (Attempt.account_id.in_(ids), Attempt.bucket.in_(failures)):  # an OR would use no index
        tx.execute(delete(Attempt).where(attempts))
    return tx.execute(delete(Account).where(which)).rowcount
