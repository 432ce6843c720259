"""Log-out that an app asks for (OpenID Connect RP-Initiated Logout 1.0)."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import insert, select

from ...domain.codes import draw_token, hash_of
from ...domain.origin import Origin
from ...models.app_logins import LogOutRequest
from ...models.registered_apps import RegisteredApp
from ...models.user import User
from ..attempts import Attempts
from ..core import Core
from . import redirects
from .authorizations import count_request
from .clients import Clients
from .requests import Parameters, Unanswerable
from .signing_keys import SigningKeys
from .steps import ID_TOKEN
from .subjects import Subjects

KNOWN = frozenset(("id_token_hint", "logout_hint", "client_id", "post_logout_redirect_uri", "state", "ui_locales"))
"""The parameters of section 2."""


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
    core: Core
    attempts: Attempts
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

    def keep(self, parameters: Parameters, origin: Origin) -> str:
        """Stores what is understood of a request that came by a form, whose token must not be in an address. Returns
        the handle that the address of the page has.

        Raises `Unanswerable` for a request that is too long, and `TooManyAttempts`.
        """
        known = [[name, value] for name, value in parameters if name in KNOWN]
        if sum(len(name) + len(value) for name, value in known) > self.core.policy.authorize_characters:
            raise Unanswerable("long")
        count_request(self.attempts, origin)
        handle = draw_token(self.core.entropy)
        values = {"handle_hash": hash_of(handle), "parameters": known, "asked_at": self.core.clock.now()}
        with self.core.db.write() as tx:
            tx.execute(insert(LogOutRequest).values(values))
        return handle

    def kept(self, handle: str) -> Parameters:
        """The stored request. Raises `Unanswerable` for one that is unknown or too old."""
        row, seconds = LogOutRequest, self.core.policy.authorization_request_seconds
        with self.core.db.read() as tx:
            live = row.handle_hash == hash_of(handle), self.core.within(row.asked_at, seconds)
            found = tx.scalar(select(row.parameters).where(*live))
        if found is None:
            raise Unanswerable("expired")
        return [(name, value) for name, value in found]

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
            raise Unanswerable("post_logout_redirect_uri", app.client_id if app is not None else "")
        return redirects.with_parameters(address, [("state", given["state"])]) if "state" in given else address

    def _is_of_session(self, app: RegisteredApp | None, hint: dict[str, object] | None, user: User | None) -> bool:
        """An expired token counts too (section 2). It does not for another account that uses this browser now."""
        if app is None or hint is None or user is None:
            return False
        own = self.subjects.session(app, user.session.id), self.subjects.of(app, user.account.id)
        return (hint.get("sid"), hint.get("sub")) == own
