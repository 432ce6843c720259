"""`make bench`: prints each figure, and exits with 1 when one exceeds its bound. docs/performance.md explains them.

Bounds of processor time were set on a machine where a hash takes 10.1 ms. Each run of log-ins and pages is scaled by
hashes in the same seconds, and the median of five runs counts, because the speed of a machine varies by half. Times and
rates only have a target, because they depend on what else the machine does. A figure without a bound is only reported.
"""

from __future__ import annotations

import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from .exchange import Exchanges
from .guarded import Checks
from .hashing import REFERENCE_HASH, BareHash
from .languages import slowest_and_memory
from .legacy import verified_a_second
from .load import CORES, rate_of_hashes, rate_of_log_ins
from .person import Person
from .security_keys import cpu_of_an_answer
from .server import Server, running
from .texts import page_after_a_text

RUNS = 5
HASHES_A_RUN = 40
LOG_INS_A_RUN = 30
PAGES_A_RUN = 100
WARM_UP = 20
PAUSE = 0.02  # seconds: about what the other requests of a log-in take
LOG_INS_FOR_MEMORY = 1000
SECONDS_OF_LOAD = 4
ACCOUNTS_A_TURN = 800
"""More log-ins than two cores can do in `SECONDS_OF_LOAD`."""


@dataclass(frozen=True)
class Figure:
    name: str
    value: float
    relation: str = "<="
    bound: float | None = None
    is_timed: bool = False
    """A time or a rate, whose bound is a target."""

    @property
    def is_within(self) -> bool:
        if self.bound is None:
            return True
        return self.value <= self.bound if self.relation == "<=" else self.value >= self.bound


def main() -> int:
    figures: list[Figure] = []
    with TemporaryDirectory() as folder, running(Path(folder), workers=1, accounts=LOG_INS_FOR_MEMORY) as server:
        figures.append(Figure("first answer after the start, s", server.first_answer, "<=", 1.2, is_timed=True))
        hashes, log_ins, pages = cpu(server)
        print(f"     a hash takes {hashes * 1000:.1f} ms of CPU here")
        figures.append(Figure("CPU of a log-in beyond the hash, ms at 10.1 a hash", log_ins, "<=", 10.0))
        figures.append(Figure("CPU of a settings page, ms at 10.1 a hash", pages, "<=", 1.4))
        pace = REFERENCE_HASH / hashes * 1000
        figures.append(Figure("CPU of a security key's answer, ms at 10.1 a hash", cpu_of_an_answer() * pace))
        exchange, statements = cpu_of_an_exchange(server)
        figures.append(Figure("CPU of a code exchange beyond its signatures, ms at 10.1 a hash", exchange, "<=", 4.0))
        figures.append(Figure("SQL statements of a code exchange", statements, "<=", 8))
        figures.extend(of_a_check(server))
        log_in_the_rest(server)
        figures.append(Figure("resident a worker after 1,000 log-ins, MiB", server.resident_mib(), "<=", 100.0))
        figures.append(Figure("of it, shared with no other process, MiB", server.own_mib()))
    with TemporaryDirectory() as folder, running(Path(folder), workers=1, accounts=1) as server:
        slowest, memory = slowest_and_memory(server)
        figures.append(Figure("a settings page in the slowest language, of English's CPU, %", slowest, "<=", 110.0))
        figures.append(Figure("memory of all catalogues in a worker, MiB", memory, "<=", 30.0))
    with (
        TemporaryDirectory() as folder,
        running(Path(folder), workers=CORES, accounts=RUNS * ACCOUNTS_A_TURN) as server,
    ):
        firsts = range(1, RUNS * ACCOUNTS_A_TURN, ACCOUNTS_A_TURN)
        rates = [
            (rate_of_log_ins(server, first, ACCOUNTS_A_TURN, SECONDS_OF_LOAD), rate_of_hashes(SECONDS_OF_LOAD))
            for first in firsts
        ]
        shares = statistics.median(100 * log_ins / hashes for log_ins, hashes in rates)
        figures.append(Figure("log-ins a second on two cores", statistics.median(rate for rate, _ in rates)))
        figures.append(Figure("log-ins a second, of the rate of bare hashes, %", shares))
    figures.append(Figure("page after a text, the gateway stalling, ms", page_after_a_text() * 1000))
    figures.append(
        Figure(
            "/legacy/verify of one password again and again, a second", verified_a_second(), ">=", 1000.0, is_timed=True
        )
    )
    return report(figures)


