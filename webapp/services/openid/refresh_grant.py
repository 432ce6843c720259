"""The grant of a refresh token (RFC 6749 section 6), which each use replaces (RFC 9700 section 4.14.2)."""

from __future__ import annotations

from typing import Any

from authlib.oauth2.rfc6749 import InvalidGrantError
from authlib.oauth2.rfc6749.grants import RefreshTokenGrant

from ...models.accounts import Account
from .discovery import EVERY_CLIENT
from .provider import Provider, Registered
from .tokens import Refreshing


class Refreshed:
    """What a refresh token was found for, as Authlib asks about it."""

    def __init__(self, given: Refreshing) -> None:
        self.given = given

    def check_client(self, client: Registered) -> bool:
        return self.given.authorization.app_id == client.app.id

    def get_scope(self) -> str:
        return " ".join(self.given.authorization.scopes)


class RefreshGrant(RefreshTokenGrant):  # type: ignore[misc]  # Authlib has no types
    TOKEN_ENDPOINT_AUTH_METHODS = EVERY_CLIENT
    server: Provider

    def authenticate_refresh_token(self, refresh_token: str) -> Refreshed | None:
        """Also one that was used: `authenticate_user` then ends its family."""
        app = self.request.client.app
        given = self.server.tokens.by_refresh_token(self.server.tx, app.id, refresh_token)
        return Refreshed(given) if given is not None else None

    def authenticate_user(self, refresh_token: Refreshed) -> Account:
        """Uses the token. Raises `InvalidGrantError` when it was used before, was idle, or has ended."""
        server, given, app = self.server, refresh_token.given, self.request.client.app
        server.demand_fit(given)
        if not server.tokens.use_refresh_token(server.tx, given, app):
            raise InvalidGrantError("The refresh token was used before.")
        if not server.tokens.is_recent(given.token) or not server.tokens.is_live(server.tx, app, given):
            raise InvalidGrantError("The refresh token has expired or has ended.")
        server.tokens.note_use(server.tx, given, app)
        kept = server.keeps(given)
        if kept != given.authorization.dpop_jkt:
            server.tokens.bind(server.tx, given.authorization, kept)
        server.given = given
        return given.account

    def revoke_old_credential(self, refresh_token: Any) -> None:
        """Nothing: `authenticate_user` has used it."""
