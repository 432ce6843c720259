"""Changing the name and the username of an account.

Other sites know people by their username. So a change of it waits for a day, in which a link in an e-mail stops it, and
no other account may ever have the earlier name, which still logs this one in.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, insert, or_, select, update

from ...domain.account_refusals import (
    UsernameChangedLately,
    UsernameChangeWaits,
    UsernameReserved,
    UsernameTaken,
    UsernameUnchanged,
)
from ...domain.labels import tidy_name
from ...domain.names import key_of
from ...domain.origin import NO_BROWSER, Origin
from ...domain.refusals import AlreadyDone, EmailRequired, LinkInvalid, NotFound
from ...models.accounts import NO_RENAME, STOPPED_RENAME, Account, lock_account, lock_for_change, locked_account
from ...models.codes import Link
from ...models.database import Transaction, changed_one_row
from ...models.names import FormerUsername
from ...models.user import User
from ..attempt_rules import SlidingWindows
from ..attempts import Attempts, Bucket
from ..core import Core
from ..due import do_each
from ..links import Links, OpenLink
from ..notices import Notices
from ..outbox import Outbox
from ..sessions import Sessions
from ..usernames import Usernames

PURPOSE = "stop-rename"


@dataclass(frozen=True, slots=True)
class Renames:
    core: Core
    attempts: Attempts
    usernames: Usernames
    sessions: Sessions
    links: Links
    notices: Notices
    outbox: Outbox
    are_allowed: bool

    def change_name(self, user: User, typed: str, origin: Origin) -> str:
        """Sets the account's name and returns it.

        Raises `NameMalformed`, or `LoginExpired` when the session was ended meanwhile.
        """
        name, account = tidy_name(typed, self.core.policy.name_maximum), user.account
        with self.core.db.write() as tx:
            lock_account(tx, account.id)
            self.sessions.demand_open(tx, user.session)
            another = Account.id == account.id, Account.name != name
            if changed_one_row(tx, update(Account).where(*another).values(name=name)):
                account.name = name
                self.notices.tell(tx, account, "name-changed", origin, name=name)
        return name

    def ask(self, user: User, typed: str, origin: Origin) -> int:
        """Begins a change of the username and returns when it takes effect, in Unix seconds.

        Raises `NotFound` where usernames stay, `NotFresh`, `EmailRequired`, `UsernameMalformed`, `UsernameUnchanged`,
        `UsernameReserved`, `UsernameTaken`, `UsernameChangeWaits`, `UsernameChangedLately`, `TooManyAttempts`,
        `LoginExpired` and what `lock_for_change` raises.
        """
        if not self.are_allowed:
            raise NotFound()
        self.sessions.demand_fresh(user)
        if user.account.email is None:  # the link that stops the change could not be sent
            raise EmailRequired()
        username, now, policy = self.usernames.tidy(typed), self.core.clock.now(), self.core.policy
        until = now + policy.username_change_waits
        with self.core.db.write() as tx:
            account = lock_for_change(tx, user.account.id)
            self.sessions.demand_open(tx, user.session)
            if username == account.username:
                raise UsernameUnchanged()
            self._demand_free(tx, account, username)
            asked = Bucket(f"rename:{account.id}", SlidingWindows((policy.username_changes_asked,)))
            self.attempts.count_within(tx, asked)
            lately = self.core.within(Account.rename_asked_at, policy.username_change_every)
            may = Account.id == account.id, Account.rename_at.is_(None), or_(Account.rename_asked_at.is_(None), ~lately)
            new = {"new_username": username, "new_username_key": key_of(username), "rename_at": until}
            if not changed_one_row(tx, update(Account).where(*may).values(**new, rename_asked_at=now)):
                again = self.again_at(account)
                raise UsernameChangeWaits() if account.rename_at or again is None else UsernameChangedLately(again)
            self.notices.record(tx, account.id, "username-change-asked", origin, username=username, until=until)
            self._mail(tx, account, username, origin, until)
        return until

    def again_at(self, account: Account) -> int | None:
        """When the username can be changed again, in Unix seconds; None when it can be now."""
        asked_at, every = account.rename_asked_at, self.core.policy.username_change_every
        return asked_at + every if asked_at is not None and self.core.is_within(asked_at, every) else None

    def stop(self, user: User, origin: Origin) -> None:
        """Stops the change that waits.

        Raises `NotFresh`, `LoginExpired`, or `AlreadyDone` when that change does not wait any more.
        """
        self.sessions.demand_fresh(user)
        with self.core.db.write() as tx:
            account = locked_account(tx, user.account.id)
            self.sessions.demand_open(tx, user.session)
            if account is None or account.rename_at is None or account.rename_at != user.account.rename_at:
                raise AlreadyDone()
            self._stop(tx, account, origin)

    def stop_by_link(self, opened: OpenLink, origin: Origin) -> None:
        """Stops the change that this link was sent for, and ends every session, an attacker's too.

        Raises `LinkInvalid`, also when that change does not wait any more.
        """
        with self.core.db.write() as tx:
            account = locked_account(tx, opened.link.account_id)
            if account is None or account.rename_at is None or (account.rename_asked_at or 0) > opened.link.made_at:
                raise LinkInvalid()
            self.links.use(tx, opened.link)
            self.sessions.end_others(tx, account.id, None)
            self._stop(tx, account, origin)

    def finish_due(self) -> int:
        """Makes the new usernames that have waited long enough the accounts' own, and returns how many.

        Where usernames stay, it stops these changes instead. Called by the worker.
        """
        with self.core.db.read() as tx:
            due = list(tx.scalars(select(Account.id).where(Account.rename_at <= self.core.clock.now())))
        return do_each(due, self._finish)

    def by_operator(self, tx: Transaction, account: Account, typed: str, origin: Origin) -> str:
        """Sets the username at once and returns it. The caller must have locked the account.

        Reserved names and those of deleted accounts are accepted here. Raises `UsernameMalformed`, `UsernameUnchanged`
        and `UsernameTaken`.
        """
        username = self.usernames.tidy(typed)
        if username == account.username:
            raise UsernameUnchanged()
        self.usernames.lock(tx, username)
        if self.usernames.is_taken(tx, username, but=account.id):
            raise UsernameTaken()
        self._replace(tx, account, username, "username-changed-by-operator", origin)
        return username

    def _demand_free(self, tx: Transaction, account: Account, username: str) -> None:
        """Raises `UsernameReserved` or `UsernameTaken`. Names that the account has or had before are its own."""
        self.usernames.lock(tx, username)
        if self.usernames.is_taken(tx, username, but=account.id) or self.usernames.was_deleted(tx, username):
            raise UsernameTaken()
        if self.usernames.is_reserved(username) and not self.usernames.is_taken(tx, username):
            raise UsernameReserved()

    def _mail(self, tx: Transaction, account: Account, username: str, origin: Origin, until: int) -> None:
        to, waits = account.email or "", self.core.policy.username_change_waits
        self.outbox.post_email(
            tx,
            to=to,
            template="username-change",
            account=account,
            new_username=username,
            until=until,
            at=self.core.clock.now(),
            origin=origin,
            stop_url=self.links.draw(tx, account, PURPOSE, to, waits),
        )

    def _stop(self, tx: Transaction, account: Account, origin: Origin) -> None:
        self.links.void_all(tx, account.id, Link.purpose == PURPOSE)
        tx.execute(update(Account).where(Account.id == account.id).values(STOPPED_RENAME))
        self.notices.tell(tx, account, "username-change-stopped", origin, username=account.new_username or "")

    def _finish(self, account_id: int) -> bool:
        with self.core.db.write() as tx:
            account = locked_account(tx, account_id)
            if account is None or account.rename_at is None or account.rename_at > self.core.clock.now():
                return False  # stopped, or done by another worker
            if not self.are_allowed:  # asked for before the operator decided that usernames stay
                self._stop(tx, account, NO_BROWSER)
                return False
            self._replace(tx, account, account.new_username or account.username, "username-changed", NO_BROWSER)
        return True

    def _replace(self, tx: Transaction, account: Account, username: str, event: str, origin: Origin) -> None:
        key, earlier = key_of(username), account.username
        if key != account.username_key:
            again = FormerUsername.account_id == account.id, FormerUsername.username_key == key
            tx.execute(delete(FormerUsername).where(*again))
            former = {"username": earlier, "username_key": account.username_key, "until": self.core.clock.now()}
            tx.execute(insert(FormerUsername).values(account_id=account.id, **former))
        values = {"username": username, "username_key": key, **NO_RENAME}
        tx.execute(update(Account).where(Account.id == account.id).values(values))
        self.notices.tell(tx, account, event, origin, username=username, earlier=earlier)