def cpu(server: Server) -> tuple[float, float, float]:
    """Seconds of a hash here; scaled milliseconds of a log-in without its hash, and of a settings page."""
    person = Person(server)
    for number in range(1, WARM_UP + 1):
        person.log_in(number)
    runs, bare = [], BareHash()
    for run in range(RUNS):
        hashes = statistics.median(bare.cpu() for _ in range(HASHES_A_RUN))
        pace = REFERENCE_HASH / hashes * 1000
        person = Person(server)  # the server has closed the idle connection of the previous run
        first = WARM_UP + run * LOG_INS_A_RUN + 1
        before = server.cpu()
        for number in range(first, first + LOG_INS_A_RUN):
            person.log_in(number)
        log_in = (server.cpu() - before) / LOG_INS_A_RUN
        before = server.cpu()
        for _ in range(PAGES_A_RUN):
            person.send("/settings/security")
        page = (server.cpu() - before) / PAGES_A_RUN
        runs.append((hashes, (log_in - hash_after_a_pause(bare)) * pace, page * pace))
    hashes, log_ins, pages = (statistics.median(column) for column in zip(*runs, strict=True))
    return hashes, log_ins, pages


def cpu_of_an_exchange(server: Server) -> tuple[float, int]:
    """Scaled milliseconds of a code exchange without its signatures, and its statements."""
    exchanges, bare, runs = Exchanges(server), BareHash(), []
    exchanges.cpu()  # the first ones load what later ones have
    for _ in range(RUNS):
        hashes = statistics.median(bare.cpu() for _ in range(HASHES_A_RUN))
        runs.append(exchanges.cpu() * REFERENCE_HASH / hashes * 1000)
    statements = exchanges.statements()
    exchanges.close()
    return statistics.median(runs), statements


def of_a_check(server: Server) -> list[Figure]:
    """What a proxy's question about a request to a guarded host costs."""
    checks, bare, runs, shares = Checks(server), BareHash(), [], []
    checks.cpu()  # the first ones load what later ones have
    for _ in range(RUNS):
        hashes = statistics.median(bare.cpu() for _ in range(HASHES_A_RUN))
        runs.append(checks.cpu() * REFERENCE_HASH / hashes * 1000)
        shares.append(checks.share(1))
    statements = checks.statements()
    checks.close()
    return [
        Figure("SQL statements of a check of a guarded host", statements, "<=", 1),
        Figure("CPU of such a check, ms at 10.1 a hash", statistics.median(runs), "<=", 1.0),
        Figure("such checks, of the rate of bare answers", statistics.median(shares), ">=", 0.4, is_timed=True),
    ]


def hash_after_a_pause(bare: BareHash) -> float:
    """Seconds of a hash of a process that waited before, as a server waits for a log-in. It is a tenth more than that
    of a hash after a hash, because the processor's caches no longer have its memory.
    """
    costs = []
    for _ in range(LOG_INS_A_RUN):
        time.sleep(PAUSE)
        costs.append(bare.cpu())
    return statistics.median(costs)


def log_in_the_rest(server: Server) -> None:
    person = Person(server)
    for number in range(WARM_UP + RUNS * LOG_INS_A_RUN + 1, LOG_INS_FOR_MEMORY + 1):
        person.log_in(number)


def report(figures: list[Figure]) -> int:
    for figure in figures:
        verdict = "" if figure.bound is None else "ok" if figure.is_within else "slow" if figure.is_timed else "OVER"
        bound = "" if figure.bound is None else f"{figure.relation} {figure.bound:g}"
        print(f"{verdict:4} {figure.name:56} {figure.value:8.2f}   {bound}".rstrip())
    return 1 if any(not figure.is_within and not figure.is_timed for figure in figures) else 0


if __name__ == "__main__":
    sys.exit(main())
