"""Proving a second factor: one flow for a pending login and for a session at step-up.

An attempt is counted and committed before anything is compared. Nothing here may depend on a particular method.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ...domain.codes import hash_of, is_base32, read_base32, read_digits, tidy_base32
from ...domain.key_refusals import KeyCloned
from ...domain.origin import Origin
from ...domain.refusals import CodeMalformed, CodeRefusal, LoginExpired, NotFound, Refusal, TooSoon
from ...models.accounts import Account, lock_if_changed
from ...models.database import Transaction
from ...models.factors import Factor
from ...models.sessions import BACKUP_CODE_PROOF
from ...models.user import SessionToken
from ..attempt_rules import FactorFailures, SlidingWindows, Total
from ..attempts import UNGUESSABLE, Attempts, Bucket, single_use
from ..backup_codes import BackupCodes, exchange_of
from ..core import Core
from ..method import Answers, Challenge, Method
from ..method_kinds import Glance, Methods, OutOfBand
from ..notices import Notices
from ..sessions import Sessions
from .wrong_codes import WrongCodes

SHARED_BUCKETS = "second-factor:"


@dataclass(frozen=True, slots=True)
class Claim(ABC):
    """What must be proved: a second factor of `account`. `name` is what codes are bound to, such as log-in:12."""

    account: Account
    factors: Sequence[Factor]
    name: str

    @property
    @abstractmethod
    def token_hash(self) -> str:
        """Of the token with which the browser asks: that of the pending login or of the session."""


C = TypeVar("C", bound=Claim)
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Choice:
    """A method with its challenge for the account."""

    method: Method
    challenge: Challenge

    def send_unless_sent(self, origin: Origin) -> Refusal | None:
        """Sends a code or request, unless one is valid. Returns a refusal, since the challenge can still be answered.

        `TooSoon` is not returned: the page says when the next code can be sent.
        """
        try:
            if self.method.sent(self.challenge) is None and not self._is_live():
                self.method.send(self.challenge, origin)
        except TooSoon:
            return None
        except Refusal as refusal:
            return refusal
        return None

    def _is_live(self) -> bool:
        status = self.method.status(self.challenge) if isinstance(self.method, OutOfBand) else None
        return status is not None and status.is_live


@dataclass(frozen=True, slots=True)
class StandIn:
    """The method that can be used in place of an out-of-band method, and the label of its button."""

    method: Method
    label: str


@dataclass(frozen=True, slots=True)
class ProofFlow(ABC, Generic[C, Result]):
    """The flow. `Login` and `StepUp` define what follows from a proof."""

    core: Core
    attempts: Attempts
    backup_codes: BackupCodes
    notices: Notices
    wrong_codes: WrongCodes
    methods: Methods
    sessions: Sessions

    # -- The methods to choose from ----------------------------------------------------------------------

    def choices(self, claim: C) -> list[Choice]:
        """The account's methods: that of the last log-in first, then the last proved one, then in display order."""
        by_use = sorted((f for f in claim.factors if f.turned_off_at is None), key=lambda f: -f.logged_in_at)
        by_method = [(m, [f for f in by_use if f.method == m.slug]) for m in self.methods]
        found = [Choice(m, Challenge(claim.account, claim.name, factors)) for m, factors in by_method if factors]
        last = claim.account.login_method
        return sorted(found, key=lambda choice: (choice.method.slug != last, -choice.challenge.factor.logged_in_at))

    def choice(self, claim: C, slug: str | None) -> Choice:
        """The method with this slug, or the first. Raises `NotFound` when the account has not turned it on and it is
        not the stand-in."""
        choices = self.choices(claim)
        for choice in choices:
            if slug is None or choice.method.slug == slug:
                return choice
        stand_in = self.stand_in(claim)
        if stand_in is None or stand_in.method.slug != slug:
            raise NotFound()
        waiting = next(choice for choice in choices if isinstance(choice.method, OutOfBand))
        return Choice(stand_in.method, waiting.challenge)

    def stand_in(self, claim: C) -> StandIn | None:
        """None when no out-of-band method is on, or no method can take its place."""
        on = {factor.method for factor in claim.factors if factor.turned_off_at is None}
        method = self.methods.stand_in(claim.account, on)
        return StandIn(method, str(method.stands_in(claim.account))) if method is not None else None

    def choose(self, claim: C, slug: str | None, origin: Origin) -> tuple[Choice, Refusal | None]:
        """The chosen method, whose code is sent now, and the refusal when it was not. Raises `NotFound`."""
        choice = self.choice(claim, slug)
        return choice, choice.send_unless_sent(origin)

    def resend(self, claim: C, slug: str | None, origin: Origin) -> None:
        """Sends another code or request. Raises what the method's `send` raises."""
        choice = self.choice(claim, slug)
        choice.method.send(choice.challenge, origin)

    # -- The proof ---------------------------------------------------------------------------------------

    def verify(self, claim: C, slug: str | None, answers: Answers, origin: Origin, **options: Any) -> Result:
        """Verifies an answer, and completes the log-in or step-up in the same transaction.

        Raises what the method's `verify` raises, `CodeMalformed`, `ChallengeExhausted`, `CodesBlocked` or
        `TooManyAttempts`.
        """
        choice = self.choice(claim, slug)
        failures = self._failures(claim, choice.method, origin)
        if choice.method.is_code:
            self._demand_whole_code(claim, choice.method, answers)
        if failures is not None:
            challenge = self._of_challenge(claim, choice.method)
            further = *single_use_of(choice.method, answers), *choice.method.attempts_at(choice.challenge)
            self.attempts.spend(*challenge, failures, *further)
        try:
            with self.core.db.write() as tx:
                # before the factor, as a reset of the factors does
                lock_if_changed(tx, claim.account, choice.method.slug)
                choice.method.verify(tx, choice.challenge, answers)
                if failures is not None:
                    self._was_right(tx, failures)
                return self._complete(tx, claim, choice.method.slug, origin, **options)
        except CodeRefusal as refusal:
            self._tell(claim, refusal, origin)
            if choice.method.is_code:
                self.wrong_codes.tell(claim.account, shared_bucket(claim.account.id), origin)
            raise self._after(claim, refusal, self._left(claim, choice.method)) from None

    def verify_backup_code(self, claim: C, typed: str, origin: Origin, **options: Any) -> Result:
        """Consumes and replaces the backup code, ends every other session (ASVS V7.4.3), notifies the owner.

        The new code is kept for the session that the result names. Raises `CodeMalformed`, `WrongBackupCode`, or
        `TooManyAttempts` for wrong backup codes from this network.
        """
        read_base32(typed)  # an incomplete code is compared with nothing, and costs no attempt
        failures = self._unguessable(claim.account.id, BACKUP_CODE_PROOF, origin)
        self.attempts.count(failures)
        try:
            with self.core.db.write() as tx:
                lock_if_changed(tx, claim.account)
                successor = self.backup_codes.exchange(tx, claim.account.id, typed)
                self._was_right(tx, failures)
                result = self._complete(tx, claim, BACKUP_CODE_PROOF, origin, **options)
                session_id = self._session_of(result)
                self.sessions.end_others(tx, claim.account.id, session_id)
                exchange = exchange_of(claim.account.id, typed, claim.token_hash)
                self.backup_codes.keep(tx, claim.account.id, session_id, successor, exchange)
                self.notices.tell(tx, claim.account, "backup-code-used", origin)
                return result
        except CodeRefusal as refusal:
            raise self._after(claim, refusal, self.core.policy.challenge_attempts) from None

    def repeat_exchange(self, account_id: int, token: str | None, typed: str, origin: Origin) -> SessionToken:
        """Answers the right backup code again, when its answer was lost: to the browser that has the token with which
        it asked, until the one that the session got was presented. That session gets a new token.

        Raises `LoginExpired` in every other case, or `TooManyAttempts`.
        """
        if not is_base32(tidy_base32(typed)):
            raise LoginExpired()
        counted = self._unguessable(account_id, BACKUP_CODE_PROOF, origin)
        self.attempts.count(counted)
        with self.core.db.write() as tx:
            exchange = exchange_of(account_id, typed, hash_of(token or ""))
            session = self.backup_codes.unseen(tx, account_id, exchange)
            if session is None:
                raise LoginExpired()
            self.attempts.take_back(tx, counted)
            return self.sessions.rotate(tx, session)

    def withdraw(self, claim: C) -> None:
        """Ends the claim's requests on other devices."""
        with self.core.db.write() as tx:
            self._withdraw_requests(tx, claim)

    @abstractmethod
    def _complete(self, tx: Transaction, claim: C, proof: str, origin: Origin, **options: Any) -> Result:
        """Does what the proof was for, in its transaction. `proof` is its name in `Session.proofs`."""

    @abstractmethod
    def _session_of(self, result: Result) -> int:
        """The id of the session that a proof opened or renewed."""

    def _was_right(self, tx: Transaction, counted: Bucket) -> None:
        """Called in the transaction of a proof: the counted attempt was not a failure."""

    def _after(self, claim: C, refusal: CodeRefusal, left: int) -> Refusal:  # noqa: ARG002  # for `Login`
        """The refusal to raise in place of `refusal`, with `left` attempts at this challenge."""
        return refusal.with_left(left)

    def _withdraw_requests(self, tx: Transaction, claim: C) -> None:
        """Ends the requests on other devices, as part of another change."""
        on = {factor.method for factor in claim.factors}
        for method in self.methods.out_of_band:
            if method.slug in on:
                method.withdraw(tx, claim.account.id, claim.name)

    def _failures(self, claim: C, method: Method, origin: Origin) -> Bucket | None:
        """The bucket that counts the account's failures: one for all codes, one for keys; None for an answer from
        another device, which has a limit of its own."""
        if isinstance(method, OutOfBand):
            return None
        if not method.is_code:
            return self._unguessable(claim.account.id, method.slug, origin)
        policy = self.core.policy
        rule = FactorFailures(SlidingWindows(policy.second_factor_attempts), policy.second_factor_failures_in_a_row)
        return Bucket(shared_bucket(claim.account.id), rule)

    def _unguessable(self, account_id: int, kind: str, origin: Origin) -> Bucket:
        """Keys and backup codes cannot be guessed: counted apart and by network, so that the wrong codes of a person
        who knows the password do not keep the owner from using them."""
        rule = SlidingWindows(self.core.policy.second_factor_attempts)
        return Bucket(f"{UNGUESSABLE}{account_id}:{kind}:{origin.network}", rule, account_id)

    def _of_challenge(self, claim: C, method: Method) -> list[Bucket]:
        """The bucket of this challenge, of which only codes use up attempts."""
        return [Bucket(claim.name, Total(self.core.policy.challenge_attempts))] if method.is_code else []

    def _demand_whole_code(self, claim: C, method: Method, answers: Answers) -> None:
        """Raises `CodeMalformed`. An incomplete code is compared with nothing, and costs no attempt."""
        try:
            read_digits(answers.get("code", ""))
        except CodeMalformed as refusal:
            raise refusal.with_left(self._left(claim, method)) from None

    def _left(self, claim: C, method: Method) -> int:
        """The number of attempts left at this challenge, after those of other requests too."""
        counted = sum(self.attempts.counted(bucket.name) for bucket in self._of_challenge(claim, method))
        return self.core.policy.challenge_attempts - counted

    def _tell(self, claim: C, refusal: CodeRefusal, origin: Origin) -> None:
        """Notifies the owner of what they must know although the transaction was rolled back."""
        if isinstance(refusal, KeyCloned):
            with self.core.db.write() as tx:
                self.notices.tell(tx, claim.account, "factor-copied", origin, name=refusal.name)


def single_use_of(method: Method, answers: Answers) -> list[Bucket]:
    """The bucket of what the answer uses up, if any. An unreadable answer has none: `verify` refuses it."""
    try:
        name = method.single_use(answers)
    except CodeRefusal:
        return []
    return [single_use(name)] if name is not None else []


def shared_bucket(account_id: int) -> str:
    """The name of the bucket that counts the failures of all methods of an account."""
    return f"{SHARED_BUCKETS}{account_id}"


def first_glance(methods: Methods, pending_token: str | None) -> Glance | None:
    """The state of the request that a pending login sent to another device, by its token alone."""
    glances = (method.glance(pending_token or "") for method in methods.out_of_band)
    return next((glance for glance in glances if glance is not None), None)
