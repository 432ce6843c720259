"""Undoing a change of the e-mail address by the link that was sent to the earlier one.

Everyone who reads the earlier mailbox can ask for it, so both addresses are told. With a second factor on it waits for
a day, in which nothing that decides who owns the account can change, and a log-in with an older factor can stop it.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from ..domain.names import key_of
from ..domain.origin import NO_BROWSER, Origin
from ..domain.refusals import LinkInvalid, NotFound
from ..models.accounts import STOPPED_CHANGES, Account, locked_account
from ..models.codes import Link
from ..models.database import Transaction
from ..models.user import User
from .account_lookup import has_factor
from .core import Core
from .due import do_each
from .email_addresses import masked
from .factor_resets import note_stop
from .links import Links, OpenLink
from .notices import Notices
from .outbox import Outbox
from .sessions import Sessions

NO_UNDO = {"undo_email": None, "undo_changed_at": None, "undo_at": None}
PAGE = "/settings/account/email/undo"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class EmailUndos:
    core: Core
    links: Links
    sessions: Sessions
    notices: Notices
    outbox: Outbox
    main_url: str

    def waits(self, account: Account) -> bool:
        """True when an undo by a link to this account would wait for a day: it has a factor."""
        with self.core.db.read() as tx:
            return has_factor(tx, account.id)

    def ask(self, opened: OpenLink, origin: Origin) -> int | None:
        """Undoes the change and returns None or, with a factor on, when it will be undone, in Unix seconds.

        Ends every session, an attacker's too. Undoing a change undoes later ones as well. Raises `LinkInvalid`.
        """
        link = opened.link
        try:
            with self.core.db.write() as tx:
                account = locked_account(tx, link.account_id)
                if account is None:
                    raise LinkInvalid()
                self.links.use(tx, link)
                self.links.void_later(tx, link)
                self.sessions.end_others(tx, account.id, None)
                if not has_factor(tx, account.id):
                    self._restore(tx, account, link.email, origin)
                    return None
                return self._begin(tx, account, link, origin)
        except IntegrityError:  # the address is another account's by now
            raise LinkInvalid() from None

    def can_stop(self, user: User) -> bool:
        """True when this session's log-in proved a factor that is older than the change that would be undone."""
        proved, changed = user.session.factor_added_at, user.account.undo_changed_at
        return proved is not None and changed is not None and proved < changed

    def stop(self, user: User, origin: Origin) -> None:
        """Keeps the present address.

        Raises `NotFresh`, `NotFound` unless `can_stop` and the undo still waits, and `LoginExpired` when the session
        was ended meanwhile.
        """
        self.sessions.demand_fresh(user)
        if not self.can_stop(user):
            raise NotFound()
        with self.core.db.write() as tx:
            account = locked_account(tx, user.account.id)
            if account is None or (account.undo_email, account.undo_at) != (
                user.account.undo_email,
                user.account.undo_at,
            ):
                raise NotFound()
            self.sessions.demand_open(tx, user.session)
            tx.execute(update(Account).where(Account.id == account.id).values(NO_UNDO))
            earlier = masked(account.undo_email or "")
            self.notices.tell(tx, account, "email-undo-stopped", origin, email=earlier)
            self.notices.tell_address(tx, account, account.undo_email, "email-undo-stopped", origin, email=earlier)

    def finish_due(self) -> int:
        """Restores the earlier addresses that have waited long enough, and returns how many. Called by the worker."""
        with self.core.db.read() as tx:
            due = list(tx.scalars(select(Account.id).where(Account.undo_at <= self.core.clock.now())))
        return do_each(due, self._finish)

    def _begin(self, tx: Transaction, account: Account, link: Link, origin: Origin) -> int:
        note_stop(tx, self.notices, account)
        until = self.core.clock.now() + self.core.policy.email_undo_waits
        values = {"undo_email": link.email, "undo_changed_at": link.made_at, "undo_at": until, **STOPPED_CHANGES}
        tx.execute(update(Account).where(Account.id == account.id).values(values))
        earlier = masked(link.email)
        self.notices.record(tx, account.id, "email-undo-asked", origin, email=earlier, until=until)
        for to in filter(None, (account.email, link.email)):
            self.outbox.post_email(
                tx,
                to=to,
                template="email-undo",
                account=account,
                origin=origin,
                url=f"{self.main_url}{PAGE}",
                earlier=earlier,
                until=until,
                changed=link.made_at,
                at=self.core.clock.now(),
            )
        return until

    def _finish(self, account_id: int) -> bool:
        with self.core.db.write() as tx:
            account = locked_account(tx, account_id)
            if account is None or account.undo_at is None or account.undo_at > self.core.clock.now():
                return False  # stopped, or done by another worker
            tx.execute(update(Account).where(Account.id == account_id).values(NO_UNDO))
            try:
                with tx.connection.begin_nested():
                    self.sessions.end_others(tx, account_id, None)
                    self._restore(tx, account, account.undo_email or "", NO_BROWSER)
            except IntegrityError:  # the address is another account's by now
                log.warning("email_undo_dropped", account=account_id)
                return False
        return True

    def _restore(self, tx: Transaction, account: Account, address: str, origin: Origin) -> None:
        self.links.void_all(tx, account.id, Link.email != address)  # an attacker may read them
        note_stop(tx, self.notices, account)
        confirmed = {"email": address, "email_key": key_of(address), "unconfirmed_email": None}
        values = {**confirmed, **NO_UNDO, **STOPPED_CHANGES}  # the link that stops a rename went to the later address
        tx.execute(update(Account).where(Account.id == account.id).values(values))
        self.notices.tell_address(tx, account, account.email, "email-restored", origin, email=masked(address))
        account.email = address
        self.notices.tell(tx, account, "email-restored", origin, email=address)
