"""Rate limits of passwords, apart for known and unknown browsers.

Unknown browsers must wait after ten wrong passwords; a browser in which the owner logged in before is counted apart, so
that others cannot lock the owner out (ASVS V6.3).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..domain.codes import hash_of
from ..domain.names import key_of, login_key
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
        """Counts and commits one attempt. Returns the account, or None if the name must be treated as unknown.

        A known browser has a bucket of its own, so that others cannot lock the owner out. Unknown browsers have one
        for the typed name, whether it exists or not, and one for the account. When only the latter is full, the name
        is treated as unknown: a wait would tell that this e-mail address belongs to that username.
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
                Bucket(_name_bucket(login_key(typed_name)), rule),
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
        """Takes back the counted attempt, because it was right. Earlier ones count until the next full log-in."""
        names = _bucket(account.id), _name_bucket(login_key(typed_name))
        self.attempts.take_back(tx, *names, shared=address_bucket(origin), account_id=account.id)


def buckets_of(account: Account, known: KnownBrowser | None = None) -> list[str]:
    """The names of the buckets for wrong passwords of an account: of unknown browsers, and of `known` if given."""
    names = [_name_bucket(key_of(name)) for name in (account.username, account.email) if name]
    of_known = [_bucket(account.id, known.browser)] if known is not None else []
    return [_bucket(account.id), *names, *of_known]


def address_bucket(origin: Origin) -> str:
    """The name of the bucket that all accounts share for attempts from one network address."""
    return f"password-from:{origin.rate_limit_key}"


def _bucket(owner: int | str, browser: str = "a stranger") -> str:
    return f"password:{owner}:{browser}"


def _name_bucket(key: str) -> str:
    return _bucket(f"?{hash_of(key)}")
