"""Log-out that an app asks for (OpenID Connect RP-Initiated Logout 1.0)."""

from __future__ import annotations

from dataclasses import dataclass

from ...models.registered_apps import RegisteredApp
from ...models.user import User
from . import redirects
from .clients import Clients
from .requests import Parameters, Unanswerable
from .signing_keys import SigningKeys
from .steps import ID_TOKEN
from .subjects import Subjects


@dataclass(frozen=True, slots=True)
class LogOutAsked:
    """`address` is where the app wants the browser to go then, with its `state` in it; None where it named none.

    `is_of_session`: the app proved by an ID token that it took part in the present session, so the user is not asked.
    """

    app: RegisteredApp | None
    address: str | None
    is_of_session: bool


@dataclass(frozen=True, slots=True)
class LogOuts:
    issuer: str
    clients: Clients
    signing_keys: SigningKeys
    subjects: Subjects

    def ask(self, parameters: Parameters, user: User | None) -> LogOutAsked:
        """Raises `Unanswerable` for a token that is not ours, another app's address, or a contradiction."""
        given = {name: value for name, value in parameters if value}
        if len(given) < len([name for name, value in parameters if value]):
            raise Unanswerable("repeated")
        hint = self._hint(given.get("id_token_hint"))
        client_id = given.get("client_id", str(hint["aud"]) if hint else "")
        if hint is not None and hint["aud"] != client_id:
            raise Unanswerable("hint_client")
        app = self.clients.app(client_id) if client_id else None
        if client_id and app is None:
            raise Unanswerable("client_id")
        return LogOutAsked(app, self._address(app, given), self._is_of_session(app, hint, user))

    def _hint(self, token: str | None) -> dict[str, object] | None:
        if token is None:
            return None
        hint = self.signing_keys.verified(token, ID_TOKEN)
        if hint is None or hint.get("iss") != self.issuer:
            raise Unanswerable("id_token_hint")
        return hint

    def _address(self, app: RegisteredApp | None, given: dict[str, str]) -> str | None:
        """Section 3: compared letter by letter with those that are registered."""
        address = given.get("post_logout_redirect_uri")
        if address is None:
            return None
        if app is None or address not in app.post_logout_redirect_uris:
            raise Unanswerable("post_logout_redirect_uri")
        return redirects.with_parameters(address, [("state", given["state"])]) if "state" in given else address

    def _is_of_session(self, app: RegisteredApp | None, hint: dict[str, object] | None, user: User | None) -> bool:
        """An expired token counts too (section 2). It does not for another account that uses this browser now, even if
        its session has the number of an earlier one, which SQLite gives again."""
        if app is None or hint is None or user is None:
            return False
        own = self.subjects.session(app, user.session.id), self.subjects.of(app, user.account.id)
        return (hint.get("sid"), hint.get("sub")) == own
