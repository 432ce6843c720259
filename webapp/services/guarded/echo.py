"""A small application that answers with what it received, so that a proxy in front of it can be examined."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

WEBSOCKET_ID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""Of RFC 6455 section 1.3."""
TEXT_FRAME = 0x81
SHORT_FRAME = 125
CLOSE_FRAME = b"\x88\x00"
PART = 65536
"""Bytes of a body that are in memory at once."""


class Echo(BaseHTTPRequestHandler):
    """Answers each method with JSON: method, target, bytes of the body, and headers by their names as received.

    A value of two lines is joined by a comma. A WebSocket is opened, gets the method and the target as one message, and
    is closed.
    """

    protocol_version = "HTTP/1.1"
    timeout = 10

    def __getattr__(self, name: str) -> Any:
        """`do_` and any method, as the base class looks it up."""
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

    def _answer(self) -> None:
        self.close_connection = True
        target = self.requestline.split(" ")[1]  # the base class shortens slashes in its own copy
        seen: dict[str, Any] = {"method": self.command, "target": target}
        key = self.headers.get("Sec-WebSocket-Key")
        if self.headers.get("Upgrade", "").lower() == "websocket" and key:
            message = json.dumps(seen).encode()[:SHORT_FRAME]
            accepted = b64encode(sha1(f"{key}{WEBSOCKET_ID}".encode(), usedforsecurity=False).digest()).decode()
            self._head(101, {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": accepted})
            self.wfile.write(bytes([TEXT_FRAME, len(message)]) + message + CLOSE_FRAME)
            return
        headers: dict[str, str] = {}
        for name, value in self.headers.items():
            text = value.encode("latin-1", "replace").decode("utf-8", "replace")
            headers[name] = f"{headers[name]}, {text}" if name in headers else text
        body = json.dumps({**seen, "body": self._body(), "headers": headers}).encode()
        about = {"Content-Type": "application/json", "Content-Length": str(len(body)), "Connection": "close"}
        self._head(200, {**about, "Cache-Control": "no-store"})
        if self.command != "HEAD":
            self.wfile.write(body)

    def _body(self) -> int:
        """Reads the body, and returns its bytes.

        A connection that is closed with a part of it unread is reset (RFC 9112 section 9.6), and the proxy answers with
        502. One without a length is not read.
        """
        length = self.headers.get("Content-Length", "")
        left = total = int(length) if length.isdecimal() else 0
        while left and (part := self.rfile.read(min(left, PART))):
            left -= len(part)
        return total - left

    def _head(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is logged."""


def echo_server(host: str, port: int, handler: type[Echo] = Echo) -> ThreadingHTTPServer:
    """The application, listening at this address; port 0 for any that is free. It serves by `serve_forever`."""
    server = ThreadingHTTPServer((host, port), handler)
    server.daemon_threads = True
    return server
