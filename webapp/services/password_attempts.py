"""Rate limits of passwords: by name and network, by address, and by account from everywhere.

Who knows only a username must not be able to keep its owner out: waits are counted by the network that guesses, and a
browser in which the owner logged in before, or an app's network, is counted apart (ASVS V6.1.1, V6.3.1). Answers must
be the same for a name that no account has.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..domain.codes import hash_of
from ..domain.names import login_key
from ..domain.origin import Origin
from ..models.accounts import Account
from ..models.database import Transaction
from .attempt_rules import Backoff, SlidingWindows, Tally
from .attempts import Attempts, Bucket
from .core import Core

WRONG = "password:"
TOTALS = "password-total:"
"""With the id of an account after it: its wrong passwords from everywhere since its last full log-in."""
UNKNOWN_TOTALS = "password-unknown:"
"""The same of a name that no account has, so that both take the same work."""


@dataclass(frozen=True, slots=True)
class KnownBrowser:
    """A browser in which these accounts logged in before, as its signed cookie says; or the network of their apps."""

    browser: str
    accounts: frozenset[int]

    def knows(self, account: Account | None) -> bool:
        return account is not None and account.id in self.accounts


@dataclass(frozen=True, slots=True)
class Counted:
    """An attempt that was counted before the comparison.

    `account` is None when nothing must be compared: the name is unknown, the account had too many wrong passwords, or
    an operator locked it.
    """

    account: Account | None
    buckets: tuple[Bucket, ...]


@dataclass(frozen=True, slots=True)
class PasswordAttempts:
    core: Core
    attempts: Attempts

    def count(self, account: Account | None, typed_name: str, known: KnownBrowser | None, origin: Origin) -> Counted:
        """Counts and commits one attempt.

        After a hundred wrong passwords in a row (NIST SP 800-63B-4 section 3.2.2) none from an unknown browser is
        compared until a full log-in; but always for an account without a confirmed address, which could not be mailed
        a link that makes a browser known. Raises `TooManyAttempts`.
        """
        policy, is_known = self.core.policy, known is not None and known.knows(account)
        owner = account.id if account is not None else None
        waits = Backoff(policy.password_attempts, policy.password_first_wait, policy.password_longest_wait)
        name = hash_of(login_key(typed_name))
        if known is not None and is_known:
            own = [Bucket(f"{WRONG}{owner}:{known.browser}", waits, owner)]
        else:
            by_address = SlidingWindows((policy.password_attempts_address,))
            own = [
                Bucket(f"{WRONG}?{name}:{origin.network}", waits, owner),
                Bucket(address_bucket(origin), by_address, owner),
            ]
        most = policy.password_failures_in_a_row
        total = Bucket(total_bucket(owner) if owner is not None else f"{UNKNOWN_TOTALS}{name}", Tally(most), owner)
        is_full = self.attempts.spend(*own, total).get(total.name, 0) > most
        if is_full and not is_known and account is not None and account.email is not None:
            account = None
        if account is not None and account.locked_at is not None:
            account = None
        return Counted(account, tuple(own if is_full else [*own, total]))

    def take_back(self, tx: Transaction, counted: Counted, *, right: bool = True) -> None:
        """Takes back the counted attempt if it was `right`; if not, runs the same statements and changes nothing.

        Must come after the account's row was locked, as `clear` does, or two transactions could wait for each other.
        """
        taken = counted.buckets if right else [replace(b, name=f"not {b.name}") for b in counted.buckets]
        self.attempts.take_back(tx, *taken)

    def clear(self, tx: Transaction, account_id: int) -> None:
        """After a reset: deletes the account's wrong passwords."""
        self.attempts.clear(tx, total_bucket(account_id), kinds=(WRONG,), account_id=account_id)


def total_bucket(account_id: int) -> str:
    """The name of the bucket that counts the account's wrong passwords from everywhere."""
    return f"{TOTALS}{account_id}"


def address_bucket(origin: Origin) -> str:
    """The name of the bucket that all accounts share for attempts from one network address."""
    return f"password-from:{origin.rate_limit_key}"
