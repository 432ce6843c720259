"""What becomes of a refusal at the legacy door: a temporary password is texted to whoever's usual password was right.

That is the worker's, not the request's: the app gets the same answer after the same time, whatever follows.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, insert, select

from ..domain.origin import Origin
from ..domain.refusals import Refusal
from ..models.accounts import Account
from ..models.apps import RefusedAccess
from ..models.database import Transaction, changed_one_row
from ..models.factors import Factor
from .core import Core
from .temporary_passwords import TemporaryPasswords

AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class RefusedAccesses:
    core: Core
    temporary_passwords: TemporaryPasswords
    can_text: bool

    def note(self, whose: Account | None, origin: Origin) -> None:
        """A refusal; `whose` only when it was the usual password, and right. Writes the same row for all."""
        row = {
            "account_id": whose.id if whose is not None else None,
            "at": self.core.clock.now(),
            "address": origin.address,
            "device": origin.device,
        }
        with self.core.db.write() as tx:
            tx.execute(insert(RefusedAccess).values(row))

    def answer(self) -> None:
        """By the worker, before it looks what is owed: forgets every refusal, and texts where one was whose it said."""
        with self.core.db.read() as tx:
            refused_accesses = tx.objects.scalars(select(RefusedAccess).order_by(RefusedAccess.id).limit(AT_ONCE)).all()
        for refused_access in refused_accesses:
            with self.core.db.write() as tx:
                mine = changed_one_row(
                    tx, delete(RefusedAccess).where(RefusedAccess.id == refused_access.id)
                )  # or another worker's
                account = self._to_be_texted(tx, refused_access) if mine else None
            if account is not None:
                self._text(account, Origin(refused_access.address, refused_access.device))

    def _to_be_texted(self, tx: Transaction, refused_access: RefusedAccess) -> Account | None:
        """Somebody with a phone and a factor who still waits."""
        if not self.can_text or refused_access.at <= self.core.clock.now() - self.core.policy.refused_access_seconds:
            return None
        factor = select(Factor.id).where(Factor.account_id == Account.id, Factor.turned_off_at.is_(None))
        return tx.objects.scalar(
            select(Account).where(
                Account.id == refused_access.account_id, Account.phone_number.is_not(None), factor.exists()
            )
        )

    def _text(self, account: Account, origin: Origin) -> None:
        try:
            self.temporary_passwords.text(account, origin)
        except Refusal:
            return  # the caps count what did not go, and nobody is there to be told
