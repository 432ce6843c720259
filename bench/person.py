"""A client that logs in like a browser. It must use little processor time, because it runs on the measured cores.

So it writes HTTP/1.1 to a socket itself, and parses only what the responses of this server contain.
"""

from __future__ import annotations

import re
import socket
import time
from urllib.parse import urlencode

from pyotp import TOTP

from .server import PASSWORD, Server

TOKEN = re.compile(rb'name="csrf_token" value="([^"]+)"')
COOKIE = re.compile(rb"(?i)\r\nset-cookie: ([^=]+)=([^;\r]*)")
LENGTH = re.compile(rb"(?i)\r\ncontent-length: (\d+)")
HEAD = "{method} {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0\r\n"
FORM = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n"


class Person:
    def __init__(self, server: Server) -> None:
        self._server = server
        self._connection = socket.create_connection(("127.0.0.1", server.port), timeout=30)
        self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.cookies: dict[str, str] = {}

    def send(self, path: str, form: dict[str, str] | None = None) -> tuple[int, bytes]:
        body = urlencode(form) if form is not None else ""
        head = HEAD.format(method="GET" if form is None else "POST", path=path, host=self._server.host)
        if self.cookies:
            head += "Cookie: " + "; ".join(f"{name}={value}" for name, value in self.cookies.items()) + "\r\n"
        if form is not None:
            head += FORM.format(length=len(body))
        self._connection.sendall(f"{head}\r\n{body}".encode())
        answer, page = self._receive()
        for name, value in COOKIE.findall(answer):
            self.cookies[name.decode()] = value.decode()
        return int(answer[9:12]), page

    def _receive(self) -> tuple[bytes, bytes]:
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._read()
        head, _, body = received.partition(b"\r\n\r\n")
        length = LENGTH.search(head)
        assert length is not None, head
        while len(body) < int(length[1]):
            body += self._read()
        return head, body

    def _read(self) -> bytes:
        received = self._connection.recv(65536)
        if not received:
            raise SystemExit("the server hung up")
        return received

    def log_in(self, number: int) -> None:
        """Five requests: the form, the password, the page for the code, the code, and the home page."""
        self.cookies.clear()
        page = self.send("/log-in")[1]
        answer = {"username": f"bench{number}", "password": PASSWORD}
        self._expect(303, self.send("/log-in", {"csrf_token": _token(page), **answer}))
        page = self.send("/log-in/verify")[1]
        code = TOTP(self._server.secrets[number - 1]).at(int(time.time()))
        self._expect(303, self.send("/log-in/verify", {"csrf_token": _token(page), "code": code}))
        self._expect(200, self.send("/"))

    def token(self, path: str) -> str:
        """The CSRF token of a page."""
        return _token(self.send(path)[1])

    def _expect(self, status: int, answer: tuple[int, bytes]) -> None:
        if answer[0] != status:
            raise SystemExit(f"expected {status}, got {answer[0]}: {answer[1][:2000].decode()}")


def _token(page: bytes) -> str:
    found = TOKEN.search(page)
    if found is None:
        raise SystemExit(f"no form on the page: {page[:500].decode()}")
    return found[1].decode()
