"""A server of an app on loopback, which answers as a test says, over http or https.

with AppServer() as server:
    server.answers.append((204, b""))
    HttpRequests(...).post(server.url, {"logout_token": "..."}, ["127.0.0.0/8"])
assert server.taken[0].form == {"logout_token": "..."}
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from tests.adapters.loopback import Loopback, Turn

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


class AppTurn(Turn):
    server_: AppServer

    def take(self, headers: Mapping[str, str], body: bytes) -> None:
        self.server_.taken.append(Taken(self.command, self.path, headers, body))
        self._answer(*(self.server_.answers.pop(0) if self.server_.answers else (204, b"")))

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


class AppServer(Loopback):
    def __init__(self, context: ssl.SSLContext | None = None, *, address: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__(AppTurn, context, address, port)
        self.answers: list[tuple[int, bytes]] = []
        self.taken: list[Taken] = []
        self.written = 0
        self.url = f"http{'s' if context else ''}://127.0.0.1:{self.port}/log-out"
