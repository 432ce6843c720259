"""What a proxy asks about each request to a guarded host: who it is, whether they may, or where they log in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, bindparam, func, select, update

from ...domain.codes import hash_of
from ...domain.origin import Origin
from ...domain.path_rules import ACTIONS, action_for
from ...domain.refusals import WrongLogin
from ...models.accounts import Account
from ...models.factors import Factor
from ...models.groups import Membership
from ...models.guarded_hosts import GuardedSession
from ...models.registered_apps import GUARDED, AppGroup, AppSecret, RegisteredApp
from ...models.sessions import Session
from ...models.user import User
from ..account_lookup import find_by_name
from ..apps import LegacyAccess
from ..apps.legacy_access import Caller
from ..core import Core
from ..openid.clients import GROUPS, is_open_to
from ..openid.proofs import Proofs
from ..openid.signing_keys import NEWEST
from ..sessions import IS_LIVE, Sessions
from .assertions import Assertions
from .configurations import IDENTITY
from .logins import Logins

PUBLIC, PASSWORD, DENY = ACTIONS[0], ACTIONS[1], ACTIONS[-1]
NO_ONE: Mapping[str, str] = dict.fromkeys(IDENTITY, "")

OPEN = (
    GuardedSession.app_id == RegisteredApp.id,
    GuardedSession.token_hash == bindparam("token_hash"),
    GuardedSession.ended_at.is_(None),
)
SHARED_GROUPS = (
    select(func.aggregate_strings(AppGroup.group_name, ","))
    .join(Membership, Membership.group_name == AppGroup.group_name)
    .where(AppGroup.app_id == RegisteredApp.id, Membership.account_id == GuardedSession.account_id)
    .scalar_subquery()
)
FIND = (
    select(RegisteredApp, GuardedSession, Session, Account, Factor, SHARED_GROUPS, NEWEST.scalar_subquery())
    .join(AppSecret, AppSecret.app_id == RegisteredApp.id)
    .outerjoin(GuardedSession, and_(*OPEN))
    .outerjoin(Session, and_(Session.id == GuardedSession.session_id, IS_LIVE))
    .outerjoin(Account, Account.id == Session.account_id)
    .outerjoin(Factor, Factor.account_id == Account.id)
    .where(AppSecret.secret_hash == bindparam("secret_hash"), RegisteredApp.kind == GUARDED)
    .order_by(Factor.id)
)
"""All that a check depends on, in one statement; a session counts while that of the site does."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request to a guarded host, as its proxy reports it.

    `host` has its port where that is not the scheme's own, `target` is the raw request target with its query, and
    `token` the value of the host's cookie. `navigates`: a browser loads a page, so it can be led to one.
    """

    host: str
    method: str
    target: str
    navigates: bool
    token: str | None
    network: str
    """The network of the client's address, by which log-ins are counted."""
    has_credentials: bool = False
    """It has an Authorization header."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who has a session at the host, and with the site."""

    user: User
    visit: GuardedSession
    groups: Sequence[str]


@dataclass(frozen=True, slots=True)
class Found:
    app: RegisteredApp
    visitor: Visitor | None
    newest_key: int


@dataclass(frozen=True, slots=True)
class Allowed:
    """`identity` are the headers for the application, by name."""

    identity: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Forbidden:
    """A rule denies it, or the account may not use the app."""

    app: RegisteredApp


@dataclass(frozen=True, slots=True)
class LogInFirst:
    """`handle` names the log-in that leads back; None for what is no navigation."""

    app: RegisteredApp
    handle: str | None


@dataclass(frozen=True, slots=True)
class CredentialsNeeded:
    """The Authorization header is to be judged: `Checks.by_password` or `Checks.by_token` does."""

    found: Found


Answer = Allowed | Forbidden | LogInFirst


