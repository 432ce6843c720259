"""Revoking a token (RFC 7009) and telling whether one is valid (RFC 7662)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7662 import IntrospectionEndpoint

from .discovery import CONFIDENTIAL, EVERY_CLIENT
from .dpop import DPOP
from .provider import INTROSPECTION, Provider, Registered
from .tokens import Refreshing, StoredAuthorization

REVOCATION = "revocation"


@dataclass(frozen=True, slots=True)
class SentToken:
    """A token that was sent, as Authlib asks about it. `claims` are those of an access token, None for another."""

    given: StoredAuthorization
    claims: dict[str, Any] | None
    live: bool

    def check_client(self, client: Registered) -> bool:
        return self.given.authorization.app_id == client.app.id

    def is_expired(self) -> bool:
        return not self.live

    def is_revoked(self) -> bool:
        return not self.live


def find(server: Provider, token: str) -> SentToken | None:
    """An access or refresh token: which one it is shows itself, so that a wrong hint does no harm (RFC 7009 section
    2.1)."""
    tokens, tx, app = server.tokens, server.tx, server.client_app
    by_access_token = tokens.by_access_token(tx, token)
    if by_access_token is not None:
        given, claims = by_access_token
        return SentToken(given, claims, given.authorization.app_id == app.id and tokens.is_live(tx, app, given))
    refreshing = tokens.by_refresh_token(tx, app.id, token)
    if refreshing is None:
        return None
    is_unused = refreshing.token.used_at is None and tokens.is_recent(refreshing.token)
    return SentToken(refreshing, None, is_unused and tokens.is_live(tx, app, refreshing))


class Revocation(RevocationEndpoint):  # type: ignore[misc]  # Authlib has no types
    ENDPOINT_NAME = REVOCATION
    CLIENT_AUTH_METHODS = EVERY_CLIENT
    server: Provider

    def query_token(self, token_string: str, token_type_hint: str | None) -> SentToken | None:  # noqa: ARG002  # of Authlib's endpoint
        return find(self.server, token_string)

    def revoke_token(self, token: SentToken, request: Any) -> None:  # noqa: ARG002  # of Authlib's endpoint
        """Ends all tokens of its authorization (RFC 7009 section 2.1)."""
        self.server.tokens.end(self.server.tx, token.given.authorization.id)


class Introspection(IntrospectionEndpoint):  # type: ignore[misc]  # the same
    ENDPOINT_NAME = INTROSPECTION
    CLIENT_AUTH_METHODS = CONFIDENTIAL
    server: Provider

    def check_permission(self, token: SentToken, client: Registered, request: Any) -> bool:  # noqa: ARG002  # of Authlib's endpoint
        """An app learns of its own tokens only (RFC 7662 section 4)."""
        return token.check_client(client)

    def query_token(self, token_string: str, token_type_hint: str | None) -> SentToken | None:  # noqa: ARG002  # of Authlib's endpoint
        return find(self.server, token_string)

    def introspect_token(self, token: SentToken) -> dict[str, Any]:
        """RFC 7662 section 2.2."""
        if token.claims is not None:
            kind = DPOP if "cnf" in token.claims else "Bearer"
            return {"active": True, "token_type": kind, **token.claims}
        given, tokens, app = token.given, self.server.tokens, self.server.client_app
        assert isinstance(given, Refreshing), "a token without claims is a refresh token"
        return {
            "active": True,
            "token_type": "refresh_token",
            "iss": tokens.issuer,
            "client_id": app.client_id,
            "sub": tokens.subjects.of(app, given.account.id),
            "scope": " ".join(scope for scope in given.authorization.scopes if scope in app.scopes),
            "iat": given.token.made_at,
            "exp": given.token.made_at + tokens.core.policy.refresh_token_idle,
        }
