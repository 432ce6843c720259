"""Log-ins and hashes a second, with the clients on the same cores as the server."""

from __future__ import annotations

import time
from multiprocessing import get_context
from threading import Thread

from .hashing import hash_for_a_while
from .person import Person
from .server import Server

CORES = 2
CLIENTS = 8
"""Enough that neither core waits while another log-in waits for the disk."""


def rate_of_hashes(seconds: float) -> float:
    """Hashes a second that two processes reach, one a core."""
    with get_context("spawn").Pool(CORES) as pool:
        return sum(pool.map(hash_for_a_while, [seconds] * CORES))


def rate_of_log_ins(server: Server, first: int, accounts: int, seconds: float) -> float:
    """Whole log-ins a second, of the accounts numbered from `first` on: a code works once, so each logs in once."""
    until = time.perf_counter() + seconds
    counts = [0] * CLIENTS

    def client(which: int) -> None:
        person = Person(server)
        for number in range(first + which, first + accounts, CLIENTS):
            if time.perf_counter() > until:
                return
            person.log_in(number)
            counts[which] += 1

    clients = [Thread(target=client, args=(which,)) for which in range(CLIENTS)]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join()
    return sum(counts) / seconds
