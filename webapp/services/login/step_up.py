"""Proving a second factor again before a sensitive change, after the password (ASVS V7.5.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...domain.origin import Origin
from ...models.database import Transaction
from ...models.user import SessionToken, User
from ..attempts import Bucket
from .proof import Claim, ProofFlow, StandIn


@dataclass(frozen=True, slots=True)
class StepUpClaim(Claim):
    user: User

    @property
    def token_hash(self) -> str:
        return self.user.session.token_hash


@dataclass(frozen=True, slots=True)
class StepUp(ProofFlow[StepUpClaim, SessionToken]):
    def claim(self, user: User) -> StepUpClaim:
        """Its challenge belongs to one session and one proof of the password: a new proof begins a new challenge."""
        proved_at = user.session.password_at or 0
        return StepUpClaim(user.account, user.factors, f"step-up:{user.session.id}:{proved_at}", user)

    def stand_in(self, claim: StepUpClaim) -> StandIn | None:  # noqa: ARG002  # for `Login`
        """None: step-up accepts only factors that are on."""
        return None

    def _was_right(self, tx: Transaction, counted: Bucket) -> None:
        """Takes the attempt back. Earlier failures count until a full log-in."""
        self.attempts.take_back(tx, counted)

    def _complete(
        self, tx: Transaction, claim: StepUpClaim, proof: str, origin: Origin, **_options: Any
    ) -> SessionToken:
        now = self.core.clock.now()
        self.notices.record(tx, claim.account.id, "stepped-up", origin)
        token = self.sessions.rotate(tx, claim.user.session, proof)
        claim.user.session.second_factor_at = now
        return token

    def _session_of(self, result: SessionToken) -> int:
        return result.session_id
