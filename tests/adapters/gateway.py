"""A text message gateway on this machine, which speaks as Vonage's SMS API does, well or ill.

    with Gateway() as gateway:
        VonageTexts(TextGateway("key", "secret", "Nightlatch", gateway.url, None), 5).send(message)
    assert gateway.texts[0].form["text"] == "Hello"

It takes every text, unless answers were put into `gateway.answers`: those are given first, one a request.
"""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs


@dataclass
class Asked:
    """One request, as it came in."""

    method: str
    path: str
    headers: Mapping[str, str]
    form: dict[str, str] = field(default_factory=dict)


class Turn(BaseHTTPRequestHandler):
    """One request and what an answer may do with it."""

    protocol_version = "HTTP/1.1"
    gateway: Gateway
    asked: Asked

    def do_POST(self) -> None:
        self.asked = Asked(self.command, self.path, dict(self.headers))
        self.gateway.remember(self.asked)
        answer = self.gateway.next_answer()
        if answer is not drop_at_once:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            fields = parse_qs(body, keep_blank_values=True, strict_parsing=bool(body))
            assert all(len(values) == 1 for values in fields.values()), "a form field came twice"
            self.asked.form.update({name: values[0] for name, values in fields.items()})
        with suppress(OSError):  # who waited in vain has hung up
            answer(self)

    def do_GET(self) -> None:
        self.do_POST()

    def say(self, body: bytes, code: int = 200, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(code)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def say_json(self, answer: object, code: int = 200) -> None:
        self.say(json.dumps(answer).encode(), code)

    def hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_words: Any) -> None:
        """Says nothing."""


Answer = Callable[[Turn], None]


def statuses(*given: str) -> Answer:
    """A part of the message for each status, "0" for taken. A refusal quotes what was sent, as filters do."""

    def answer(turn: Turn) -> None:
        form, parts = turn.asked.form, []
        for status in given:
            part = {"to": form.get("to", ""), "status": status, "client-ref": form.get("client-ref", "")}
            if status == "0":
                price = {"remaining-balance": "3.14159265", "message-price": "0.03330000", "network": "12345"}
                part |= {"message-id": turn.gateway.new_id(), **price}
            else:
                part["error-text"] = f"No: {form}"
            parts.append(part)
        turn.say_json({"message-count": str(len(parts)), "messages": parts})

    return answer


def says(body: bytes, code: int = 200, **headers: str) -> Answer:
    return lambda turn: turn.say(body, code, headers)


def says_json(answer: object, code: int = 200) -> Answer:
    return lambda turn: turn.say_json(answer, code)


def fails(code: int) -> Answer:
    """An HTTP status, with words that quote what was sent and by whom."""
    return lambda turn: turn.say_json(
        {"title": f"No: {turn.asked.form}", "detail": turn.asked.headers.get("Authorization")}, code
    )


def drop(turn: Turn) -> None:
    """Hangs up when all was read: nobody knows whether the text goes out."""
    turn.hang_up()


def drop_at_once(turn: Turn) -> None:
    """Hangs up before the body was read."""
    turn.hang_up()


def cut_short(turn: Turn) -> None:
    """Hangs up in the middle of its answer."""
    turn.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n{"message-count":')
    turn.hang_up()


def never(turn: Turn) -> None:
    """Says nothing until the gateway closes."""
    turn.gateway.closing.wait(30)
    turn.close_connection = True


def drip(turn: Turn) -> None:
    """A byte every tenth of a second, which a time-out of the socket alone would listen to for ever."""
    turn.close_connection = True
    turn.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not turn.gateway.closing.wait(0.1):
        turn.wfile.write(b"x")


def drip_the_body(turn: Turn) -> None:
    turn.close_connection = True
    turn.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n")
    while not turn.gateway.closing.wait(0.1):
        turn.wfile.write(b" ")


def take(turn: Turn) -> None:
    """What Vonage answers when all is well."""
    if turn.asked.method == "GET":
        turn.say_json({"value": 3.14159265, "autoReload": False})
    else:
        statuses("0")(turn)


class Gateway:
    def __init__(self, answer: Answer = take, tls: ssl.SSLContext | None = None) -> None:
        """`answer` is given when `answers` is empty."""
        self.answers: list[Answer] = []
        self.asked: list[Asked] = []
        self.closing = threading.Event()
        self._answer = answer
        self._lock = threading.Lock()
        self._ids = count(1)
        turn = type("TurnOfThisGateway", (Turn,), {"gateway": self})
        self._scheme = "https" if tls else "http"
        self._server = _Server(("127.0.0.1", 0), turn)
        if tls:  # the handshake is for the request's own thread: one that stalls holds nobody up
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._server.server_port}"

    @property
    def texts(self) -> list[Asked]:
        """What was to be sent, oldest first, whether it was taken or not."""
        with self._lock:
            return [asked for asked in self.asked if (asked.method, asked.path) == ("POST", "/sms/json")]

    def remember(self, asked: Asked) -> None:
        with self._lock:
            self.asked.append(asked)

    def next_answer(self) -> Answer:
        with self._lock:
            return self.answers.pop(0) if self.answers else self._answer

    def new_id(self) -> str:
        return f"0C0000{next(self._ids):010X}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = True

    def handle_error(self, *_who: Any) -> None:
        """A client that hangs up is no news."""
