"""Authorization requests that apps push by themselves, so that the browser only carries their address (RFC 9126)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from authlib.oauth2.rfc6749 import InvalidRequestError, OAuth2Error
from authlib.oauth2.rfc6749.endpoint import Endpoint, EndpointRequest
from sqlalchemy import ColumnElement, insert, select, update

from ...domain.codes import draw_token, hash_of
from ...models.app_proofs import PushedRequest
from ...models.database import Transaction, changed_one_row
from ...models.registered_apps import RegisteredApp
from ..core import Core
from .discovery import EVERY_CLIENT
from .provider import Provider, Registered, TokenRequest
from .requests import KNOWN, AuthorizationError, Parameters, Unanswerable, check, reply_to

PUSHED = "pushed-request"
URN = "urn:ietf:params:oauth:request_uri:"
"""Begins the address of a pushed request (RFC 9126 section 2.2)."""
REQUEST_URI = "request_uri"


@dataclass(frozen=True, slots=True)
class PushedRequests:
    core: Core

    def take(self, parameters: Parameters) -> Parameters:
        """The pushed parameters where the browser brings the address of a request, else `parameters`.

        An address works once, for 60 s, and for its app only. What the browser brings beside it may only repeat what
        was pushed: it is never used. Raises `Unanswerable`.
        """
        uris = [value for name, value in parameters if name == REQUEST_URI]
        if not uris or not uris[0].startswith(URN):
            return parameters
        is_recent = self.core.within(PushedRequest.made_at, self.core.policy.pushed_request_seconds)
        live = is_recent, PushedRequest.used_at.is_(None)
        own = PushedRequest.uri_hash == hash_of(uris[0].removeprefix(URN)), *live
        with self.core.db.read() as tx:
            found = tx.scalar(select(PushedRequest.parameters).where(*own))
        pushed = [(name, value) for name, value in found or ()]
        is_same = "client_id" in dict(parameters) and not any(_differs(*pair, pushed) for pair in parameters)
        if not pushed or not is_same or len(uris) > 1 or not self._use(own):
            raise Unanswerable("request_uri")
        return pushed

    def _use(self, own: Sequence[ColumnElement[bool]]) -> bool:
        """True once for each address."""
        with self.core.db.write() as tx:
            return changed_one_row(tx, update(PushedRequest).where(*own).values(used_at=self.core.clock.now()))


def keep(tx: Transaction, core: Core, app: RegisteredApp, parameters: Parameters) -> str:
    """Stores a checked request. Returns its `request_uri`."""
    token = draw_token(core.entropy)
    values = {"uri_hash": hash_of(token), "app_id": app.id, "parameters": [list(pair) for pair in parameters]}
    tx.execute(insert(PushedRequest).values(**values, made_at=core.clock.now()))
    return f"{URN}{token}"


def _differs(name: str, value: str, pushed: Parameters) -> bool:
    return name in KNOWN and name != REQUEST_URI and (name, value) not in pushed


class Pushed(Endpoint):  # type: ignore[misc]  # Authlib has no types
    """RFC 9126 section 2. Authlib authenticates the client; the request is checked as one of a browser is."""

    ENDPOINT_NAME = PUSHED
    server: Provider

    def validate_request(self, request: TokenRequest) -> EndpointRequest:
        client: Registered = self.server.authenticate_client(request, EVERY_CLIENT, PUSHED)
        if REQUEST_URI in request.form:
            raise InvalidRequestError("The parameter request_uri cannot be pushed.")  # RFC 9126 section 2.1
        return EndpointRequest(request, client)

    def create_response(self, validated_request: EndpointRequest) -> tuple[int, dict[str, Any], list[Any]]:
        server, app, key = self.server, validated_request.client.app, self.server.proved.key
        asked = {**validated_request.request.form, "client_id": app.client_id}
        if key is not None and asked.setdefault("dpop_jkt", key.thumbprint) != key.thumbprint:
            raise InvalidRequestError("The parameter dpop_jkt is not the key of the DPoP proof.")  # RFC 9449 10.1
        parameters = [(name, value) for name, value in asked.items() if name in KNOWN]
        policy = server.tokens.core.policy
        if sum(len(name) + len(value) for name, value in parameters) > policy.authorize_characters:
            raise InvalidRequestError("The request is too long.", status_code=413)  # RFC 9126 section 2.3
        try:
            check(*reply_to(app, parameters), parameters)
        except Unanswerable:
            raise InvalidRequestError("The redirect_uri is not registered for the app.") from None
        except AuthorizationError as refused:
            raise OAuth2Error(refused.description, error=refused.code) from None
        server.use_key()
        told = {"request_uri": keep(server.tx, server.tokens.core, app, parameters)}
        return 201, {**told, "expires_in": policy.pushed_request_seconds}, []
