"""Log-ins on the way to a guarded host: begun by a request that needs one, granted by a session of the site."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import ColumnElement, insert, select, update

from ...domain.codes import draw_token, hash_of
from ...domain.language import lazy
from ...domain.origin import Origin
from ...domain.path_rules import DENY, action_for
from ...domain.refusals import Refusal
from ...models.accounts import share_account
from ...models.database import changed_one_row
from ...models.guarded_hosts import GuardedLogin
from ...models.registered_apps import GUARDED, KEY, TWO_FACTOR, RegisteredApp
from ...models.user import User
from ..attempt_rules import SlidingWindows
from ..attempts import Attempts, Bucket
from ..core import Core
from ..openid.clients import Clients
from ..openid.discovery import MFA, PHR, SFA
from ..openid.proofs import Proofs
from ..openid.steps import Consent, Enroll, Forbidden, LogIn, Ready, Step, StepUp
from ..sessions import Sessions


class GuardedLoginExpired(Refusal):
    """A log-in to a guarded host that is unknown, too old, used, or of another browser."""

    status = 404
    sentence = lazy("It has expired or was already used. Open the app again.")


@dataclass(frozen=True, slots=True)
class HostLogin:
    """A log-in that is under way. Times are Unix seconds."""

    id: int
    app: RegisteredApp
    proof: str
    asked_at: int
    asks: bool
    agreed_hash: str | None
    """`Session.token_hash` of the session whose user agreed to go on."""


@dataclass(frozen=True, slots=True)
class Started:
    """`handle` names the log-in from now on, and `nonce` is for the cookie of the browser that started it."""

    handle: str
    nonce: str


@dataclass(frozen=True, slots=True)
class Granted:
    """`code` leads the browser back to `app.host`, once and for a minute."""

    app: RegisteredApp
    code: str


@dataclass(frozen=True, slots=True)
class Logins:
    core: Core
    attempts: Attempts
    clients: Clients
    proofs: Proofs
    sessions: Sessions

    def begin(self, app: RegisteredApp, path: str, proof: str, origin: Origin) -> str:
        """Stores a request that needs a log-in, and returns its handle. Raises `TooManyAttempts`."""
        rule, handle = SlidingWindows((self.core.policy.guarded_logins,)), draw_token(self.core.entropy)
        self.attempts.count(Bucket(f"guarded-from:{origin.rate_limit_key}", rule))
        is_kept = path.startswith("/") and len(path) <= self.core.policy.guarded_path_characters
        kept = path if is_kept else "/"  # after the host, `@elsewhere` would be another one (RFC 3986 section 3.2)
        values = {"handle_hash": hash_of(handle), "app_id": app.id, "path": kept, "proof": proof}
        with self.core.db.write(durable=False) as tx:
            tx.execute(insert(GuardedLogin).values(**values, asks=False, asked_at=self.core.clock.now()))
        return handle

    def start(self, host: str, handle: str, *, asks: bool) -> Started:
        """At the host: binds the log-in to this browser, under a handle that only this browser learns. Who had it start
        a log-in could else end that log-in with their own account (login CSRF, RFC 6819 section 4.4.1.8).

        `asks`: the user logged out of the host before. Raises `GuardedLoginExpired` for a log-in that has started.
        """
        drawn = Started(draw_token(self.core.entropy), draw_token(self.core.entropy))
        of_host = select(RegisteredApp.id).where(RegisteredApp.host == host).scalar_subquery()
        fresh = GuardedLogin.app_id == of_host, GuardedLogin.nonce_hash.is_(None), *self._is_live(handle)
        values = {"handle_hash": hash_of(drawn.handle), "nonce_hash": hash_of(drawn.nonce), "asks": asks}
        started = update(GuardedLogin).where(*fresh).values(values)
        with self.core.db.write(durable=False) as tx:
            if not changed_one_row(tx, started):
                raise GuardedLoginExpired()
        return drawn

    def find(self, handle: str) -> HostLogin:
        """Raises `GuardedLoginExpired`."""
        started = GuardedLogin.nonce_hash.is_not(None), GuardedLogin.granted_at.is_(None), *self._is_live(handle)
        query = select(GuardedLogin, RegisteredApp).join(RegisteredApp, RegisteredApp.id == GuardedLogin.app_id)
        with self.core.db.read() as tx:
            found = tx.objects.execute(query.where(*started)).one_or_none()
        if found is None:
            raise GuardedLoginExpired()
        row, app = found
        return HostLogin(row.id, app, row.proof, row.asked_at, row.asks, row.agreed_hash)

    def next(self, waiting: HostLogin, user: User | None) -> Step:
        """What has to happen before the user gets to the host."""
        if user is None:
            return LogIn()
        with self.core.db.read() as tx:
            may_use = self.clients.may_use(tx, waiting.app, user.account)
        if not may_use:
            return Forbidden()
        proved, since = self.proofs.of(user), self._since(waiting)
        if not proved.is_enough(waiting.proof) or proved.since(waiting.proof) < since:
            return self._missing(waiting, user, since)
        is_asked = waiting.asks and waiting.agreed_hash != user.session.token_hash
        return Consent() if is_asked else Ready(proved)

    def may_enter(self, waiting: HostLogin, user: User) -> bool:
        """True when the first page of the host asks the user for nothing more."""
        action = action_for(waiting.app.rules, waiting.app.proof, "GET", "/")
        return action != DENY and isinstance(self.next(replace(waiting, proof=action), user), Ready)

    def agree(self, waiting: HostLogin, user: User) -> None:
        """The user of this session goes on to a host of which this browser logged out before."""
        agreed = update(GuardedLogin).where(GuardedLogin.id == waiting.id).values(agreed_hash=user.session.token_hash)
        with self.core.db.write() as tx:
            tx.execute(agreed)

    def grant(self, waiting: HostLogin, user: User) -> Granted:
        """Raises `GuardedLoginExpired` when more is needed or it was granted meanwhile, and `LoginExpired` when the
        session of the user was ended."""
        if not isinstance(self.next(waiting, user), Ready):
            raise GuardedLoginExpired()
        code, now = draw_token(self.core.entropy), self.core.clock.now()
        given = {"code_hash": hash_of(code), "account_id": user.account.id, "session_id": user.session.id}
        with self.core.db.write() as tx:
            share_account(tx, user.account)
            self.sessions.demand_open(tx, user.session)
            if not self.clients.may_use(tx, waiting.app, user.account):
                raise GuardedLoginExpired()
            ungranted = GuardedLogin.id == waiting.id, GuardedLogin.granted_at.is_(None)
            if not changed_one_row(tx, update(GuardedLogin).where(*ungranted).values(**given, granted_at=now)):
                raise GuardedLoginExpired()
            tx.execute(update(RegisteredApp).where(RegisteredApp.id == waiting.app.id).values(used_at=now))
        return Granted(waiting.app, code)

    def app_at(self, host: str) -> RegisteredApp | None:
        """The app that is guarded at this host."""
        with self.core.db.read() as tx:
            at = RegisteredApp.host == host, RegisteredApp.kind == GUARDED
            return tx.objects.scalars(select(RegisteredApp).where(*at)).one_or_none()

    def _is_live(self, handle: str) -> tuple[ColumnElement[bool], ...]:
        is_recent = self.core.within(GuardedLogin.asked_at, self.core.policy.guarded_login_seconds)
        return GuardedLogin.handle_hash == hash_of(handle), is_recent

    def _since(self, waiting: HostLogin) -> int:
        """When the proof must have been given at the earliest, by the maximum age of the app, in Unix seconds."""
        age = waiting.app.max_age
        if age is None:
            return 0
        return self.core.clock.now() - age if age else waiting.asked_at

    def _missing(self, waiting: HostLogin, user: User, since: int) -> Step:
        acr = {KEY: PHR, TWO_FACTOR: MFA}.get(waiting.proof, SFA)
        if not self.proofs.can_reach(user, acr):
            return Enroll(key=acr == PHR)
        method = self.proofs.method_for(user, acr)
        is_old = (user.session.password_at or 0) < since or not user.factors
        first = is_old or not self.sessions.password_is_fresh(user)
        return StepUp(first, method.slug if method is not None else None)
