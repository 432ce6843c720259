"""PostgreSQL servers of the tests: one alone, or three under Patroni with etcd. As root they run as another user."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.test_processes import eventually, free_port
from webapp.settings import ROOT

PATRONI = ROOT / ".patroni"
DATABASE = "nightlatch"
QUICK = {"fsync": "off", "full_page_writes": "off"}
"""Processes die here, not machines."""
TTL, LOOP_WAIT, RETRY_TIMEOUT = 20, 2, 5
"""Seconds: a leader that does not renew its key for `TTL`, which is the least that Patroni takes, is replaced."""


def binaries() -> Path:
    return max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))


def as_owner() -> dict[str, Any]:
    """Options of `Popen`: PostgreSQL refuses to run as root."""
    if os.getuid() != 0:
        return {}
    names = {user.pw_name for user in pwd.getpwall()}
    return {"user": "postgres" if "postgres" in names else "nobody", "extra_groups": []}


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder of that user, where it can reach it."""
    with TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as name:
        folder = Path(name)
        if owner := as_owner():
            shutil.chown(folder, owner["user"])
        yield folder


@contextmanager
def postgres(**settings: str) -> Iterator[str]:
    """A server with an empty database; the URL for the site."""
    with scratch() as folder:
        data, port, options = folder / "data", free_port(), {"cwd": folder, **as_owner()}
        init = ["-U", DATABASE, "--auth=trust", "--encoding=UTF8", "--locale=C"]
        subprocess.run([binaries() / "initdb", "-D", data, *init], stdout=subprocess.DEVNULL, check=True, **options)
        listens = {"port": str(port), "listen_addresses": "127.0.0.1", "unix_socket_directories": ""}
        given = {**listens, **QUICK, "max_connections": "200", **settings}
        command = [binaries() / "postgres", "-D", data, *(f"--{name}={value}" for name, value in given.items())]
        with (folder / "log").open("w") as log:
            server = subprocess.Popen(command, stdout=log, stderr=log, **options)
        try:
            assert eventually(lambda: is_ready(port)), (folder / "log").read_text()
            create = [binaries() / "createdb", "-h", "127.0.0.1", "-p", str(port), "-U", DATABASE, DATABASE]
            subprocess.run(create, check=True, env={**os.environ, "PGOPTIONS": "-c synchronous_commit=local"})
            yield f"postgresql+psycopg://{DATABASE}@127.0.0.1:{port}/{DATABASE}"
        finally:
            server.send_signal(signal.SIGQUIT)
            server.wait(30)


def is_ready(port: int) -> bool:
    command = [binaries() / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
    return subprocess.run(command, check=False).returncode == 0


def descendants(pid: int) -> list[int]:
    with suppress(OSError):
        children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        return [pid, *(found for child in children for found in descendants(child))]
    return []


class Node:
    """Patroni with its PostgreSQL: a machine of a cluster."""

    def __init__(self, folder: Path, name: str, etcd: int) -> None:
        self.name, self._folder = name, folder
        self.rest, self.port = free_port(), free_port()
        self._data, self._config = folder / name, folder / f"{name}.json"
        self._config.write_text(json.dumps(self._settings(etcd)))
        self.start()

    def _settings(self, etcd: int) -> dict[str, Any]:
        logins = {kind: {"username": name, "password": "x"} for kind, name in LOGINS.items()}
        shared = {"parameters": {**QUICK, "max_connections": 100, "wal_keep_size": "256MB"}}
        dcs = {
            "ttl": TTL,
            "loop_wait": LOOP_WAIT,
            "retry_timeout": RETRY_TIMEOUT,
            "synchronous_mode": "quorum",
            "synchronous_mode_strict": True,
            "primary_start_timeout": 0,
            "postgresql": shared,
        }
        return {
            "scope": DATABASE,
            "name": self.name,
            "restapi": {"listen": f"127.0.0.1:{self.rest}", "connect_address": f"127.0.0.1:{self.rest}"},
            "etcd3": {"hosts": f"127.0.0.1:{etcd}"},
            "bootstrap": {"dcs": dcs, "initdb": [{"encoding": "UTF8"}, {"locale": "C"}, "data-checksums"]},
            "postgresql": {
                "listen": f"127.0.0.1:{self.port}",
                "connect_address": f"127.0.0.1:{self.port}",
                "data_dir": str(self._data),
                "bin_dir": str(binaries()),
                "pgpass": str(self._folder / f"{self.name}.pgpass"),
                "authentication": logins,
                "pg_hba": ["host all all 127.0.0.1/32 trust", "host replication all 127.0.0.1/32 trust"],
                "parameters": {"unix_socket_directories": ""},
                "remove_data_directory_on_diverged_timelines": True,  # a primary that comes back is copied anew
            },
        }

    def start(self) -> None:
        environ = {"PATH": os.environ["PATH"], "HOME": str(self._folder), "PYTHONPATH": str(self._folder / "patroni")}
        command = ["/usr/bin/python3", "-m", "patroni", str(self._config)]  # that user may not enter this one's folder
        with (self._folder / f"{self.name}.log").open("a") as log:
            options = {"cwd": self._folder, "env": environ, "stdout": log, "stderr": log, **as_owner()}
            self._patroni = subprocess.Popen(command, start_new_session=True, **options)

    def _processes(self) -> list[int]:
        with suppress(OSError):
            postmaster = int((self._data / "postmaster.pid").read_text().split()[0])
            return [*descendants(self._patroni.pid), *descendants(postmaster)]
        return descendants(self._patroni.pid)

    def signal(self, number: int) -> None:
        """Sends a signal to every process of the machine."""
        for pid in self._processes():
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self._patroni.wait(30)

    def freeze(self) -> None:
        self.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.signal(signal.SIGCONT)

    def ask(self, path: str) -> tuple[int, dict[str, Any]]:
        connection = HTTPConnection("127.0.0.1", self.rest, timeout=3)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or "{}")
        finally:
            connection.close()


