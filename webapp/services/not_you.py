""" "Not you?": throws everybody else out at once, ends what is half done, and leads to a new password.

Whoever comes from a notice has proved that the mailbox is theirs; whoever is logged in keeps their own log-in, and
proves who they are at the new password itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete

from ..domain.names import key_of
from ..domain.origin import Origin
from ..models.accounts import Account
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
    """What a used link did, and when. `until` is how long the link for a new password can still be used.

    `mailed` is false where the address was no longer the account's, so that no such link went there.
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
        """Everybody is out, the reader included, and a link for a new password is owed. Raises `LinkDead`."""
        account = opened.account
        with self.core.db.write() as tx:
            self.links.use(tx, opened.link)
            self._lock(tx, account, None)
            if is_still_theirs(opened):
                # past the daily limit of links: each "Not you?" sends one, and strangers cannot get at those
                self.password_changes.owe_link(tx, account, opened.link.email)
            self.notices.tell(tx, account, "sessions-ended", origin)

    def logged_in(self, user: User, origin: Origin) -> SessionToken:
        """Everybody else is out; this log-in gets a new token, lest somebody has copied its old one.

        Raises `LogInOver` when it was ended meanwhile.
        """
        with self.core.db.write() as tx:
            self._lock(tx, user.account, user.session.id)
            opened = self.sessions.rotate(tx, user.session)
            self.notices.tell(tx, user.account, "others-logged-out-and-forgotten", origin)
        return opened

    def done(self, token: str) -> Done:
        """What this link did when it was used. Raises `LinkDead` when it never was, or that is forgotten."""
        opened, reset = self.links.find_used("not-you", token, "reset")
        link = opened.link
        return Done(opened.account, link.used_at or 0, link.email, reset is not None, self._until(reset))

    def _until(self, reset: Link | None) -> int | None:
        if reset is None or reset.used_at is not None or reset.expires_at <= self.core.clock.now():
            return None
        return reset.expires_at

    def _lock(self, tx: Transaction, account: Account, but: int | None) -> None:
        """Nothing that somebody else began goes on: log-ins, prompts for a second factor, setups, links."""
        self.sessions.end_others(tx, account.id, but)
        tx.execute(delete(Draft).where(Draft.account_id == account.id))


def is_still_theirs(opened: OpenLink) -> bool:
    """False when the account has another address since the notice was sent."""
    return key_of(opened.account.email or "") == key_of(opened.link.email)
