"""The ways into an account that are open now, as objects that their owner sees and ends: log-ins and remembered
browsers, and whatever kind joins them.

A kind says which of its rows are open, as one SELECT of the same columns, so that the whole list is one statement
however many kinds there are. Ending what is one's own does no harm, so none of this asks for step-up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Boolean, ColumnElement, Select, cast, false, literal, select, union_all, update

from ..domain.codes import hash_of
from ..domain.origin import Origin
from ..domain.refusals import AlreadyDone, NotFound
from ..models.accounts import lock_account
from ..models.apps import AppSession, TemporaryPassword
from ..models.database import Transaction, changed_one_row
from ..models.sessions import PendingLogin, RememberedBrowser, Session
from ..models.user import SessionToken, User
from .app_sessions import AppSessions
from .core import Core
from .notices import Notices
from .remembered_browsers import RememberedBrowsers
from .sessions import Sessions


@dataclass(frozen=True, slots=True)
class AccessEntry:
    """One of them. `device` is what the browser says of itself; `is_current` is the one that asks."""

    kind: str
    id: int
    device: str
    address: str
    started_at: int
    seen_at: int
    is_current: bool


@dataclass(frozen=True, slots=True)
class OpenAccess:
    """This browser's own first, then those seen last. `more` when there are others beyond what a page shows."""

    ways: Sequence[AccessEntry]
    more: bool


class AccessKind(Protocol):
    """Add a kind by writing one of these, a line in `bootstrap`, and its words in `web/pages/sessions.py`.

    Its table belongs into `Sessions.end_others` and into `upkeep`, too.
    """

    slug: str
    ended: str
    """What the activity calls the end of one; its sentence may name the `device`."""

    def open_now(self, user: User, remembered: Sequence[str]) -> Select[Any]:
        """The columns of `WayIn` in their order. `remembered` are the tokens that this browser shows."""
        ...

    def end(self, tx: Transaction, account_id: int, way_id: int) -> str:
        """Returns its device. Raises `Missing` for one that is not that account's, `AlreadyDone` for an ended one."""
        ...

    def end_others(self, tx: Transaction, user: User, *, forget: bool) -> None:
        """Its part of "Log out all others"; `forget` when what only eases a log-in goes too."""
        ...


@dataclass(frozen=True, slots=True)
class SessionKind:
    """Sessions. What has only got as far as the password ends with the others, and is too short-lived to list."""

    slug, ended = "log-in", "session-ended"

    core: Core
    sessions: Sessions

    def open_now(self, user: User, remembered: Sequence[str]) -> Select[Any]:  # noqa: ARG002  # a kind's
        row, current = Session, Session.id == user.session.id
        mine = row.account_id == user.account.id, self.sessions.live()
        return select(*_columns(self, row, row.started_at, row.seen_at, current)).where(*mine)

    def end(self, tx: Transaction, account_id: int, way_id: int) -> str:
        return _end(tx, Session, account_id, way_id, self.core.clock.now())

    def end_others(self, tx: Transaction, user: User, *, forget: bool) -> None:  # noqa: ARG002  # a kind's
        now, account_id = self.core.clock.now(), user.account.id
        _end_all(tx, PendingLogin, account_id, now)  # first: it may be on its way to a session
        _end_all(tx, Session, account_id, now, Session.id != user.session.id)


@dataclass(frozen=True, slots=True)
class RememberedKind:
    """Browsers that skip the second factor, never the password."""

    slug, ended = "remembered-browser", "browser-forgotten"

    core: Core
    browsers: RememberedBrowsers

    def open_now(self, user: User, remembered: Sequence[str]) -> Select[Any]:
        row, current = RememberedBrowser, RememberedBrowser.token_hash.in_([hash_of(token) for token in remembered])
        mine = row.account_id == user.account.id, self.browsers.live()
        return select(*_columns(self, row, row.added_at, row.used_at, current)).where(*mine)

    def end(self, tx: Transaction, account_id: int, way_id: int) -> str:
        return _end(tx, RememberedBrowser, account_id, way_id, self.core.clock.now())

    def end_others(self, tx: Transaction, user: User, *, forget: bool) -> None:
        if forget:
            _end_all(tx, RememberedBrowser, user.account.id, self.core.clock.now())


