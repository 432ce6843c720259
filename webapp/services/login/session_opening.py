"""The last step of every log-in: opens the session, clears the counted failures and records the event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select, update

from ...domain.language import spoken
from ...domain.origin import Origin
from ...domain.refusals import LoginExpired
from ...models.accounts import Account
from ...models.database import Transaction, changed_one_row
from ...models.sessions import BACKUP_CODE_PROOF, PASSWORD_PROOF
from ...models.user import SessionToken
from ..attempts import UNGUESSABLE, Attempts
from ..factor_resets import stop_recovery
from ..notices import Notices
from ..password_attempts import WRONG, KnownBrowser, address_bucket, total_bucket
from ..sessions import Sessions

NO_METHODS = PASSWORD_PROOF, BACKUP_CODE_PROOF


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """A full log-in: the session, the path to go to, and tokens for the browser's cookies."""

    token: SessionToken
    account: Account
    next_path: str
    remembered: str | None = None
    """The token of a remembered browser."""
    with_password: bool = True
    came_back: bool = False
    """It undid the deletion of the account."""


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
        proofs: Sequence[str] = (PASSWORD_PROOF,),
        failures: Sequence[str] = (),
        passkey: str | None = None,
    ) -> LoggedIn:
        """Opens the session, and tells the owner by e-mail when the browser is not known for the account (ASVS V6.3.5).

        `proofs` are what was proved, as `Sessions.open` takes them.

        `failures` are the buckets of the second factor, if one was proved: they are emptied, and so are those of the
        account's wrong passwords, keys and backup codes. In the bucket that all accounts of an address share, only this
        account's attempts are deleted.

        `passkey` is the label of the passkey, for a log-in without a password.

        The method that was proved is asked for first at the next log-in.

        An account without a language gets that of the request. A deletion of the account is undone, and a second factor
        stops a recovery by an operator. Raises `LoginExpired` when the time to undo the deletion is over.
        """
        method = next((one for one in proofs if one not in NO_METHODS), account.login_method)
        changed: dict[str, str | None] = {} if account.language else {"language": spoken().code}
        changed |= {"login_method": method} if method != account.login_method else {}
        if changed:
            tx.execute(update(Account).where(Account.id == account.id).values(changed))
        if account.recovery_at is not None and any(proof != PASSWORD_PROOF for proof in proofs):
            stop_recovery(tx, self.notices, account, origin)
        came_back = account.delete_at is not None and self._come_back(tx, account, origin)
        token = self.sessions.open(tx, account.id, origin, persistent=persistent, proofs=proofs)
        named, kinds = (total_bucket(account.id), *failures), (WRONG, UNGUESSABLE)
        self.attempts.clear(tx, *named, shared=address_bucket(origin), kinds=kinds, account_id=account.id)
        if passkey is None:
            self.notices.record(tx, account.id, "logged-in", origin)
        else:
            self.notices.record(tx, account.id, "logged-in-alone", origin, name=passkey)
        if known is None or not known.knows(account):
            self.notices.mail(tx, account, "logged-in-new-browser", origin)
        return LoggedIn(token, account, next_path, with_password=passkey is None, came_back=came_back)

    def _come_back(self, tx: Transaction, account: Account, origin: Origin) -> bool:
        """Undoes the deletion of the account. False when another log-in did it meanwhile."""
        in_time = Account.id == account.id, Account.delete_at > self.sessions.core.clock.now()
        if changed_one_row(tx, update(Account).where(*in_time).values(delete_at=None)):
            self.notices.tell(tx, account, "deletion-undone", origin)
            return True
        if tx.scalar(select(Account.id).where(Account.id == account.id, Account.delete_at.is_(None))) is None:
            raise LoginExpired()
        return False
