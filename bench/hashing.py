"""A hash alone, with the library and the parameters of the site, with which other figures are compared.

A separate module, because a spawned process imports its function by name.
"""

from __future__ import annotations

import time

from webapp.adapters.password_hashing import Argon2id
from webapp.policy import Policy

REFERENCE_HASH = 0.0101  # seconds of CPU, on the machine where the bounds were set


class BareHash:
    """One hash again and again, in this process."""

    def __init__(self) -> None:
        self._argon2id = hasher()
        self._encoded = self._argon2id.hash("four words of a bench")

    def cpu(self) -> float:
        """Seconds of processor time of one more."""
        before = time.process_time()
        self._argon2id.verify(self._encoded, "four words of a bench")
        return time.process_time() - before


def hash_for_a_while(seconds: float) -> float:
    """Hashes a second in one process."""
    argon2id = hasher()
    encoded = argon2id.hash("four words of a bench")
    count, begun = 0, time.perf_counter()
    while time.perf_counter() - begun < seconds:
        argon2id.verify(encoded, "four words of a bench")
        count += 1
    return count / (time.perf_counter() - begun)


def hasher() -> Argon2id:
    return Argon2id(Policy())
