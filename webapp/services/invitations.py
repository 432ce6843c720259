"""Invitations: the operator makes an account, and a link that is mailed to its owner sets the password.

The link proves that its reader has the mailbox, so it confirms the address too. It must not log in.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from ..domain.account_refusals import UsernameTaken
from ..domain.codes import draw_token
from ..domain.labels import tidy_name
from ..domain.names import key_of
from ..domain.origin import Origin
from ..domain.refusals import AddressTaken, LinkInvalid, Refusal
from ..models.accounts import Account, lock_for_change
from ..models.codes import Link
from ..models.database import Transaction
from ..policy import HOUR
from .core import Core
from .email_addresses import normalize
from .links import Links, OpenLink
from .notices import Notices
from .outbox import Outbox
from .password_attempts import PasswordAttempts
from .password_changes import confirm_by_link
from .passwords import Passwords
from .sessions import Sessions
from .sign_up import SignUp, refusals_of
from .usernames import Usernames

PURPOSE = "invite"
NOT_IN_USERNAMES = re.compile(r"[^a-z0-9._-]+")
LONGEST_STEM = 24  # characters; a number may follow
WAITS_FOR_OWNER = Account.email.is_(None), Account.made_by_operator
"""The conditions for an account whose owner has not used an invitation yet."""


@dataclass(frozen=True, slots=True)
class Invitations:
    core: Core
    sign_up: SignUp
    usernames: Usernames
    password_attempts: PasswordAttempts
    passwords: Passwords
    sessions: Sessions
    links: Links
    outbox: Outbox
    notices: Notices

    def send(self, typed: str, username: str | None, name: str | None) -> Account:
        """Mails a link to the address, for a new account or for one whose owner has not used an earlier link yet.

        That link stops working. Without `username` one is made from the address, without `name` it is the username.
        Raises `EmailMalformed`, `AddressTaken` for the confirmed address of an account, `UsernameTaken` and what
        `SignUp.tidy` raises.
        """
        address = normalize(typed)
        with self.core.db.read() as tx:
            if tx.scalar(select(Account.id).where(Account.email_key == key_of(address))) is not None:
                raise AddressTaken()
            account = self._invited(tx, address, username)
            chosen = username or self._free_username(tx, address)
        if account is None:
            unknown = draw_token(self.core.entropy)  # a password that is never shown: the link sets another
            account = self.sign_up.create_by_operator(name or chosen, chosen, unknown, address, confirmed=False)
        lasts = self.core.policy.invitation_seconds
        with self.core.db.write() as tx:
            self.links.void_all(tx, account.id, Link.purpose == PURPOSE)
            url = self.links.draw(tx, account, PURPOSE, address, lasts)
            self.outbox.post_email(
                tx,
                to=address,
                template="invitation",
                account=account,
                lasts=lasts,
                url=url,
                hours=lasts // HOUR,
            )
        return account

    def problems(self, typed: str, username: str | None, name: str | None) -> list[Refusal]:
        """What is wrong with the fields that are not empty, so that all is said at once. Writes nothing."""
        with self.core.db.read() as tx:
            checks: list[tuple[str | None, Callable[[], object]]] = [
                (typed, lambda: normalize(typed)),
                (username, lambda: self._demand_free(tx, self.usernames.tidy(username or ""))),
                (name, lambda: tidy_name(name or "", self.core.policy.name_maximum)),
            ]
            return refusals_of(check for given, check in checks if given)

    def accept(self, opened: OpenLink, new: str, origin: Origin) -> None:
        """Sets the password, confirms the address and consumes the link.

        What was set up before is deleted, because another person may have entered the address as theirs. Raises
        `LinkInvalid`, for a locked account too, and what `Passwords.seal` and `lock_for_change` raise.

        The address must still be the account's claim, unconfirmed: the mailbox of another one that was entered since
        may belong to another person. That is read under the lock of the account, after hashing.
        """
        account, address = opened.account, opened.link.email
        sealed = self.passwords.seal(new, account.name, account.username, address)
        try:
            with self.core.db.write() as tx:
                account = lock_for_change(tx, account.id)
                if account.locked_at is not None or account.email is not None or account.unconfirmed_email != address:
                    raise LinkInvalid()
                self.links.use(tx, opened.link)
                tx.execute(update(Account).where(Account.id == account.id).values(password_hash=sealed))
                self.sessions.end_others(tx, account.id, None)
                self.password_attempts.clear(tx, account.id)
                self.links.void_all(tx, account.id)
                confirm_by_link(tx, account, address)
                self.notices.tell(tx, account, "invitation-accepted", origin)
        except IntegrityError:  # another account confirmed the address since the link was sent
            raise LinkInvalid() from None

    def _invited(self, tx: Transaction, address: str, username: str | None) -> Account | None:
        """The newest account that the operator made for this address, and whose owner has not confirmed it."""
        invited = [Account.unconfirmed_email == address, *WAITS_FOR_OWNER]
        if username is not None:
            invited.append(Account.username_key == key_of(username.removeprefix("@")))
        return tx.objects.scalars(select(Account).where(*invited).order_by(Account.id.desc()).limit(1)).one_or_none()

    def _demand_free(self, tx: Transaction, username: str) -> None:
        """Raises `UsernameTaken`, unless the account of this name may be invited again."""
        waits = select(Account.id).where(Account.username_key == key_of(username), *WAITS_FOR_OWNER)
        if self.usernames.is_taken(tx, username) and tx.scalar(waits) is None:
            raise UsernameTaken()

    def _free_username(self, tx: Transaction, address: str) -> str:
        """A username after the local part of the address, with a number if that one is taken or reserved."""
        ascii_only = unicodedata.normalize("NFKD", address.rpartition("@")[0]).encode("ascii", "ignore").decode()
        stem = NOT_IN_USERNAMES.sub("-", ascii_only.casefold()).strip("._-")[:LONGEST_STEM].rstrip("._-")
        stem = stem if len(stem) > 1 else f"user{stem}"
        names = (stem if number == 1 else f"{stem}{number}" for number in count(1))
        return next(name for name in names if self.usernames.is_free(tx, name))