@dataclass(frozen=True, slots=True)
class AppKind:
    """Apps that traded a password for a token at the legacy door."""

    slug, ended = "app", "app-logged-out"

    core: Core
    app_sessions: AppSessions

    def open_now(self, user: User, remembered: Sequence[str]) -> Select[Any]:  # noqa: ARG002  # a kind's
        row = AppSession
        mine = row.account_id == user.account.id, self.app_sessions.live()
        return select(*_columns(self, row, row.started_at, row.seen_at, false())).where(*mine)

    def end(self, tx: Transaction, account_id: int, way_id: int) -> str:
        return _end(tx, AppSession, account_id, way_id, self.core.clock.now())

    def end_others(self, tx: Transaction, user: User, *, forget: bool) -> None:  # noqa: ARG002  # a kind's
        for table in (TemporaryPassword, AppSession):  # which an app may send again and again
            _end_all(tx, table, user.account.id, self.core.clock.now())


@dataclass(frozen=True, slots=True)
class ActiveAccess:
    core: Core
    sessions: Sessions
    notices: Notices
    kinds: Sequence[AccessKind]
    """In the order in which they are shown."""

    def open_now(self, user: User, remembered: Sequence[str]) -> OpenAccess:
        """In one statement. `remembered` are the tokens of remembered browsers that this browser shows."""
        every = union_all(*(kind.open_now(user, remembered) for kind in self.kinds)).subquery()
        newest = every.c.is_current.desc(), every.c.seen_at.desc(), every.c.id.desc()
        most = self.core.policy.access_entries_shown
        with self.core.db.read() as tx:
            rows = tx.execute(select(every).order_by(*newest).limit(most + 1)).all()
        return OpenAccess([AccessEntry(*row) for row in rows[:most]], len(rows) > most)

    def end(self, user: User, kind: str, way_id: int, origin: Origin) -> str:
        """By the next request, at both hosts. Returns the device it was; raises as `Kind.end` does."""
        ends = next((one for one in self.kinds if one.slug == kind), None)
        if ends is None:
            raise NotFound()
        with self.core.db.write() as tx:
            device = ends.end(tx, user.account.id, way_id)
            self.notices.record(tx, user.account.id, ends.ended, origin, device=device)
        return device

    def end_own(self, user: User, origin: Origin) -> None:
        """Logs out here."""
        with self.core.db.write() as tx:
            self.sessions.end(tx, user.account.id, user.session.id)
            self.notices.record(tx, user.account.id, "logged-out", origin)

    def end_others(self, user: User, origin: Origin, *, forget: bool) -> SessionToken:
        """All but this log-in, which gets a new token: whoever had copied the old one is out too.

        Raises `LogInOver` when this one was ended meanwhile.
        """
        with self.core.db.write() as tx:
            lock_account(tx, user.account.id)
            for kind in self.kinds:
                kind.end_others(tx, user, forget=forget)
            opened = self.sessions.rotate(tx, user.session)
            told = "others-logged-out-and-forgotten" if forget else "others-logged-out"
            self.notices.tell(tx, user.account, told, origin)
        return opened


def _columns(kind: AccessKind, row: Any, started: Any, seen: Any, current: ColumnElement[bool]) -> tuple[Any, ...]:
    return (
        literal(kind.slug).label("kind"),
        row.id.label("id"),
        row.device.label("device"),
        row.address.label("address"),
        started.label("started_at"),
        seen.label("seen_at"),
        cast(current, Boolean).label("is_current"),
    )


def _end(tx: Transaction, table: Any, account_id: int, way_id: int, now: int) -> str:
    mine = table.id == way_id, table.account_id == account_id
    device: str | None = tx.scalar(select(table.device).where(*mine))
    if device is None:
        raise NotFound()
    if not changed_one_row(tx, update(table).where(*mine, table.ended_at.is_(None)).values(ended_at=now)):
        raise AlreadyDone()
    return device


def _end_all(tx: Transaction, table: Any, account_id: int, now: int, *which: ColumnElement[bool]) -> None:
    tx.execute(
        update(table).where(table.account_id == account_id, table.ended_at.is_(None), *which).values(ended_at=now)
    )
