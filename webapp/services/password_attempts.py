"""How often passwords may be attempted, and by whom.

Unknown browsers wait after ten wrong ones; a browser in which the owner logged in before counts for itself, so that
others cannot lock the owner out (ASVS V6.3).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..domain.codes import hash_of
from ..domain.names import key_of
from ..domain.origin import Origin
from ..domain.refusals import WrongLogin
from ..models.accounts import Account
from ..models.database import Transaction
from .attempts import Attempts, Backoff, Bucket, SlidingWindows, WithRefusal
from .core import Core


@dataclass(frozen=True, slots=True)
class KnownBrowser:
    """A browser in which these accounts logged in before, as its signed cookie says."""

    browser: str
    accounts: frozenset[int]


@dataclass(frozen=True, slots=True)
class PasswordAttempts:
    core: Core
    attempts: Attempts

    def count(
        self, account: Account | None, typed_name: str, known: KnownBrowser | None, origin: Origin
    ) -> Account | None:
        """Commits one attempt; returns the account to go on with, or None as if no account had the name.

        A browser that logged in before has a bucket of its own, so that others cannot lock the owner out. Unknown
        browsers have one for the name they enter, known or not, and one for the account. When only the latter is
        used up, the name goes on as if no account had it: a wait would tell that this address is that user's.
        Raises `TooManyAttempts`.
        """
        policy = self.core.policy
        rule = Backoff(policy.password_attempts, policy.password_first_wait, policy.password_longest_wait)
        if account is not None and known is not None and account.id in known.accounts:
            buckets = [Bucket(_bucket(account.id, known.browser), rule)]
        else:
            account_id = account.id if account is not None else None
            by_address = SlidingWindows((policy.password_attempts_address,))
            buckets = [
                Bucket(_name_bucket(key_of(typed_name)), rule),
                Bucket(address_bucket(origin), by_address, account_id),
            ]
            if account is not None:
                told_as_wrong = WithRefusal(rule, lambda _wait: WrongLogin())
                buckets.append(Bucket(_bucket(account.id), told_as_wrong))
        try:
            with self.core.db.write(durable=False) as tx:
                self.attempts.count_within(tx, *buckets)
        except WrongLogin:
            with self.core.db.write(durable=False) as tx:
                self.attempts.count_within(tx, *buckets[:-1])
            return None
        return account

    def take_back(self, tx: Transaction, account: Account, typed_name: str, origin: Origin) -> None:
        """The one just counted, because it was right. Legacy access is no full login, so earlier ones still count."""
        names = _bucket(account.id), _name_bucket(key_of(typed_name))
        self.attempts.take_back(tx, *names, shared=address_bucket(origin), account_id=account.id)


def buckets_of(account: Account, known: KnownBrowser | None = None) -> list[str]:
    """What counts the wrong passwords for an account: by unknown browsers, and by the known one at hand."""
    names = [_name_bucket(key_of(name)) for name in (account.username, account.email) if name]
    known_one = [_bucket(account.id, known.browser)] if known is not None else []
    return [_bucket(account.id), *names, *known_one]


def address_bucket(origin: Origin) -> str:
    """Shared by all accounts that are tried from one address."""
    return f"password-from:{origin.rate_limit_key}"


def _bucket(whose: int | str, browser: str = "a stranger") -> str:
    return f"password:{whose}:{browser}"


def _name_bucket(key: str) -> str:
    return _bucket(f"?{hash_of(key)}")
