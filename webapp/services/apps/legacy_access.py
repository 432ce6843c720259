"""Log-ins of apps that can only send a username and a password: no page, no cookie, no second factor.

An account without a second factor uses its usual password here. An account with one needs a temporary password; its
usual password must be refused exactly as a wrong one is. So must everything of an account without a confirmed e-mail
address, because anyone can sign up under any name, of one that its owner deleted, and of a locked one. Nothing here may
start a session for the site's pages.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Condition, Lock
from typing import TypeGuard

from cachetools import TLRUCache, cached

from ...domain.codes import hash_of
from ...domain.origin import Origin
from ...domain.refusals import WrongLogin
from ...metrics import LOGINS, Attempt
from ...models.accounts import Account
from ...models.apps import TemporaryPassword
from ...models.database import Transaction
from ..account_lookup import find_by_name, needs_second_factor
from ..core import Core
from ..notices import Notices
from ..password_attempts import Counted, PasswordAttempts
from ..passwords import Passwords
from .app_sessions import AppSessions, Granted
from .known_networks import KnownNetworks
from .refused_accesses import RefusedAccesses
from .temporary_passwords import TemporaryPasswords


@dataclass(frozen=True, slots=True)
class Caller:
    """The account of the app, as `/legacy/verify` reports it to the proxy."""

    username: str
    name: str
    email: str | None
    password_hash: str | None = None
    """The SHA-256 of `Account.password_hash`, if the usual password was right; None for a temporary one or a token."""


@dataclass(frozen=True, slots=True)
class Proved:
    """An account whose password was right. The transaction that accepts the app must check that it still is."""

    account: Account
    temporary: TemporaryPassword | None
    counted: Counted | None = None
    """The attempt to take back; None for a temporary password."""


class CallerCache:
    """Callers whose credentials were right in the last seconds: apps send the same ones many times a second.

    Refusals must not be cached. Credentials are cached as an HMAC under a random key of this process, so that a memory
    dump shows no password.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self._hmac_key = core.entropy.bytes(32)
        self._cache = TLRUCache[bytes, tuple[Caller, int]](
            core.policy.legacy_cache_size, ttu=_expires_at, timer=core.clock.now
        )
        self._lock = lock = Lock()  # with the condition, simultaneous look-ups of one key wait for the first
        self._find = cached(self._cache, key=self._key, lock=lock, condition=Condition(lock))(self._find_now)

    def get(self, credentials: str, find: Callable[[], tuple[Caller, int | None]]) -> Caller:
        """The cached caller, else what `find` returns: the caller and when the credentials expire (Unix seconds).

        `find` runs once for simultaneous requests with the same credentials. What it raises is raised here.
        """
        caller, until = self._find(credentials, find)
        if until > self._core.clock.now() + self._core.policy.legacy_cache_seconds:  # the clock was set back
            with self._lock:
                self._cache.clear()
            caller, _ = self._find(credentials, find)
        return caller

    def _key(self, credentials: str, _find: object) -> bytes:
        return hmac.digest(self._hmac_key, credentials.encode(), "sha256")

    def _find_now(self, _credentials: str, find: Callable[[], tuple[Caller, int | None]]) -> tuple[Caller, int]:
        # counted from before the look-up, so that a revocation during it takes effect as soon as any other
        until = self._core.clock.now() + self._core.policy.legacy_cache_seconds
        caller, expires_at = find()
        return caller, until if expires_at is None else min(until, expires_at)


def _expires_at(_key: bytes, found: tuple[Caller, int], _now: float) -> int:
    return found[1]


