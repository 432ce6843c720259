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
from ..domain.refusals import LogInOver, NotFresh
from ..models.accounts import Account, hold
from ..models.apps import AppSession, TemporaryPassword
from ..models.base import rows_of
from ..models.codes import Link
from ..models.database import Database, Transaction, won
from ..models.drafts import DraftRow
from ..models.factors import Factor
from ..models.login_requests import WITHDRAWN, close_open
from ..models.presence import Opened, Presence
from ..models.sessions import HalfLoggedIn, LoggedIn, RememberedBrowser
from ..models.side_by_side import SideBySide
from ..policy import Policy

SOMEBODY = SideBySide(LoggedIn, Account, Factor)
OPEN = insert(rows_of(LoggedIn)).returning(rows_of(LoggedIn).c.id)


class Sessions:
    def __init__(self, db: Database, clock: Clock, entropy: Entropy, policy: Policy) -> None:
        self._db = db
        self._clock = clock
        self._entropy = entropy
        self._policy = policy
        self._find = _find(policy)

    def find(self, token: str) -> Presence | None:
        """Whose token this is, in one statement; None when it is unknown, ended, idle or too old."""
        with self._db.read() as tx:
            rows = tx.execute(self._find, {"token_hash": hash_of(token), "now": self._clock.now()}).all()
        if not rows:
            return None
        found = [SOMEBODY.objects(row) for row in rows]
        session, account, _ = found[0]
        factors = [factor for *_, factor in found if factor is not None]
        on = [f for f in factors if f.turned_off_at is None]
        return Presence(session, account, on, [f for f in factors if f.turned_off_at is not None])

    def see(self, presence: Presence) -> None:
        """Moves the idle limit, at most once a minute so that reading a page seldom writes."""
        now = self._clock.now()
        if now - presence.session.seen_at >= self._policy.session_seen_every:
            with self._db.write(survives_power_cut=False) as tx:
                tx.execute(update(LoggedIn).where(LoggedIn.id == presence.session.id).values(seen_at=now))

    def open(self, tx: Transaction, account_id: int, origin: Origin, *, kept: bool, second_factor: bool) -> Opened:
        """A session for somebody who has just proved all that their account asks."""
        now = self._clock.now()
        token = draw_token(self._entropy)
        values = {
            "token_hash": hash_of(token),
            "account_id": account_id,
            "started_at": now,
            "seen_at": now,
            "kept": kept,
            "password_at": now,
            "second_factor_at": now if second_factor else None,
            "address": origin.address,
            "device": origin.device,
        }
        session_id = tx.execute(OPEN, values).scalar_one()
        return Opened(session_id, token, kept)

    def rotate(self, tx: Transaction, session: LoggedIn, **proved_at: int) -> Opened:
        """A new token for the same log-in, with what it has proved; the old token is dead.

        Raises `LogInOver` when it was ended since the request began, so that nothing more is changed by it.
        """
        token = draw_token(self._entropy)
        live = update(LoggedIn).where(LoggedIn.id == session.id, LoggedIn.ended_at.is_(None))
        if not won(tx, live.values(token_hash=hash_of(token), **proved_at)):
            raise LogInOver()
        return Opened(session.id, token, session.kept)

    def end(self, tx: Transaction, account_id: int, session_id: int) -> bool:
        """False when that account has no such live session."""
        mine = and_(LoggedIn.account_id == account_id, LoggedIn.id == session_id, LoggedIn.ended_at.is_(None))
        return won(tx, update(LoggedIn).where(mine).values(ended_at=self._clock.now()))

    def forget(self, *, session: str | None = None, half: str | None = None) -> None:
        """A log-in ends what the browser brought along, whoever planted it (ASVS V7.2.4)."""
        brought = [(table, token) for table, token in ((LoggedIn, session), (HalfLoggedIn, half)) if token]
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
        hold(tx, account_id)
        # what opens a session ends before sessions do: one that is opened meanwhile is seen then
        for table in (HalfLoggedIn, RememberedBrowser, TemporaryPassword, LoggedIn, AppSession):
            live = and_(table.account_id == account_id, table.ended_at.is_(None))
            others = live if but is None or table is not LoggedIn else and_(live, LoggedIn.id != but)
            tx.execute(update(table).where(others).values(ended_at=now))
        begun = DraftRow.account_id == account_id, DraftRow.session_id != (but or 0)
        tx.execute(delete(DraftRow).where(*begun))
        close_open(tx, account_id, WITHDRAWN, now)
        unused = and_(Link.account_id == account_id, Link.purpose == "reset", Link.used_at.is_(None))
        tx.execute(update(Link).where(unused).values(used_at=now))

    def is_fresh(self, presence: Presence) -> bool:
        """Proved within ten minutes: the password, and with factors a second factor (ASVS V7.5.1)."""
        return self.password_is_fresh(presence) and (
            not presence.factors or self._is_recent(presence.session.second_factor_at)
        )

    def demand_fresh(self, presence: Presence) -> None:
        """Raises `NotFresh` when step-up is due."""
        if not self.is_fresh(presence):
            raise NotFresh()

    def password_is_fresh(self, presence: Presence) -> bool:
        return self._is_recent(presence.session.password_at)

    def live(self) -> ColumnElement[bool]:
        """Those that open something now."""
        return _lives(self._policy, self._clock.now())

    def _is_recent(self, at: int | None) -> bool:
        return at is not None and self._clock.now() - at < self._policy.fresh


def _find(policy: Policy) -> Select[Any]:
    """Made once: every page asks it, and making a statement costs as much as running it."""
    return (
        select(*SOMEBODY.columns)
        .join(Account, Account.id == LoggedIn.account_id)
        .outerjoin(Factor, Factor.account_id == Account.id)
        .where(LoggedIn.token_hash == bindparam("token_hash"), _lives(policy, bindparam("now", type_=BigInteger)))
        .order_by(Factor.id)
    )


def _lives(policy: Policy, now: Any) -> ColumnElement[bool]:
    """Not ended, idle or too old. `now` may be a parameter."""
    idle = case((LoggedIn.kept, policy.kept_session_idle), else_=policy.session_idle)
    total = case((LoggedIn.kept, policy.kept_session_total), else_=policy.session_total)
    return and_(LoggedIn.ended_at.is_(None), LoggedIn.seen_at > now - idle, LoggedIn.started_at > now - total)
