"""The addresses that apps call by themselves: token, device, revocation, introspection and userinfo."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import structlog

from ...domain.refusals import TooManyAttempts
from ...models.registered_apps import KEY, PASSWORD, RegisteredApp
from ..attempt_rules import SlidingWindows
from ..attempts import Attempts, Bucket
from ..core import Core
from .clients import Client, Clients
from .code_grant import CodeGrant, Pkce
from .device_grant import DEVICE_AUTHORIZATION, DeviceAuthorization, DeviceGrant
from .device_requests import DeviceRequests
from .discovery import MFA, PHR
from .ended_tokens import REVOCATION, Introspection, Revocation
from .provider import INTROSPECTION, Provider, Received, Registered, Reply
from .refresh_grant import RefreshGrant
from .tokens import Given, Tokens

log = structlog.get_logger()
BEARER = "Bearer "
HARDWARE, SOFTWARE = "hwk", "swk"
LONGEST_CLIENT_ID = 64


@dataclass(frozen=True, slots=True)
class Endpoints:
    core: Core
    attempts: Attempts
    clients: Clients
    tokens: Tokens
    devices: DeviceRequests

    def token(self, received: Received) -> Reply:
        """RFC 6749 section 3.2."""

        def answer(provider: Provider) -> Reply:
            provider.register_grant(CodeGrant, [Pkce()])
            provider.register_grant(RefreshGrant)
            provider.register_grant(DeviceGrant)
            reply: Reply = provider.create_token_response(received)
            return reply

        if not received.form.get("grant_type"):
            return self.refuse("invalid_request", "The parameter grant_type is missing.")
        return self._answered(received, answer)

    def revoke(self, received: Received) -> Reply:
        return self._answered(received, lambda provider: _by_endpoint(provider, Revocation, REVOCATION, received))

    def device(self, received: Received) -> Reply:
        """RFC 8628 section 3.1. Raises `TooManyAttempts`."""
        self.devices.count(received.origin)
        return self._answered(
            received, lambda provider: _by_endpoint(provider, DeviceAuthorization, DEVICE_AUTHORIZATION, received)
        )

    def introspect(self, received: Received) -> Reply:
        return self._answered(received, lambda provider: _by_endpoint(provider, Introspection, INTROSPECTION, received))

    def userinfo(self, authorization: str | None) -> Reply:
        """OpenID Connect Core 1.0 section 5.3, for the value of the Authorization header (RFC 6750 section 2.1)."""
        if not authorization:
            return Reply(401, {"error": "invalid_token"}, [("WWW-Authenticate", "Bearer")])  # RFC 6750 section 3.1
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != BEARER.strip().lower():
            return self._refuse_bearer("invalid_token", "The access token is missing.")
        self.tokens.subjects.ready()
        with self.core.db.read() as tx:
            found = self.tokens.by_access_token(tx, token.strip())
            app = self.clients.app_of(tx, found[0].authorization.app_id) if found is not None else None
            if found is None or app is None or not self.tokens.is_live(tx, app, found[0]):
                return self._refuse_bearer("invalid_token", "The access token has expired or has ended.")
            given, claims = found
            if claims["aud"] != app.client_id:  # RFC 8707 section 3: a token for another server
                return self._refuse_bearer("invalid_token", "The access token is for another server.")
            scopes = str(claims.get("scope", "")).split()
            if "openid" not in scopes:
                return self._refuse_bearer(
                    "insufficient_scope", "The scope openid is needed.", {"scope": "openid"}, status=403
                )
            unmet = self._unmet(app, given)
            if unmet:
                why = "The app asks for a newer or a stronger proof."
                return self._refuse_bearer("insufficient_user_authentication", why, unmet)
            return Reply(
                200,
                {
                    "sub": claims["sub"],
                    **self.tokens.claims.of(tx, app, given.account, given.authorization, "userinfo", scopes),
                },
            )

    def refuse(self, error: str, description: str, status: int = 400) -> Reply:
        return self._numbered(Reply(status, {"error": error, "error_description": description}), None)

    def _answered(self, received: Received, answer: Callable[[Provider], Reply]) -> Reply:
        """Reads the client, and counts a proof that is wrong before it is answered.

        A right one is not counted, however many come at once: 256 random bits cannot be guessed.
        """
        presented = _presented(received)
        if presented is None:
            return self.refuse("invalid_request", "The client is named or proved in more than one way.")
        name, secret = presented
        client = self.clients.client(name) if 0 < len(name) <= LONGEST_CLIENT_ID else None
        if client is None or not Registered(client).is_proved_by(secret):
            known = client.app.client_id if client is not None else "?"
            failures = Bucket(f"client:{known}:{received.origin.network}", self._rule())
            try:
                self.attempts.spend(failures)
            except TooManyAttempts as refusal:
                reply = self.refuse("invalid_client", "Too many failed attempts.", 429)
                return Reply(reply.status, reply.body, [("Retry-After", str(refusal.wait))])
        self.tokens.subjects.ready()
        keys = self.tokens.signing_keys.published(client.newest_key if client is not None else None)
        with self.core.db.write() as tx:
            return self._numbered(
                answer(Provider(tx, self.tokens, self.devices, client, keys, received.origin)), client
            )

    def _numbered(self, reply: Reply, client: Client | None) -> Reply:
        """A refusal with a random number, under which the log has it."""
        if "error" not in reply.body:
            return reply
        number = self.core.entropy.bytes(8).hex()
        facts = {"error": reply.body["error"], "rule": reply.body.get("error_description", "")}
        log.info("openid_refused", error_id=number, client_id=client.app.client_id if client else None, **facts)
        return Reply(reply.status, {**reply.body, "error_id": number}, reply.headers)

    def _rule(self) -> SlidingWindows:
        return SlidingWindows((self.core.policy.client_failures,))

    def _unmet(self, app: RegisteredApp, given: Given) -> dict[str, str]:
        """What the app demands now and the log-in did not prove (RFC 9470 section 3)."""
        amr, age = given.authorization.amr, self.core.clock.now() - given.authorization.auth_time
        is_recent = app.max_age is None or -self.core.policy.clock_ahead <= age <= app.max_age
        if app.proof == KEY and not {HARDWARE, SOFTWARE} & set(amr):
            return {"acr_values": PHR}
        if app.proof not in (KEY, PASSWORD) and "mfa" not in amr:
            return {"acr_values": MFA}
        return {} if is_recent else {"max_age": str(app.max_age)}

    def _refuse_bearer(
        self, error: str, description: str, facts: Mapping[str, str] | None = None, *, status: int = 401
    ) -> Reply:
        """RFC 6750 section 3."""
        named = {"error": error, "error_description": description, **(facts or {})}
        header = ", ".join(f'{name}="{value}"' for name, value in named.items())
        reply = self._numbered(Reply(status, {"error": error, "error_description": description}), None)
        return Reply(reply.status, reply.body, [("WWW-Authenticate", f"Bearer {header}")])


def _by_endpoint(provider: Provider, kind: Any, name: str, received: Received) -> Reply:
    provider.register_endpoint(kind)
    reply: Reply = provider.create_endpoint_response(name, received)
    return reply


def _presented(received: Received) -> tuple[str, str | None] | None:
    """The client that the request names, empty where it names none, and the secret with it; None where it names two, or
    proves itself twice (RFC 6749 section 2.3) or by a NUL, which the database does not take."""
    named, header = received.form.get("client_id", ""), received.authorization
    if header is None:
        return named, received.form.get("client_secret") or None
    if "client_secret" in received.form:
        return None
    scheme, _, encoded = header.partition(" ")
    try:
        name, colon, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeError, ValueError):
        return None
    name, secret = unquote(name), unquote(secret)
    if scheme.lower() != "basic" or not colon or (named and named != name) or "\0" in name + secret:
        return None
    return name, secret
