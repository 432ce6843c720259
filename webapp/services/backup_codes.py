"""The one backup code of an account: 80 random bits that replace a second factor once, and are then replaced.

A new code is shown to the session that generated it until its owner has saved it, and never to another session.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest

from sqlalchemy import select, update

from ..domain.codes import draw_base32, read_base32
from ..domain.refusals import WrongBackupCode
from ..models.accounts import Account
from ..models.database import Transaction, changed_one_row
from ..models.sessions import Session, new_backup_code_bound
from ..models.user import User
from .core import Core


@dataclass(frozen=True, slots=True)
class BackupCodes:
    core: Core

    def make(self, tx: Transaction, account_id: int) -> str:
        """Generates a code and returns the only copy; any earlier code stops working."""
        code = draw_base32(self.core.entropy)
        tx.execute(update(Account).where(Account.id == account_id).values(self._values(account_id, code)))
        return code

    def exchange(self, tx: Transaction, account_id: int, typed: str) -> str:
        """Consumes the code and returns its successor, in one conditional UPDATE.

        Raises `CodeMalformed` or `WrongBackupCode`.
        """
        code = read_base32(typed)
        successor = draw_base32(self.core.entropy)
        unused = Account.id == account_id, Account.backup_code_hash == _hash(account_id, code)
        if not changed_one_row(tx, update(Account).where(*unused).values(self._values(account_id, successor))):
            raise WrongBackupCode()
        return successor

    def keep(self, tx: Transaction, account_id: int, session_id: int, code: str, exchange: str = "") -> None:
        """Keeps a new code sealed for the session that generated it, until it is saved (`kept`).

        `exchange` is what the session got its token with (`exchange_of`), if it got one: it was last seen before the
        code was made, until that token is presented for the first time.
        """
        now, sealed = self.core.clock.now(), f"{code}:{exchange}"
        sealed = self.core.keyring.seal(sealed, new_backup_code_bound(account_id, session_id))
        values: dict[str, str | int] = {"sealed_backup_code": sealed, "backup_code_at": now}
        if exchange:  # so long ago that `Sessions.see` writes at once
            values["seen_at"] = now - self.core.policy.session_seen_every - self.core.policy.clock_ahead
        tx.execute(update(Session).where(Session.id == session_id).values(values))

    def kept(self, user: User) -> str | None:
        """The code that this session generated; None once it is saved, replaced or 30 minutes old."""
        session, account_id = user.session, user.account.id
        is_recent = self.core.is_within(session.backup_code_at or 0, self.core.policy.new_backup_code_seconds)
        if session.sealed_backup_code is None or not is_recent:
            return None
        code, _ = self._opened(session)
        return code if _hash(account_id, code) == user.account.backup_code_hash else None

    def unseen(self, tx: Transaction, account_id: int, exchange: str) -> Session | None:
        """The session that got its token with this exchange in the last ten minutes, its row locked, if that token was
        never presented. It may be over."""
        own = Session.account_id == account_id, Session.sealed_backup_code.is_not(None)
        recent = *own, self.core.within(Session.backup_code_at, self.core.policy.fresh)
        unseen = select(Session).where(*recent, Session.seen_at < Session.backup_code_at).with_for_update()
        found = tx.objects.scalars(unseen).all()
        return next((one for one in found if compare_digest(self._opened(one)[1], exchange)), None)

    def saved(self, user: User) -> None:
        """Deletes the kept code, when its owner pressed Got it."""
        if user.session.sealed_backup_code is not None:
            with self.core.db.write() as tx:
                kept = update(Session).where(Session.id == user.session.id)
                tx.execute(kept.values(sealed_backup_code=None, backup_code_at=None))

    def _opened(self, session: Session) -> tuple[str, str]:
        """The kept code, and the exchange that the session got its token with, if any."""
        assert session.sealed_backup_code is not None
        bound = new_backup_code_bound(session.account_id, session.id)
        code, _, exchange = self.core.keyring.open(session.sealed_backup_code, bound).partition(":")
        return code, exchange

    def _values(self, account_id: int, code: str) -> dict[str, str | int]:
        return {"backup_code_hash": _hash(account_id, code), "backup_code_made_at": self.core.clock.now()}


def exchange_of(account_id: int, typed: str, token_hash: str) -> str:
    """By what the use of a code is known again, with the hash of the token of the browser that sent it. Raises
    `CodeMalformed`."""
    return _hash(account_id, f"{read_base32(typed)} with {token_hash}")


def _hash(account_id: int, code: str) -> str:
    # 80 random bits need no slow hash (ASVS V6.5.2); with the account's id, equal codes have different hashes
    return sha256(f"backup code of {account_id}: {code}".encode()).hexdigest()
