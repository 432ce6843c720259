"""Authlib's authorization server for one request, in one transaction: who the client is, and how it is answered.

The grants are in `code_grant.py`, `refresh_grant.py` and `device_grant.py`. Authlib judges the requests; what may
happen once is decided by the rows of `tokens.py` and `device_requests.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field
from typing import Any

from authlib.oauth2.rfc6749 import (
    AuthorizationServer,
    ClientMixin,
    InvalidClientError,
    InvalidGrantError,
    OAuth2Error,
    OAuth2Request,
)
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload

from ...domain.codes import hash_of
from ...domain.origin import Origin
from ...models.app_proofs import use_proof
from ...models.database import Transaction
from ...models.registered_apps import PUBLIC, RegisteredApp
from .clients import Client
from .device_requests import DeviceRequests
from .discovery import BASIC, BY_ASSERTION, DEVICE_CODE, GRANTS, NONE, POST
from .dpop import InvalidDpopProof, KeyProof
from .signed_proofs import OneUse
from .signing_keys import PublishedKeys
from .tokens import StoredAuthorization, Tokens

INTROSPECTION = "introspection"


@dataclass(frozen=True, slots=True)
class Received:
    """A request to a machine address: its form without repeated names, and its Authorization header."""

    form: Mapping[str, str]
    authorization: str | None
    origin: Origin
    dpop: str | None = None
    """The DPoP header (RFC 9449 section 4)."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a program: a JSON object."""

    status: int
    body: dict[str, Any]
    headers: Sequence[tuple[str, str]] = field(default=())
    client_id: str = ""
    """The app that the request named, whether or not there is one."""


@dataclass(frozen=True, slots=True)
class Proved:
    """What the request proves by signatures. Each is used once, in the transaction."""

    assertion: OneUse | None = None
    key: KeyProof | None = None
    """The key that the tokens are bound to."""


class InvalidTarget(OAuth2Error):  # type: ignore[misc]  # Authlib has no types
    error = "invalid_target"  # RFC 8707 section 2


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
        """True for the secret of an app that may use one; for a public app, without a secret."""
        if secret is None:
            return self.app.kind == PUBLIC
        return self.app.kind != PUBLIC and not self.app.has_keys and self.check_client_secret(secret)

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        """A public app has no secret; every other one must prove itself (RFC 6749 section 2.3), in its one way."""
        if self.app.kind == PUBLIC:
            return method == NONE and endpoint != INTROSPECTION
        return method == BY_ASSERTION if self.app.has_keys else method in (BASIC, POST)

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
    """`client` is the app that the request names, `proved` what it signed. They and the keys were read and verified
    before the transaction began. `resource` is the one for which the request asks for a token."""

    def __init__(
        self,
        tx: Transaction,
        tokens: Tokens,
        devices: DeviceRequests,
        client: Client | None,
        keys: PublishedKeys,
        proved: Proved,
        origin: Origin,
        resource: str | None,
    ) -> None:
        super().__init__()
        self.proved, self.origin, self.resource = proved, origin, resource
        self.register_client_auth_method(BY_ASSERTION, self.by_assertion)
        self.tx, self.tokens, self.devices, self.named, self.keys = tx, tokens, devices, client, keys
        self.register_token_generator("default", self.make_token)
        self.given: StoredAuthorization | None = None
        self.has_key = False
        """The proof of a key was used, or none is needed."""
        self.nonce: str | None = None

    def query_client(self, client_id: str) -> Registered | None:
        named = self.named
        return Registered(named) if named is not None and named.app.client_id == client_id else None

    @property
    def client_app(self) -> RegisteredApp:
        """The app of a request that was authenticated."""
        assert self.named is not None, "asked for before the client was authenticated"
        return self.named.app

    def by_assertion(self, query_client: Any, request: TokenRequest) -> Registered | None:  # noqa: ARG002  # of Authlib
        """The client that was proved by an assertion, which is used here."""
        if self.proved.assertion is None or self.named is None:
            return None
        if not use_proof(self.tx, *astuple(self.proved.assertion)):
            raise InvalidClientError(description="The client assertion was used before.")
        return Registered(self.named)

    def demand_fit(self, given: StoredAuthorization) -> None:
        """Judges what the request asks for and proves, and uses its proof of a key.

        Raises `InvalidTarget` for another resource than that of the log-in (RFC 8707 section 2.2), `InvalidDpopProof`
        where a proof is demanded and missing or was used before, and `InvalidGrantError` where the code or refresh
        token belongs to another key (RFC 9449 sections 5 and 10).
        """
        if self.resource not in (None, given.authorization.resource):
            raise InvalidTarget("The login was for another resource.")
        if self.has_key:
            return
        key, bound, named = self.proved.key, given.authorization.dpop_jkt, self.named
        if key is None and named is not None and (named.app.dpop_demanded or bound is not None):
            raise InvalidDpopProof("A DPoP proof is demanded.")
        if key is not None and bound not in (None, key.thumbprint):
            raise InvalidGrantError("The code or refresh token is bound to another key.")
        self.use_key()
        self.has_key = True

    def use_key(self) -> None:
        """Uses the proof of a key, if there is one. Raises `InvalidDpopProof` when it was used before."""
        key = self.proved.key
        if key is not None and not use_proof(self.tx, *astuple(key.use)):
            raise InvalidDpopProof("The DPoP proof was used before.")

    def keeps(self, given: StoredAuthorization) -> str | None:
        """The key to which the refresh tokens are bound: those of a public app only, because every other app proves
        itself whenever it uses one (RFC 9449 section 5)."""
        key, named = self.proved.key, self.named
        if named is None or named.app.kind != PUBLIC:
            return None
        return key.thumbprint if key is not None else given.authorization.dpop_jkt

    def make_token(self, *, client: Registered, scope: str, **_rest: Any) -> dict[str, Any]:
        """Makes the tokens of `given`, which the grant has found."""
        assert self.given is not None, "a grant made a token before it had found what for"
        self.demand_fit(self.given)
        given, scopes, key = self.given, scope.split(), self.proved.key
        bound_to = key.thumbprint if key is not None else None
        return self.tokens.make(
            self.tx, client.client, given, scopes, nonce=self.nonce, keys=self.keys, bound_to=bound_to
        )

    def save_token(self, token: dict[str, Any], request: OAuth2Request) -> None:
        """Nothing: `make_token` stored what is stored of it."""

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Nothing listens to Authlib's signals here."""

    def create_oauth2_request(self, request: Received) -> TokenRequest:
        return TokenRequest(request)

    def handle_response(self, status: int, body: dict[str, Any], headers: Sequence[tuple[str, str]]) -> Reply:
        return Reply(status, dict(body), list(headers))
