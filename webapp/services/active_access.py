"""Lists and ends what gives access to an account now: sessions, remembered browsers and app sessions.

A kind selects its open rows with the same columns as the others, so that the whole list is one statement for any
number of kinds. Users may end their own access without step-up, since that does no harm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Boolean, ColumnElement, Select, cast, false, func, literal, or_, select, union_all, update

from ..domain.codes import hash_of
from ..domain.origin import Origin
from ..domain.refusals import AlreadyDone, NotFound
from ..models.accounts import lock_account
from ..models.app_logins import AppAuthorization, end_given
from ..models.apps import AppSession, TemporaryPassword
from ..models.database import Transaction, changed_one_row
from ..models.guarded_hosts import GuardedSession
from ..models.login_requests import WITHDRAWN, close_open
from ..models.registered_apps import RegisteredApp
from ..models.sessions import PendingLogin, RememberedBrowser, Session
from ..models.user import SessionToken, User
from .apps.app_sessions import AppSessions
from .core import Core
from .login.remembered_browsers import RememberedBrowsers
from .notices import Notices
from .sessions import Sessions

CALLED = RegisteredApp.name + " (" + func.coalesce(RegisteredApp.host, "") + ")"
"""What a session at a guarded host is called in lists."""


@dataclass(frozen=True, slots=True)
class AccessEntry:
    """One row of the list. `device` is its User-Agent header; `is_current` marks the browser of this request.

    Times are Unix seconds.
    """

    kind: str
    id: int
    device: str
    address: str
    started_at: int
    seen_at: int
    is_current: bool


@dataclass(frozen=True, slots=True)
class OpenAccess:
    """This browser's own entries first, then by time of use. `more` is True when the page cannot show all."""

    entries: Sequence[AccessEntry]
    more: bool


class AccessKind(Protocol):
    """A kind of access. A new one also needs a place in `active_access` and its words in `web/pages/sessions.py`.

    Its table must be added to `Sessions.end_others` and `Maintenance.purge`, too.
    """

    slug: str
    ended: str
    """The kind of the event that records the end of one; its sentence may contain the `device`."""

    def open_now(self, user: User, remembered: Sequence[str]) -> Select[Any]:
        """Selects the fields of `AccessEntry` in their order. `remembered` are the tokens in this browser's cookies."""
        ...

    def end(self, tx: Transaction, account_id: int, entry_id: int) -> str:
        """Ends one and returns its device.

        Raises `NotFound` for one that is not the account's, `AlreadyDone` for one that has ended.
        """
        ...

    def end_others(self, tx: Transaction, user: User, *, forget: bool) -> None:
        """Ends all but the current one, for "Log out all others"; `forget` includes remembered browsers."""
        ...


@dataclass(frozen=True, slots=True)
class SessionKind:
    """Sessions. Pending logins end with the others, but are not listed, because they are short-lived.

    What other sessions gave to apps ends with them too, also where it outlived its session, which was then deleted.
    """

    slug, ended = "log-in", "session-ended"

    core: Core
    sessions: Sessions

    def open_now(self, user: User, remembered: Sequence[str]) -> Select[Any]:  # noqa: ARG002  # of the protocol
        row, current = Session, Session.id == user.session.id
        own = row.account_id == user.account.id, self.sessions.live()
        return select(*_columns(self, row, row.started_at, row.seen_at, current)).where(*own)

    def end(self, tx: Transaction, account_id: int, entry_id: int) -> str:
        return _end(tx, Session, account_id, entry_id, self.core.clock.now())

    def end_others(self, tx: Transaction, user: User, *, forget: bool) -> None:  # noqa: ARG002  # of the protocol
        now, account_id = self.core.clock.now(), user.account.id
        close_open(tx, account_id, WITHDRAWN, now)
        _end_all(tx, PendingLogin, account_id, now)  # first: one may be about to open a session
        _end_all(tx, Session, account_id, now, Session.id != user.session.id)
        given = AppAuthorization
        of_others = or_(given.session_id.is_(None), given.session_id != user.session.id)
        end_given(tx, now, given.account_id == account_id, of_others)


@dataclass(frozen=True, slots=True)
class RememberedKind:
    """Browsers that skip the second factor, never the password."""

    slug, ended = "remembered-browser", "browser-forgotten"

    core: Core
    browsers: RememberedBrowsers

    def open_now(self, user: User, remembered: Sequence[str]) -> Select[Any]:
        row, current = RememberedBrowser, RememberedBrowser.token_hash.in_([hash_of(token) for token in remembered])
        own = row.account_id == user.account.id, self.browsers.live()
        return select(*_columns(self, row, row.added_at, row.used_at, current)).where(*own)

    def end(self, tx: Transaction, account_id: int, entry_id: int) -> str:
        return _end(tx, RememberedBrowser, account_id, entry_id, self.core.clock.now())

    def end_others(self, tx: Transaction, user: User, *, forget: bool) -> None:
        if forget:
            _end_all(tx, RememberedBrowser, user.account.id, self.core.clock.now())


