"""What a proxy asks about each request to a guarded host: who it is, whether they may, or where they log in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, bindparam, func, select, update

from ...domain.codes import hash_of
from ...domain.origin import Origin
from ...domain.path_rules import ACTIONS, action_for, matching_rule, rule_text
from ...models.accounts import Account
from ...models.factors import Factor
from ...models.guarded_hosts import GuardedSession
from ...models.registered_apps import GUARDED, AppGroup, AppSecret, RegisteredApp
from ...models.sessions import Session
from ...models.user import User
from ..apps import LegacyAccess
from ..core import Core
from ..openid.clients import is_open_to, shared_groups
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
GROUPS = shared_groups(RegisteredApp.id, GuardedSession.account_id).with_only_columns(
    func.aggregate_strings(AppGroup.group_name, ",")
)
FIND = (
    select(
        *(RegisteredApp, GuardedSession, Session, Account, Factor),
        *(GROUPS.scalar_subquery(), NEWEST.scalar_subquery()),
    )
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
class HostRequest:
    """A request to a guarded host, as its proxy reports it.

    `host` has its port where that is not the scheme's own, `target` is the raw request target with its query, and
    `token` the value of the host's cookie. `navigates`: a browser loads a page, so it can be led to one.
    """

    host: str
    method: str
    target: str
    navigates: bool
    token: str | None
    origin: Origin
    has_credentials: bool = False
    """It has an Authorization header."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who has a session at the host, and with the site."""

    user: User
    visit: GuardedSession
    groups: Sequence[str]


@dataclass(frozen=True, slots=True)
class Lookup:
    """What the statement of a check found. `newest_key` is the result of `NEWEST`."""

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
    rule: str = ""
    """The text of the rule that denies it."""


@dataclass(frozen=True, slots=True)
class LogInFirst:
    """`handle` names the log-in that leads back; None for what is no navigation."""

    app: RegisteredApp
    handle: str | None


@dataclass(frozen=True, slots=True)
class CredentialsNeeded:
    """The Authorization header is to be judged: `Checks.by_password` or `Checks.by_token` does."""

    found: Lookup


Answer = Allowed | Forbidden | LogInFirst


@dataclass(frozen=True, slots=True)
class Checks:
    core: Core
    sessions: Sessions
    proofs: Proofs
    assertions: Assertions
    logins: Logins
    legacy_access: LegacyAccess

    def of_request(self, secret: str, asked: HostRequest) -> Answer | CredentialsNeeded | None:
        """The answer for the proxy; None where the secret is not the one of the host.

        Raises `TooManyAttempts` when one network began too many log-ins.
        """
        found = self._find(secret, asked)
        if found is None:
            return None
        app, visitor = found.app, found.visitor
        action = action_for(app.rules, app.proof, asked.method, asked.target)
        if action == DENY:
            denies = matching_rule(app.rules, asked.method, asked.target, app.proof)
            assert denies is not None, "only a rule denies"
            return Forbidden(app, rule_text(denies))
        if visitor is not None:
            self._see(visitor)
        elif asked.has_credentials and self._takes_credentials(app, action):
            return CredentialsNeeded(found)
        may_use = visitor is not None and is_open_to(app, visitor.user.account, visitor.groups)
        if action == PUBLIC and not may_use:
            return Allowed(NO_ONE)
        if visitor is None or (action != PUBLIC and not self._is_proved(app, visitor, action)):
            handle = self.logins.begin(app, asked.target, action, asked.origin) if asked.navigates else None
            return LogInFirst(app, handle)
        return self._allowed(found, visitor.user.account, visitor.groups) if may_use else Forbidden(app)

    def by_password(self, found: Lookup, name: str, password: str, origin: Origin) -> Answer:
        """For an application or script that sends a temporary password, or the password of an account without a second
        factor. Raises what `LegacyAccess.by_password_now` raises."""
        return self._of_account(found, self.legacy_access.by_password_now(name, password, origin))

    def by_token(self, found: Lookup, token: str) -> Answer:
        """The same for the token of an app. Raises `WrongLogin`."""
        return self._of_account(found, self.legacy_access.by_token_now(token))

    def _of_account(self, found: Lookup, account: Account) -> Answer:
        with self.core.db.read() as tx:
            groups = self.logins.clients.groups(tx, found.app.id, account.id)
        is_open = is_open_to(found.app, account, groups)
        return self._allowed(found, account, groups) if is_open else Forbidden(found.app)

    def _find(self, secret: str, asked: HostRequest) -> Lookup | None:
        parameters: dict[str, Any] = {"secret_hash": hash_of(secret), "token_hash": hash_of(asked.token or "")}
        with self.core.db.read() as tx:
            rows = tx.objects.execute(FIND, parameters | self.sessions.limits()).all()
        if not rows or rows[0][0].host != asked.host:
            return None
        app, visit, session, account, _, groups, newest = rows[0]
        if session is None:
            return Lookup(app, None, newest)
        factors = [row[4] for row in rows if row[4] is not None]
        on = [factor for factor in factors if factor.turned_off_at is None]
        user = User(session, account, on, [factor for factor in factors if factor.turned_off_at is not None])
        return Lookup(app, Visitor(user, visit, sorted(groups.split(",")) if groups else ()), newest)

    def _takes_credentials(self, app: RegisteredApp, action: str) -> bool:
        """Credentials do not tell when something was proved, so they are no answer to a maximum age."""
        return app.authorization_allowed and app.max_age is None and action in (PUBLIC, PASSWORD)

    def _see(self, visitor: Visitor) -> None:
        """A request to a guarded host extends the session of the site too, at most once a minute."""
        self.sessions.see(visitor.user)
        now, visit = self.core.clock.now(), visitor.visit
        if abs(now - visit.seen_at) >= self.core.policy.session_seen_every:
            with self.core.db.write(durable=False) as tx:
                tx.execute(update(GuardedSession).where(GuardedSession.id == visit.id).values(seen_at=now))

    def _is_proved(self, app: RegisteredApp, visitor: Visitor, action: str) -> bool:
        """A maximum age of 0 demands a proof at each log-in to the host, not at each request."""
        proved = self.proofs.of(visitor.user)
        if not proved.is_enough(action):
            return False
        return not app.max_age or self.core.clock.now() - proved.since(action) <= app.max_age

    def _allowed(self, found: Lookup, account: Account, groups: Sequence[str]) -> Allowed:
        """With the facts in the order of `IDENTITY`."""
        assertion = self.assertions.of(found.app, account, found.newest_key)
        facts = account.username, account.name, account.email or "", ",".join(groups), assertion
        return Allowed(dict(zip(IDENTITY, facts, strict=True)))
