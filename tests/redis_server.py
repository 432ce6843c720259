"""A real Redis or Valkey of a test's own, which can be stopped, silenced and filled."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from redis import Redis, RedisError
from redis.exceptions import OutOfMemoryError

from tests.test_processes import eventually, free_port

PROGRAM = os.environ.get("NIGHTLATCH_TEST_REDIS_SERVER", "redis-server")


class RedisServer:
    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder, free_port()
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self.start()

    def start(self) -> None:
        listens = ("--bind", "127.0.0.1", "--port", str(self._port), "--save", "", "--dir", str(self._folder))
        command = [PROGRAM, *listens, "--maxmemory-policy", "noeviction"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        assert eventually(self._answers)

    def _answers(self) -> bool:
        with self.client() as client, suppress(RedisError):
            return bool(client.ping())
        return False

    def client(self) -> Redis:
        return Redis.from_url(self.url)

    def stop(self) -> None:
        """Connections are refused."""
        self._process.kill()
        self._process.wait()

    def silence(self) -> None:
        """The system accepts connections for it, and nothing is answered."""
        self._process.send_signal(signal.SIGSTOP)

    def fill(self) -> None:
        """It answers, and refuses to store."""
        with self.client() as client:
            client.config_set("maxmemory", 1)  # byte: nothing that is freed later makes room again
            with pytest.raises(OutOfMemoryError):
                client.set("one more", "x")

    def recover(self) -> None:
        self._process.send_signal(signal.SIGCONT)
        if self._process.poll() is not None:
            self.start()
        with self.client() as client:
            client.config_set("maxmemory", 0)
            client.flushall()


@contextmanager
def redis_server(folder: Path) -> Iterator[RedisServer]:
    if shutil.which(PROGRAM) is None:
        pytest.skip(f"{PROGRAM} is not installed")
    server = RedisServer(folder)
    try:
        yield server
    finally:
        server.stop()
