"""Changing the password, by a logged-in user or through a link in an e-mail.

A reset must not log in and must not skip the second factor (ASVS V6.4.3).
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import and_, delete, func, or_, select, update
from sqlalchemy.exc import IntegrityError

from ..domain.codes import hash_of
from ..domain.names import key_of
from ..domain.origin import Origin
from ..domain.refusals import LinkInvalid, TooManyAttempts
from ..models.accounts import Account, lock_for_change
from ..models.app_logins import AppConnection
from ..models.apps import RefusedAccess
from ..models.codes import Code
from ..models.contacts import Contact
from ..models.database import Transaction
from ..models.drafts import Draft
from ..models.factors import Factor
from ..models.sessions import PASSWORD_PROOF
from ..models.user import SessionToken, User
from .attempt_rules import SlidingWindows
from .attempts import Attempts, Bucket
from .core import Core
from .email_addresses import normalize
from .links import Links, OpenLink
from .notices import Notices
from .outbox import Outbox
from .password_attempts import PasswordAttempts
from .passwords import Passwords
from .sessions import Sessions


@dataclass(frozen=True, slots=True)
class PasswordChanges:
    core: Core
    attempts: Attempts
    password_attempts: PasswordAttempts
    passwords: Passwords
    sessions: Sessions
    links: Links
    outbox: Outbox
    notices: Notices

    def change(self, user: User, new: str, origin: Origin) -> SessionToken:
        """Sets the password and ends every other session. The caller must check that the session is fresh.

        Raises what `Passwords.seal` and `lock_for_change` raise, or `LoginExpired` when this session was ended
        meanwhile.
        """
        account = user.account
        sealed = self.passwords.seal(new, account.name, account.username, account.email)
        with self.core.db.write() as tx:
            account = lock_for_change(tx, account.id)
            self._set(tx, account, sealed)
            self.sessions.end_others(tx, account.id, user.session.id)
            self.notices.tell(tx, account, "password-changed", origin)
            return self.sessions.rotate(tx, user.session, PASSWORD_PROOF)

    def send_link(self, typed: str, origin: Origin) -> None:
        """Sends a link for a new password. Answer, work and limits are the same for an address without an account.

        Raises `EmailMalformed`, and `TooManyAttempts` for too many requests from one network.
        """
        address = normalize(typed)
        of_address = SlidingWindows((self.core.policy.reset_sends_address,))
        self.attempts.count(Bucket(f"reset-from:{origin.rate_limit_key}", of_address))
        with self.core.db.write() as tx:
            if not self._may_send_link(tx, address, origin):
                return  # no refusal, so that the answer is always the same
            owner = self._owner(tx, address)
            if owner is not None:
                # to the stored address: another mailbox may have the same `key_of` as the typed one
                self.owe_link(tx, owner, owner.email or owner.unconfirmed_email or address)
            else:  # an e-mail is written and rolled back, so that the time does not tell
                with tx.connection.begin_nested() as unsent:
                    self._post_link(tx, address, None, "")
                    unsent.rollback()

    def _may_send_link(self, tx: Transaction, address: str, origin: Origin) -> bool:
        """Counts a link for the address and one for the network. One an hour for the address is always sent: requests
        of strangers must not keep the owner from a link for longer than the last one is valid."""
        policy, of_address = self.core.policy, f"reset:{hash_of(key_of(address))}"
        rule = SlidingWindows((policy.reset_sends,))
        ordinary = Bucket(of_address, rule), Bucket(f"reset-network:{origin.network}", rule)
        for buckets in (ordinary, (Bucket(of_address, SlidingWindows((policy.reset_sends_always,))),)):
            try:
                self.attempts.count_within(tx, *buckets)
            except TooManyAttempts:
                continue
            return True
        return False

    def owe_link(self, tx: Transaction, account: Account, address: str) -> None:
        """Adds an e-mail with a link for a new password to the outbox. The caller must apply the limits."""
        url = self.links.draw(tx, account, "reset", address, self.core.policy.reset_link_seconds)
        self._post_link(tx, address, account, url)

    def _post_link(self, tx: Transaction, to: str, account: Account | None, url: str) -> None:
        self.outbox.post_email(
            tx,
            to=to,
            template="reset-link",
            account=account,
            lasts=self.core.policy.reset_link_seconds,
            url=url,
            minutes=self.core.policy.reset_link_seconds // 60,
        )

    def reset(self, opened: OpenLink, new: str, origin: Origin) -> None:
        """Sets the new password and consumes the link.

        Raises `LinkInvalid` and what `Passwords.seal` and `lock_for_change` raise.

        The link must have been sent to the confirmed address, or to the present claim when none is confirmed: another
        address may belong to another person. That is read under the lock of the account, after hashing.
        """
        account, address = opened.account, opened.link.email
        sealed = self.passwords.seal(new, account.name, account.username, account.email)
        try:
            with self.core.db.write() as tx:
                account = lock_for_change(tx, account.id)
                if address != (account.email or account.unconfirmed_email):  # case folding makes two mailboxes equal
                    raise LinkInvalid()
                if account.locked_at is not None:
                    raise LinkInvalid()
                self.links.use(tx, opened.link)
                self._set(tx, account, sealed)
                self.sessions.end_others(tx, account.id, None)
                self.password_attempts.clear(tx, account.id)
                if account.email is None:
                    self.links.void_all(tx, account.id)
                    confirm_by_link(tx, account, address)
                self.notices.tell(tx, account, "password-reset", origin)
        except IntegrityError:  # another account confirmed the address since the link was sent
            raise LinkInvalid() from None

    def _owner(self, tx: Transaction, address: str) -> Account | None:
        """The account that confirmed the address, else the one that entered it last, unconfirmed; never a locked one.

        Only that one: others that claimed the address before must not keep the links from its owner. One query for
        both, so that its time does not tell which.
        """
        claim = and_(Account.unconfirmed_email.in_([address, key_of(address)]), Account.email.is_(None))
        either = select(Account).where(or_(Account.email_key == key_of(address), claim))
        newest = Account.email_key.is_(None), func.coalesce(Account.claimed_at, 0).desc(), Account.id.desc()
        found = tx.objects.scalars(either.order_by(*newest).limit(1)).one_or_none()
        return found if found is None or found.locked_at is None else None

    def _set(self, tx: Transaction, account: Account, sealed: str) -> None:
        tx.execute(update(Account).where(Account.id == account.id).values(password_hash=sealed))


def confirm_by_link(tx: Transaction, account: Account, address: str) -> None:
    """Confirms the address where a link was read, and deletes what another person may have set up before.

    The caller must have locked the account, and must void its links and end its sessions (`Sessions.end_others`), with
    what they gave to apps.
    """
    for table in (Draft, Factor, Code, Contact, RefusedAccess, AppConnection):
        tx.execute(delete(table).where(table.account_id == account.id))
    values = {
        "email": address,
        "email_key": key_of(address),
        "unconfirmed_email": None,
        "claimed_at": None,
        "backup_code_hash": None,
        "backup_code_made_at": None,
        "phone_number": None,
        "phone_number_hint": None,
        "phone_number_mac": None,
        "discoverable": False,
    }
    tx.execute(update(Account).where(Account.id == account.id).values(values))
    account.email = address
