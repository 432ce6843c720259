"""What every service uses: the database, time, randomness, sealing and the numbers of the policy."""

from __future__ import annotations

from dataclasses import dataclass

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
