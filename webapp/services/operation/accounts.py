"""What the operator does to an account from the command line, and the language and theme that its owner chose.

Its owner is notified of resets and log-outs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Select, literal, select, update

from ...domain.names import key_of
from ...domain.origin import NO_BROWSER
from ...domain.refusals import NotFound
from ...models import batches
from ...models.accounts import LOCKED, Account
from ...models.database import Transaction
from ...models.factors import Factor
from ...models.names import FormerUsername
from ..account_lookup import has_username
from ..core import Core
from ..factor_resets import reset_factors
from ..notices import Notices
from ..own_account import Deletions, Renames
from ..sessions import Sessions


@dataclass(frozen=True, slots=True)
class Accounts:
    core: Core
    sessions: Sessions
    notices: Notices
    deletions: Deletions
    renames: Renames

    def all(self) -> Iterator[Account]:
        """Every account by username, read part after part."""
        part = self._after("")
        while part:
            yield from part
            part = self._after(part[-1].username_key)

    def _after(self, key: str) -> Sequence[Account]:
        after = select(Account).where(Account.username_key > key)
        with self.core.db.read() as tx:
            return tx.objects.scalars(after.order_by(Account.username_key).limit(batches.ROWS)).all()

    def named(self, username: str) -> Account:
        """The account that has this username, or had it before. Raises `NotFound`."""
        with self.core.db.read() as tx:
            return self._find(tx, select(Account), username)

    def _find(self, tx: Transaction, accounts: Select[Account], username: str) -> Account:
        account = tx.objects.scalars(accounts.where(has_username(literal(key_of(username))))).one_or_none()
        if account is None:
            raise NotFound()
        return account

    def factors(self, account: Account) -> Sequence[Factor]:
        """The account's factors that are on, oldest first."""
        with self.core.db.read() as tx:
            on = Factor.account_id == account.id, Factor.turned_off_at.is_(None)
            return tx.objects.scalars(select(Factor).where(*on).order_by(Factor.id)).all()

    def former_usernames(self, account: Account) -> Sequence[str]:
        """The usernames that the account had before, oldest first."""
        with self.core.db.read() as tx:
            former = select(FormerUsername.username).where(FormerUsername.account_id == account.id)
            return tx.scalars(former.order_by(FormerUsername.id)).all()

    def rename(self, username: str, new: str) -> str:
        """Changes the username at once, and tells the owner. Raises `NotFound` and as `Renames.by_operator` does."""
        with self.core.db.write() as tx:
            return self.renames.by_operator(tx, self._find(tx, LOCKED, username), new, NO_BROWSER)

    def reset_second_factors(self, username: str, why: str) -> None:
        """Resets them at once, as `reset_factors` does. Raises `NotFound`."""
        with self.core.db.write() as tx:
            reset_factors(tx, self.sessions, self.notices, self._find(tx, LOCKED, username), why)

    def log_out(self, username: str) -> None:
        """Ends every session of the account. Raises `NotFound`."""
        with self.core.db.write() as tx:
            account = self._find(tx, LOCKED, username)
            self.sessions.end_others(tx, account.id, None)
            self.notices.tell(tx, account, "logged-out-by-operator", NO_BROWSER)

    def delete(self, username: str) -> None:
        """Deletes the account at once, as `Deletions.erase` does. Raises `NotFound` or `LastOperator`."""
        with self.core.db.write() as tx:
            self.deletions.erase(tx, self._find(tx, LOCKED, username), by_operator=True)

    def set_language(self, account: Account, language: str) -> None:
        """Sets the language in which messages to the account are written, by its BCP 47 tag."""
        with self.core.db.write() as tx:
            tx.execute(update(Account).where(Account.id == account.id).values(language=language))

    def set_theme(self, account: Account, theme: str) -> None:
        """Sets the theme of the pages that the account sees."""
        with self.core.db.write() as tx:
            tx.execute(update(Account).where(Account.id == account.id).values(theme=theme))
