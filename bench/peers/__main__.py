"""`make bench-peers`: measures all sites by turns, and writes the results, the table and the charts.

All sites run at the same time, each measured in its turn, so that a slow phase of the machine affects all of them.
README.md says what is compared; docs/performance.md has the results.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
from playwright.sync_api import sync_playwright

from . import draw
from .install import install
from .measure import Hashes, Running, cost, first_answer, first_visit, log_of, rate, running, seed, statements
from .sites import INSTALLED, OURS, SITES, Site

ACCOUNTS = 10_000
FEW, MANY = 1_000, 1_000_000
LOG_INS, PAGES = 25, 200
"""In a turn, one after the other, for what one costs."""
SECONDS_OF_LOG_INS, SECONDS_OF_PAGES = 2.5, 1.0
"""In a turn, by several clients at once, for the rate."""
WARM_UP = 30
GROWTH_LOG_INS = 15
HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")
Figures = dict[str, dict[str, Any]]
"""By the name of the site: each figure, those of turns as a list."""


def main() -> None:
    options = arguments()
    chosen = [site for site in SITES if site.name in (OURS, *(options.only or [site.name for site in SITES]))]
    INSTALLED.mkdir(exist_ok=True)
    for site in chosen:
        install(site)
        log_of(site).unlink(missing_ok=True)
    figures: Figures = {site.name: defaultdict(list) for site in chosen}
    load = os.getloadavg()[0]
    begun = time.time()
    with TemporaryDirectory(dir=INSTALLED, prefix="data-") as folder:
        if not options.postgres:
            beside(chosen, Path(folder), options.rounds, figures)
        growth(chosen, Path(folder), options.rounds, options.accounts, options.postgres, figures)
    results = {
        "date": time.strftime("%Y-%m-%d %H:%M"),
        "machine": machine(),
        "load_before": round(load, 2),
        "minutes": round((time.time() - begun) / 60, 1),
        "rounds": options.rounds,
        "accounts": [FEW, options.accounts],
        "database": "PostgreSQL" if options.postgres else "SQLite",
        "huge_pages": huge_pages(),
        "figures": {name: dict(values) for name, values in figures.items()},
    }
    print(draw.table(results))
    if len(chosen) == len(SITES):
        file = draw.POSTGRESQL if options.postgres else draw.SQLITE
        file.write_text(json.dumps(results, indent=1) + "\n")
        draw.write()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-peers", description="Nightlatch beside its peers.")
    names = [site.name for site in SITES]
    parser.add_argument("--rounds", type=int, default=5, help="turns of each site; their median counts")
    parser.add_argument("--only", nargs="+", choices=names, help="with Nightlatch; nothing is written then")
    parser.add_argument("--accounts", type=int, default=MANY, help=f"of the large database, beside one of {FEW:,}")
    parser.add_argument("--postgres", metavar="URL", help="measure the growth only, on this server")
    options = parser.parse_args()
    if options.accounts <= FEW:
        parser.error(f"--accounts must be more than {FEW:,}, of which the small database has")
    return options


def beside(chosen: list[Site], folder: Path, rounds: int, figures: Figures) -> None:
    databases = {site: seed(site, f"sqlite:///{folder}/{site.name}.sqlite3", ACCOUNTS) for site in chosen}
    for site, database in databases.items():
        figures[site.name] |= statements(site, database, folder / "statements")
    for _ in range(rounds):
        for site, database in databases.items():
            figures[site.name]["first_answer"].append(first_answer(site, database))
    with ExitStack() as stack:
        servers = [stack.enter_context(running(site, database)) for site, database in databases.items()]
        hashes = [stack.enter_context(closing(Hashes(site))) for site in chosen]
        weigh(servers, figures)
        for server in servers:
            cost(server, server.log_in, WARM_UP)
        for turn in range(rounds):
            for server, hashed in zip(servers, hashes, strict=True):
                log_ins(server, hashed, figures[server.site.name])
                pages(server, figures[server.site.name])
            print(f"round {turn + 1} of {rounds}", flush=True)
        for server in servers:
            figures[server.site.name] |= {"memory": server.resident_mib(), "memory_of_all": server.memory_mib()}
        with other_huge_pages() as is_other:
            for _ in range(min(rounds, 3) if is_other else 0):
                for server, hashed in zip(servers, hashes, strict=True):
                    log_ins(server, hashed, figures[server.site.name], "_huge")


def weigh(servers: list[Running], figures: Figures) -> None:
    """A first visit in a browser, of those that have pages."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=os.environ["NIGHTLATCH_TEST_CHROMIUM"], args=["--no-sandbox"]
        )
        for server in servers:
            if not server.site.flow.verify:
                figures[server.site.name] |= first_visit(server, chromium.new_page())
        chromium.close()


