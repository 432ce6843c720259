"""Refusals at legacy access: if the usual password was right, the owner is texted a temporary password.

The worker does this. A request must not, so that an app gets the same answer after the same time in every case.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, insert, select

from ...domain.origin import Origin
from ...domain.refusals import Refusal
from ...models.accounts import Account
from ...models.apps import RefusedAccess
from ...models.database import Transaction, changed_one_row
from ...models.factors import Factor
from ..core import Core
from ..due import do_each
from .temporary_passwords import TemporaryPasswords

AT_ONCE = 100  # refusals in one round of the worker


@dataclass(frozen=True, slots=True)
class RefusedAccesses:
    core: Core
    temporary_passwords: TemporaryPasswords
    can_text: bool

    def note(self, tx: Transaction, account: Account | None, origin: Origin) -> None:
        """Stores a refusal, in the same way for all. `account` is given only when its usual password was right."""
        row = {
            "account_id": account.id if account is not None else None,
            "at": self.core.clock.now(),
            "address": origin.address,
            "device": origin.device,
        }
        tx.execute(insert(RefusedAccess).values(row))

    def process(self) -> None:
        """Deletes every refusal, and texts a temporary password where one has an account. Called by the worker."""
        with self.core.db.read() as tx:
            refused_accesses = tx.objects.scalars(select(RefusedAccess).order_by(RefusedAccess.id).limit(AT_ONCE)).all()
        do_each(refused_accesses, self._process, lambda refused_access: str(refused_access.id))

    def _process(self, refused_access: RefusedAccess) -> None:
        with self.core.db.write() as tx:
            # another worker may have taken it
            taken = changed_one_row(tx, delete(RefusedAccess).where(RefusedAccess.id == refused_access.id))
            account = self._to_be_texted(tx, refused_access) if taken else None
        if account is not None:
            self._text(account, Origin(refused_access.address, refused_access.device))

    def _to_be_texted(self, tx: Transaction, refused_access: RefusedAccess) -> Account | None:
        """The account, if it has a phone number and a factor, and the refusal is recent."""
        if not self.can_text or refused_access.at <= self.core.clock.now() - self.core.policy.refused_access_seconds:
            return None
        factor = select(Factor.id).where(Factor.account_id == Account.id, Factor.turned_off_at.is_(None))
        return tx.objects.scalar(
            select(Account).where(
                Account.id == refused_access.account_id,
                Account.phone_number.is_not(None),
                Account.delete_at.is_(None),
                Account.locked_at.is_(None),
                factor.exists(),
            )
        )

    def _text(self, account: Account, origin: Origin) -> None:
        try:
            self.temporary_passwords.text(account, origin)
        except Refusal:
            return  # refused texts are counted in the operator's report, and there is no page to show the refusal
