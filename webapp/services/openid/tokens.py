"""Makes and finds the tokens of apps: ID tokens, access tokens (RFC 9068) and refresh tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from authlib.oidc.core.util import create_half_hash
from sqlalchemy import Select, bindparam, insert, select, update

from ...domain.codes import draw_token, hash_of
from ...domain.origin import NO_BROWSER
from ...models.accounts import Account
from ...models.app_logins import AppAuthorization, AppConnection, RefreshToken
from ...models.database import Transaction, changed_one_row
from ...models.registered_apps import OFFLINE_ACCESS, RegisteredApp
from ...models.sessions import Session
from ..core import Core
from ..notices import Notices
from ..sessions import Sessions
from .claims import Claims
from .clients import Client, Clients
from .dpop import DPOP
from .signing_keys import PublishedKeys, SigningKeys
from .steps import ID_TOKEN
from .subjects import Subjects

ACCESS_TOKEN = "at+jwt"  # noqa: S105  # the `typ` of access tokens (RFC 9068 section 2.1)


@dataclass(frozen=True, slots=True)
class StoredAuthorization:
    """An authorization as one request reads it. `has_session`: its session is open, neither idle nor too old."""

    authorization: AppAuthorization
    account: Account
    session: Session | None
    has_session: bool


@dataclass(frozen=True, slots=True)
class Refreshing(StoredAuthorization):
    """The same with the refresh token by which it was found."""

    token: RefreshToken


@dataclass(frozen=True, slots=True)
class Tokens:
    core: Core
    issuer: str
    clients: Clients
    claims: Claims
    subjects: Subjects
    signing_keys: SigningKeys
    sessions: Sessions
    notices: Notices

    # -- Finding ---------------------------------------------------------------------------------------

    def by_code(self, tx: Transaction, app_id: int, code: str) -> StoredAuthorization | None:
        """What the code of this app gave or is to give, whether or not it was used."""
        own = AppAuthorization.app_id == bindparam("app"), AppAuthorization.code_hash == bindparam("code")
        row = tx.objects.execute(self._rows().where(*own), {"app": app_id, "code": hash_of(code)}).one_or_none()
        return _given(row)

    def by_id(
        self, tx: Transaction, app_id: int, session_id: int, authorization_id: int | None
    ) -> StoredAuthorization | None:
        """What the app was given in this session. SQLite gives the id of a deleted row again, so the id alone may be
        that of what another user gave."""
        row = AppAuthorization
        own = row.id == authorization_id, row.app_id == app_id, row.session_id == session_id
        return _given(tx.objects.execute(self._rows().where(*own)).one_or_none())

    def by_uid(self, tx: Transaction, uid: str) -> StoredAuthorization | None:
        return _given(tx.objects.execute(self._rows().where(AppAuthorization.uid == uid)).one_or_none())

    def by_refresh_token(self, tx: Transaction, app_id: int, token: str) -> Refreshing | None:
        """The same for a refresh token, also for one that was used or has expired."""
        joined = self._rows().add_columns(RefreshToken)
        joined = joined.join(RefreshToken, RefreshToken.authorization_id == AppAuthorization.id)
        own = AppAuthorization.app_id == app_id, RefreshToken.token_hash == hash_of(token)
        row = tx.objects.execute(joined.where(*own)).one_or_none()
        return Refreshing(row[0], row[1], row[2], bool(row[3]), row[4]) if row is not None else None

    def by_access_token(self, tx: Transaction, token: str) -> tuple[StoredAuthorization, dict[str, Any]] | None:
        """The authorization of an access token of this site, and its claims; None when it has expired or has ended."""
        claims = self.signing_keys.verified(token, ACCESS_TOKEN)
        if claims is None or claims.get("iss") != self.issuer or claims["exp"] <= self.core.clock.now():
            return None
        given = self.by_uid(tx, str(claims.get("jti", "")).partition(".")[0])
        return (given, claims) if given is not None else None

    def is_live(self, tx: Transaction, app: RegisteredApp, given: StoredAuthorization) -> bool:
        """False when it was ended, with its session when it may not outlive that, when the app is closed to the
        account, and when the resource that its tokens are for was taken from the app."""
        authorization, session = given.authorization, given.session
        if authorization.ended_at is not None or authorization.resource not in (None, *app.resources):
            return False
        is_offline = authorization.offline and OFFLINE_ACCESS in app.scopes
        is_kept = is_offline and (session is None or session.ended_at is None)
        return (is_kept or given.has_session) and self.clients.may_use(tx, app, given.account)

    def is_recent(self, token: RefreshToken) -> bool:
        """False once it was idle for 30 days."""
        return self.core.is_within(token.made_at, self.core.policy.refresh_token_idle)

    def _rows(self) -> Select[AppAuthorization, Account, Session, bool]:
        account = AppAuthorization.account_id == Account.id
        joined = select(AppAuthorization, Account, Session, self.sessions.live()).join(Account, account)
        return joined.outerjoin(Session, Session.id == AppAuthorization.session_id)

    # -- Using and ending ------------------------------------------------------------------------------

    def use_code(self, tx: Transaction, authorization: AppAuthorization, bound_to: str | None) -> bool:
        """True once for each code, within 60 s. A second use ends what the first one gave (RFC 6749 section 4.1.2).

        `bound_to` is the thumbprint of the key to which its refresh tokens are bound.
        """
        now, row = self.core.clock.now(), AppAuthorization
        unused = row.id == authorization.id, row.code_used_at.is_(None), row.ended_at.is_(None)
        recent = self.core.within(row.made_at, self.core.policy.code_seconds)
        if changed_one_row(tx, update(row).where(*unused, recent).values(code_used_at=now, dpop_jkt=bound_to)):
            return True
        used = row.id == authorization.id, row.code_used_at.is_not(None), row.ended_at.is_(None)
        tx.execute(update(row).where(*used).values(ended_at=now))
        return False

    def use_refresh_token(self, tx: Transaction, given: Refreshing, app: RegisteredApp) -> bool:
        """True once for each. A second use ends the whole family, and the owner reads of it (RFC 9700 section
        4.14.2)."""
        now = self.core.clock.now()
        unused = RefreshToken.id == given.token.id, RefreshToken.used_at.is_(None)
        if changed_one_row(tx, update(RefreshToken).where(*unused).values(used_at=now)):
            return True
        if self.end(tx, given.authorization.id):
            self.notices.record(tx, given.account.id, "app-token-reused", NO_BROWSER, name=app.name)
        return False

    def bind(self, tx: Transaction, authorization: AppAuthorization, bound_to: str | None) -> None:
        """Binds the refresh tokens of a public app to a key from now on."""
        own = AppAuthorization.id == authorization.id
        tx.execute(update(AppAuthorization).where(own).values(dpop_jkt=bound_to))

    def note_use(self, tx: Transaction, given: StoredAuthorization, app: RegisteredApp) -> None:
        """Dates the last use of the app, for its user to read."""
        connected = AppConnection.account_id == given.account.id, AppConnection.app_id == app.id
        tx.execute(update(AppConnection).where(*connected).values(used_at=self.core.clock.now()))

    def end(self, tx: Transaction, authorization_id: int) -> bool:
        """Ends all tokens of an authorization. False when they had ended."""
        live = AppAuthorization.id == authorization_id, AppAuthorization.ended_at.is_(None)
        return changed_one_row(tx, update(AppAuthorization).where(*live).values(ended_at=self.core.clock.now()))

    # -- Making ----------------------------------------------------------------------------------------

    def make(
        self,
        tx: Transaction,
        client: Client,
        given: StoredAuthorization,
        scopes: Sequence[str],
        *,
        nonce: str | None,
        keys: PublishedKeys,
        bound_to: str | None,
    ) -> dict[str, Any]:
        """The answer of the token endpoint (RFC 6749 section 5.1), without scopes that were taken from the app since
        the log-in. `nonce` is None when a token is refreshed.

        `bound_to` is the thumbprint of the key to which the access token is bound; None for a bearer token.
        """
        app, authorization, now = client.app, given.authorization, self.core.clock.now()
        scopes = [scope for scope in scopes if scope in app.scopes]
        subject, lasts = self.subjects.of(app, given.account.id), self.core.policy.token_seconds
        shared = {"iss": self.issuer, "sub": subject, "iat": now, "exp": now + lasts}
        proved = {"auth_time": authorization.auth_time, "acr": authorization.acr, "amr": authorization.amr}
        access = {
            **shared,
            **proved,
            "aud": authorization.resource or app.client_id,
            "client_id": app.client_id,
            "jti": f"{authorization.uid}.{draw_token(self.core.entropy)[:32]}",
            "scope": " ".join(scopes),
        }
        if bound_to is not None:
            access["cnf"] = {"jkt": bound_to}  # RFC 9449 section 6.1
        algorithm = app.signing_algorithm
        answer = {
            "access_token": self.signing_keys.sign(keys, access, algorithm, ACCESS_TOKEN),
            "token_type": "Bearer" if bound_to is None else DPOP,
            "expires_in": lasts,
            "scope": " ".join(scopes),
            "refresh_token": self._refresh_token(tx, authorization),
        }
        if "openid" in scopes:
            hashed = create_half_hash(answer["access_token"], algorithm).decode()
            identity = {**shared, **proved, "aud": app.client_id, "sid": authorization.sid, "at_hash": hashed}
            if nonce is not None:
                identity["nonce"] = nonce
            identity |= self.claims.of(tx, app, given.account, authorization, "id_token")
            answer["id_token"] = self.signing_keys.sign(keys, identity, algorithm, ID_TOKEN)
        return answer

    def _refresh_token(self, tx: Transaction, authorization: AppAuthorization) -> str:
        token = draw_token(self.core.entropy)
        values = {"token_hash": hash_of(token), "authorization_id": authorization.id}
        tx.execute(insert(RefreshToken).values(**values, made_at=self.core.clock.now()))
        return token


def _given(row: Any) -> StoredAuthorization | None:
    return StoredAuthorization(row[0], row[1], row[2], bool(row[3])) if row is not None else None
