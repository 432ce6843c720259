"""Logging in as a browser would, with as little work of the client's own as can be."""

from __future__ import annotations

import re
import time
from http.client import HTTPConnection
from urllib.parse import urlencode

from pyotp import TOTP

from .server import PASSWORD, Server

TOKEN = re.compile(rb'name="csrf_token" value="([^"]+)"')
AGENT = "Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0"


class Person:
    def __init__(self, server: Server) -> None:
        self._server = server
        self._connection = HTTPConnection("127.0.0.1", server.port, timeout=30)
        self.cookies: dict[str, str] = {}

    def send(self, path: str, form: dict[str, str] | None = None) -> tuple[int, bytes]:
        headers = {"Host": self._server.host, "User-Agent": AGENT}
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        body = None
        if form is not None:
            body = urlencode(form)
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        self._connection.request("POST" if form is not None else "GET", path, body, headers)
        answer = self._connection.getresponse()
        for name, value in answer.getheaders():
            if name == "Set-Cookie":
                key, _, rest = value.partition("=")
                self.cookies[key] = rest.partition(";")[0]
        return answer.status, answer.read()

    def log_in(self, number: int) -> None:
        """Every page of it: the form, the password, the code, and the page that greets."""
        self.cookies.clear()
        page = self.send("/log-in")[1]
        answer = {"username": f"bench{number}", "password": PASSWORD}
        self._expect(303, self.send("/log-in", {"csrf_token": _token(page), **answer}))
        page = self.send("/log-in/verify")[1]
        code = TOTP(self._server.secrets[number - 1]).at(int(time.time()))
        self._expect(303, self.send("/log-in/verify", {"csrf_token": _token(page), "code": code}))
        self._expect(200, self.send("/"))

    def _expect(self, status: int, answer: tuple[int, bytes]) -> None:
        if answer[0] != status:
            raise SystemExit(f"expected {status}, got {answer[0]}: {answer[1][:2000].decode()}")


def _token(page: bytes) -> str:
    found = TOKEN.search(page)
    if found is None:
        raise SystemExit(f"no form on the page: {page[:500].decode()}")
    return found[1].decode()
