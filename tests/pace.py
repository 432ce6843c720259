"""Measures CPU time in a way that does not depend on the machine and its load."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from bench.hashing import REFERENCE_HASH, hasher


def least_cost(work: Callable[[], object], *, times: int = 10, turns: int = 7) -> float:
    """CPU seconds of one `work()`, scaled to a machine that needs 10.1 ms for a password hash.

    Hash and work are measured in turn and the minimum of each is taken, because other load only adds to it. Lines are
    not counted meanwhile, which would be measured too; mark the test `no_cover`.
    """
    argon2id = hasher()
    encoded = argon2id.hash("four words of a pace")

    def hash_() -> None:
        argon2id.verify(encoded, "four words of a pace")

    counting = sys.gettrace()
    sys.settrace(None)
    try:
        costs = [(_cost(hash_, 2), _cost(work, times)) for _ in range(turns)]
    finally:
        sys.settrace(counting)
    least_hash, least_work = map(min, zip(*costs, strict=True))
    return least_work / least_hash * REFERENCE_HASH


def _cost(work: Callable[[], object], times: int) -> float:
    begun = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - begun) / times
