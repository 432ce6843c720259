"""Log-ins and hashes a second, with the clients on the same cores as the server."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context

from .hashing import hash_for_a_while
from .person import Person
from .server import Server

CORES = 2
CLIENTS = 8
"""Enough to keep both cores busy while some log-ins wait for the disk."""


def rate_of_hashes(seconds: float) -> float:
    """Hashes a second in two processes, one for each core."""
    with get_context("spawn").Pool(CORES) as pool:
        return sum(pool.map(hash_for_a_while, [seconds] * CORES))


def rate_of_log_ins(server: Server, first: int, accounts: int, seconds: float) -> float:
    """Whole log-ins a second. Each account from number `first` on logs in once, because a TOTP code works once."""
    until = time.perf_counter() + seconds

    def client(which: int) -> int:
        person, count = Person(server), 0
        for number in range(first + which, first + accounts, CLIENTS):
            if time.perf_counter() > until:
                break
            person.log_in(number)
            count += 1
        return count

    return _together(client) / seconds


def rate_of_pages(server: Server, cookies: dict[str, str], seconds: float) -> float:
    """Settings pages a second, requested with the cookies of one session."""
    until = time.perf_counter() + seconds

    def client(_which: int) -> int:
        person, count = Person(server), 0
        person.cookies = dict(cookies)
        while time.perf_counter() < until:
            status, _ = person.send("/settings/security")
            assert status == 200, status
            count += 1
        return count

    return _together(client) / seconds


def _together(client: Callable[[int], int]) -> int:
    with ThreadPoolExecutor(CLIENTS) as clients:
        return sum(clients.map(client, range(CLIENTS)))
