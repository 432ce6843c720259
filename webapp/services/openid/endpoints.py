"""The addresses that apps call by themselves: token, device, revocation, introspection and userinfo."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass, replace
from typing import Any

from ...domain.refusals import TooManyAttempts
from ...models.app_proofs import use_proof
from ...models.registered_apps import KEY, PASSWORD, RegisteredApp
from ..core import Core
from .authorizations import count_request
from .client_proofs import ClientProofs, presented_by
from .code_grant import CodeGrant, Pkce
from .device_grant import DEVICE_AUTHORIZATION, DeviceAuthorization, DeviceGrant
from .device_requests import DeviceRequests
from .discovery import DEVICE, INTROSPECT, MFA, PHR, PUSH, REVOKE, TOKEN, USERINFO
from .dpop import ALGORITHMS, DPOP, Dpop
from .ended_tokens import REVOCATION, Introspection, Revocation
from .provider import INTROSPECTION, Proved, Provider, Received, Reply
from .pushed_requests import PUSHED, Pushed
from .refresh_grant import RefreshGrant
from .signed_proofs import ProofRefused
from .tokens import StoredAuthorization, Tokens

BEARER = "Bearer"
ANY_SCHEME = f'{BEARER}, {DPOP} algs="{ALGORITHMS}"'
HARDWARE, SOFTWARE = "hwk", "swk"


@dataclass(frozen=True, slots=True)
class Endpoints:
    core: Core
    client_proofs: ClientProofs
    dpop: Dpop
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
        return self._answered(received, TOKEN, answer, by_key=True)

    def push(self, received: Received) -> Reply:
        """RFC 9126 section 2. Raises `TooManyAttempts` for too many of one network without a proof of the app."""
        presented = presented_by(received)
        if presented is not None and presented.secret is None and presented.assertion is None:
            count_request(self.client_proofs.attempts, received.origin)
        return self._answered(received, PUSH, _of_endpoint(Pushed, PUSHED, received), by_key=True)

    def revoke(self, received: Received) -> Reply:
        return self._of_token(received, REVOKE, Revocation, REVOCATION)

    def device(self, received: Received) -> Reply:
        """RFC 8628 section 3.1. Raises `TooManyAttempts`."""
        self.devices.count(received.origin)
        return self._answered(received, DEVICE, _of_endpoint(DeviceAuthorization, DEVICE_AUTHORIZATION, received))

    def introspect(self, received: Received) -> Reply:
        return self._of_token(received, INTROSPECT, Introspection, INTROSPECTION)

    def userinfo(self, authorization: str | None, method: str, dpop: str | None) -> Reply:
        """OpenID Connect Core 1.0 section 5.3, for the value of the Authorization header (RFC 6750 section 2.1), the
        method of the request and its DPoP header (RFC 9449 section 7)."""
        if not authorization:
            return Reply(401, {"error": "invalid_token"}, [("WWW-Authenticate", ANY_SCHEME)])  # RFC 6750 section 3.1
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() not in (BEARER.lower(), DPOP.lower()):
            return self._refuse_token(BEARER, "invalid_token", "The access token is missing.")
        if scheme.lower() == BEARER.lower():
            return self._userinfo(token.strip(), None)
        try:
            key = self.dpop.verified(dpop or "", method, USERINFO, token.strip())
        except ProofRefused as refusal:
            return self._refuse_token(DPOP, "invalid_dpop_proof", f"The DPoP proof is refused. {refusal.why}")
        reply = self._userinfo(token.strip(), key.thumbprint)
        if reply.status == 200:  # else anyone could have rows written
            with self.core.db.write() as tx:
                is_fresh = use_proof(tx, *astuple(key.use))
            if not is_fresh:
                return self._refuse_token(DPOP, "invalid_dpop_proof", "The DPoP proof was used before.")
        return reply

    def _userinfo(self, token: str, key: str | None) -> Reply:
        """`key` is the thumbprint of the key that was proved; None for a bearer token."""
        scheme = BEARER if key is None else DPOP
        self.tokens.subjects.ready()
        with self.core.db.read() as tx:
            found = self.tokens.by_access_token(tx, token)
            app = tx.objects.get(RegisteredApp, found[0].authorization.app_id) if found is not None else None
            if found is None or app is None or not self.tokens.is_live(tx, app, found[0]):
                return self._refuse_token(scheme, "invalid_token", "The access token has expired or has ended.")
            given, claims = found
            bound_to = claims.get("cnf", {}).get("jkt")
            if bound_to != key:  # RFC 9449 section 7.1: a bound token is never a bearer token
                return self._refuse_token(
                    DPOP if bound_to else scheme, "invalid_token", "The access token is not bound to this proof."
                )
            if bound_to is None and app.dpop_demanded:
                return self._refuse_token(DPOP, "invalid_token", "The access token must be bound to a key.")
            if claims["aud"] != app.client_id:  # RFC 8707 section 3: a token for another server
                return self._refuse_token(scheme, "invalid_token", "The access token is for another server.")
            scopes = str(claims.get("scope", "")).split()
            if "openid" not in scopes:
                return self._refuse_token(
                    scheme, "insufficient_scope", "The scope openid is needed.", {"scope": "openid"}, status=403
                )
            unmet = self._unmet(app, given)
            if unmet:
                why = "The app asks for a newer or a stronger proof."
                return self._refuse_token(scheme, "insufficient_user_authentication", why, unmet)
            told = self.tokens.claims.of(tx, app, given.account, given.authorization, "userinfo", scopes)
            return Reply(200, {"sub": claims["sub"], **told})

    def refuse(self, error: str, description: str, status: int = 400) -> Reply:
        return Reply(status, {"error": error, "error_description": description})

    def _of_token(self, received: Received, path: str, kind: Any, name: str) -> Reply:
        """A token shows by itself what it is, so no hint is read: one that is not known is ignored (RFC 7009 section
        2.2), where Authlib answers 401."""
        form = {field: value for field, value in received.form.items() if field != "token_type_hint"}
        return self._answered(received, path, _of_endpoint(kind, name, replace(received, form=form)))

    def _answered(
        self, received: Received, path: str, answer: Callable[[Provider], Reply], *, by_key: bool = False
    ) -> Reply:
        """Judges who the client is, and answers it in one transaction. `path` is the one that was called; `by_key`
        reads the DPoP header."""
        presented = presented_by(received)
        if presented is None:
            return self.refuse(
                "invalid_request", "The client is named or proved in more than one way, or its assertion is malformed."
            )
        try:
            client, assertion = self.client_proofs.judge(presented, path, received.origin.network)
        except TooManyAttempts as refusal:
            reply = self.refuse("invalid_client", "Too many failed attempts.", 429)
            return replace(reply, headers=[("Retry-After", str(refusal.wait))], client_id=presented.name)
        except ProofRefused as refusal:
            reply = self.refuse("invalid_client", f"The client assertion is refused. {refusal.why}", 401)
            return replace(reply, client_id=presented.name)
        key = None
        if by_key and received.dpop is not None:
            try:
                key = self.dpop.verified(received.dpop, "POST", path)
            except ProofRefused as refusal:
                reply = self.refuse("invalid_dpop_proof", f"The DPoP proof is refused. {refusal.why}")
                return replace(reply, client_id=presented.name)
        self.tokens.subjects.ready()
        keys = self.tokens.signing_keys.published(client.newest_key if client is not None else None)
        with self.core.db.write() as tx:
            proved, resource = Proved(assertion, key), received.form.get("resource") or None
            reply = answer(Provider(tx, self.tokens, self.devices, client, keys, proved, received.origin, resource))
            return replace(reply, client_id=presented.name)

    def _unmet(self, app: RegisteredApp, given: StoredAuthorization) -> dict[str, str]:
        """What the app demands now and the log-in did not prove (RFC 9470 section 3).

        A maximum age of 0 demands a proof at each log-in, not at each use of its tokens. A shorter one than a log-in
        itself may take (`Steps`) is that of the log-in here too.
        """
        amr, age = given.authorization.amr, self.core.clock.now() - given.authorization.auth_time
        longest = max(app.max_age or 0, self.core.policy.proof_for_request)
        is_recent = not app.max_age or -self.core.policy.clock_ahead <= age <= longest
        if app.proof == KEY and not {HARDWARE, SOFTWARE} & set(amr):
            return {"acr_values": PHR}
        if app.proof not in (KEY, PASSWORD) and "mfa" not in amr:
            return {"acr_values": MFA}
        return {} if is_recent else {"max_age": str(app.max_age)}

    def _refuse_token(
        self, scheme: str, error: str, description: str, facts: Mapping[str, str] | None = None, *, status: int = 401
    ) -> Reply:
        """RFC 6750 section 3, RFC 9449 section 7.1."""
        named = {"error": error, "error_description": description, **(facts or {})}
        if scheme == DPOP:
            named["algs"] = ALGORITHMS
        header = ", ".join(f'{name}="{value}"' for name, value in named.items())
        return replace(self.refuse(error, description, status), headers=[("WWW-Authenticate", f"{scheme} {header}")])


def _of_endpoint(kind: Any, name: str, received: Received) -> Callable[[Provider], Reply]:
    def answer(provider: Provider) -> Reply:
        provider.register_endpoint(kind)
        reply: Reply = provider.create_endpoint_response(name, received)
        return reply

    return answer
