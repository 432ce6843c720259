"""Client authentication by a signed assertion: `private_key_jwt` (OpenID Connect Core 1.0 section 9, RFC 7523).

Authlib's own class takes every algorithm, a list of audiences and any lifetime, and would verify in the transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...models.registered_apps import RegisteredApp
from ..core import Core
from . import signed_proofs
from .client_keys import ClientKeys
from .signed_proofs import OneUse, ProofRefused

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
TYPES = (None, "jwt", "client-authentication+jwt")
"""Of the header's `typ`: older apps send JWT or nothing, draft-ietf-oauth-rfc7523bis section 4 names the last."""


def is_sent(form: Mapping[str, str]) -> bool:
    return "client_assertion" in form or "client_assertion_type" in form


def named_by(form: Mapping[str, str]) -> str | None:
    """The client id that the assertion in the form claims, which is not verified yet; None for a malformed one."""
    if form.get("client_assertion_type") != TYPE:
        return None
    try:
        name = signed_proofs.payload_of(form.get("client_assertion", "")).get("sub")
    except ProofRefused:
        return None
    is_name = isinstance(name, str) and name.isascii() and name.isprintable()
    return name if is_name and form.get("client_id", name) == name else None


@dataclass(frozen=True, slots=True)
class Assertions:
    core: Core
    keys: ClientKeys

    def verified(self, app: RegisteredApp, assertion: str, audiences: Sequence[str]) -> OneUse:
        """What is to be stored when it is used: each once (RFC 7523 section 3). Raises `ProofRefused`.

        `audiences` are the issuer and the addresses that may have been called; the assertion names one of them, so that
        it cannot be used at another server (draft-ietf-oauth-rfc7523bis section 4).
        """
        header = signed_proofs.header_of(assertion, TYPES)
        key = signed_proofs.key_of(self.keys.key_for(app, header), header["alg"])
        claims = signed_proofs.claims_of(assertion, key)
        if claims.get("iss") != app.client_id or claims.get("sub") != app.client_id:
            raise ProofRefused("The claims iss and sub are not both the client id.")
        if not isinstance(claims.get("aud"), str) or claims["aud"] not in audiences:
            raise ProofRefused("The claim aud is not this issuer or the address that was called.")
        now, policy = self.core.clock.now(), self.core.policy
        expires = signed_proofs.seconds_of(claims, "exp")
        if not now < expires <= now + policy.client_assertion_seconds:
            raise ProofRefused(f"The claim exp is past, or more than {policy.client_assertion_seconds} seconds ahead.")
        for name in ("iat", "nbf"):
            if name in claims and not signed_proofs.seconds_of(claims, name) <= now + policy.clock_ahead:
                raise ProofRefused(f"The claim {name} is in the future.")
        return signed_proofs.one_use("assertion", app.client_id, claims.get("jti"), int(expires) + 1)
