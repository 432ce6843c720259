"""What the exchange of a code for tokens costs: processor time of the server beyond the signatures, and statements."""

from __future__ import annotations

import statistics
import time
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Any

from sqlalchemy import event

from webapp import create_app
from webapp.bootstrap import Services
from webapp.domain.origin import Origin
from webapp.models.registered_apps import WEB
from webapp.services.openid.tokens import ACCESS_TOKEN
from webapp.services.operators import AppOptions
from webapp.settings import Settings

from .person import Person
from .server import Server

BACK = "https://app.example/back"
VERIFIER = "a verifier of a benchmark of forty-three cha".replace(" ", "-")
EXCHANGES = 60
SIGNATURES = 2
"""Of an ID token and of an access token."""
HERE = Origin("127.0.0.1", "a browser")


class Exchanges:
    """An app and its user on a running server. Codes are made here, and exchanged there."""

    def __init__(self, server: Server) -> None:
        self.server, self.app = server, create_app(Settings.read(server.environ))
        self.services: Services = self.app.extensions["nightlatch"]
        options = AppOptions("Bench", redirect_uris=(BACK,), trusted=True)
        self.made = self.services.operators.apps.create(WEB, options)
        with self.services.db.write() as tx:
            account = self.services.accounts.named("bench1").id
            opened = self.services.sessions.open(
                tx, account, HERE, persistent=False, proofs=["password", "authentication-app"]
            )
        user = self.services.sessions.find(opened.token)
        assert user is not None
        self.user = user

    def code(self) -> str:
        service = self.services.openid.authorizations
        challenge = urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
        asked = service.ask(
            [
                ("response_type", "code"),
                ("client_id", self.made.app.client_id),
                ("redirect_uri", BACK),
                ("scope", "openid profile email"),
                ("nonce", "n"),
                ("code_challenge", challenge),
                ("code_challenge_method", "S256"),
            ]
        )
        return dict(service.grant(self.user, asked, service.now(self.user), HERE).parameters)["code"]

    def form(self, code: str) -> dict[str, str]:
        proof = {"client_id": self.made.app.client_id, "client_secret": str(self.made.secret)}
        given = {"grant_type": "authorization_code", "redirect_uri": BACK, "code_verifier": VERIFIER}
        return {**proof, **given, "code": code}

    def cpu(self) -> float:
        """Seconds of the server's processor time for an exchange, without its signatures."""
        codes, person = [self.code() for _ in range(EXCHANGES)], Person(self.server)
        before = self.server.cpu()
        for code in codes:
            status, body = person.send("/oauth/token", self.form(code))
            assert status == 200, body
        return (self.server.cpu() - before) / EXCHANGES - SIGNATURES * self.signature()

    def signature(self) -> float:
        """Seconds of a signature by RS256 in this process, the median."""
        keys, taken = self.services.openid.signing_keys.published(), []
        for _ in range(EXCHANGES):
            begun = time.process_time()
            self.services.openid.signing_keys.sign(keys, {"sub": "x" * 300}, "RS256", ACCESS_TOKEN)
            taken.append(time.process_time() - begun)
        return statistics.median(taken)

    def statements(self) -> int:
        """The statements that read or change rows."""
        client, counted = self.app.test_client(), list[str]()
        self._exchange(client)  # the first one reads the keys

        def count(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            if statement.startswith(("SELECT", "INSERT", "UPDATE", "DELETE")):
                counted.append(statement)

        code = self.code()
        event.listen(self.services.db.engine, "before_cursor_execute", count)
        self._exchange(client, code)
        event.remove(self.services.db.engine, "before_cursor_execute", count)
        return len(counted)

    def _exchange(self, client: Any, code: str | None = None) -> None:
        answer = client.post("/oauth/token", data=self.form(code or self.code()), base_url=f"http://{self.server.host}")
        assert answer.status_code == 200, answer.text

    def close(self) -> None:
        self.services.db.engine.dispose()
