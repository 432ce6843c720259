"""A text message gateway on loopback that speaks Vonage's SMS API and can be told to fail.

    with Gateway() as gateway:
        VonageTexts(TextGateway("key", "secret", "Nightlatch", gateway.url, None), 5).send(message)
    assert gateway.texts[0].form["text"] == "Hello"

It accepts every text. Answers put into `gateway.answers` are given first, one per request.
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
    """One request that was received."""

    method: str
    path: str
    headers: Mapping[str, str]
    form: dict[str, str] = field(default_factory=dict)


class Turn(BaseHTTPRequestHandler):
    """One request, with what an answer needs to reply to it."""

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
        with suppress(OSError):  # the client timed out and closed the connection
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

    def close_connection(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_words: Any) -> None:
        """Keeps requests out of the test output."""


Answer = Callable[[Turn], None]


def statuses(*given: str) -> Answer:
    """One message part per status; "0" means accepted. A refusal quotes the text that was sent, as spam filters do."""

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
    """Answers with this HTTP status and a body that quotes the text and the credentials."""
    return lambda turn: turn.say_json(
        {"title": f"No: {turn.asked.form}", "detail": turn.asked.headers.get("Authorization")}, code
    )


def drop(turn: Turn) -> None:
    """Closes the connection after reading the request: the client cannot know whether the text was accepted."""
    turn.close_connection()


def drop_at_once(turn: Turn) -> None:
    """Closes the connection before reading the body."""
    turn.close_connection()


def cut_short(turn: Turn) -> None:
    """Closes the connection in the middle of the answer."""
    turn.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n{"message-count":')
    turn.close_connection()


def never(turn: Turn) -> None:
    """Sends no answer until the gateway closes."""
    turn.gateway.closing.wait(30)
    turn.close_connection = True


def drip(turn: Turn) -> None:
    """Sends a byte every tenth of a second, so that a time-out of the socket alone never ends the request."""
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
    """The answer of Vonage to an accepted text."""
    if turn.asked.method == "GET":
        turn.say_json({"value": 3.14159265, "autoReload": False})
    else:
        statuses("0")(turn)


class Gateway:
    def __init__(self, answer: Answer = take, tls: ssl.SSLContext | None = None) -> None:
        """`answer` is used when `answers` is empty."""
        self.answers: list[Answer] = []
        self.asked: list[Asked] = []
        self.closing = threading.Event()
        self._answer = answer
        self._lock = threading.Lock()
        self._ids = count(1)
        turn = type("TurnOfThisGateway", (Turn,), {"gateway": self})
        self._scheme = "https" if tls else "http"
        self._server = _Server(("127.0.0.1", 0), turn)
        if tls:  # the handshake runs in the request's own thread, so that a stalled one does not block accept()
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._server.server_port}"

    @property
    def texts(self) -> list[Asked]:
        """Texts that were sent here, oldest first, accepted or not."""
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
        """Keeps disconnected clients out of the test output."""
