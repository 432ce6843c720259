"""Creating an account: a name, a public username and a password. The e-mail address is added afterwards, or not."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from ..domain.labels import tidy_name
from ..domain.language import spoken
from ..domain.names import key_of, without_marks
from ..domain.origin import Origin
from ..domain.refusals import UsernameMalformed, UsernameTaken
from ..models.accounts import Account
from .core import Core
from .notices import Notices
from .passwords import Passwords
from .session_opening import LoggedIn
from .sessions import Sessions

USERNAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class SignUp:
    core: Core
    passwords: Passwords
    sessions: Sessions
    notices: Notices

    def create(self, name: str, username: str, password: str, origin: Origin) -> LoggedIn:
        """Creates the account and logs it in.

        Raises `NameMalformed`, `UsernameMalformed`, `UsernameTaken` and what `Passwords.seal` raises.
        """
        name, username = self.check(name, username)
        sealed = self.passwords.seal(password, name, username)
        account = self._account(name, username, sealed)
        try:
            with self.core.db.write() as tx:
                tx.objects.add(account)
                tx.objects.flush()
                opened = self.sessions.open(tx, account.id, origin, persistent=False, second_factor=False)
                self.notices.record(tx, account.id, "signed-up", origin)
        except IntegrityError:
            raise UsernameTaken() from None
        return LoggedIn(opened, account, "/sign-up/email")

    def check(self, name: str, username: str) -> tuple[str, str]:
        """Name and username as they are stored. Raises `NameMalformed`, `UsernameMalformed` or `UsernameTaken`."""
        name = tidy_name(name, self.core.policy.name_maximum)
        username = without_marks(unicodedata.normalize("NFKC", username)).strip().removeprefix("@")
        if not USERNAME.fullmatch(username) or not 2 <= len(username) <= self.core.policy.username_maximum:
            raise UsernameMalformed()
        with self.core.db.read() as tx:
            taken = tx.execute(select(Account.id).where(Account.username_key == key_of(username))).first()
        if taken is not None:
            raise UsernameTaken()
        return name, username

    def create_by_operator(
        self, name: str, username: str, password: str, email: str | None, *, confirmed: bool
    ) -> Account:
        """Creates an account without a session.

        Raises as `create` does, and `IntegrityError` when the address is another account's.
        """
        name, username = self.check(name, username)
        account = self._account(name, username, self.passwords.seal(password, name, username, email))
        if confirmed and email is not None:
            account.email, account.email_key = email, key_of(email)
        else:
            account.unconfirmed_email = email
        with self.core.db.write() as tx:
            tx.objects.add(account)
        return account

    def _account(self, name: str, username: str, sealed: str) -> Account:
        return Account(
            created_at=self.core.clock.now(),
            name=name,
            username=username,
            username_key=key_of(username),
            password_hash=sealed,
            language=spoken().code,
        )
