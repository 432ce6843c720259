"""What "Not you?" does: ends every session and enrollment that an attacker may have begun, and leads to a new password.

The link of a notice proves that its reader has the mailbox. A logged-in user keeps their own session; the page for the
new password must ask them for a proof.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete

from ..domain.origin import Origin
from ..domain.refusals import LinkInvalid
from ..models.accounts import Account, locked_account
from ..models.codes import Link
from ..models.database import Transaction
from ..models.drafts import Draft
from ..models.user import SessionToken, User
from .core import Core
from .links import Links, OpenLink
from .notices import Notices
from .password_changes import PasswordChanges
from .sessions import Sessions


@dataclass(frozen=True, slots=True)
class Done:
    """What a used link did. `at` is when, and `until` how long the link for a new password is valid, in Unix seconds.

    `mailed` is False when the address was no longer the account's, so that no link for a new password was sent.
    """

    account: Account
    at: int
    address: str
    mailed: bool
    until: int | None


@dataclass(frozen=True, slots=True)
class NotYou:
    core: Core
    links: Links
    sessions: Sessions
    password_changes: PasswordChanges
    notices: Notices

    def by_mail(self, opened: OpenLink, origin: Origin) -> None:
        """Ends every session, the reader's too, and sends a link for a new password. Raises `LinkInvalid`."""
        with self.core.db.write() as tx:
            account = locked_account(tx, opened.account.id)
            if account is None:
                raise LinkInvalid()
            self.links.use(tx, opened.link)
            self._end_others(tx, account, None)
            if is_still_theirs(account, opened.link) and account.locked_at is None:
                # outside the daily limit of reset links: attackers cannot trigger it without the "Not you?" link
                self.password_changes.owe_link(tx, account, opened.link.email)
            self.notices.tell(tx, account, "sessions-ended", origin)

    def logged_in(self, user: User, origin: Origin) -> SessionToken:
        """Ends every other session; this one gets a new token, so that a stolen copy of the old one is void.

        Raises `LoginExpired` when this session was ended meanwhile.
        """
        with self.core.db.write() as tx:
            self._end_others(tx, user.account, user.session.id)
            opened = self.sessions.rotate(tx, user.session)
            self.notices.tell(tx, user.account, "others-logged-out-and-forgotten", origin)
        return opened

    def done(self, token: str) -> Done:
        """What this link did when it was used. Raises `LinkInvalid` when it was not used, or was purged."""
        opened, reset = self.links.find_used("not-you", token, "reset")
        link = opened.link
        return Done(opened.account, link.used_at or 0, link.email, reset is not None, self._until(reset))

    def _until(self, reset: Link | None) -> int | None:
        if reset is None or reset.used_at is not None or reset.expires_at <= self.core.clock.now():
            return None
        return reset.expires_at

    def _end_others(self, tx: Transaction, account: Account, but: int | None) -> None:
        """Ends what another person may have begun: sessions but `but`, pending logins, enrollments, reset links."""
        self.sessions.end_others(tx, account.id, but)
        tx.execute(delete(Draft).where(Draft.account_id == account.id))


def is_still_theirs(account: Account, link: Link) -> bool:
    """False when the account's e-mail address was changed since the notice was sent."""
    return account.email == link.email
