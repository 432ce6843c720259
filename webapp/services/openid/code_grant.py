"""The grant of an authorization code (RFC 6749 section 4.1.3), with PKCE (RFC 7636)."""

from __future__ import annotations

from typing import Any

from authlib.oauth2.rfc6749 import InvalidGrantError
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc7636 import CodeChallenge

from ...models.accounts import Account
from .discovery import EVERY_CLIENT
from .provider import Provider, Registered
from .tokens import StoredAuthorization


class Code:
    """What a code gave, as Authlib asks about it."""

    code_challenge_method = "S256"

    def __init__(self, given: StoredAuthorization) -> None:
        self.given = given
        self.code_challenge = given.authorization.code_challenge

    def get_redirect_uri(self) -> str:
        return self.given.authorization.redirect_uri

    def get_scope(self) -> str:
        return " ".join(self.given.authorization.scopes)


class CodeGrant(AuthorizationCodeGrant):  # type: ignore[misc]  # Authlib has no types
    TOKEN_ENDPOINT_AUTH_METHODS = EVERY_CLIENT
    server: Provider

    def query_authorization_code(self, code: str, client: Registered) -> Code | None:
        """Also one that was used: `authenticate_user` then ends what it gave."""
        given = self.server.tokens.by_code(self.server.tx, client.app.id, code)
        return Code(given) if given is not None else None

    def authenticate_user(self, authorization_code: Code) -> Account | None:
        """Uses the code. None when it was used before, has expired, or its account may no longer use the app."""
        server, given = self.server, authorization_code.given
        app = self.request.client.app
        server.demand_fit(given)
        if not server.tokens.use_code(server.tx, given.authorization, server.keeps(given)):
            raise InvalidGrantError("The code has expired or was used before.")
        if not server.tokens.is_live(server.tx, app, given):
            return None
        server.given, server.nonce = given, given.authorization.nonce
        return given.account

    def delete_authorization_code(self, authorization_code: Any) -> None:
        """Nothing: `authenticate_user` has used it, and its row shows whether it is used again."""


class Pkce(CodeChallenge):  # type: ignore[misc]  # the same
    """S256 only (RFC 9700 section 2.1.1)."""

    SUPPORTED_CODE_CHALLENGE_METHOD = ("S256",)
