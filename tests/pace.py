"""What work costs, whatever machine it runs on and whoever else uses it."""

from __future__ import annotations

import time
from collections.abc import Callable

from bench.hashing import REFERENCE_HASH, hasher


def least_cost(work: Callable[[], object], *, times: int = 10, turns: int = 7) -> float:
    """Seconds of CPU of one `work()`, as a machine takes them that needs 10.1 ms for a password hash.

    Hash and work are measured by turns and the least of each is taken, because others only ever add to it. The test
    is marked `no_cover`: counting its lines would be measured too.
    """
    argon2id = hasher()
    encoded = argon2id.hash("four words of a pace")

    def hash_() -> None:
        argon2id.verify(encoded, "four words of a pace")

    costs = [(_cost(hash_, 2), _cost(work, times)) for _ in range(turns)]
    least_hash, least_work = map(min, zip(*costs, strict=True))
    return least_work / least_hash * REFERENCE_HASH


def _cost(work: Callable[[], object], times: int) -> float:
    begun = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - begun) / times
