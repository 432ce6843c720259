"""What the operator does to an account from the command line: it is told to its owner, and stands in the activity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select, update

from ..domain.names import key_of
from ..domain.origin import Origin
from ..domain.refusals import NotFound
from ..models.accounts import Account
from ..models.drafts import Draft
from ..models.factors import Factor
from .core import Core
from .notices import Notices
from .sessions import Sessions

OPERATOR = Origin("", "")


@dataclass(frozen=True, slots=True)
class Accounts:
    core: Core
    sessions: Sessions
    notices: Notices

    def all(self) -> Sequence[Account]:
        with self.core.db.read() as tx:
            return tx.objects.scalars(select(Account).order_by(Account.username_key)).all()

    def named(self, username: str) -> Account:
        """Raises `Missing`."""
        with self.core.db.read() as tx:
            account = tx.objects.scalars(select(Account).where(Account.username_key == key_of(username))).one_or_none()
        if account is None:
            raise NotFound()
        return account

    def factors(self, account: Account) -> Sequence[Factor]:
        """Those that are on."""
        with self.core.db.read() as tx:
            mine = Factor.account_id == account.id, Factor.turned_off_at.is_(None)
            return tx.objects.scalars(select(Factor).where(*mine).order_by(Factor.id)).all()

    def reset_second_factors(self, username: str, why: str) -> None:
        """Every factor and the backup code go, every session ends, and the owner reads why. Raises `Missing`."""
        account = self.named(username)
        with self.core.db.write() as tx:
            tx.execute(delete(Factor).where(Factor.account_id == account.id))
            tx.execute(delete(Draft).where(Draft.account_id == account.id))
            no_code = {"backup_code_hash": None, "backup_code_made_at": None}
            tx.execute(update(Account).where(Account.id == account.id).values(no_code))
            self.sessions.end_others(tx, account.id, None)
            self.notices.tell(tx, account, "factors-reset", OPERATOR, why=why)

    def log_out(self, username: str) -> None:
        """Everywhere. Raises `Missing`."""
        account = self.named(username)
        with self.core.db.write() as tx:
            self.sessions.end_others(tx, account.id, None)
            self.notices.tell(tx, account, "logged-out-by-operator", OPERATOR)

    def delete(self, username: str) -> None:
        """With all that belongs to it. Raises `Missing`."""
        account = self.named(username)
        with self.core.db.write() as tx:
            tx.execute(delete(Account).where(Account.id == account.id))

    def speak(self, account: Account, language: str) -> None:
        """The language of the letters to come."""
        with self.core.db.write() as tx:
            tx.execute(update(Account).where(Account.id == account.id).values(language=language))
