"""Proving a second factor: the shared limits, and the one place that calls a method's `verify`.

Used at log-in and at step-up. A try is spent in its own commit before anything is compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from ..domain.origin import Origin
from ..domain.ports import Clock, Keyring
from ..domain.refusals import CodeRefusal, Missing, Refusal, TooSoon
from ..enrollment.method import Answers, Asked, Asking, Codes, Method, Proof
from ..enrollment.service import factor_bound
from ..methods.catalogue import CATALOGUE
from ..models.accounts import Account
from ..models.factors import Factor
from ..policy import Policy
from .tries import Bucket, OfOneChallenge, SecondFactorRun, Tries, Windows


@dataclass(frozen=True, slots=True)
class Choice:
    """A method that the account has, with the factor that would be proved."""

    method: Method
    factor: Factor


def choices(factors: Sequence[Factor]) -> list[Choice]:
    """What the account can be asked for: the method of the previous log-in first, then display order."""
    found = [Choice(m, f) for m in CATALOGUE for f in factors if f.method == m.slug and f.turned_off_at is None]
    return sorted(found, key=lambda choice: -choice.factor.logged_in_at)


def choice_of(factors: Sequence[Factor], slug: str | None) -> Choice:
    """The named one, or the first. Raises `Missing` when the account lacks it."""
    for choice in choices(factors):
        if slug is None or choice.method.slug == slug:
            return choice
    raise Missing()


def shared_bucket(account_id: int) -> str:
    """What counts the failures of all methods of an account."""
    return f"second-factor:{account_id}"


class Challenges:
    def __init__(self, clock: Clock, keyring: Keyring, tries: Tries, codes: Codes, policy: Policy) -> None:
        self._clock = clock
        self._keyring = keyring
        self._tries = tries
        self._codes = codes
        self._policy = policy

    def spend_try(self, account_id: int, challenge: str, *, is_code: bool) -> int:
        """Commits one try against the challenge and the account; returns how many the challenge has left.

        Raises `ChallengeSpent`, `CodesStopped` or `TooManyTries`.
        """
        policy = self._policy
        shared = SecondFactorRun(Windows(policy.second_factor_tries), policy.second_factor_run, stops=is_code)
        counted = self._tries.spend(
            Bucket(challenge, OfOneChallenge(policy.challenge_tries)),
            Bucket(shared_bucket(account_id), shared),
        )
        return policy.challenge_tries - counted[challenge]

    def send(self, choice: Choice, account: Account, name: str, origin: Origin) -> None:
        """What is to be typed, for a method that sends something. Raises the method's refusal."""
        if choice.method.challenge.send is not None:
            choice.method.challenge.send(Asking(account, name, self._codes), origin)

    def put(self, choice: Choice, account: Account, name: str, origin: Origin) -> Refusal | None:
        """`send`, unless it was; a refusal is returned, because the challenge stands all the same.

        That a text went to the same phone moments ago is none: the page says when the next one may go.
        """
        try:
            if self.asked(choice, account, name) is None:
                self.send(choice, account, name, origin)
        except TooSoon:
            return None
        except Refusal as refusal:
            return refusal
        return None

    def asked(self, choice: Choice, account: Account, name: str) -> Asked | None:
        """What was sent for this challenge and could still be typed."""
        return choice.method.challenge.asked(Asking(account, name, self._codes))

    def prove(self, tx: Session, choice: Choice, account: Account, name: str, answers: Answers, left: int) -> None:
        """Within the transaction that lets the owner in. Raises the method's refusal, with the tries left."""
        secret = self._keyring.open(choice.factor.sealed, factor_bound(choice.factor.account_id, choice.method.slug))
        try:
            asking = Asking(account, name, self._codes)
            choice.method.challenge.verify(Proof(tx, choice.factor, secret, self._clock, self._policy, asking), answers)
        except CodeRefusal as refusal:
            raise refusal.with_left(left) from None
