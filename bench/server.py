"""Starts the production server on a database of its own, with accounts that can log in."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from base64 import b32encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from socket import socket

from sqlalchemy import insert

from webapp import create_app
from webapp.keys import generate_keys
from webapp.models.accounts import Account
from webapp.models.factors import Factor, factor_bound, sole_external_id
from webapp.models.migrate import migrate
from webapp.serve import ALLOCATOR, web_command
from webapp.settings import ROOT, Settings

Command = Callable[[Settings], list[str]]
PASSWORD = "four words of a bench"


@dataclass(frozen=True)
class Server:
    port: int
    pid: int
    secrets: list[str]
    first_answer: float
    """Seconds from the start of the process to the first answer."""
    environ: dict[str, str]

    @property
    def host(self) -> str:
        return f"nightlatch.localhost:{self.port}"

    def workers(self) -> list[int]:
        children = f"/proc/{self.pid}/task/{self.pid}/children"
        return [int(pid) for pid in Path(children).read_text().split()]

    def cpu(self) -> float:
        """Seconds of processor time that the threads of the workers have used, in user and kernel mode."""
        threads = (thread for pid in self.workers() for thread in Path(f"/proc/{pid}/task").iterdir())
        return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9

    def resident_mib(self) -> float:
        """The resident memory of the largest worker."""
        return max(memory_kib(pid, "Rss") for pid in self.workers()) / 1024

    def own_mib(self) -> float:
        """What one more worker takes: of the largest, the memory that it shares with no other process."""
        return max(memory_kib(pid, "Private_Clean", "Private_Dirty") for pid in self.workers()) / 1024


def memory_kib(pid: int, *which: str) -> int:
    """A sum of fields of /proc/PID/smaps_rollup (proc(5))."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    return sum(int(line.split()[1]) for line in lines if line.partition(":")[0] in which)


@contextmanager
def running(
    folder: Path, more: Mapping[str, str] = {}, *, workers: int, accounts: int, command: Command = web_command
) -> Iterator[Server]:
    """The production server as `make serve` starts it, without the worker. `more` are further settings."""
    port = _free_port()
    keys = {f"NIGHTLATCH_{name}": value for name, value in generate_keys().items()}
    environ = {
        **ALLOCATOR,
        **os.environ,
        **keys,
        "NIGHTLATCH_SERVING": "1",
        "NIGHTLATCH_SERVER_NAME": f"nightlatch.localhost:{port}",
        "NIGHTLATCH_MAIL_URL": "smtp://127.0.0.1:1",
        "NIGHTLATCH_DATABASE_URL": f"sqlite:///{folder / 'bench.sqlite3'}",
        "NIGHTLATCH_BIND": f"127.0.0.1:{port}",
        "NIGHTLATCH_WORKERS": str(workers),
        "NIGHTLATCH_LOG_LEVEL": "ERROR",
        "NIGHTLATCH_LEGACY_ACCESS": "on",
        **more,
    }
    settings = Settings.read(environ)
    migrate(settings.database_url)
    secrets = _seed(settings, accounts)
    begun = time.perf_counter()
    process = subprocess.Popen(command(settings), env=environ, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        _wait(port)
        yield Server(port, process.pid, secrets, time.perf_counter() - begun, environ)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _seed(settings: Settings, accounts: int) -> list[str]:
    """Inserts accounts that logged in before by an authentication app, and returns their TOTP secrets. One hash for all
    saves minutes."""
    services = create_app(settings).extensions["nightlatch"]
    hashed = services.passwords.seal(PASSWORD)
    now, secrets = services.clock.now(), []
    keyring = services.core.keyring
    with services.db.write() as tx:
        services.db.take_time(tx)
        for number in range(1, accounts + 1):
            secret = b32encode(services.entropy.bytes(20)).decode()
            secrets.append(secret)
            name = f"bench{number}"
            values = {
                "id": number,
                "created_at": now,
                "name": name,
                "username": name,
                "username_key": name,
                "language": "en",
                "login_method": "authentication-app",
            }
            tx.execute(insert(Account).values(**values, password_hash=hashed, email=f"{name}@example.org"))
            sealed = keyring.seal(secret, factor_bound(number, "authentication-app"))
            factor = {"account_id": number, "method": "authentication-app", "sealed": sealed, "added_at": now}
            factor["external_id"] = sole_external_id(number)
            tx.execute(insert(Factor).values(factor))
    services.db.engine.dispose()
    return secrets


def _free_port() -> int:
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(port: int) -> None:
    for _ in range(2000):
        try:
            with closing(HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
                connection.request("GET", "/healthz")
                if connection.getresponse().status == 200:
                    return
        except OSError:
            time.sleep(0.005)
    sys.exit("The server did not answer.")