LOGINS = {"superuser": DATABASE, "replication": "replicator", "rewind": "rewinder"}


class Cluster:
    def __init__(self, folder: Path) -> None:
        self._etcd_port, peers = free_port(), free_port()
        shutil.copytree(PATRONI, folder / "patroni")
        client, peer = f"http://127.0.0.1:{self._etcd_port}", f"http://127.0.0.1:{peers}"
        command = [
            *("etcd", "--data-dir", str(folder / "etcd"), "--log-level", "error"),
            *("--listen-client-urls", client, "--advertise-client-urls", client),
            *(
                "--listen-peer-urls",
                peer,
                "--initial-advertise-peer-urls",
                peer,
                "--initial-cluster",
                f"default={peer}",
            ),
        ]
        with (folder / "etcd.log").open("w") as log:
            self._etcd = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, **as_owner())
        self.folder = folder
        self.nodes = [Node(folder, f"node{number}", self._etcd_port) for number in range(3)]

    @property
    def url(self) -> str:
        hosts = "&".join(f"host=127.0.0.1:{node.port}" for node in self.nodes)
        return f"postgresql+psycopg://{DATABASE}@/{DATABASE}?{hosts}&target_session_attrs=read-write"

    def leader(self) -> Node | None:
        for node in self.nodes:
            with suppress(OSError, ValueError):
                if node.ask("/primary")[0] == 200:
                    return node
        return None

    def is_whole(self) -> bool:
        """A leader, and two replicas that confirm changes."""
        with suppress(OSError, ValueError):
            members = self.nodes[0].ask("/cluster")[1]["members"]
            roles = sorted(member["role"] for member in members if member["state"] in ("running", "streaming"))
            return roles == ["leader", "quorum_standby", "quorum_standby"]
        return False

    def create_database(self) -> None:
        node = self.leader()
        assert node is not None
        create = [binaries() / "createdb", "-h", "127.0.0.1", "-p", str(node.port), "-U", DATABASE, DATABASE]
        subprocess.run(create, check=True)

    def log(self) -> str:
        return "\n".join(f"{path.name}: {path.read_text()[-3000:]}" for path in self.folder.glob("*.log"))

    def close(self) -> None:
        for node in self.nodes:
            node.thaw()
            node.kill()
        self._etcd.kill()
        self._etcd.wait(30)


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Three nodes, of which one leads, and each change is confirmed by another."""
    with scratch() as folder:
        made = Cluster(folder)
        try:
            assert eventually(made.is_whole, 120), made.log()
            made.create_database()
            yield made
        finally:
            made.close()
