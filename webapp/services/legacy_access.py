"""Log-ins of apps that can only send a username and a password: no page, no cookie, no second step.

An account without a second factor uses its usual password here. An account with one needs a temporary password; its
usual password must be refused exactly as a wrong one is. Nothing here may start a session for the site's pages.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from threading import Condition, Lock

from cachetools import TLRUCache, cached

from ..domain.origin import Origin
from ..domain.ports import Clock, Entropy
from ..domain.refusals import WrongLogin
from ..models.accounts import Account
from ..models.apps import TemporaryPassword
from ..models.database import Database, Transaction
from ..policy import Policy
from .app_sessions import AppSessions, Granted
from .named_accounts import named, owes_factor
from .notices import Notices
from .password_attempts import PasswordAttempts
from .passwords import Passwords
from .refused_accesses import RefusedAccesses
from .temporary_passwords import TemporaryPasswords


@dataclass(frozen=True, slots=True)
class Caller:
    """The account whose app asks, as the site behind the proxy is told."""

    username: str
    name: str
    email: str | None


@dataclass(frozen=True, slots=True)
class Proved:
    """An account whose password was right. The transaction that lets the app in must check that it still is."""

    account: Account
    temporary: TemporaryPassword | None
    typed_name: str


class CallerCache:
    """Callers whose credentials were right in the last seconds: apps send the same ones many times a second.

    Refusals are never kept. Credentials are kept as an HMAC under a random key of this process, so that a memory dump
    shows no password.
    """

    def __init__(self, clock: Clock, entropy: Entropy, seconds: int, size: int) -> None:
        self._clock = clock
        self._seconds = seconds
        self._hmac_key = entropy.bytes(32)
        self._cache = TLRUCache[bytes, tuple[Caller, int]](size, ttu=_expires_at, timer=clock.now)
        lock = Lock()  # with the condition, simultaneous look-ups of one key wait for the first
        self._find = cached(self._cache, key=self._key, lock=lock, condition=Condition(lock))(self._find_now)

    def get(self, credentials: str, find: Callable[[], tuple[Caller, int | None]]) -> Caller:
        """The cached caller, else what `find` returns: the caller and when the credentials expire (Unix seconds).

        `find` runs once for simultaneous requests with the same credentials. What it raises is raised here.
        """
        return self._find(credentials, find)[0]

    def _key(self, credentials: str, _find: object) -> bytes:
        return hmac.digest(self._hmac_key, credentials.encode(), "sha256")

    def _find_now(self, _credentials: str, find: Callable[[], tuple[Caller, int | None]]) -> tuple[Caller, int]:
        # counted from before the look-up, so that a revocation during it takes effect as soon as any other
        until = self._clock.now() + self._seconds
        caller, expires_at = find()
        return caller, until if expires_at is None else min(until, expires_at)


def _expires_at(_key: bytes, found: tuple[Caller, int], _now: float) -> int:
    return found[1]


class LegacyAccess:
    def __init__(
        self,
        *,
        db: Database,
        clock: Clock,
        entropy: Entropy,
        policy: Policy,
        password_attempts: PasswordAttempts,
        passwords: Passwords,
        temporary_passwords: TemporaryPasswords,
        app_sessions: AppSessions,
        refused_accesses: RefusedAccesses,
        notices: Notices,
    ) -> None:
        self._db = db
        self._password_attempts = password_attempts
        self._passwords = passwords
        self._temporary_passwords = temporary_passwords
        self._app_sessions = app_sessions
        self._refused_accesses = refused_accesses
        self._notices = notices
        self._cache = CallerCache(clock, entropy, policy.legacy_cache_seconds, policy.legacy_cache_size)

    def by_password(self, name: str, password: str, origin: Origin) -> Caller:
        """A temporary password may be used again within its hour. An unknown name is refused as a wrong password.

        A right answer is kept for a few seconds. Raises `WrongLogin`, `TooManyAttempts` or `Busy`.
        """

        def find() -> tuple[Caller, int | None]:
            proved = self._prove(name, password, origin)
            with self._db.write() as tx:
                self._accept(tx, proved, origin)
                if proved.temporary is not None:
                    self._temporary_passwords.use(tx, proved.temporary, origin)
            return _caller(proved.account), proved.temporary.expires_at if proved.temporary else None

        return self._cache.get(f"password\0{name}\0{password}", find)

    def by_token(self, token: str) -> Caller:
        """Raises `WrongLogin` for a token that is unknown or has ended."""

        def find() -> tuple[Caller, None]:
            account = self._app_sessions.find(token)
            if account is None:
                raise WrongLogin()
            return _caller(account), None

        return self._cache.get(f"token\0{token}", find)

    def exchange(self, name: str, password: str, origin: Origin) -> Granted:
        """A token for a password; a temporary password is consumed by it. Raises as `by_password` does."""
        proved = self._prove(name, password, origin)
        with self._db.write() as tx:
            self._accept(tx, proved, origin)
            if proved.temporary is not None:
                self._temporary_passwords.consume_single_use(tx, proved.temporary, origin)
            self._notices.record(tx, proved.account.id, "app-logged-in", origin)
            return self._app_sessions.open(tx, proved.account.id, origin)

    def _prove(self, name: str, password: str, origin: Origin) -> Proved:
        """Costs one password hash, and when refused one row, for every name: only a right temporary password is
        cheaper.
        """
        found, factors = named(self._db, name)
        # before the attempt limit: 80 random bits cannot be guessed, so wrong passwords of others must not block them
        temporary = self._temporary_passwords.find(found, password)
        if found is not None and temporary is not None:
            return Proved(found, temporary, name)
        account = self._password_attempts.count(found, name, None, origin)
        right = self._passwords.is_right(account, password)
        if right and account is not None and not factors:
            self._passwords.renew(account, password)
            return Proved(account, None, name)
        self._refused_accesses.note(account if right else None, origin)
        raise WrongLogin()

    def _accept(self, tx: Transaction, proved: Proved, origin: Origin) -> None:
        """Takes the counted attempt back. Raises `WrongLogin` when the account has enrolled a factor meanwhile."""
        if proved.temporary is not None:
            return
        if owes_factor(tx, proved.account):
            raise WrongLogin()
        self._password_attempts.take_back(tx, proved.account, proved.typed_name, origin)


def _caller(account: Account) -> Caller:
    return Caller(account.username, account.name, account.email)
