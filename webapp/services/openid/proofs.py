"""What a session proved, in the words of OpenID Connect: `amr` (RFC 8176), `acr` and `auth_time`.

They must be true: apps decide by them. No method is named here; what a method is follows from its base class.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ...models.factors import Factor
from ...models.registered_apps import KEY, TWO_FACTOR
from ...models.sessions import PASSWORD_PROOF, Session
from ...models.user import User
from ..core import Core
from ..method import Method
from ..method_kinds import Methods, OutOfBand, Passwordless
from .discovery import MFA, PHR, SFA


@dataclass(frozen=True, slots=True)
class Proved:
    """`classes` are the values of `acr` that hold, the strongest first. `at` is when the password and, if one was
    proved, a second factor had last been proved; `key_at` the same for a security key. Times are Unix seconds."""

    methods: Sequence[str]
    classes: Sequence[str]
    at: int
    key_at: int | None

    def since(self, proof: str) -> int:
        """When the proof that an app asks for (`RegisteredApp.proof`) was last given."""
        return min(self.at, self.key_at) if proof == KEY and self.key_at is not None else self.at

    def told(self, requested: Sequence[str]) -> str:
        """The `acr` of an ID token: the first requested one that holds, else the strongest (OpenID Connect Core 1.0
        section 5.5.1.1)."""
        return next((wanted for wanted in requested if wanted in self.classes), self.classes[0])

    def is_enough(self, proof: str) -> bool:
        """True when the proof that an app asks for (`RegisteredApp.proof`) was given."""
        needed = {TWO_FACTOR: MFA, KEY: PHR}.get(proof, SFA)
        return needed in self.classes


@dataclass(frozen=True, slots=True)
class Proofs:
    core: Core
    methods: Methods

    def of(self, user: User) -> Proved:
        proofs = self._read(user.session)
        names = list(dict.fromkeys(name for proof, at in proofs.items() for name in self._told(user, proof, at)))
        key_at = max((at for proof, at in proofs.items() if self.methods.is_passwordless(proof)), default=None)
        has_key = key_at is not None
        # a passkey verified who used it, so that it is two factors (WebAuthn Level 3 section 6.2.3)
        two = len(proofs) > 1 or has_key
        if two:
            names.append("mfa")
        classes = [*([PHR] if has_key else []), *([MFA] if two else []), SFA]
        return Proved(names, classes, self._time_of(user), key_at)

    def can_reach(self, user: User, acr: str) -> bool:
        """True when the account has what it takes to prove the class by step-up."""
        if acr == PHR:
            return any(self.methods.is_passwordless(factor.method) for factor in user.factors)
        return acr == SFA or (acr == MFA and bool(user.factors))

    def method_for(self, user: User, acr: str) -> Method | None:
        """The method with which the account proves the class `PHR`; None where any method does."""
        if acr != PHR:
            return None
        on = (self.methods.named(factor.method) for factor in user.factors)
        return next((method for method in on if isinstance(method, Passwordless)), None)

    def _read(self, session: Session) -> dict[str, int]:
        """Every session began with a proof of its account; those of an earlier version tell only of the password."""
        proofs: dict[str, int] = json.loads(session.proofs) or {PASSWORD_PROOF: session.started_at}
        return {proof: at for proof, at in proofs.items() if self._has_been(at)}

    def _time_of(self, user: User) -> int:
        """When the user last proved who they are: with a second factor, when both had been proved. 0 for never: a
        second factor that the account has no more cannot be proved again, and counts for nothing."""
        session = user.session
        times = [session.password_at, session.second_factor_at if user.factors else None]
        return min((at for at in times if at is not None and self._has_been(at)), default=0)

    def _has_been(self, at: int) -> bool:
        """False for a time from the future, written while the clock was wrong."""
        return at <= self.core.clock.now() + self.core.policy.clock_ahead

    def _told(self, user: User, proof: str, at: int) -> Iterator[str]:
        """The values of `amr` (RFC 8176 section 2) for one proof."""
        method = self.methods.named(proof)
        if proof == PASSWORD_PROOF:
            yield "pwd"
        elif isinstance(method, Passwordless):
            yield "swk" if any(map(_syncs, _used(user, proof, at))) else "hwk"
            yield "user"
        elif isinstance(method, OutOfBand):
            yield "mca"
        elif method is not None and method.sends_code:
            yield "sms"
        else:
            yield "otp"


def _used(user: User, slug: str, at: int) -> list[Factor]:
    """The factor of the method that was proved then; all of them where it was used again or is no longer on."""
    factors = [*user.factors, *user.recently_off_factors]
    of_method = [factor for factor in factors if factor.method == slug]
    return [factor for factor in of_method if factor.logged_in_at == at] or of_method


def _syncs(factor: Factor) -> bool:
    """True for a key that is copied between devices (WebAuthn Level 3 section 6.1.3, backup eligible)."""
    return bool(json.loads(factor.attributes).get("syncs"))
