"""An HTTP/1.1 client over a bare socket: it sends what no HTTP library would, or stops in the middle."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from select import select
from socket import IPPROTO_TCP, TCP_NODELAY, create_connection
from urllib.parse import urlencode

SECONDS = 30
"""The time-out of every test, also on a busy machine."""
FORM = "Content-Type: application/x-www-form-urlencoded"


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    """The last value of each header, by its name in lower case."""
    cookies: dict[str, str]
    body: bytes
    set_cookies: list[str] = field(default_factory=list)
    """Each Set-Cookie header, whole."""

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def is_last(self) -> bool:
        """Whether the server closes the connection after this answer."""
        return self.headers.get("connection", "").lower() == "close"

    @property
    def token(self) -> str:
        """The CSRF token of the form on the page."""
        found = re.search(r'name="csrf_token" value="([^"]+)"', self.text)
        assert found is not None, self.text[:500]
        return found[1]


def request(host: str, path: str, *headers: str, method: str = "GET", body: bytes = b"") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def chunked(body: bytes, size: int = 1000) -> bytes:
    """The body in chunks (RFC 9112 section 7.1)."""
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in [*parts, b""])


class Client:
    """One connection. With `tls` the certificate of the server is not verified."""

    def __init__(self, port: int, host: str, *, tls: bool = False) -> None:
        self.host = host
        self.cookies: dict[str, str] = {}
        self.socket = create_connection(("127.0.0.1", port), timeout=SECONDS)
        self.socket.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        if tls:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            self.socket = context.wrap_socket(self.socket, server_hostname=host.partition(":")[0])
        self._reads = self.socket.makefile("rb")

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self, *, body: bool = True) -> Answer:
        line = self._reads.readline()
        if not line:
            raise ConnectionError("the server closed the connection without an answer")
        headers, cookies, set_cookies = {}, {}, []
        while header := self._reads.readline().decode("latin-1").strip():
            name, _, value = header.partition(":")
            headers[name.lower()] = value.strip()
            if name.lower() == "set-cookie":
                cookie, _, rest = value.strip().partition("=")
                cookies[cookie] = rest.partition(";")[0]
                set_cookies.append(value.strip())
        self.cookies |= cookies
        return Answer(int(line.split()[1]), headers, cookies, self._body(headers) if body else b"", set_cookies)

    def _body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding", "").lower() != "chunked":
            return self._reads.read(int(headers.get("content-length", 0)))
        body = b""
        while size := int(self._reads.readline(), 16):
            body += self._reads.read(size)
            self._reads.readline()
        self._reads.readline()
        return body

    def ask(self, path: str, *headers: str, form: dict[str, str] | None = None) -> Answer:
        """Sends the cookies received so far."""
        given = [f"{name}={value}" for name, value in self.cookies.items()]
        if given:
            headers = (*headers, f"Cookie: {'; '.join(given)}")
        if form is None:
            self.send(request(self.host, path, *headers))
        else:
            self.send(request(self.host, path, *headers, FORM, method="POST", body=urlencode(form).encode()))
        return self.answer()

    def log_in(self, username: str, password: str, *headers: str) -> None:
        """Logs in to an account without a second factor."""
        token = self.ask("/log-in", *headers).token
        form = {"csrf_token": token, "username": username, "password": password}
        answer = self.ask("/log-in", *headers, form=form)
        assert (answer.status, answer.headers["location"]) == (303, "/"), answer.text

    def hears_within(self, seconds: float) -> bool:
        """Whether an answer or the end of the connection arrives in time."""
        return bool(select([self.socket], [], [], seconds)[0])

    def is_closed_by_the_server(self) -> bool:
        """Waits for the end of the connection; false if anything else arrives."""
        return self._reads.read(1) == b""

    def read_to_the_end(self) -> bytes:
        """All that arrives until the server closes the connection."""
        return self._reads.read()

    def close(self) -> None:
        self._reads.close()
        self.socket.close()


Connect = Callable[[], Client]
