"""People who log in to a real server, one after the other, while its database fails. Each account has one code."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import count
from threading import Event, Thread

from pyotp import TOTP

from bench.server import PASSWORD, Server
from tests.wire import Answer, Client

ACKNOWLEDGED, REFUSED, GIVEN_UP = "acknowledged", "refused", "given up"
GIVES_UP = 45  # seconds, in which the code stays good
PAUSE = 0.5  # seconds between two tries of one person
VISITORS = 6


class NotNow(Exception):
    """The server did not do it, or did not say that it did."""


@dataclass
class LogIn:
    account: int
    code: str
    outcome: str = GIVEN_UP
    cookie: str = ""
    tried: list[tuple[float, bool]] = field(default_factory=list)
    """When each try ended (monotonic), and whether it was answered."""


@dataclass
class LogIns:
    server: Server
    done: list[LogIn] = field(default_factory=list)
    ids: Iterator[int] = field(default_factory=lambda: count(1))
    addresses: Iterator[int] = field(default_factory=lambda: count(1))

    @contextmanager
    def going_on(self) -> Iterator[None]:
        stop = Event()
        threads = [Thread(target=self._visit, args=(stop,)) for _ in range(VISITORS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join()

    def _visit(self, stop: Event) -> None:
        while not stop.is_set():
            self.done.append(self.log_in(next(self.ids)))
            time.sleep(0.1)

    def log_in(self, account: int) -> LogIn:
        """Tries until there is an answer, always with the same code."""
        made = LogIn(account, TOTP(self.server.secrets[account - 1]).now())
        until = time.monotonic() + GIVES_UP
        while time.monotonic() < until:
            try:
                made.cookie = self.try_once(made)
            except (NotNow, OSError):
                made.tried.append((time.monotonic(), False))
                time.sleep(PAUSE)
                continue
            made.outcome = ACKNOWLEDGED if made.cookie else REFUSED
            made.tried.append((time.monotonic(), True))
            break
        return made

    def try_once(self, made: LogIn) -> str:
        """The session's cookie; empty when the code was refused."""
        number = next(self.addresses)
        address = f"X-Forwarded-For: 10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        with closing(Client(self.server.port, self.server.host)) as client:

            def send(path: str, **form: str) -> Answer:
                token = served(client.ask(path, address)).token
                return served(client.ask(path, address, form={"csrf_token": token, **form}))

            password = send("/log-in", username=f"bench{made.account}", password=PASSWORD)
            assert (password.status, password.headers["location"]) == (303, "/log-in/verify"), password.text
            code = send("/log-in/verify", code=made.code)
            if code.status == 303 and "session" in code.cookies:
                return code.cookies["session"]
            assert code.status == 422 or code.headers.get("location") == "/log-in", (code.status, code.text)
            return ""

    def is_in(self, made: LogIn) -> bool:
        with closing(Client(self.server.port, self.server.host)) as client:
            client.cookies["session"] = made.cookie
            return client.ask("/settings").status == 200

    def of(self, outcome: str) -> list[LogIn]:
        return [made for made in self.done if made.outcome == outcome]

    def back_after(self, since: float) -> float:
        """Seconds from `since` until the first log-in that was answered after the last one that was not."""
        tries = [(at, answered) for made in self.done for at, answered in made.tried if at > since]
        failed = max((at for at, answered in tries if not answered), default=since)
        return min(at for at, answered in tries if answered and at > failed) - since


def served(answer: Answer) -> Answer:
    if answer.status >= 500:
        assert answer.status == 503, answer.text
        raise NotNow()
    return answer
