"""Sessions on the server: who is logged in, since when, and until when.

The browser holds a random token, the database its SHA-256 (ASVS V7.2). A token is new at the password, at the
second factor and at step-up; the session row stays, so that its owner sees one log-in as one.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, and_, bindparam, case, delete, insert, select, update

from ..domain.codes import draw_token, hash_of
from ..domain.origin import Origin
from ..domain.ports import Clock, Entropy
from ..domain.refusals import LoginExpired, NotFresh
from ..models.accounts import Account, lock_account
from ..models.apps import AppSession, TemporaryPassword
from ..models.base import rows_of
from ..models.codes import Link
from ..models.database import Database, Transaction, changed_one_row
from ..models.drafts import Draft
from ..models.factors import Factor
from ..models.login_requests import WITHDRAWN, close_open
from ..models.sessions import PendingLogin, RememberedBrowser, Session
from ..models.side_by_side import SideBySide
from ..models.user import SessionToken, User
from ..policy import Policy

SOMEBODY = SideBySide(Session, Account, Factor)
OPEN = insert(rows_of(Session)).returning(rows_of(Session).c.id)


class Sessions:
    def __init__(self, db: Database, clock: Clock, entropy: Entropy, policy: Policy) -> None:
        self._db = db
        self._clock = clock
        self._entropy = entropy
        self._policy = policy
        self._find = _find(policy)

    def find(self, token: str) -> User | None:
        """Whose token this is, in one statement; None when it is unknown, ended, idle or too old."""
        with self._db.read() as tx:
            rows = tx.execute(self._find, {"token_hash": hash_of(token), "now": self._clock.now()}).all()
        if not rows:
            return None
        found = [SOMEBODY.objects(row) for row in rows]
        session, account, _ = found[0]
        factors = [factor for *_, factor in found if factor is not None]
        on = [f for f in factors if f.turned_off_at is None]
        return User(session, account, on, [f for f in factors if f.turned_off_at is not None])

    def see(self, user: User) -> None:
        """Moves the idle limit, at most once a minute so that reading a page seldom writes."""
        now = self._clock.now()
        if now - user.session.seen_at >= self._policy.session_seen_every:
            with self._db.write(durable=False) as tx:
                tx.execute(update(Session).where(Session.id == user.session.id).values(seen_at=now))

    def open(
        self, tx: Transaction, account_id: int, origin: Origin, *, persistent: bool, second_factor: bool
    ) -> SessionToken:
        """A session for somebody who has just proved all that their account asks."""
        now = self._clock.now()
        token = draw_token(self._entropy)
        values = {
            "token_hash": hash_of(token),
            "account_id": account_id,
            "started_at": now,
            "seen_at": now,
            "persistent": persistent,
            "password_at": now,
            "second_factor_at": now if second_factor else None,
            "address": origin.address,
            "device": origin.device,
        }
        session_id = tx.execute(OPEN, values).scalar_one()
        return SessionToken(session_id, token, persistent)

    def rotate(self, tx: Transaction, session: Session, **proved_at: int) -> SessionToken:
        """A new token for the same log-in, with what it has proved; the old token is dead.

        Raises `LogInOver` when it was ended since the request began, so that nothing more is changed by it.
        """
        token = draw_token(self._entropy)
        live = update(Session).where(Session.id == session.id, Session.ended_at.is_(None))
        if not changed_one_row(tx, live.values(token_hash=hash_of(token), **proved_at)):
            raise LoginExpired()
        return SessionToken(session.id, token, session.persistent)

    def end(self, tx: Transaction, account_id: int, session_id: int) -> bool:
        """False when that account has no such live session."""
        mine = and_(Session.account_id == account_id, Session.id == session_id, Session.ended_at.is_(None))
        return changed_one_row(tx, update(Session).where(mine).values(ended_at=self._clock.now()))

    def forget(self, *, session: str | None = None, half: str | None = None) -> None:
        """A log-in ends what the browser brought along, whoever planted it (ASVS V7.2.4)."""
        brought = [(table, token) for table, token in ((Session, session), (PendingLogin, half)) if token]
        if not brought:
            return
        with self._db.write() as tx:
            for table, token in brought:
                live = table.token_hash == hash_of(token), table.ended_at.is_(None)
                tx.execute(update(table).where(*live).values(ended_at=self._clock.now()))

    def end_others(self, tx: Transaction, account_id: int, but: int | None) -> None:
        """Ends every other session, half log-in, remembered browser and reset link (ASVS V7.4.3).

        What they had begun to set up is gone. What apps came in by ends too: temporary passwords, and the sessions
        they were traded for; and nothing waits for a phone's answer any more.
        """
        now = self._clock.now()
        lock_account(tx, account_id)
        # what opens a session ends before sessions do: one that is opened meanwhile is seen then
        for table in (PendingLogin, RememberedBrowser, TemporaryPassword, Session, AppSession):
            live = and_(table.account_id == account_id, table.ended_at.is_(None))
            others = live if but is None or table is not Session else and_(live, Session.id != but)
            tx.execute(update(table).where(others).values(ended_at=now))
        begun = Draft.account_id == account_id, Draft.session_id != (but or 0)
        tx.execute(delete(Draft).where(*begun))
        close_open(tx, account_id, WITHDRAWN, now)
        unused = and_(Link.account_id == account_id, Link.purpose == "reset", Link.used_at.is_(None))
        tx.execute(update(Link).where(unused).values(used_at=now))

    def is_fresh(self, user: User) -> bool:
        """Proved within ten minutes: the password, and with factors a second factor (ASVS V7.5.1)."""
        return self.password_is_fresh(user) and (not user.factors or self._is_recent(user.session.second_factor_at))

    def demand_fresh(self, user: User) -> None:
        """Raises `NotFresh` when step-up is due."""
        if not self.is_fresh(user):
            raise NotFresh()

    def password_is_fresh(self, user: User) -> bool:
        return self._is_recent(user.session.password_at)

    def live(self) -> ColumnElement[bool]:
        """Those that open something now."""
        return _lives(self._policy, self._clock.now())

    def _is_recent(self, at: int | None) -> bool:
        return at is not None and self._clock.now() - at < self._policy.fresh


def _find(policy: Policy) -> Select[Any]:
    """Made once: every page asks it, and making a statement costs as much as running it."""
    return (
        select(*SOMEBODY.columns)
        .join(Account, Account.id == Session.account_id)
        .outerjoin(Factor, Factor.account_id == Account.id)
        .where(Session.token_hash == bindparam("token_hash"), _lives(policy, bindparam("now", type_=BigInteger)))
        .order_by(Factor.id)
    )


def _lives(policy: Policy, now: Any) -> ColumnElement[bool]:
    """Not ended, idle or too old. `now` may be a parameter."""
    idle = case((Session.persistent, policy.kept_session_idle), else_=policy.session_idle)
    total = case((Session.persistent, policy.kept_session_total), else_=policy.session_total)
    return and_(Session.ended_at.is_(None), Session.seen_at > now - idle, Session.started_at > now - total)
