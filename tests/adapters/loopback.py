"""An HTTP server on loopback, which answers as a test says and keeps what it was sent."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


class Turn(BaseHTTPRequestHandler):
    """One request. `server_` is the server that a test has."""

    server_: Any

    def take(self, headers: Mapping[str, str], body: bytes) -> None:
        """Answers. Header names are in lower case."""
        raise NotImplementedError

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with suppress(OSError):  # the client has closed the connection
            self.take({name.lower(): text for name, text in self.headers.items()}, body)

    def do_GET(self) -> None:
        self.do_POST()

    def log_message(self, *_words: Any) -> None:
        """Keeps requests out of the test output."""


class Loopback:
    taken: Sequence[Any]
    """What was sent, oldest first."""

    def __init__(
        self, turn: type[Turn], context: ssl.SSLContext | None = None, address: str = "127.0.0.1", port: int = 0
    ) -> None:
        """`context` has the certificate of a server over https."""
        self.woken = threading.Event()
        """Set when the server ends, for answers that wait."""
        self._server = ThreadingHTTPServer((address, port), type("Mine", (turn,), {"server_": self}))
        self._server.daemon_threads = True
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_port

    def waits_for(self, count: int, seconds: float = 5) -> Sequence[Any]:
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
