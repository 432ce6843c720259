"""How often passwords may be tried, and by whom.

Strangers wait after ten wrong ones; a browser in which the owner logged in before counts for itself, so that nobody
can lock the owner out (ASVS V6.3).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..domain.codes import hash_of
from ..domain.names import key_of
from ..domain.origin import Origin
from ..domain.refusals import WrongLogIn
from ..models.accounts import Account
from ..models.database import Transaction
from ..policy import Policy
from .tries import Bucket, Doubling, Retold, Tries, Windows


@dataclass(frozen=True, slots=True)
class KnownBrowser:
    """A browser in which these accounts logged in before, as its signed cookie says."""

    browser: str
    accounts: frozenset[int]


class PasswordTries:
    def __init__(self, tries: Tries, policy: Policy) -> None:
        self._tries = tries
        self._policy = policy

    def spend(
        self, account: Account | None, typed_name: str, known: KnownBrowser | None, origin: Origin
    ) -> Account | None:
        """Commits one try; returns the account to go on with, or None as if nobody had the name.

        A browser that logged in before has a bucket of its own, so no stranger can lock the owner out.

        Strangers have one for the name they type, known or not, and one for the account. When only the latter is
        spent, the name goes on as if nobody had it: a wait would tell that this address is that user's.
        """
        policy = self._policy
        rule = Doubling(policy.password_tries, policy.password_first_wait, policy.password_longest_wait)
        account_id = account.id if account is not None else None
        address = Bucket(_address_bucket(origin), Windows((policy.password_tries_address,)), account_id)
        if account is not None and known is not None and account.id in known.accounts:
            self._tries.spend(Bucket(_password_bucket(account.id, known.browser), rule))
            return account
        named = Bucket(_name_bucket(key_of(typed_name)), rule)
        if account is None:
            self._tries.spend(named, address)
            return None
        try:
            self._tries.spend(
                named, address, Bucket(_password_bucket(account.id), Retold(rule, lambda _wait: WrongLogIn()))
            )
        except WrongLogIn:
            self._tries.spend(named, address)
            return None
        return account

    def take_back(self, tx: Transaction, account: Account, typed_name: str, origin: Origin) -> None:
        """The one just spent, because it was right. For a door that is no full log-in, so the others still count."""
        names = _password_bucket(account.id), _name_bucket(key_of(typed_name))
        self._tries.take_back(tx, *names, shared=_address_bucket(origin), account_id=account.id)

    def clear(self, tx: Transaction, account: Account, known: KnownBrowser | None, origin: Origin, *more: str) -> None:
        """After a full log-in: this account's own counts, and `more` that belong to it."""
        names = [*stranger_buckets(account), *more]
        if known is not None:
            names.append(_password_bucket(account.id, known.browser))
        self._tries.clear(tx, *names, shared=_address_bucket(origin), account_id=account.id)


def _password_bucket(whose: int | str, browser: str = "a stranger") -> str:
    return f"password:{whose}:{browser}"


def _name_bucket(key: str) -> str:
    return _password_bucket(f"?{hash_of(key)}")


def stranger_buckets(account: Account) -> list[str]:
    """What counts the wrong passwords of browsers that never logged in to this account."""
    names = [_name_bucket(key_of(name)) for name in (account.username, account.email) if name]
    return [_password_bucket(account.id), *names]


def _address_bucket(origin: Origin) -> str:
    return f"password-from:{origin.neighbourhood}"
