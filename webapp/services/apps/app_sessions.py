"""Sessions of apps: each has a random token, is listed, and can be ended as a browser's session can.

A token is accepted at legacy access and at guarded hosts, and must not be accepted for a page of the site.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, bindparam, insert, select, update
from sqlalchemy.sql import expression

from ...domain.codes import draw_token, hash_of
from ...domain.origin import Origin
from ...models.accounts import Account
from ...models.apps import AppSession
from ...models.database import Transaction
from ..core import Core


def _is_live(seen: Seconds, started: Seconds, until: Seconds) -> ColumnElement[bool]:
    recent = AppSession.seen_at > seen, AppSession.started_at > started, AppSession.started_at <= until
    return and_(AppSession.ended_at.is_(None), *recent)


Seconds = int | expression.BindParameter[int]
FIND = (
    select(AppSession, Account)
    .join(Account, Account.id == AppSession.account_id)
    .where(AppSession.token_hash == bindparam("token_hash"))
    .where(_is_live(*(bindparam(name, type_=AppSession.seen_at.type) for name in ("seen", "started", "until"))))
)


@dataclass(frozen=True, slots=True)
class Granted:
    """The only copy of a token, and its longest lifetime in seconds."""

    token: str
    lasts: int


@dataclass(frozen=True, slots=True)
class AppSessions:
    core: Core

    def open(self, tx: Transaction, account_id: int, origin: Origin) -> Granted:
        """Opens a session for an app that has just proved all that the account requires of an app."""
        token, now = draw_token(self.core.entropy), self.core.clock.now()
        row = {
            "token_hash": hash_of(token),
            "account_id": account_id,
            "started_at": now,
            "seen_at": now,
            "address": origin.address,
            "device": origin.device,
        }
        tx.execute(insert(AppSession).values(row))
        return Granted(token, self.core.policy.app_session_total)

    def find(self, token: str) -> Account | None:
        """The account of the token; None when it is unknown, ended, idle or too old. Extends the idle limit."""
        now = self.core.clock.now()
        with self.core.db.read() as tx:
            found = tx.objects.execute(FIND, {"token_hash": hash_of(token), **self._limits()}).one_or_none()
        if found is None:
            return None
        session, account = found
        if abs(now - session.seen_at) >= self.core.policy.session_seen_every:
            with self.core.db.write(durable=False) as tx:
                tx.execute(update(AppSession).where(AppSession.id == session.id).values(seen_at=now))
        return account

    def live(self) -> ColumnElement[bool]:
        """The condition for app sessions that are valid now."""
        return _is_live(**self._limits())

    def _limits(self) -> dict[str, int]:
        """The times, in Unix seconds, between which a valid session was seen and started."""
        now, policy = self.core.clock.now(), self.core.policy
        since = {"seen": now - policy.app_session_idle, "started": now - policy.app_session_total}
        return {**since, "until": now + policy.clock_ahead}