@dataclass(frozen=True, slots=True)
class LegacyAccess:
    core: Core
    password_attempts: PasswordAttempts
    known_networks: KnownNetworks
    passwords: Passwords
    temporary_passwords: TemporaryPasswords
    app_sessions: AppSessions
    refused_accesses: RefusedAccesses
    notices: Notices
    cache: CallerCache

    def by_password(self, name: str, password: str, origin: Origin) -> Caller:
        """A temporary password may be used again within its hour. An unknown name is refused as a wrong password.

        A right password is cached for a few seconds. Raises `WrongLogin`, `TooManyAttempts` or `Busy`.
        """

        def find() -> tuple[Caller, int | None]:
            proved = self._counted(name, password, origin)
            with self.core.db.write() as tx:
                self._accept(tx, proved, origin)
                if proved.temporary is not None:
                    self.temporary_passwords.use(tx, proved.temporary, origin)
            if proved.temporary is not None:
                return _caller(proved.account), proved.temporary.expires_at
            return replace(_caller(proved.account), password_hash=hash_of(proved.account.password_hash)), None

        return self.cache.get(f"password\0{name}\0{password}", find)

    def by_password_now(self, name: str, password: str, origin: Origin) -> Account:
        """The same, but what is cached is refused as soon as it is right no more. Costs two statements at most."""
        caller = self.by_password(name, password, origin)
        account, factors = find_by_name(self.core.db, name)
        if not _may_enter(account):
            raise WrongLogin()
        if caller.password_hash is None:
            is_right = self.temporary_passwords.find(account, password) is not None
        else:
            is_right = not factors and caller.password_hash == hash_of(account.password_hash)
        if not is_right:
            raise WrongLogin()
        return account

    def by_token(self, token: str) -> Caller:
        """Raises `WrongLogin` for a token that is unknown or has ended."""
        return self.cache.get(f"token\0{token}", lambda: (_caller(self.by_token_now(token)), None))

    def by_token_now(self, token: str) -> Account:
        """The same without the cache, so that a token is refused as soon as it has ended."""
        account = self.app_sessions.find(token)
        if not _may_enter(account):
            raise WrongLogin()
        return account

    def exchange(self, name: str, password: str, origin: Origin) -> Granted:
        """A token for a password; a temporary password is consumed by it. Raises as `by_password` does."""
        proved = self._counted(name, password, origin)
        with self.core.db.write() as tx:
            self._accept(tx, proved, origin)
            if proved.temporary is not None:
                self.temporary_passwords.consume(tx, proved.temporary, origin)
            self.notices.record(tx, proved.account.id, "app-logged-in", origin)
            return self.app_sessions.open(tx, proved.account.id, origin)

    def _counted(self, name: str, password: str, origin: Origin) -> Proved:
        with Attempt(LOGINS, "legacy-access"):
            return self._prove(name, password, origin)

    def _prove(self, name: str, password: str, origin: Origin) -> Proved:
        """Takes one password hash for every name and, when refused, one insert; a right temporary password takes less.

        Raises `WrongLogin`, `TooManyAttempts` or `Busy`.
        """
        found, factors = find_by_name(self.core.db, name)
        # before the attempt limit: 80 random bits cannot be guessed, so wrong passwords of others must not block them
        temporary = self.temporary_passwords.find(found, password)
        if _may_enter(found) and temporary is not None:
            return Proved(found, temporary)
        known = self.known_networks.find(found, origin)
        counted = self.password_attempts.count(found, name, known, origin)
        account = counted.account
        right = self.passwords.is_right(account, password)
        if right and _may_enter(account) and not factors:
            self.passwords.renew(account, password)
            return Proved(account, None, counted)
        with self.core.db.write() as tx:
            self.refused_accesses.note(tx, account if right else None, origin)
            self.password_attempts.take_back(tx, counted, right=right)  # an app that repeats it guesses nothing
        raise WrongLogin()

    def _accept(self, tx: Transaction, proved: Proved, origin: Origin) -> None:
        """Takes the counted attempt back, and makes the app's network known.

        Raises `WrongLogin` when the account has enrolled a factor meanwhile.
        """
        if proved.counted is not None:
            if needs_second_factor(tx, proved.account):
                raise WrongLogin()
            self.password_attempts.take_back(tx, proved.counted)
        self.known_networks.note(tx, proved.account.id, origin)


def _may_enter(account: Account | None) -> TypeGuard[Account]:
    """False for no account, one without a confirmed address, one that its owner deleted, and a locked one."""
    closed = account is None or account.delete_at is not None or account.locked_at is not None
    return account is not None and account.email is not None and not closed


def _caller(account: Account) -> Caller:
    return Caller(account.username, account.name, account.email)
