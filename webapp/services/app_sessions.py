"""Apps that stay logged in: each has a random token of its own, listed and revocable as a browser's session is.

A token opens the legacy door and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, and_, bindparam, insert, select, update

from ..domain.codes import draw_token, hash_of
from ..domain.origin import Origin
from ..domain.ports import Clock, Entropy
from ..models.accounts import Account
from ..models.apps import AppSession
from ..models.database import Database, Transaction
from ..models.side_by_side import SideBySide
from ..policy import Policy

OPENED = SideBySide(AppSession, Account)


@dataclass(frozen=True, slots=True)
class Granted:
    """The only copy of a token, and how many seconds it lasts at most."""

    token: str
    lasts: int


class AppSessions:
    def __init__(self, db: Database, clock: Clock, entropy: Entropy, policy: Policy) -> None:
        self._db = db
        self._clock = clock
        self._entropy = entropy
        self._policy = policy
        self._find = _find(policy)

    def open(self, tx: Transaction, account_id: int, origin: Origin) -> Granted:
        """For an app that has just given all that the account asks of one."""
        token, now = draw_token(self._entropy), self._clock.now()
        row = {
            "token_hash": hash_of(token),
            "account_id": account_id,
            "started_at": now,
            "seen_at": now,
            "address": origin.address,
            "device": origin.device,
        }
        tx.execute(insert(AppSession).values(row))
        return Granted(token, self._policy.app_session_total)

    def find(self, token: str) -> Account | None:
        """Whose token this is; None when it is unknown, ended, idle or too old. Moves the idle limit."""
        now = self._clock.now()
        with self._db.read() as tx:
            found = tx.execute(self._find, {"token_hash": hash_of(token), "now": now}).one_or_none()
        if found is None:
            return None
        session, account = OPENED.objects(found)
        if now - session.seen_at >= self._policy.session_seen_every:
            with self._db.write(durable=False) as tx:
                tx.execute(update(AppSession).where(AppSession.id == session.id).values(seen_at=now))
        owner: Account = account
        return owner

    def live(self) -> ColumnElement[bool]:
        """Those that open the door now."""
        return _lives(self._policy, self._clock.now())


def _find(policy: Policy) -> Select[Any]:
    """Made once: an app asks it with each request."""
    mine = AppSession.token_hash == bindparam("token_hash"), _lives(policy, bindparam("now", type_=BigInteger))
    return select(*OPENED.columns).join(Account, Account.id == AppSession.account_id).where(*mine)


def _lives(policy: Policy, now: Any) -> ColumnElement[bool]:
    """Not ended, idle or too old. `now` may be a parameter."""
    idle_since, total_since = now - policy.app_session_idle, now - policy.app_session_total
    return and_(AppSession.ended_at.is_(None), AppSession.seen_at > idle_since, AppSession.started_at > total_since)
