"""A server of an app on loopback, which answers as a test says, over http or https.

with AppServer() as server:
    server.answers.append((204, b""))
    HttpRequests(...).post(server.url, {"logout_token": "..."}, ["127.0.0.0/8"])
assert server.taken[0].form == {"logout_token": "..."}
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl

ENDLESS, DRIP, SILENT = b"endless", b"drip", b"silent"
"""Bodies: one without an end, one that comes a byte a second, and no answer at all."""


@dataclass
class Taken:
    """A request that was received. Header names are in lower case."""

    verb: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), strict_parsing=True))


class Turn(BaseHTTPRequestHandler):
    server_: AppServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): text for name, text in self.headers.items()}
        self.server_.taken.append(Taken(self.command, self.path, headers, body))
        status, answer = self.server_.answers.pop(0) if self.server_.answers else (204, b"")
        with suppress(OSError):  # the client has closed the connection
            self._answer(status, answer)

    def do_GET(self) -> None:
        self.do_POST()

    def _answer(self, status: int, body: bytes) -> None:
        if body == SILENT:
            self.server_.woken.wait(30)
            return
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("Location", body.decode())
            body = b""
        if body not in (ENDLESS, DRIP):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if body == ENDLESS:
            while not self.server_.woken.is_set():
                self.server_.written += self.wfile.write(bytes(65536))
        elif body == DRIP:
            while not self.server_.woken.wait(0.2):
                self.wfile.write(b" ")
        else:
            self.wfile.write(body)

    def log_message(self, *_words: Any) -> None:
        """Keeps requests out of the test output."""


class AppServer:
    def __init__(self, context: ssl.SSLContext | None = None, *, address: str = "127.0.0.1", port: int = 0) -> None:
        """`context` has the certificate of a server over https."""
        self.answers: list[tuple[int, bytes]] = []
        self.taken: list[Taken] = []
        self.written = 0
        self.woken = threading.Event()
        self._server = ThreadingHTTPServer((address, port), type("Mine", (Turn,), {"server_": self}))
        self._server.daemon_threads = True
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_port
        self.url = f"http{'s' if context else ''}://127.0.0.1:{self.port}/log-out"

    def waits_for(self, count: int, seconds: float = 5) -> list[Taken]:
        until = time.monotonic() + seconds
        while len(self.taken) < count and time.monotonic() < until:
            time.sleep(0.02)
        return self.taken

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.woken.set()
        self._server.shutdown()
        self._server.server_close()
