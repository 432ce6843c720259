"""The last step of every log-in: opens the session, clears the counted failures and records the event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...domain.origin import Origin
from ...models.accounts import Account
from ...models.database import Transaction
from ...models.user import SessionToken
from ..attempts import UNGUESSABLE, Attempts
from ..notices import Notices
from ..password_attempts import WRONG, KnownBrowser, address_bucket, total_bucket
from ..sessions import Sessions


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """A full log-in: the session, the path to go to, and tokens for the browser's cookies."""

    token: SessionToken
    account: Account
    next_path: str
    remembered: str | None = None
    """The token of a remembered browser."""
    with_password: bool = True


@dataclass(frozen=True, slots=True)
class SessionOpening:
    sessions: Sessions
    attempts: Attempts
    notices: Notices

    def open(
        self,
        tx: Transaction,
        account: Account,
        known: KnownBrowser | None,
        *,
        persistent: bool,
        next_path: str,
        origin: Origin,
        failures: Sequence[str] = (),
        passkey: str | None = None,
    ) -> LoggedIn:
        """Opens the session, and tells the owner by e-mail when the browser is not known for the account (ASVS V6.3.5).

        `failures` are the buckets of the second factor, if one was proved: they are emptied, and so are those of the
        account's wrong passwords, keys and backup codes. In the bucket that all accounts of an address share, only this
        account's attempts are deleted.

        `passkey` is the label of the passkey, for a log-in without a password.
        """
        token = self.sessions.open(tx, account.id, origin, persistent=persistent, second_factor=bool(failures))
        named, kinds = (total_bucket(account.id), *failures), (WRONG, UNGUESSABLE)
        self.attempts.clear(tx, *named, shared=address_bucket(origin), kinds=kinds, account_id=account.id)
        if passkey is None:
            self.notices.record(tx, account.id, "logged-in", origin)
        else:
            self.notices.record(tx, account.id, "logged-in-alone", origin, name=passkey)
        if known is None or not known.knows(account):
            self.notices.mail(tx, account, "logged-in-new-browser", origin)
        return LoggedIn(token, account, next_path, with_password=passkey is None)
