"""The one door for apps that can only send a username and a password: no page, no cookie, no second step.

An account without a second factor uses its usual password here. One with a factor cannot: it needs a temporary
password, and whoever sends the usual one is refused exactly as with a wrong one. Opens nothing else of the account.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..domain.origin import Origin
from ..domain.refusals import WrongLogin
from ..models.accounts import Account
from ..models.apps import TemporaryPassword
from ..models.database import Transaction
from .account_lookup import find_by_name, owes_second_factor
from .app_sessions import AppSessions, Granted
from .core import Core
from .notices import Notices
from .password_attempts import PasswordAttempts
from .passwords import Passwords
from .refused_accesses import RefusedAccesses
from .short_memory import ShortMemory
from .temporary_passwords import TemporaryPasswords


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose app it is, as the site behind the door is told."""

    username: str
    name: str
    email: str | None


@dataclass(frozen=True, slots=True)
class Proved:
    """Right so far; whoever goes on says so in the transaction that lets it in."""

    account: Account
    temporary: TemporaryPassword | None
    typed_name: str


@dataclass(frozen=True, slots=True)
class LegacyAccess:
    core: Core
    password_attempts: PasswordAttempts
    passwords: Passwords
    temporary_passwords: TemporaryPasswords
    app_sessions: AppSessions
    refused_accesses: RefusedAccesses
    notices: Notices
    memory: ShortMemory[Caller]

    def by_password(self, name: str, password: str, origin: Origin) -> Caller:
        """A temporary password may be used again within its hour. The same for unknown names.

        An answer holds for a few seconds without another look: apps send the same password many times a second.
        Raises `WrongLogIn`, `TooManyTries` or `Busy`.
        """

        def look() -> tuple[Caller, int | None]:
            proved = self._prove(name, password, origin)
            with self.core.db.write() as tx:
                self._accept(tx, proved, origin)
                if proved.temporary is not None:
                    self.temporary_passwords.use(tx, proved.temporary, origin)
            return _caller(proved.account), proved.temporary.expires_at if proved.temporary else None

        return self.memory.ask(f"password\0{name}\0{password}", look)

    def by_token(self, token: str) -> Caller:
        """Raises `WrongLogIn` for one that is unknown or has ended."""

        def look() -> tuple[Caller, None]:
            account = self.app_sessions.find(token)
            if account is None:
                raise WrongLogin()
            return _caller(account), None

        return self.memory.ask(f"token\0{token}", look)

    def exchange(self, name: str, password: str, origin: Origin) -> Granted:
        """A token for a password, which is used up when it is a temporary one. Raises as `by_password` does."""
        proved = self._prove(name, password, origin)
        with self.core.db.write() as tx:
            self._accept(tx, proved, origin)
            if proved.temporary is not None:
                self.temporary_passwords.consume_single_use(tx, proved.temporary, origin)
            self.notices.record(tx, proved.account.id, "app-logged-in", origin)
            return self.app_sessions.open(tx, proved.account.id, origin)

    def _prove(self, name: str, password: str, origin: Origin) -> Proved:
        """Everything but a right temporary password costs a hash, and a refusal one row, whoever it is about."""
        found, factors = find_by_name(self.core.db, name)
        # 80 bits are not guessed, so no stranger's wrong passwords keep an app out that has them
        temporary = self.temporary_passwords.find(found, password)
        if found is not None and temporary is not None:
            return Proved(found, temporary, name)
        account = self.password_attempts.count(found, name, None, origin)
        right = self.passwords.is_right(account, password)
        if right and account is not None and not factors:
            self.passwords.renew(account, password)
            return Proved(account, None, name)
        self.refused_accesses.note(account if right else None, origin)
        raise WrongLogin()

    def _accept(self, tx: Transaction, proved: Proved, origin: Origin) -> None:
        """The try was not in vain. Raises `WrongLogIn` when the usual password no longer does."""
        if proved.temporary is not None:
            return
        if owes_second_factor(tx, proved.account):
            raise WrongLogin()
        self.password_attempts.take_back(tx, proved.account, proved.typed_name, origin)


def _caller(account: Account) -> Caller:
    return Caller(account.username, account.name, account.email)
