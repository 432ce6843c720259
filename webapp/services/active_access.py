"""Lists and ends what gives access to an account now: sessions, remembered browsers and app sessions.

A kind selects its open rows with the same columns as the others, so that the whole list is one statement for any
number of kinds. Users may end their own access without step-up, since that does no harm.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from sqlalchemy import Boolean, ColumnElement, Select, and_, cast, false, func, literal, or_, select, union_all, update

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


@dataclass(frozen=True, slots=True)
class AccessKind(ABC):
    """A kind of access. A new one also needs a place in `active_access` and its words in `web/pages/sessions.py`.

    Its table must be added to `Sessions.end_others` and `Maintenance.purge`, too.
    """

    slug: ClassVar[str]
    ended: ClassVar[str]
    """The kind of the event that records the end of one; its sentence may contain the `device`."""
    table: ClassVar[Any]

    core: Core

    @abstractmethod
    def open_now(self, user: User, remembered: Sequence[str]) -> Select[Any]:
        """Selects the fields of `AccessEntry` in their order. `remembered` are the tokens in this browser's cookies."""

    def end(self, tx: Transaction, account_id: int, entry_id: int) -> str:
        """Ends one and returns its device.

        Raises `NotFound` for one that is not the account's, `AlreadyDone` for one that has ended.
        """
        table, now = self.table, self.core.clock.now()
        own = table.id == entry_id, table.account_id == account_id
        device: str | None = tx.scalar(select(table.device).where(*own))
        if device is None:
            raise NotFound()
        if not changed_one_row(tx, update(table).where(*own, table.ended_at.is_(None)).values(ended_at=now)):
            raise AlreadyDone()
        return device

    @abstractmethod
    def end_others(self, tx: Transaction, user: User, *, forget: bool) -> None:
        """Ends all but the current one, for "Log out all others"; `forget` includes remembered browsers."""

    def _end_all(self, tx: Transaction, table: Any, user: User, *which: ColumnElement[bool]) -> None:
        live = table.account_id == user.account.id, table.ended_at.is_(None), *which
        tx.execute(update(table).where(*live).values(ended_at=self.core.clock.now()))

    def _entries(
        self, user: User, live: ColumnElement[bool], started: Any, seen: Any, current: Any = None, device: Any = None
    ) -> Select[Any]:
        """Those of the user. `current` is the condition for the one of this browser, where that can be one of them."""
        row = self.table
        return select(
            literal(self.slug).label("kind"),
            row.id.label("id"),
            (row.device if device is None else device).label("device"),
            row.address.label("address"),
            started.label("started_at"),
            seen.label("seen_at"),
            cast(false() if current is None else current, Boolean).label("is_current"),
        ).where(row.account_id == user.account.id, live)


@dataclass(frozen=True, slots=True)
class SessionKind(AccessKind):
    """Sessions. Pending logins end with the others, but are not listed, because they are short-lived.

    What other sessions gave to apps ends with them too, also where it outlived its session, which was then deleted.
    """

    slug, ended, table = "log-in", "session-ended", Session

    sessions: Sessions

    def open_now(self, user: User, remembered: Sequence[str]) -> Select[Any]:  # noqa: ARG002  # of the base class
        is_current = Session.id == user.session.id
        return self._entries(user, self.sessions.live(), Session.started_at, Session.seen_at, is_current)

    def end_others(self, tx: Transaction, user: User, *, forget: bool) -> None:  # noqa: ARG002  # of the base class
        now, account_id = self.core.clock.now(), user.account.id
        close_open(tx, account_id, WITHDRAWN, now)
        self._end_all(tx, PendingLogin, user)  # first: one may be about to open a session
        self._end_all(tx, Session, user, Session.id != user.session.id)
        given = AppAuthorization
        of_others = or_(given.session_id.is_(None), given.session_id != user.session.id)
        end_given(tx, now, given.account_id == account_id, of_others)


@dataclass(frozen=True, slots=True)
class RememberedKind(AccessKind):
    """Browsers that skip the second factor, never the password."""

    slug, ended, table = "remembered-browser", "browser-forgotten", RememberedBrowser

    browsers: RememberedBrowsers

    def open_now(self, user: User, remembered: Sequence[str]) -> Select[Any]:
        row, is_current = RememberedBrowser, RememberedBrowser.token_hash.in_([hash_of(token) for token in remembered])
        return self._entries(user, self.browsers.live(), row.added_at, row.used_at, is_current)

    def end_others(self, tx: Transaction, user: User, *, forget: bool) -> None:
        if forget:
            self._end_all(tx, RememberedBrowser, user)


@dataclass(frozen=True, slots=True)
class AppKind(AccessKind):
    """Apps that exchanged a password for a token."""

    slug, ended, table = "app", "app-logged-out", AppSession

    app_sessions: AppSessions

    def open_now(self, user: User, remembered: Sequence[str]) -> Select[Any]:  # noqa: ARG002  # of the base class
        return self._entries(user, self.app_sessions.live(), AppSession.started_at, AppSession.seen_at)

    def end_others(self, tx: Transaction, user: User, *, forget: bool) -> None:  # noqa: ARG002  # of the base class
        for table in (TemporaryPassword, AppSession):  # an app may still have a temporary password
            self._end_all(tx, table, user)


@dataclass(frozen=True, slots=True)
class GuardedKind(AccessKind):
    """Sessions at guarded hosts. The name of its app and the host stand for a device."""

    slug, ended, table = "guarded-host", "guarded-logged-out", GuardedSession

    sessions: Sessions

    def open_now(self, user: User, remembered: Sequence[str]) -> Select[Any]:  # noqa: ARG002  # of the base class
        row, live = GuardedSession, and_(GuardedSession.ended_at.is_(None), self.sessions.live())
        entries = self._entries(user, live, row.started_at, row.seen_at, device=CALLED)
        return entries.join(RegisteredApp, RegisteredApp.id == row.app_id).join(Session, Session.id == row.session_id)

    def end(self, tx: Transaction, account_id: int, entry_id: int) -> str:
        AccessKind.end(self, tx, account_id, entry_id)  # `super()` needs the class as it was without slots
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