@dataclass(frozen=True, slots=True)
class Checks:
    core: Core
    sessions: Sessions
    proofs: Proofs
    assertions: Assertions
    logins: Logins
    legacy_access: LegacyAccess

    def of_request(self, secret: str, asked: Asked) -> Answer | CredentialsNeeded | None:
        """The answer for the proxy; None where the secret is not the one of the host.

        Raises `TooManyAttempts` when one network began too many log-ins.
        """
        found = self._find(secret, asked)
        if found is None:
            return None
        app, visitor = found.app, found.visitor
        action = action_for(app.rules, app.proof, asked.method, asked.target)
        if action == DENY:
            return Forbidden(app)
        if visitor is not None:
            self._see(visitor)
        if asked.has_credentials and visitor is None and self._takes_credentials(app, action):
            return CredentialsNeeded(found)
        if action == PUBLIC:
            is_known = visitor is not None and self._may_use(app, visitor)
            return Allowed(self._identity(found, visitor) if visitor is not None and is_known else NO_ONE)
        if visitor is None or not self._is_proved(app, visitor, action):
            handle = self.logins.begin(app, asked.target, action, asked.network) if asked.navigates else None
            return LogInFirst(app, handle)
        return Allowed(self._identity(found, visitor)) if self._may_use(app, visitor) else Forbidden(app)

    def by_password(self, found: Found, name: str, password: str, origin: Origin) -> Answer:
        """For an application or script that sends a temporary password, or the password of an account without a second
        factor. Raises what `LegacyAccess.by_password` raises."""
        return self._by_caller(found, self.legacy_access.by_password(name, password, origin))

    def by_token(self, found: Found, token: str) -> Answer:
        """The same for the token of an app. Raises `WrongLogin`."""
        return self._by_caller(found, self.legacy_access.by_token_now(token))

    def _by_caller(self, found: Found, caller: Caller) -> Answer:
        account, _ = find_by_name(self.core.db, caller.username)
        if account is None:
            raise WrongLogin()
        with self.core.db.read() as tx:
            groups = list(tx.scalars(GROUPS, {"app": found.app.id, "account": account.id}))
        if not is_open_to(found.app, account, groups):
            return Forbidden(found.app)
        return Allowed(self._headers(found, account, groups))

    def _find(self, secret: str, asked: Asked) -> Found | None:
        parameters: dict[str, Any] = {"secret_hash": hash_of(secret), "token_hash": hash_of(asked.token or "")}
        with self.core.db.read() as tx:
            rows = tx.objects.execute(FIND, parameters | self.sessions.limits()).all()
        if not rows or rows[0][0].host != asked.host:
            return None
        app, visit, session, account, _, groups, newest = rows[0]
        if session is None:
            return Found(app, None, newest)
        factors = [row[4] for row in rows if row[4] is not None]
        on = [factor for factor in factors if factor.turned_off_at is None]
        user = User(session, account, on, [factor for factor in factors if factor.turned_off_at is not None])
        return Found(app, Visitor(user, visit, sorted(groups.split(",")) if groups else ()), newest)

    def _takes_credentials(self, app: RegisteredApp, action: str) -> bool:
        """A token says nothing of when something was proved, so it is no answer to a maximum age."""
        return app.authorization_allowed and action in (PUBLIC, PASSWORD) and app.max_age is None

    def _see(self, visitor: Visitor) -> None:
        """A request to a guarded host extends the session of the site too, at most once a minute."""
        self.sessions.see(visitor.user)
        now, visit = self.core.clock.now(), visitor.visit
        if abs(now - visit.seen_at) >= self.core.policy.session_seen_every:
            with self.core.db.write(durable=False) as tx:
                tx.execute(update(GuardedSession).where(GuardedSession.id == visit.id).values(seen_at=now))

    def _may_use(self, app: RegisteredApp, visitor: Visitor) -> bool:
        return is_open_to(app, visitor.user.account, visitor.groups)

    def _is_proved(self, app: RegisteredApp, visitor: Visitor, action: str) -> bool:
        """A maximum age of 0 demands a proof at each log-in to the host, not at each request."""
        proved = self.proofs.of(visitor.user)
        if not proved.is_enough(action):
            return False
        return not app.max_age or self.core.clock.now() - proved.since(action) <= app.max_age

    def _identity(self, found: Found, visitor: Visitor) -> Mapping[str, str]:
        return self._headers(found, visitor.user.account, visitor.groups)

    def _headers(self, found: Found, account: Account, groups: Sequence[str]) -> Mapping[str, str]:
        """In the order of `IDENTITY`."""
        assertion = self.assertions.of(found.app, account, found.newest_key)
        facts = account.username, account.name, account.email or "", ",".join(groups), assertion
        return dict(zip(IDENTITY, facts, strict=True))
