"""Compares web servers on the pages of the site, alternating in one run; docs/decisions/server.md has the figures.

`.venv/bin/pip install granian` first: the site itself does not need it. Each server has a database of its own, and all
run at the same time, so that a slow phase of the machine affects all of them.
"""

from __future__ import annotations

import statistics
import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from webapp.serve import web_command
from webapp.settings import Settings

from .load import CORES, rate_of_log_ins, rate_of_pages
from .person import Person
from .server import Command, Server, running

TURNS = 5
LOG_INS_A_BATCH = 20
SECONDS_OF_PAGES = 2
SECONDS_OF_LOAD = 3
ACCOUNTS_OF_LOAD = 400
ACCOUNTS_A_TURN = LOG_INS_A_BATCH + ACCOUNTS_OF_LOAD


def main() -> None:
    with TemporaryDirectory() as folder, ExitStack() as stack:
        servers = {}
        for name, command in commands().items():
            own = Path(folder) / name.replace(" ", "-")
            own.mkdir()
            started = running(own, workers=CORES, accounts=TURNS * ACCOUNTS_A_TURN + 1, command=command)
            servers[name] = stack.enter_context(started)
        taken: dict[str, list[list[float]]] = {name: [] for name in servers}
        for turn in range(TURNS):
            for name, server in servers.items():
                taken[name].append(figures(server, turn))
        print("medians; in brackets the median of the ratios to the first server in each turn")
        print(f"{'':22}{'log-ins/s':>18}{'pages/s':>18}{'ms a log-in':>18}{'ms a page':>18}{'MiB a worker':>14}")
        first = next(iter(taken.values()))
        for name, rows in taken.items():
            middle = [statistics.median(column) for column in zip(*rows, strict=True)]
            relations = [
                [own / other for own, other in zip(*pair, strict=True)] for pair in zip(rows, first, strict=True)
            ]
            relation = [statistics.median(column) for column in zip(*relations, strict=True)]
            columns = "".join(f"{value:10.1f} ({ratio:5.2f})" for value, ratio in zip(middle, relation, strict=True))
            print(f"{name:22}{columns}{servers[name].resident_mib():14.1f}")


def commands() -> dict[str, Command]:
    def gthread(threads: int) -> Command:
        def command(settings: Settings) -> list[str]:
            words = web_command(settings)
            words[words.index("--threads") + 1] = str(threads)
            return words

        return command

    def granian(settings: Settings) -> list[str]:
        host, _, port = settings.bind.rpartition(":")
        return [
            *(sys.executable, "-m", "granian", "wsgi:app", "--interface", "wsgi", "--host", host, "--port", port),
            *("--workers", str(settings.workers), "--blocking-threads", "1", "--http", "1", "--no-ws"),
            *("--log-level", "warning"),
        ]

    return {"gthread, 1 thread": gthread(1), "gthread, 4 threads": gthread(4), "granian, 1 thread": granian}


def figures(server: Server, turn: int) -> list[float]:
    """Log-ins a second, settings pages a second, and the processor time of one of each in milliseconds."""
    first = turn * ACCOUNTS_A_TURN + 1
    person = Person(server)
    before = server.cpu()
    for number in range(first, first + LOG_INS_A_BATCH):
        person.log_in(number)
    cpu_log_in = (server.cpu() - before) / LOG_INS_A_BATCH
    before = server.cpu()
    pages = rate_of_pages(server, person.cookies, SECONDS_OF_PAGES)
    cpu_page = (server.cpu() - before) / (pages * SECONDS_OF_PAGES)
    log_ins = rate_of_log_ins(server, first + LOG_INS_A_BATCH, ACCOUNTS_OF_LOAD, SECONDS_OF_LOAD)
    return [log_ins, pages, cpu_log_in * 1000, cpu_page * 1000]


if __name__ == "__main__":
    main()
