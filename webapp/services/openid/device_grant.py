"""The device authorization grant (RFC 8628): its endpoint and its grant, which Authlib judges."""

from __future__ import annotations

from typing import Any

from authlib.oauth2.rfc6749 import InvalidGrantError, InvalidScopeError, UnauthorizedClientError
from authlib.oauth2.rfc8628 import DEVICE_CODE_GRANT_TYPE, DeviceAuthorizationEndpoint, DeviceCodeGrant

from ...domain.codes import draw_token, grouped
from ...models.accounts import Account
from ...models.device_logins import DENIED, WAITING, DeviceRequest
from ...models.registered_apps import SCOPES
from .discovery import EVERY_CLIENT
from .provider import Provider, Registered

DEVICE_AUTHORIZATION = DeviceAuthorizationEndpoint.ENDPOINT_NAME


class DeviceAuthorization(DeviceAuthorizationEndpoint):  # type: ignore[misc]  # Authlib has no types
    CLIENT_AUTH_METHODS = EVERY_CLIENT
    server: Provider

    def __init__(self, server: Provider) -> None:
        super().__init__(server)
        policy = server.devices.core.policy
        self.EXPIRES_IN, self.INTERVAL = policy.device_code_seconds, policy.device_interval

    def authenticate_client(self, request: Any) -> Registered:
        client: Registered = super().authenticate_client(request)
        if not client.check_grant_type(DEVICE_CODE_GRANT_TYPE):
            raise UnauthorizedClientError("This app may not be used on devices.")
        return client

    def get_verification_uri(self) -> str:
        return f"{self.server.tokens.issuer}/device"

    def generate_device_code(self) -> str:
        return draw_token(self.server.devices.core.entropy)

    def generate_user_code(self) -> str:
        return grouped(self.server.devices.draw_user_code())

    def save_device_credential(self, client_id: str, scope: str | None, data: dict[str, Any]) -> None:  # noqa: ARG002
        app, asked = self.server.client_app, (scope or "").split()
        scopes = [known for known in SCOPES if known in asked]
        if not scopes or not set(scopes) <= set(app.scopes):
            raise InvalidScopeError("The app may not ask for these scopes.")
        self.server.devices.keep(self.server.tx, app, scopes, data, self.server.origin)


class Polled:
    """A request as Authlib asks about it. It stands for its user code too, which is not stored."""

    def __init__(self, row: DeviceRequest, client_id: str, *, is_expired: bool) -> None:
        self.row, self.client_id, self.expired = row, client_id, is_expired

    def get_client_id(self) -> str:
        return self.client_id

    def get_user_code(self) -> DeviceRequest:
        return self.row

    def get_scope(self) -> str:
        return " ".join(self.row.scopes)

    def is_expired(self) -> bool:
        return self.expired


class DeviceGrant(DeviceCodeGrant):  # type: ignore[misc]  # the same
    TOKEN_ENDPOINT_AUTH_METHODS = EVERY_CLIENT
    server: Provider

    def query_device_credential(self, device_code: str) -> Polled:
        """Raises `InvalidGrantError` for an unknown code, and for that of another app."""
        server = self.server
        row = server.devices.by_device_code(server.tx, server.client_app.id, device_code)
        if row is None:
            raise InvalidGrantError("The device code is not known.")
        return Polled(row, server.client_app.client_id, is_expired=server.devices.is_expired(row))

    def query_user_grant(self, row: DeviceRequest) -> tuple[Account | None, bool] | None:
        """Uses an approved request. Raises `InvalidGrantError` when it was used before, and then ends what it gave, as
        for a code (RFC 6749 section 4.1.2)."""
        server = self.server
        if row.state == WAITING:
            return None
        given = None
        if row.state != DENIED and row.session_id is not None:  # else the session, or its account, was deleted
            given = server.tokens.by_id(server.tx, row.app_id, row.session_id, row.authorization_id)
        if given is None:
            return None, False
        server.demand_fit(given)
        if not server.devices.use(server.tx, row):
            server.tokens.end(server.tx, given.authorization.id)
            raise InvalidGrantError("The device code was used before.")
        if not server.tokens.is_live(server.tx, server.client_app, given):
            return None, False
        kept = server.keeps(given)
        if kept is not None:
            server.tokens.bind(server.tx, given.authorization, kept)
        server.given = given
        return given.account, True

    def should_slow_down(self, credential: Polled) -> bool:
        return self.server.devices.is_too_early(self.server.tx, credential.row)