def log_ins(server: Running, hashes: Hashes, figures: dict[str, Any], suffix: str = "") -> None:
    one = cost(server, server.log_in, LOG_INS)
    done, failed = rate(server, server.log_in, SECONDS_OF_LOG_INS)
    figures[f"log_in_cpu{suffix}"].append(one.cpu)
    figures[f"log_in_wall{suffix}"].append(one.wall)
    figures[f"hash_cpu{suffix}"].append(hashes.cpu())
    figures[f"log_ins{suffix}"].append(done)
    figures[f"failed{suffix}"].append(failed)


def pages(server: Running, figures: dict[str, Any]) -> None:
    flow, browser = server.site.flow, server.browser()
    server.log_in(browser)
    figures["settings_cpu"].append(cost(server, lambda one: one.get(flow.settings), PAGES, browser).cpu)
    done, failed = rate(server, lambda one: one.get(flow.settings), SECONDS_OF_PAGES, browser.cookies)
    figures["settings"].append(done)
    figures["failed"][-1] += failed
    if not flow.verify:
        figures["log_in_page_cpu"].append(cost(server, lambda one: one.get(flow.log_in), PAGES).cpu)
        figures["log_in_page"].append(rate(server, lambda one: one.get(flow.log_in), SECONDS_OF_PAGES)[0])


def growth(chosen: list[Site], folder: Path, rounds: int, many: int, postgres: str | None, figures: Figures) -> None:
    """A log-in with few accounts in the database and with many, by turns."""
    for site in chosen:
        if postgres and site.name == "bare":
            continue  # it has SQLite only
        with ExitStack() as stack:
            servers = {}
            for count in (FEW, many):
                if postgres:
                    url = stack.enter_context(own_database(postgres, f"bench_{site.name}_{count}"))
                else:
                    url = f"sqlite:///{folder}/{site.name}-{count}.sqlite3"
                servers[count] = stack.enter_context(running(site, seed(site, url, count)))
            for server in servers.values():
                cost(server, server.log_in, GROWTH_LOG_INS)
            for _ in range(rounds):
                for count, server in servers.items():
                    which = "few" if count == FEW else "many"
                    one = cost(server, server.log_in, GROWTH_LOG_INS)
                    figures[site.name][f"{which}_cpu"].append(one.cpu)
                    figures[site.name][f"{which}_wall"].append(one.wall)
        for file in folder.glob(f"{site.name}-*"):
            file.unlink()
        print(f"growth of {site.title}", flush=True)


@contextmanager
def own_database(server: str, name: str) -> Iterator[str]:
    """A database on a PostgreSQL server that is made, and dropped on leaving."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        connection.execute(f'CREATE DATABASE "{name}"')
        try:
            yield f"{server.rpartition('/')[0]}/{name}"
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def huge_pages() -> str:
    """How the kernel uses transparent huge pages: always, madvise or never; empty where it has none."""
    return HUGE_PAGES.read_text().partition("[")[2].partition("]")[0] if HUGE_PAGES.exists() else ""


@contextmanager
def other_huge_pages() -> Iterator[bool]:
    """Turns transparent huge pages to `always`, or from it to `madvise`, and back on leaving; False where it cannot."""
    before = huge_pages()
    try:
        HUGE_PAGES.write_text(draw.other({"huge_pages": before}))
    except OSError:
        yield False
        return
    try:
        yield True
    finally:
        HUGE_PAGES.write_text(before)


def machine() -> str:
    info = Path("/proc/cpuinfo").read_text()
    model = info.partition("model name")[2].partition(":")[2].partition("\n")[0].strip() or platform.machine()
    return f"{model}, {os.cpu_count()} cores, Linux {platform.release()}, Python {platform.python_version()}"


if __name__ == "__main__":
    main()
