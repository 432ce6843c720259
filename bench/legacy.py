"""Requests a second of `/legacy/verify` with the same password.

Apps send their password with every request, and a proxy verifies each. Client and server share two cores.
"""

from __future__ import annotations

import socket
import time
from base64 import b64encode
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

from sqlalchemy import delete

from webapp import create_app
from webapp.models.factors import Factor
from webapp.settings import Settings

from .server import PASSWORD, Server, running

CORES = 2
CLIENTS = 4
SECONDS = 8


def verified_a_second() -> float:
    """Responses a second to the password of one account, over connections that stay open like those of a proxy."""
    with TemporaryDirectory() as folder, running(Path(folder), workers=CORES, accounts=1) as server:
        _without_factor(server)
        counts = [0] * CLIENTS
        until = time.perf_counter() + SECONDS

        def client(which: int) -> None:
            counts[which] = _ask(server, until)

        clients = [Thread(target=client, args=(which,)) for which in range(CLIENTS)]
        for thread in clients:
            thread.start()
        for thread in clients:
            thread.join()
    assert all(counts), "a client was refused"
    return sum(counts) / SECONDS


def _without_factor(server: Server) -> None:
    services = create_app(Settings.read(server.environ)).extensions["nightlatch"]
    with services.db.write() as tx:
        tx.execute(delete(Factor))
    services.db.engine.dispose()


def _ask(server: Server, until: float) -> int:
    credentials = b64encode(f"bench1:{PASSWORD}".encode()).decode()
    head = f"GET /legacy/verify HTTP/1.1\r\nHost: {server.host}\r\nUser-Agent: DAVx5/4.4\r\n"
    request = f"{head}Authorization: Basic {credentials}\r\n\r\n".encode()
    count = 0
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while time.perf_counter() < until:
            connection.sendall(request)
            answer = connection.recv(65536)  # the response has no body, and its head arrives in one segment
            if not (answer.startswith(b"HTTP/1.1 200 ") and b"Remote-User: bench1" in answer):
                raise SystemExit(f"expected 200 and a name, got {answer[:400]!r}")
            count += 1
    return count


if __name__ == "__main__":
    print(f"{verified_a_second():.0f} requests a second")
