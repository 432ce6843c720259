"""Sessions at guarded hosts: opening one by the code of a log-in, and ending it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import insert, select, update

from ...domain.codes import draw_token, hash_of
from ...domain.origin import Origin
from ...domain.refusals import AlreadyDone
from ...models.accounts import Account, share_account
from ...models.database import changed_one_row
from ...models.guarded_hosts import GuardedLogin, GuardedSession
from ...models.registered_apps import GUARDED, RegisteredApp
from ...models.sessions import Session
from ..active_access import GuardedKind
from ..core import Core
from ..notices import Notices
from ..openid.clients import Clients
from ..sessions import Sessions
from .logins import GuardedLoginExpired


@dataclass(frozen=True, slots=True)
class Opened:
    """`token` is the only copy of the session's token, `path` is where the user wanted to go, and `nonce` that of the
    log-in."""

    token: str
    path: str
    nonce: str


@dataclass(frozen=True, slots=True)
class Visits:
    core: Core
    clients: Clients
    sessions: Sessions
    notices: Notices
    kind: GuardedKind

    def open(self, host: str, code: str, nonces: Sequence[str], earlier: str, origin: Origin) -> Opened:
        """Uses the code, in the browser and at the host where its log-in began. `nonces` are those of the browser, and
        `earlier` the token of its session at the host, which this one replaces; empty for none.

        Raises `GuardedLoginExpired`, and `LoginExpired` when the account was locked or deleted meanwhile.
        """
        now, token, row = self.core.clock.now(), draw_token(self.core.entropy), GuardedLogin
        by_hash = {hash_of(nonce): nonce for nonce in nonces}
        of_code = row.code_hash == hash_of(code), row.nonce_hash.in_(by_hash)
        here = RegisteredApp.host == host, RegisteredApp.kind == GUARDED
        found = select(row, RegisteredApp, Account).join(RegisteredApp).join(Account, Account.id == row.account_id)
        with self.core.db.write() as tx:
            first = tx.objects.execute(found.where(*of_code, *here)).one_or_none()
            if first is None:
                raise GuardedLoginExpired()
            login, app, account = first
            share_account(tx, account)
            is_recent = self.core.within(row.granted_at, self.core.policy.code_seconds)
            unused = row.id == login.id, row.used_at.is_(None), is_recent
            if not changed_one_row(tx, update(row).where(*unused).values(used_at=now)):
                raise GuardedLoginExpired()
            live = select(Session.id).where(Session.id == login.session_id, self.sessions.live())
            if tx.scalar(live) is None or not self.clients.may_use(tx, app, account):
                raise GuardedLoginExpired()
            owned = {"app_id": app.id, "account_id": account.id, "session_id": login.session_id}
            of_browser = {"address": origin.address, "device": origin.device, "started_at": now, "seen_at": now}
            replaced = GuardedSession.token_hash == hash_of(earlier), GuardedSession.app_id == app.id
            tx.execute(update(GuardedSession).where(*replaced, GuardedSession.ended_at.is_(None)).values(ended_at=now))
            tx.execute(insert(GuardedSession).values(token_hash=hash_of(token), **owned, **of_browser))
        return Opened(token, login.path, by_hash[str(login.nonce_hash)])

    def end(self, host: str, token: str, origin: Origin) -> None:
        """Ends the session with this token, if it is one of the host."""
        visit, app = GuardedSession, RegisteredApp
        own = visit.token_hash == hash_of(token), visit.ended_at.is_(None), app.host == host
        with suppress(AlreadyDone), self.core.db.write() as tx:
            row = tx.execute(select(visit.id, visit.account_id).join(app, app.id == visit.app_id).where(*own)).first()
            if row is not None:
                called = self.kind.end(tx, row.account_id, row.id)
                self.notices.record(tx, row.account_id, self.kind.ended, origin, device=called)
