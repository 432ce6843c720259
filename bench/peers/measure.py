"""Runs a site on a database of its own, and measures it: rates, processor time, statements, memory, start, weight."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from socket import socket

from playwright.sync_api import Page

from bench.server import memory_kib

from .flow import Browser, FlowError, log_in
from .shared import numbers
from .sites import INSTALLED, ROOT, Site

WORKERS = 2
CLIENTS = 8
"""Enough to keep both cores busy while some log-ins wait for the disk."""
HERTZ, PAGE = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
CHANGES = ("INSERT", "UPDATE", "DELETE", "REPLACE")
PATIENCE = 60  # seconds until a server must have answered


@dataclass(frozen=True)
class Database:
    """A database with accounts, made by `seed`."""

    url: str
    secret: str
    """The TOTP secret of all accounts."""
    accounts: Iterator[int]
    """The numbers of the accounts that log in next, one after the other and again from the first."""


@dataclass(frozen=True)
class Running:
    site: Site
    database: Database
    port: int
    process: subprocess.Popen[bytes]

    def browser(self) -> Browser:
        return Browser(self.site.host(self.port), self.port)

    def log_in(self, browser: Browser) -> None:
        log_in(browser, self.site.flow, next(self.database.accounts), self.database.secret)

    def cpu(self) -> float:
        """Seconds of processor time that all processes of the server have used, in user and kernel mode."""
        return sum(int(fields[11]) + int(fields[12]) for _, fields in self._processes()) / HERTZ

    def _processes(self) -> Iterator[tuple[int, list[str]]]:
        """The id and the fields of /proc/PID/stat after the name (proc(5)), of each process of the group."""
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):  # ended meanwhile
                fields = stat.read_text().rpartition(")")[2].split()
                if int(fields[2]) == self.process.pid:
                    yield int(stat.parent.name), fields

    def resident_mib(self) -> float:
        """Of the largest process."""
        return max(int(fields[21]) for _, fields in self._processes()) * PAGE / 2**20

    def memory_mib(self) -> float:
        """Of all processes together: what some share counts once, as the sum of their proportions (PSS, proc(5))."""
        return sum(memory_kib(pid, "Pss") for pid, _ in self._processes()) / 2**10


def seed(site: Site, url: str, count: int) -> Database:
    environ = site.environ(free_port(), url, WORKERS)
    made = subprocess.run(
        [*site.program, "seed", str(count)], env=environ, cwd=ROOT, check=True, stdout=subprocess.PIPE
    )
    return Database(url, made.stdout.decode().split()[-1], cycle(numbers(count)))


@contextmanager
def running(site: Site, database: Database, *, workers: int = WORKERS, statements: str = "") -> Iterator[Running]:
    """The production server. `statements` names the file in which the statements are counted, if they are."""
    port = free_port()
    environ = site.environ(port, database.url, workers) | ({"BENCH_STATEMENTS": statements} if statements else {})
    command = site.server(port, workers, environ, counted=bool(statements))
    with log_of(site).open("ab") as log:
        process = subprocess.Popen(command, env=environ, cwd=ROOT, stdout=log, stderr=log, start_new_session=True)
    server = Running(site, database, port, process)
    try:
        _wait(server)
        yield server
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def log_of(site: Site) -> Path:
    return INSTALLED / f"{site.name}.log"


def free_port() -> int:
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(server: Running) -> None:
    """Until the first page is answered, whatever the status."""
    until = time.perf_counter() + PATIENCE
    while time.perf_counter() < until and server.process.poll() is None:
        try:
            browser = server.browser()
        except OSError:
            time.sleep(0.005)
            continue
        with suppress(FlowError):
            browser.get(server.site.flow.log_in)
        browser.close()
        return
    raise SystemExit(f"{server.site.title} did not answer; see {log_of(server.site)}")


def first_answer(site: Site, database: Database) -> float:
    """Seconds from the start of the server to its first answer."""
    begun = time.perf_counter()
    with running(site, database):
        return time.perf_counter() - begun


@dataclass(frozen=True)
class Cost:
    cpu: float
    """Milliseconds of processor time of the server."""
    wall: float
    """Milliseconds."""


def cost(server: Running, act: Callable[[Browser], object], times: int, browser: Browser | None = None) -> Cost:
    """What one act costs, when they are done one after the other."""
    browser = browser or server.browser()
    cpu, wall = server.cpu(), time.perf_counter()
    for _ in range(times):
        act(browser)
    return Cost((server.cpu() - cpu) / times * 1000, (time.perf_counter() - wall) / times * 1000)


def rate(
    server: Running, act: Callable[[Browser], object], seconds: float, cookies: dict[str, str] | None = None
) -> tuple[float, int]:
    """Acts a second by several clients at once, and how many of them failed."""
    until = time.perf_counter() + seconds

    def client(_number: int) -> tuple[int, int]:
        done = failed = 0
        browser = server.browser()
        browser.cookies = dict(cookies or {})
        while time.perf_counter() < until:
            try:
                act(browser)
                done += 1
            except FlowError as error:
                failed += 1
                if failed == 1:
                    print(f"{server.site.title}: {str(error)[:100]}; see {log_of(server.site)}", file=sys.stderr)
                browser.close()
                browser = server.browser()
        browser.close()
        return done, failed

    with ThreadPoolExecutor(CLIENTS) as clients:
        counts = list(clients.map(client, range(CLIENTS)))
    return sum(done for done, _ in counts) / seconds, sum(failed for _, failed in counts)


class Hashes:
    """The hash of a site alone, in a process of its own with its interpreter and its library."""

    def __init__(self, site: Site) -> None:
        environ = site.environ(0, "sqlite:///:memory:", WORKERS) | {"NIGHTLATCH_SERVER_NAME": "nightlatch.localhost"}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._process = subprocess.Popen([*site.program, "hash"], env=environ, cwd=ROOT, text=True, **pipes)

    def cpu(self) -> float:
        """Milliseconds of processor time of one hash, the median."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline()) * 1000

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def statements(site: Site, database: Database, file: Path) -> dict[str, int]:
    """Statements, transactions that write, and requests of one log-in, and statements of a settings page."""
    with running(site, database, workers=1, statements=str(file)) as server:
        browser = server.browser()
        server.log_in(browser)  # the first one reads what later ones have
        browser.get(site.flow.settings)
        file.write_text("")
        browser.requests = 0
        server.log_in(browser)
        counted, writes = _count(file)
        requests = browser.requests
        file.write_text("")
        browser.get(site.flow.settings)
        return {
            "log_in_statements": counted,
            "log_in_writes": writes,
            "log_in_requests": requests,
            "settings_statements": _count(file)[0],
        }


def _count(file: Path) -> tuple[int, int]:
    """Statements that read or change rows, and transactions that change some: each statement outside of one is one."""
    counted = writes = 0
    has_written = False
    for line in file.read_text().splitlines():
        inside, _, statement = line.partition(" ")
        word = statement.partition(" ")[0].upper().strip("(;")
        counted += word in (*CHANGES, "SELECT", "WITH")
        if word in CHANGES:
            writes += inside == "0" or not has_written
            has_written = inside == "1"
        elif word in ("COMMIT", "ROLLBACK", "END"):
            has_written = False
    return counted, writes


def first_visit(server: Running, page: Page) -> dict[str, int]:
    """Requests and bytes over the wire of a first visit to the log-in page, as a browser counts them."""
    sizes: list[int] = []
    asked: list[str] = []
    wire = page.context.new_cdp_session(page)
    wire.send("Network.enable")
    wire.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"http://{server.site.host(server.port)}{server.site.flow.log_in}", wait_until="networkidle")
    elsewhere = [url for url in asked if server.site.host(server.port) not in url]
    return {"visit_bytes": int(sum(sizes)), "visit_requests": len(asked), "visit_elsewhere": len(elsewhere)}
