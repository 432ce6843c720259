"""How often passwords may be tried, and by whom.

Strangers wait after ten wrong ones; a browser in which the owner logged in before counts for itself, so that nobody
can lock the owner out (ASVS V6.3).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..domain.codes import hash_of
from ..domain.names import key_of
from ..domain.origin import Origin
from ..domain.refusals import WrongLogin
from ..models.accounts import Account
from ..models.database import Transaction
from ..policy import Policy
from .attempts import Attempts, Backoff, Bucket, SlidingWindows, WithRefusal


@dataclass(frozen=True, slots=True)
class KnownBrowser:
    """A browser in which these accounts logged in before, as its signed cookie says."""

    browser: str
    accounts: frozenset[int]


class PasswordAttempts:
    def __init__(self, attempts: Attempts, policy: Policy) -> None:
        self._attempts = attempts
        self._policy = policy

    def count(
        self, account: Account | None, typed_name: str, known: KnownBrowser | None, origin: Origin
    ) -> Account | None:
        """Commits one try; returns the account to go on with, or None as if nobody had the name.

        A browser that logged in before has a bucket of its own, so no stranger can lock the owner out.

        Strangers have one for the name they type, known or not, and one for the account. When only the latter is
        spent, the name goes on as if nobody had it: a wait would tell that this address is that user's.
        """
        policy = self._policy
        rule = Backoff(policy.password_attempts, policy.password_first_wait, policy.password_longest_wait)
        account_id = account.id if account is not None else None
        address = Bucket(_address_bucket(origin), SlidingWindows((policy.password_attempts_address,)), account_id)
        if account is not None and known is not None and account.id in known.accounts:
            self._attempts.count(Bucket(_password_bucket(account.id, known.browser), rule))
            return account
        named = Bucket(_name_bucket(key_of(typed_name)), rule)
        if account is None:
            self._attempts.count(named, address)
            return None
        try:
            self._attempts.count(
                named, address, Bucket(_password_bucket(account.id), WithRefusal(rule, lambda _wait: WrongLogin()))
            )
        except WrongLogin:
            self._attempts.count(named, address)
            return None
        return account

    def take_back(self, tx: Transaction, account: Account, typed_name: str, origin: Origin) -> None:
        """The one just spent, because it was right. For a door that is no full log-in, so the others still count."""
        names = _password_bucket(account.id), _name_bucket(key_of(typed_name))
        self._attempts.take_back(tx, *names, shared=_address_bucket(origin), account_id=account.id)

    def clear(self, tx: Transaction, account: Account, known: KnownBrowser | None, origin: Origin, *more: str) -> None:
        """After a full log-in: this account's own counts, and `more` that belong to it."""
        names = [*unknown_browser_buckets(account), *more]
        if known is not None:
            names.append(_password_bucket(account.id, known.browser))
        self._attempts.clear(tx, *names, shared=_address_bucket(origin), account_id=account.id)


def _password_bucket(whose: int | str, browser: str = "a stranger") -> str:
    return f"password:{whose}:{browser}"


def _name_bucket(key: str) -> str:
    return _password_bucket(f"?{hash_of(key)}")


def unknown_browser_buckets(account: Account) -> list[str]:
    """What counts the wrong passwords of browsers that never logged in to this account."""
    names = [_name_bucket(key_of(name)) for name in (account.username, account.email) if name]
    return [_password_bucket(account.id), *names]


def _address_bucket(origin: Origin) -> str:
    return f"password-from:{origin.rate_limit_key}"
