"""What the applications of the benchmark share. Only the standard library, because each has an environment of its own.

Each application is also a command: `app.py seed NUMBER` makes a database with that many accounts and prints the TOTP
secret of them all, and `app.py hash` prints the processor time of a password hash, in seconds, for each line it reads.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable

DATABASE = os.environ.get("BENCH_DATABASE", "")
"""`sqlite:///` and a path, or a URL of PostgreSQL."""
SECRET = os.environ.get("BENCH_SECRET", "")
"""The key that an application signs its cookies with."""
PASSWORD = "four words of a bench"
ARGON2 = {"memory_cost": 19_456, "time_cost": 2, "parallelism": 1}
"""Of the OWASP Password Storage Cheat Sheet; memory in KiB."""
LOGGING_IN = 10_000
"""At most so many accounts of a database log in: a TOTP code works once."""
HASHES = 15
PAUSE = 0.02  # seconds: about what the other requests of a login take


def numbers(count: int) -> range:
    """The numbers of the accounts that log in, spread over all `count`."""
    return range(1, count + 1, max(1, count // LOGGING_IN))


def copies(table: str, columns: list[str], count: int, **changed: str) -> str:
    """The statement that copies the row with id 1 until there are `count`; `changed` has SQL of the number `i`."""
    names = ", ".join(f'"{column}"' for column in columns)
    values = ", ".join(changed.get(column, f't."{column}"') for column in columns)
    number = f"WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < {count})"
    return f'INSERT INTO "{table}" ({names}) {number} SELECT {values} FROM "{table}" t CROSS JOIN n WHERE t.id = 1'


def main(seed: Callable[[int], str], verify: Callable[[], object]) -> None:
    """`seed` makes the accounts and returns their TOTP secret; `verify` compares a password once."""
    if sys.argv[1] == "seed":
        print(seed(int(sys.argv[2])))
        return
    for _ in sys.stdin:
        print(statistics.median(_cpu(verify) for _ in range(HASHES)), flush=True)


def _cpu(verify: Callable[[], object]) -> float:
    """After a pause, as in a server: the caches of the processor no longer have the memory of the last hash."""
    time.sleep(PAUSE)
    begun = time.process_time()
    verify()
    return time.process_time() - begun
