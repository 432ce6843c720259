"""What every service uses: the database, time, randomness, sealing and the numbers of the policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_
from sqlalchemy.orm import InstrumentedAttribute

from ..domain.ports import Clock, Entropy, Keyring
from ..models.database import Database
from ..policy import Policy


@dataclass(frozen=True, slots=True)
class Core:
    db: Database
    clock: Clock
    entropy: Entropy
    keyring: Keyring
    policy: Policy

    def is_within(self, at: int, seconds: int) -> bool:
        """True for a time in the last `seconds`. One that is further ahead than `Policy.clock_ahead` was written while
        the clock was wrong, and counts for nothing. Times are Unix seconds."""
        return -self.policy.clock_ahead <= self.clock.now() - at < seconds

    def within(self, at: InstrumentedAttribute[Any], seconds: int) -> ColumnElement[bool]:
        """`is_within` as a condition on a column."""
        now = self.clock.now()
        return and_(at > now - seconds, at <= now + self.policy.clock_ahead)
