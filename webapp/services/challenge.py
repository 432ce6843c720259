"""Proving a second factor: the shared limits, and the one place that calls a method's `verify`.

Used at log-in and at step-up. A try is spent in its own commit before anything is compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ..domain.key_refusals import CeremonyExpired, KeyCloned
from ..domain.origin import Origin
from ..domain.ports import Clock, Keyring
from ..domain.refusals import CodeRefusal, NotFound, Refusal, TooSoon
from ..enrollment.ceremonies import Ceremonies
from ..enrollment.method import Answers, Asked, Asking, Challenge, Codes, Method, Proof, Requests, RequestStatus
from ..enrollment.service import factor_bound
from ..methods.catalogue import CATALOGUE
from ..models.accounts import Account
from ..models.database import Database, Transaction
from ..models.factors import Factor
from ..policy import Policy
from .attempts import Attempts, Bucket, FactorFailures, SlidingWindows, Total, WithRefusal
from .notices import Notices

SHARED_BUCKETS = "second-factor:"


@dataclass(frozen=True, slots=True)
class Choice:
    """A method that the account has, with its factors, the one that was proved last first."""

    method: Method
    factors: Sequence[Factor]

    @property
    def factor(self) -> Factor:
        return self.factors[0]


def choices(factors: Sequence[Factor]) -> list[Choice]:
    """What the account can be asked for: the method of the previous log-in first, then display order."""
    lately = sorted((f for f in factors if f.turned_off_at is None), key=lambda f: -f.logged_in_at)
    held = [(m, [f for f in lately if f.method == m.slug]) for m in CATALOGUE]
    return sorted((Choice(m, mine) for m, mine in held if mine), key=lambda choice: -choice.factor.logged_in_at)


def choice_of(factors: Sequence[Factor], slug: str | None, owner: Account | None = None) -> Choice:
    """The named one, or the first. Raises `Missing` when the account lacks it, and nothing stands in for `owner`."""
    for choice in choices(factors):
        if slug is None or choice.method.slug == slug:
            return choice
    if owner is not None:
        instead = stand_in(factors, owner)
        if instead is not None and instead.method.slug == slug:
            return instead
    raise NotFound()


def first_waiting() -> Challenge:
    """Of the catalogue: how a method is proved that waits for another device."""
    return next(m.challenge for m in CATALOGUE if m.challenge.waits is not None)


def stand_in(factors: Sequence[Factor], account: Account) -> Choice | None:
    """What may take the place of a method that waits elsewhere: it is proved in its stead, turned on or not."""
    waiting = next((c for c in choices(factors) if c.method.challenge.waits is not None), None)
    method = next((m for m in CATALOGUE if m.stands_in is not None and m.stands_in(account)), None)
    if waiting is None or method is None:
        return None
    return Choice(method, [f for f in factors if f.method == method.slug] or waiting.factors)


def waits_elsewhere(factors: Sequence[Factor]) -> bool:
    """True when one of them is asked on another device."""
    slugs = {m.slug for m in CATALOGUE if m.challenge.waits is not None}
    return any(factor.method in slugs for factor in factors)


def shared_bucket(account_id: int) -> str:
    """What counts the failures of all methods of an account."""
    return f"{SHARED_BUCKETS}{account_id}"


def single_use(name: str) -> Bucket:
    """What counts for once only: the second time it is refused with `CeremonyOver`."""
    return Bucket(f"used:{name}", WithRefusal(Total(1), lambda _wait: CeremonyExpired()))


def _compares(choice: Choice | None) -> bool:
    """False where the answer comes from elsewhere: there is nothing to guess, so no try is spent."""
    return choice is None or choice.method.challenge.waits is None


def _used_up_by(choice: Choice, answers: Answers) -> list[Bucket]:
    """Nothing for what cannot be read: that is a failure like others, and `verify` says which."""
    try:
        uses = choice.method.challenge.uses(answers)
    except CodeRefusal:
        return []
    return [single_use(uses)] if uses is not None else []


class Challenges:
    def __init__(
        self,
        *,
        db: Database,
        clock: Clock,
        keyring: Keyring,
        policy: Policy,
        attempts: Attempts,
        codes: Codes,
        requests: Requests,
        ceremonies: Ceremonies,
        notices: Notices,
    ) -> None:
        self._db = db
        self._clock = clock
        self._keyring = keyring
        self._policy = policy
        self._attempts = attempts
        self._codes = codes
        self._requests = requests
        self._ceremonies = ceremonies
        self._notices = notices

    def count_attempt(
        self, account_id: int, challenge: str, choice: Choice | None = None, answers: Answers | None = None
    ) -> int:
        """Commits one try against the challenge and the account; returns how many the challenge has left.

        No `choice` stands for the backup code.
        Raises `ChallengeSpent`, `CodesStopped`, `CeremonyOver` or `TooManyTries`.
        """
        policy, method = self._policy, choice.method.challenge if choice else None
        if not _compares(choice):
            return policy.challenge_attempts
        stops = method is not None and method.is_code
        shared = FactorFailures(
            SlidingWindows(policy.second_factor_attempts), policy.second_factor_failures_in_a_row, stops=stops
        )
        of_this = Bucket(challenge, Total(policy.challenge_attempts))
        buckets = [of_this, Bucket(shared_bucket(account_id), shared)]
        if choice is not None and answers is not None:
            buckets += _used_up_by(choice, answers)
        counted = self._attempts.count(*buckets)
        return policy.challenge_attempts - counted[challenge]

    def consume_single_use(self, choice: Choice, answers: Answers) -> None:
        """What is used up by an attempt, where there is nothing to guess. Raises `CeremonyOver`."""
        used = _used_up_by(choice, answers)
        if used:
            self._attempts.count(*used)

    def take_back(self, tx: Transaction, account_id: int, choice: Choice | None = None) -> None:
        """The account's try, because it was not in vain; its failures stay until a full log-in."""
        if _compares(choice):
            self._attempts.take_back(tx, shared_bucket(account_id))

    def send(self, choice: Choice, account: Account, name: str, origin: Origin) -> None:
        """What is to be typed, for a method that sends something. Raises the method's refusal."""
        if choice.method.challenge.send is not None:
            choice.method.challenge.send(self._asking(choice, account, name), origin)

    def put(self, choice: Choice, account: Account, name: str, origin: Origin) -> Refusal | None:
        """`send`, unless it was; a refusal is returned, because the challenge stands all the same.

        That a text went to the same phone moments ago is none: the page says when the next one may go.
        """
        try:
            standing = self.standing(choice, account, name)
            if self.asked(choice, account, name) is None and not (standing is not None and standing.is_live):
                self.send(choice, account, name, origin)
        except TooSoon:
            return None
        except Refusal as refusal:
            return refusal
        return None

    def asked(self, choice: Choice, account: Account, name: str) -> Asked | None:
        """What was sent for this challenge and could still be typed."""
        return choice.method.challenge.asked(self._asking(choice, account, name))

    def standing(self, choice: Choice, account: Account, name: str) -> RequestStatus | None:
        """How it stands with what is answered on another device; None where nothing was asked there."""
        waits = choice.method.challenge.waits
        return waits.standing(self._asking(choice, account, name)) if waits is not None else None

    def show(self, choice: Choice, account: Account, name: str) -> dict[str, Any]:
        """What the challenge's page says beyond that."""
        return choice.method.challenge.show(self._asking(choice, account, name))

    @contextmanager
    def proving(self, account: Account, origin: Origin) -> Iterator[Transaction]:
        """The transaction in which a factor is proved. What its owner must hear is told though it is undone."""
        try:
            with self._db.write() as tx:
                yield tx
        except KeyCloned as refusal:
            with self._db.write() as tx:
                self._notices.tell(tx, account, "factor-copied", origin, name=refusal.name)
            raise

    def prove(self, tx: Transaction, choice: Choice, account: Account, name: str, answers: Answers, left: int) -> None:
        """Within the transaction that lets the owner in. Raises the method's refusal, with the tries left."""
        try:
            choice.method.challenge.verify(self.proof(tx, choice, account, name), answers)
        except CodeRefusal as refusal:
            raise refusal.with_left(left) from None

    def proof(self, tx: Transaction, choice: Choice, account: Account, name: str) -> Proof:
        secret = self._keyring.open(choice.factor.sealed, factor_bound(account.id, choice.factor.method))
        return Proof(tx, secret, self._clock, self._policy, self._asking(choice, account, name))

    def _asking(self, choice: Choice, account: Account, name: str) -> Asking:
        return Asking(account, name, self._codes, self._ceremonies, choice.factors, self._requests)
