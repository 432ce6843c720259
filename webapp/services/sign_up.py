"""Creating an account: a name, a public username and a password. The e-mail address is added afterwards, or not."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ..domain.account_refusals import SignUpClosed, TooManySignUps, UsernameTaken
from ..domain.labels import tidy_name
from ..domain.language import spoken
from ..domain.names import key_of
from ..domain.origin import Origin
from ..domain.phone_numbers import PhoneNumber
from ..domain.refusals import Refusal
from ..models.accounts import Account
from ..models.sessions import PASSWORD_PROOF
from .attempt_rules import SlidingWindows
from .attempts import Attempts, Bucket
from .core import Core
from .login.session_opening import LoggedIn
from .notices import Notices
from .passwords import Passwords
from .phone_numbers import PhoneNumbers
from .sessions import Sessions
from .usernames import Usernames


@dataclass(frozen=True, slots=True)
class SignUp:
    core: Core
    attempts: Attempts
    passwords: Passwords
    sessions: Sessions
    notices: Notices
    usernames: Usernames
    numbers: PhoneNumbers
    is_open: bool

    def create(self, name: str, username: str, password: str, origin: Origin) -> LoggedIn:
        """Creates the account and logs it in.

        Raises `SignUpClosed`, `NameMalformed`, `UsernameMalformed`, `UsernameReserved`, `UsernameTaken`,
        `TooManySignUps` and what `Passwords.seal` raises.
        """
        if not self.is_open:
            raise SignUpClosed()
        name, username = self.tidy(name, username)
        with self.core.db.read() as tx:
            self.usernames.demand_free(tx, username)
        of_network = self._of_network(origin)
        wait = self.attempts.wait(of_network)  # before a hash is computed; counted when the account is made
        if wait:
            raise TooManySignUps(wait)
        sealed = self.passwords.seal(password, name, username)
        account = self._account(name, username, sealed)
        with self.core.db.write() as tx:
            self.attempts.count_within(tx, of_network)
            self.usernames.lock(tx, username)
            if self.usernames.is_taken(tx, username) or self.usernames.was_deleted(tx, username):
                raise UsernameTaken()
            tx.objects.add(account)
            tx.objects.flush()
            opened = self.sessions.open(tx, account.id, origin, persistent=False, proofs=[PASSWORD_PROOF])
            self.notices.record(tx, account.id, "signed-up", origin)
        return LoggedIn(opened, account, "/sign-up/email")

    def problems(self, name: str, username: str, password: str) -> list[Refusal]:
        """What is wrong with the fields that are not empty, so that all is said at once. Hashes and writes nothing."""
        with self.core.db.read() as tx:
            checks: list[tuple[str, Callable[[], object]]] = [
                (name, lambda: tidy_name(name, self.core.policy.name_maximum)),
                (username, lambda: self.usernames.demand_free(tx, self.usernames.tidy(username))),
                (password, lambda: self.passwords.demand_good(password, name, username)),
            ]
            return refusals_of(check for typed, check in checks if typed)

    def _of_network(self, origin: Origin) -> Bucket:
        rule = SlidingWindows(self.core.policy.sign_ups, TooManySignUps)
        return Bucket(f"sign-up-from:{origin.network}", rule)

    def tidy(self, name: str, username: str) -> tuple[str, str]:
        """Name and username as they are stored. Raises `NameMalformed` or `UsernameMalformed`."""
        return tidy_name(name, self.core.policy.name_maximum), self.usernames.tidy(username)

    def create_by_operator(
        self,
        name: str,
        username: str,
        password: str,
        email: str | None,
        *,
        confirmed: bool,
        number: PhoneNumber | None = None,
    ) -> Account:
        """Creates an account without a session. Reserved names and those of deleted accounts are accepted here.

        Raises `NameMalformed`, `UsernameMalformed`, `UsernameTaken`, `NumberTaken`, what `Passwords.seal` raises, and
        `IntegrityError` when the address is another account's.
        """
        name, username = self.tidy(name, username)
        account = self._account(name, username, self.passwords.seal(password, name, username, email))
        account.made_by_operator, account.language = True, ""  # that of the command is not its owner's
        if confirmed and email is not None:
            account.email, account.email_key = email, key_of(email)
        else:
            account.unconfirmed_email, account.claimed_at = email, account.created_at if email is not None else None
        with self.core.db.write() as tx:
            self.usernames.lock(tx, username)
            if self.usernames.is_taken(tx, username):
                raise UsernameTaken()
            tx.objects.add(account)
            if number is not None:
                tx.objects.flush()
                self.numbers.keep(tx, account, number)
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


def refusals_of(checks: Iterable[Callable[[], object]]) -> list[Refusal]:
    """What the checks refuse, in their order."""
    refusals: list[Refusal] = []
    for check in checks:
        try:
            check()
        except Refusal as refusal:
            refusals.append(refusal)
    return refusals
