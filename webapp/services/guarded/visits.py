"""Sessions at guarded hosts: opening one by the code of a log-in, and ending it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import insert, select, update

from ...domain.codes import draw_token, hash_of
from ...domain.origin import Origin
from ...models.accounts import Account, share_account
from ...models.database import changed_one_row
from ...models.guarded_hosts import GuardedLogin, GuardedSession
from ...models.registered_apps import GUARDED, RegisteredApp
from ...models.sessions import Session
from ..core import Core
from ..notices import Notices
from ..openid.clients import Clients
from ..sessions import Sessions
from .logins import GuardedLoginExpired

ENDED = "guarded-logged-out"


@dataclass(frozen=True, slots=True)
class Opened:
    """`token` is the only copy of the session's token; `path` is where the user wanted to go."""

    token: str
    path: str


@dataclass(frozen=True, slots=True)
class Visits:
    core: Core
    clients: Clients
    sessions: Sessions
    notices: Notices

    def open(self, host: str, handle: str, code: str, nonce: str, origin: Origin) -> Opened:
        """Uses the code, in the browser and at the host where its log-in began.

        Raises `GuardedLoginExpired`, and `LoginExpired` when the account was locked or deleted meanwhile.
        """
        now, token = self.core.clock.now(), draw_token(self.core.entropy)
        with self.core.db.write() as tx:
            app = tx.objects.scalars(
                select(RegisteredApp).where(RegisteredApp.host == host, RegisteredApp.kind == GUARDED)
            ).one_or_none()
            if app is None:
                raise GuardedLoginExpired()
            unused = (
                GuardedLogin.handle_hash == hash_of(handle),
                GuardedLogin.code_hash == hash_of(code),
                GuardedLogin.nonce_hash == hash_of(nonce),
                GuardedLogin.app_id == app.id,
                GuardedLogin.used_at.is_(None),
                GuardedLogin.granted_at > now - self.core.policy.code_seconds,
            )
            if not changed_one_row(tx, update(GuardedLogin).where(*unused).values(used_at=now)):
                raise GuardedLoginExpired()
            login = tx.objects.scalars(select(GuardedLogin).where(GuardedLogin.code_hash == hash_of(code))).one()
            account = tx.objects.get_one(Account, login.account_id)
            share_account(tx, account)
            live = select(Session.id).where(Session.id == login.session_id, self.sessions.live())
            if tx.scalar(live) is None or not self.clients.may_use(tx, app, account):
                raise GuardedLoginExpired()
            owned = {"app_id": app.id, "account_id": account.id, "session_id": login.session_id}
            times = {"started_at": now, "seen_at": now}
            of_browser = {"address": origin.address, "device": origin.device}
            tx.execute(insert(GuardedSession).values(token_hash=hash_of(token), **owned, **times, **of_browser))
        return Opened(token, login.path)

    def end(self, host: str, token: str, origin: Origin) -> None:
        """Ends the session with this token, if it is one of the host."""
        visit, app = GuardedSession, RegisteredApp
        own = visit.token_hash == hash_of(token), visit.ended_at.is_(None), app.host == host
        with self.core.db.write() as tx:
            row = tx.execute(
                select(visit.id, visit.account_id, app.name, app.host).join(app, app.id == visit.app_id).where(*own)
            ).one_or_none()
            if row is None:
                return
            tx.execute(update(visit).where(visit.id == row.id).values(ended_at=self.core.clock.now()))
            self.notices.record(tx, row.account_id, ENDED, origin, device=known_as(row.name, row.host))


def known_as(name: str, host: str) -> str:
    """What the session is called in lists."""
    return f"{name} ({host})"
