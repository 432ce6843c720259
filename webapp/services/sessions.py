"""Sessions: opening, finding, renewing and ending them.

The browser has a random token, the database its SHA-256 (ASVS V7.2). A session gets a new token whenever the password
or a second factor is proved; its row stays, so that its owner sees one log-in as one entry.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, bindparam, case, delete, func, insert, or_, select, true, update
from sqlalchemy.sql import expression

from ..domain.codes import draw_token, hash_of
from ..domain.origin import Origin
from ..domain.refusals import LoginExpired, NotFresh
from ..models.account_rows import AccountRows
from ..models.accounts import Account, lock_account
from ..models.app_logins import AppAuthorization, end_given
from ..models.apps import AppSession, TemporaryPassword
from ..models.codes import Link
from ..models.database import Transaction, changed_one_row
from ..models.drafts import Draft
from ..models.factors import Factor
from ..models.login_requests import WITHDRAWN, close_open, close_requests_of
from ..models.sessions import BACKUP_CODE_PROOF, PASSWORD_PROOF, PendingLogin, RememberedBrowser, Session
from ..models.user import SessionToken, User
from .core import Core

Seconds = int | expression.BindParameter[int]

ENDS_WITH_THE_OTHERS = (PendingLogin, RememberedBrowser, TemporaryPassword, Session, AppSession)
"""In this order: what can open a session ends before sessions, so that one opened meanwhile is ended too."""


def _is_live(
    last_seen_after: Seconds, kept_after: Seconds, started_after: Seconds, kept_since: Seconds, until: Seconds
) -> Live:
    seen = case((Session.persistent, kept_after), else_=last_seen_after)
    started = case((Session.persistent, kept_since), else_=started_after)
    is_open = Session.ended_at.is_(None), Session.started_at <= until
    return and_(*is_open, Session.seen_at > seen, Session.started_at > started)


Live = ColumnElement[bool]
LIMITS = ("seen", "kept_seen", "started", "kept_started", "until")
IS_LIVE = _is_live(*(bindparam(name, type_=Session.seen_at.type) for name in LIMITS))
"""The condition for sessions that are valid now, with the parameters of `Sessions.limits`."""
FIND = AccountRows(Session, Session.token_hash == bindparam("token_hash"), IS_LIVE)

OPEN = insert(Session).returning(Session.id)
OPEN_PROVED = OPEN.values(
    factor_added_at=select(func.max(Factor.added_at))
    .where(
        Factor.account_id == bindparam("proved_by"),
        Factor.logged_in_at == bindparam("proved_at"),
        Factor.turned_off_at.is_(None),
    )
    .scalar_subquery()
)
"""Used when the method has just marked the factor that was proved."""


@dataclass(frozen=True, slots=True)
class Sessions:
    core: Core

    def find(self, token: str) -> User | None:
        """The user with this token, in one statement; None when it is unknown, ended, idle or too old."""
        with self.core.db.read() as tx:
            found = FIND.find(tx, {"token_hash": hash_of(token), **self.limits()})
        if found is None:
            return None
        session, account, factors = found
        on = [f for f in factors if f.turned_off_at is None]
        return User(session, account, on, [f for f in factors if f.turned_off_at is not None])

    def see(self, user: User) -> None:
        """Extends the idle limit, at most once a minute, so that most page views write nothing.

        At most once a day it dates the last use of the account.
        """
        now, policy = self.core.clock.now(), self.core.policy
        is_new_day = abs(now - user.account.used_at) >= policy.account_used_every
        if is_new_day or abs(now - user.session.seen_at) >= policy.session_seen_every:
            with self.core.db.write(durable=False) as tx:
                if is_new_day:
                    tx.execute(update(Account).where(Account.id == user.account.id).values(used_at=now))
                tx.execute(update(Session).where(Session.id == user.session.id).values(seen_at=now))

    def open(
        self, tx: Transaction, account_id: int, origin: Origin, *, persistent: bool, proofs: Sequence[str]
    ) -> SessionToken:
        """Opens a session for a user who has just proved all that the account requires: `proofs`, as in the table."""
        now, second_factor = self.core.clock.now(), any(proof != PASSWORD_PROOF for proof in proofs)
        token = draw_token(self.core.entropy)
        values = {
            "token_hash": hash_of(token),
            "account_id": account_id,
            "started_at": now,
            "seen_at": now,
            "persistent": persistent,
            "password_at": now,
            "second_factor_at": now if second_factor else None,
            "proofs": json.dumps(dict.fromkeys(proofs, now)),
            "address": origin.address,
            "device": origin.device,
        }
        by_factor = second_factor and BACKUP_CODE_PROOF not in proofs
        proved = {"proved_by": account_id, "proved_at": now} if by_factor else {}
        session_id = tx.execute(OPEN_PROVED if by_factor else OPEN, values | proved).scalar_one()
        return SessionToken(session_id, token, persistent)

    def rotate(self, tx: Transaction, session: Session, proof: str | None = None) -> SessionToken:
        """Gives the session a new token, which voids the old one. `proof` is what was proved now, as in the table.

        Raises `LoginExpired` when the session was ended or got another token since the request read it, so that the
        change is rolled back: a stolen copy of the old token must not become the new one (ASVS V7.2.4).
        """
        token = draw_token(self.core.entropy)
        as_read = Session.id == session.id, Session.token_hash == session.token_hash, Session.ended_at.is_(None)
        values = {"token_hash": hash_of(token), **self._proved(session, proof)}
        if not changed_one_row(tx, update(Session).where(*as_read).values(values)):
            raise LoginExpired()
        return SessionToken(session.id, token, session.persistent)

    def _proved(self, session: Session, proof: str | None) -> dict[str, int | str]:
        """The columns of a proof. The earlier proofs are as they were read, which the new token makes sure of."""
        if proof is None:
            return {}
        now = self.core.clock.now()
        column = "password_at" if proof == PASSWORD_PROOF else "second_factor_at"
        earlier = json.loads(session.proofs)
        if not earlier and session.password_at is not None:  # a session of an earlier version
            earlier = {PASSWORD_PROOF: session.password_at}
        return {column: now, "proofs": json.dumps({**earlier, proof: now})}

    def demand_open(self, tx: Transaction, session: Session) -> None:
        """Raises `LoginExpired` when the session was ended or got another token since the request read it.

        For a change under `lock_account`, which what ends sessions takes too.
        """
        as_read = Session.id == session.id, Session.token_hash == session.token_hash, Session.ended_at.is_(None)
        if tx.scalar(select(Session.id).where(*as_read)) is None:
            raise LoginExpired()

    def end(self, tx: Transaction, account_id: int, session_id: int) -> bool:
        """Ends one session. False when the account has no such open session."""
        still_open = and_(Session.account_id == account_id, Session.id == session_id, Session.ended_at.is_(None))
        return changed_one_row(tx, update(Session).where(still_open).values(ended_at=self.core.clock.now()))

    def forget(self, *, session: str | None = None, pending: str | None = None) -> None:
        """Ends, by their tokens, the session and pending login that the browser had before a log-in (ASVS V7.2.4), and
        the requests of that pending login.

        A session that has expired stays as it is: what apps were given to outlive it ends when its user logs out.
        """
        if not (session or pending):
            return
        now = self.core.clock.now()
        with self.core.db.write() as tx:
            if pending:
                close_requests_of(tx, hash_of(pending), WITHDRAWN, now)
                own = PendingLogin.token_hash == hash_of(pending), PendingLogin.ended_at.is_(None)
                tx.execute(update(PendingLogin).where(*own).values(ended_at=now))
            if session:
                live = Session.token_hash == hash_of(session), self.live()
                tx.execute(update(Session).where(*live).values(ended_at=now))

    def end_others(self, tx: Transaction, account_id: int, but: int | None) -> None:
        """Ends every session but the one with id `but`, pending login, remembered browser and reset link (ASVS V7.4.3).

        Enrollments of other sessions, temporary passwords, app sessions and open login requests end as well, and what
        apps were given by other sessions or to outlive them all.
        """
        now = self.core.clock.now()
        lock_account(tx, account_id)
        close_open(tx, account_id, WITHDRAWN, now)  # before pending logins, as a denial does
        for table in ENDS_WITH_THE_OTHERS:
            live = and_(table.account_id == account_id, table.ended_at.is_(None))
            others = live if but is None or table is not Session else and_(live, Session.id != but)
            tx.execute(update(table).where(others).values(ended_at=now))
        outlives = or_(AppAuthorization.offline, AppAuthorization.session_id != but) if but is not None else true()
        end_given(tx, now, AppAuthorization.account_id == account_id, outlives)
        of_others = Draft.account_id == account_id, Draft.session_id != (but or 0)
        tx.execute(delete(Draft).where(*of_others))
        unused = and_(Link.account_id == account_id, Link.purpose == "reset", Link.used_at.is_(None))
        tx.execute(update(Link).where(unused).values(used_at=now))

    def end_offline(self, tx: Transaction, account_id: int) -> None:
        """Ends what apps were given to outlive its session, after a change of the factors. The caller must have locked
        the account."""
        end_given(
            tx, self.core.clock.now(), AppAuthorization.account_id == account_id, AppAuthorization.offline.is_(True)
        )

    def is_fresh(self, user: User) -> bool:
        """True when password and, with factors, second factor were proved in the last ten minutes (ASVS V7.5.1)."""
        return self.password_is_fresh(user) and (not user.factors or self._is_recent(user.session.second_factor_at))

    def demand_fresh(self, user: User) -> None:
        """Raises `NotFresh` when step-up is due."""
        if not self.is_fresh(user):
            raise NotFresh()

    def password_is_fresh(self, user: User) -> bool:
        return self._is_recent(user.session.password_at)

    def live(self) -> Live:
        """The condition for sessions that are valid now."""
        return _is_live(*self.limits().values())

    def limits(self) -> dict[str, int]:
        """The times, in Unix seconds, between which a valid session was seen and started: the parameters of `IS_LIVE`,
        in the order of `LIMITS`."""
        now, policy = self.core.clock.now(), self.core.policy
        times = (
            now - policy.session_idle,
            now - policy.kept_session_idle,
            now - policy.session_total,
            now - policy.kept_session_total,
            now + policy.clock_ahead,
        )
        return dict(zip(LIMITS, times, strict=True))

    def _is_recent(self, at: int | None) -> bool:
        return at is not None and self.core.is_within(at, self.core.policy.fresh)
