"""What a check of a request to a guarded host costs: statements, processor time, and checks a second."""

from __future__ import annotations

import statistics
import time
from http.client import HTTPConnection
from typing import Any

from sqlalchemy import event

from webapp import create_app
from webapp.bootstrap import Services
from webapp.domain.origin import Origin
from webapp.models.registered_apps import GUARDED
from webapp.services.operators import AppOptions
from webapp.settings import Settings

from .server import Server

HOST = "bench.localhost"
CHECKS = 200
HERE = Origin("127.0.0.1", "a browser")


class Checks:
    """A guarded host and its user on a running server, asked about as nginx asks."""

    def __init__(self, server: Server) -> None:
        self.server, self.app = server, create_app(Settings.read(server.environ))
        self.services: Services = self.app.extensions["nightlatch"]
        self.made = self.services.operators.apps.create(GUARDED, AppOptions("Bench", host=HOST))
        asked = {"X-Original-URL": f"http://{HOST}/page", "X-Original-Method": "GET"}
        self.headers = {**asked, "Cookie": f"nightlatch={self._log_in()}"}
        self.path = f"/forward/nginx/{self.made.secret}"

    def _log_in(self) -> str:
        proofs = ["password", "authentication-app"]
        with self.services.db.write() as tx:
            account = self.services.accounts.named("bench1").id
            opened = self.services.sessions.open(tx, account, HERE, persistent=False, proofs=proofs)
        user, logins = self.services.sessions.find(opened.token), self.services.guarded.logins
        assert user is not None
        handle = logins.begin(self.made.app, "/page", "password", HERE)
        started = logins.start(HOST, handle, asks=False)
        code = logins.grant(logins.find(started.handle), user).code
        return self.services.guarded.visits.open(HOST, code, [started.nonce], "", HERE).token

    def cpu(self) -> float:
        """Seconds of processor time of a check in this process, the median."""
        client, taken = self.app.test_client(use_cookies=False), []
        for _ in range(CHECKS):
            begun = time.process_time()
            self._check(client)
            taken.append(time.process_time() - begun)
        return statistics.median(taken)

    def statements(self) -> int:
        """The statements that read or change rows."""
        client, counted = self.app.test_client(use_cookies=False), list[str]()
        self._check(client)  # the first one reads the keys

        def count(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            if statement.startswith(("SELECT", "INSERT", "UPDATE", "DELETE")):
                counted.append(statement)

        event.listen(self.services.db.engine, "before_cursor_execute", count)
        self._check(client)
        event.remove(self.services.db.engine, "before_cursor_execute", count)
        return len(counted)

    def share(self, seconds: float) -> float:
        """Checks a second of the server, as a share of its rate of answers that ask nothing."""
        rates = {path: self._rate(path, seconds) for path in (self.path, "/healthz")}
        return rates[self.path] / rates["/healthz"]

    def _rate(self, path: str, seconds: float) -> float:
        connection = HTTPConnection("127.0.0.1", self.server.port)
        count, begun = 0, time.perf_counter()
        while time.perf_counter() - begun < seconds:
            connection.request("GET", path, headers=self.headers)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200, answer.status
            count += 1
        connection.close()
        return count / (time.perf_counter() - begun)

    def _check(self, client: Any) -> None:
        assert client.get(self.path, headers=self.headers, base_url=f"http://{HOST}").status_code == 200

    def close(self) -> None:
        self.services.db.engine.dispose()