@dataclass(frozen=True, slots=True)
class AppKind:
    """Apps that exchanged a password for a token."""

    slug, ended = "app", "app-logged-out"

    core: Core
    app_sessions: AppSessions

    def open_now(self, user: User, remembered: Sequence[str]) -> Select[Any]:  # noqa: ARG002  # of the protocol
        row = AppSession
        own = row.account_id == user.account.id, self.app_sessions.live()
        return select(*_columns(self, row, row.started_at, row.seen_at, false())).where(*own)

    def end(self, tx: Transaction, account_id: int, entry_id: int) -> str:
        return _end(tx, AppSession, account_id, entry_id, self.core.clock.now())

    def end_others(self, tx: Transaction, user: User, *, forget: bool) -> None:  # noqa: ARG002  # of the protocol
        for table in (TemporaryPassword, AppSession):  # an app may still have a temporary password
            _end_all(tx, table, user.account.id, self.core.clock.now())


@dataclass(frozen=True, slots=True)
class GuardedKind:
    """Sessions at guarded hosts. The name of its app and the host stand for a device."""

    slug, ended = "guarded-host", "guarded-logged-out"

    core: Core
    sessions: Sessions

    def open_now(self, user: User, remembered: Sequence[str]) -> Select[Any]:  # noqa: ARG002  # of the protocol
        row = GuardedSession
        own = row.account_id == user.account.id, row.ended_at.is_(None), self.sessions.live()
        columns = _columns(self, row, row.started_at, row.seen_at, false(), device=CALLED)
        of_app = select(*columns).join(RegisteredApp, RegisteredApp.id == row.app_id)
        return of_app.join(Session, Session.id == row.session_id).where(*own)

    def end(self, tx: Transaction, account_id: int, entry_id: int) -> str:
        _end(tx, GuardedSession, account_id, entry_id, self.core.clock.now())
        at = select(CALLED).join_from(GuardedSession, RegisteredApp).where(GuardedSession.id == entry_id)
        return str(tx.scalar(at))

    def end_others(self, tx: Transaction, user: User, *, forget: bool) -> None:
        """They end with the session of the site from which each came."""


@dataclass(frozen=True, slots=True)
class ActiveAccess:
    core: Core
    sessions: Sessions
    notices: Notices
    kinds: Sequence[AccessKind]
    """In the order in which they are shown."""

    def open_now(self, user: User, remembered: Sequence[str]) -> OpenAccess:
        """All kinds in one statement. `remembered` are the tokens in this browser's cookies."""
        every = union_all(*(kind.open_now(user, remembered) for kind in self.kinds)).subquery()
        newest = every.c.is_current.desc(), every.c.seen_at.desc(), every.c.id.desc()
        most = self.core.policy.access_entries_shown
        with self.core.db.read() as tx:
            rows = tx.execute(select(every).order_by(*newest).limit(most + 1)).all()
        return OpenAccess([AccessEntry(*row) for row in rows[:most]], len(rows) > most)

    def end(self, user: User, kind: str, entry_id: int, origin: Origin) -> str:
        """Ends one entry, so that its next request is refused at both hosts, and returns its device.

        Raises `NotFound` or `AlreadyDone` as `AccessKind.end` does.
        """
        access = next((one for one in self.kinds if one.slug == kind), None)
        if access is None:
            raise NotFound()
        with self.core.db.write() as tx:
            device = access.end(tx, user.account.id, entry_id)
            self.notices.record(tx, user.account.id, access.ended, origin, device=device)
        return device

    def end_own(self, user: User, origin: Origin) -> None:
        """Ends this session."""
        with self.core.db.write() as tx:
            self.sessions.end(tx, user.account.id, user.session.id)
            self.notices.record(tx, user.account.id, "logged-out", origin)

    def end_others(self, user: User, origin: Origin, *, forget: bool) -> SessionToken:
        """Ends all but this session, which gets a new token, so that a stolen copy of the old one is void too.

        Raises `LoginExpired` when this session was ended meanwhile.
        """
        with self.core.db.write() as tx:
            lock_account(tx, user.account.id)
            for kind in self.kinds:
                kind.end_others(tx, user, forget=forget)
            opened = self.sessions.rotate(tx, user.session)
            event = "others-logged-out-and-forgotten" if forget else "others-logged-out"
            self.notices.tell(tx, user.account, event, origin)
        return opened


def active_access(
    core: Core, sessions: Sessions, remembered: RememberedBrowsers, app_sessions: AppSessions, notices: Notices
) -> ActiveAccess:
    """With every kind, in the order of the list."""
    own = SessionKind(core, sessions), RememberedKind(core, remembered)
    return ActiveAccess(core, sessions, notices, (*own, AppKind(core, app_sessions), GuardedKind(core, sessions)))


def _columns(
    kind: AccessKind, row: Any, started: Any, seen: Any, current: ColumnElement[bool], device: Any = None
) -> tuple[Any, ...]:
    return (
        literal(kind.slug).label("kind"),
        row.id.label("id"),
        (row.device if device is None else device).label("device"),
        row.address.label("address"),
        started.label("started_at"),
        seen.label("seen_at"),
        cast(current, Boolean).label("is_current"),
    )


def _end(tx: Transaction, table: Any, account_id: int, entry_id: int, now: int) -> str:
    own = table.id == entry_id, table.account_id == account_id
    device: str | None = tx.scalar(select(table.device).where(*own))
    if device is None:
        raise NotFound()
    if not changed_one_row(tx, update(table).where(*own, table.ended_at.is_(None)).values(ended_at=now)):
        raise AlreadyDone()
    return device


def _end_all(tx: Transaction, table: Any, account_id: int, now: int, *which: ColumnElement[bool]) -> None:
    tx.execute(
        update(table).where(table.account_id == account_id, table.ended_at.is_(None), *which).values(ended_at=now)
    )
