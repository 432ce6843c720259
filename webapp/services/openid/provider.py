"""Authlib's authorization server for one request, in one transaction: who the client is, and how it is answered.

The grants are in `code_grant.py`, `refresh_grant.py` and `device_grant.py`. Authlib judges the requests; what may
happen once is decided by the rows of `tokens.py` and `device_requests.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from authlib.oauth2.rfc6749 import AuthorizationServer, ClientMixin, OAuth2Request
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload

from ...domain.codes import hash_of
from ...domain.origin import Origin
from ...models.database import Transaction
from ...models.registered_apps import PUBLIC, RegisteredApp
from .clients import Client
from .device_requests import DeviceRequests
from .discovery import DEVICE_CODE, GRANTS, NONE
from .signing_keys import PublishedKeys
from .tokens import Given, Tokens

INTROSPECTION = "introspection"


@dataclass(frozen=True, slots=True)
class Received:
    """A request to a machine address: its form without repeated names, and its Authorization header."""

    form: Mapping[str, str]
    authorization: str | None
    origin: Origin


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a program: a JSON object."""

    status: int
    body: dict[str, Any]
    headers: Sequence[tuple[str, str]] = field(default=())


class Registered(ClientMixin):  # type: ignore[misc]  # Authlib has no types
    """A registered app, as Authlib asks about it."""

    def __init__(self, client: Client) -> None:
        self.client, self.app = client, client.app

    def get_client_id(self) -> str:
        client_id: str = self.app.client_id
        return client_id

    def check_client_secret(self, client_secret: str) -> bool:
        return hash_of(client_secret) in self.client.secret_hashes

    def is_proved_by(self, secret: str | None) -> bool:
        """True for the app's secret; for a public app, which has none, without one."""
        if secret is None:
            return self.app.kind == PUBLIC
        return self.app.kind != PUBLIC and self.check_client_secret(secret)

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        """A public app has no secret; every other one must prove itself (RFC 6749 section 2.3)."""
        return (method == NONE) == (self.app.kind == PUBLIC) and (method != NONE or endpoint != INTROSPECTION)

    def check_grant_type(self, grant_type: str) -> bool:
        return self.app.device_allowed if grant_type == DEVICE_CODE else grant_type in GRANTS


class TokenRequest(OAuth2Request):  # type: ignore[misc]  # the same
    """The request as Authlib reads it. Its address is not checked here: the settings demand https."""

    def __init__(self, received: Received) -> None:
        headers = {"Authorization": received.authorization} if received.authorization else {}
        super().__init__("POST", "https://site.invalid/", headers=headers)
        self.payload, self.given = BasicOAuth2Payload(dict(received.form)), dict(received.form)

    @property
    def form(self) -> dict[str, str]:
        return self.given


class Provider(AuthorizationServer):  # type: ignore[misc]  # the same
    """`client` is the app that the request names. It and the keys were read before the transaction began."""

    def __init__(
        self,
        tx: Transaction,
        tokens: Tokens,
        devices: DeviceRequests,
        client: Client | None,
        keys: PublishedKeys,
        origin: Origin,
    ) -> None:
        super().__init__()
        self.tx, self.tokens, self.devices, self.named, self.keys = tx, tokens, devices, client, keys
        self.origin = origin
        self.register_token_generator("default", self.make_token)
        self.given: Given | None = None
        self.nonce: str | None = None

    def query_client(self, client_id: str) -> Registered | None:
        named = self.named
        return Registered(named) if named is not None and named.app.client_id == client_id else None

    @property
    def client_app(self) -> RegisteredApp:
        """The app of a request that was authenticated."""
        assert self.named is not None, "asked for before the client was authenticated"
        return self.named.app

    def make_token(self, *, client: Registered, scope: str, **_rest: Any) -> dict[str, Any]:
        """Makes the tokens of `given`, which the grant has found."""
        assert self.given is not None, "a grant made a token before it had found what for"
        given, scopes = self.given, scope.split()
        return self.tokens.make(self.tx, client.client, given, scopes, nonce=self.nonce, keys=self.keys)

    def save_token(self, token: dict[str, Any], request: OAuth2Request) -> None:
        """Nothing: `make_token` stored what is stored of it."""

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Nothing listens to Authlib's signals here."""

    def create_oauth2_request(self, request: Received) -> TokenRequest:
        return TokenRequest(request)

    def handle_response(self, status: int, body: dict[str, Any], headers: Sequence[tuple[str, str]]) -> Reply:
        return Reply(status, dict(body), list(headers))
