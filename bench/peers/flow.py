"""A browser of few lines that logs in to each site. It must use little processor time: it runs on the measured cores.

So it writes HTTP/1.1 to a socket, and finds in pages only what a form needs.
"""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator
from html import unescape
from urllib.parse import urlencode, urlsplit

from pyotp import TOTP

from .shared import PASSWORD
from .sites import Flow

FORM = re.compile(rb"<form\b([^>]*)>(.*?)</form>", re.DOTALL)
HIDDEN = re.compile(rb"<input\b[^>]*type=\"?hidden[^>]*>")
NAME, VALUE, ACTION = (re.compile(rb'\b%s="([^"]*)"' % name) for name in (b"name", b"value", b"action"))
REDIRECTS = (301, 302, 303, 307)
ARRIVAL_SECONDS = 0.3
"""From the making of a code to its comparison, on a busy machine."""
AGENT = "Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0"


class FlowError(Exception):
    """A log-in that did not end on its page, or a page that was not answered with 200."""


class Browser:
    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.cookies: dict[str, str] = {}
        self.requests = 0
        self.path = ""
        """Of the last page, after redirects."""
        self._connect()

    def _connect(self) -> None:
        self._socket = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._answer = self._socket.makefile("rb")

    def close(self) -> None:
        self._answer.close()
        self._socket.close()

    def get(self, path: str) -> bytes:
        return self._page("GET", path)

    def post(self, path: str, form: dict[str, str]) -> bytes:
        return self._page("POST", path, urlencode(form).encode(), "application/x-www-form-urlencoded")

    def post_json(self, path: str, values: dict[str, str]) -> bytes:
        return self._page("POST", path, json.dumps(values).encode(), "application/json")

    def submit(self, page: bytes, typed: dict[str, str]) -> bytes:
        """Sends the form of the page that has these fields, with its hidden ones."""
        field = next(iter(typed)).encode()
        for attributes, inside in FORM.findall(page):
            if b'name="%s"' % field in inside:
                action = ACTION.search(attributes)
                path = unescape(action[1].decode()) if action and action[1] else self.path
                hidden = {_of(NAME, tag): _of(VALUE, tag) for tag in HIDDEN.findall(inside)}
                return self.post(path, {**hidden, **typed})
        raise FlowError(f"no form with {field.decode()} at {self.path}: {page[:600].decode(errors='replace')}")

    def _page(self, method: str, path: str, body: bytes = b"", media: str = "") -> bytes:
        """The page after redirects. Raises `FlowError`."""
        status, location, page = self._request(method, path, body, media)
        while status in REDIRECTS:
            url = urlsplit(location)
            path = url.path + (f"?{url.query}" if url.query else "")
            status, location, page = self._request("GET", path, b"", "")
        self.path = path
        if status != 200:
            raise FlowError(f"{method} {path}: {status} {page[:600].decode(errors='replace')}")
        return page

    def _request(self, method: str, path: str, body: bytes, media: str) -> tuple[int, str, bytes]:
        self.requests += 1
        head = f"{method} {path} HTTP/1.1\r\nHost: {self.host}\r\nUser-Agent: {AGENT}\r\n"
        if self.cookies:
            head += "Cookie: " + "; ".join(f"{name}={value}" for name, value in self.cookies.items()) + "\r\n"
        if media:
            head += f"Origin: http://{self.host}\r\nContent-Type: {media}\r\nContent-Length: {len(body)}\r\n"
        self._socket.sendall(head.encode() + b"\r\n" + body)
        first = self._answer.readline()
        if not first:  # the server has closed an idle connection
            self.close()
            self._connect()
            self._socket.sendall(head.encode() + b"\r\n" + body)
            first = self._answer.readline()
        return self._receive(first)

    def _receive(self, first: bytes) -> tuple[int, str, bytes]:
        """Status, the address of a redirect, and the page; `first` is the first line."""
        if not first:
            raise FlowError("the server closed the connection")
        headers: dict[str, str] = {}
        while (line := self._answer.readline()) != b"\r\n":
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
            if name.lower() == "set-cookie":
                self._keep(value.strip())
        if headers.get("transfer-encoding") == "chunked":
            page = b"".join(self._chunks())
        else:
            page = self._answer.read(int(headers.get("content-length", 0)))
        if headers.get("connection", "").lower() == "close":
            self.close()
            self._connect()
        return int(first[9:12]), headers.get("location", ""), page

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self._answer.readline(), 16):
            yield self._answer.read(size)
            self._answer.readline()
        self._answer.readline()

    def _keep(self, cookie: str) -> None:
        pair, _, attributes = cookie.partition(";")
        name, _, value = pair.partition("=")
        if not value or "max-age=0" in attributes.lower():
            self.cookies.pop(name, None)
        else:
            self.cookies[name] = value


def _of(attribute: re.Pattern[bytes], tag: bytes) -> str:
    found = attribute.search(tag)
    return unescape(found[1].decode()) if found else ""


def log_in(browser: Browser, flow: Flow, number: int, secret: str) -> None:
    """A whole log-in with a code, from the first page to the page after it. Raises `FlowError`."""
    browser.cookies.clear()
    typed = {flow.name: flow.user.format(number), flow.password: PASSWORD}
    if flow.verify:
        browser.post_json(flow.log_in, typed)
        browser.post_json(flow.verify, {flow.code: _code(secret)})
        browser.get(flow.home)
        return
    page = browser.submit(browser.get(flow.log_in), typed)
    page = browser.submit(page, {flow.code: _code(secret)})
    if browser.path != flow.home:
        raise FlowError(f"the log-in ended at {browser.path}: {page[:600].decode(errors='replace')}")


def _code(secret: str) -> str:
    """Waits for the next step where this one ends before the code can arrive: some sites take no earlier one."""
    totp = TOTP(secret)
    left = totp.interval - time.time() % totp.interval
    if left < ARRIVAL_SECONDS:
        time.sleep(left)
    return totp.at(int(time.time()))
