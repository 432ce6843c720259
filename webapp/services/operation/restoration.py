"""Detects that the database was restored from a backup, and voids what must not become valid again.

The count of heartbeats is stored in the database and also beside it. A database that is behind that count is an older
copy: sessions that were ended since would be open again, and codes that were used since would be valid again. So every
user must log in again, and every earlier code and link is void.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import structlog
from sqlalchemy import delete, select, update

from ...domain.ports import Heartbeat
from ...domain.refusals import DatabaseUnavailable
from ...models.accounts import STOPPED_CHANGES, Account
from ...models.app_logins import AppAuthorization, AuthorizationRequest
from ...models.app_proofs import PushedRequest
from ...models.apps import AppSession, RefusedAccess, TemporaryPassword
from ...models.codes import Code, Link
from ...models.database import Transaction
from ...models.device_logins import DeviceRequest
from ...models.drafts import Draft
from ...models.factors import Factor
from ...models.messages import SiteValue
from ...models.sessions import KeptAct, PendingLogin, RememberedBrowser, Session
from ...models.site_values import set_site_value, site_value
from ...policy import DAY, MINUTE
from ..core import Core
from ..method_kinds import Methods

BEATS, RESTORED_AT = "beats", "restored-at"
BANNER_SECONDS = 3 * DAY
UNKNOWN = (
    "this machine has no heartbeat file: run `flask --app wsgi restored` if the database is a backup,"
    " or `flask --app wsgi moved` if it is the newest"
)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Restoration:
    core: Core
    heartbeat: Heartbeat
    methods: Methods

    def count_heartbeat(self, before: int | None = None) -> int:
        """Raises the count by one, stores it on this machine, and returns it. Called by the worker once a minute.

        A database that is behind this machine is voided at once. A machine without its file counts nothing, because it
        cannot know whether the database is an older copy: it joins when the count has risen since `before`, what the
        last call returned, because then other machines count.
        """
        known = self.heartbeat.newest()
        with self.core.db.write() as tx:
            beats = site_value(tx, BEATS)
            if known is None and beats > 0 and (before is None or beats <= before):
                if before is None:
                    log.error("heartbeat_missing", advice=UNKNOWN)
                return beats
            self._void_if_behind(tx, beats, known)
            beats = max(beats, known or 0) + 1
            set_site_value(tx, BEATS, beats)
        self.heartbeat.keep(beats)
        return beats

    def void_if_restored(self) -> bool:
        """Voids all that must not become valid again and returns True, if the database is behind this machine.

        Called before the first request. A database that this machine does not know is not asked: it may have no tables
        yet.
        """
        known = self.heartbeat.newest()
        if known is None:
            return False
        with self.core.db.write() as tx:
            return self._void_if_behind(tx, site_value(tx, BEATS), known)

    def is_unknown(self) -> bool:
        """True on a machine without its file, while the database has counted. Raises `DatabaseUnavailable`."""
        if self.heartbeat.newest() is not None:
            return False
        with self.core.db.read() as tx:
            return tx.scalar(select(SiteValue.value).where(SiteValue.name == BEATS)) is not None

    def declare_restored(self) -> None:
        """The operator says that the database is a backup: voids all that must not become valid again."""
        self._declare(is_older=True)

    def declare_moved(self) -> bool:
        """The operator says that the database is the newest, on a machine without its file. False when it has one."""
        if self.heartbeat.newest() is not None:
            return False
        self._declare(is_older=False)
        return True

    def _declare(self, *, is_older: bool) -> None:
        with self.core.db.write() as tx:
            beats = max(site_value(tx, BEATS), self.heartbeat.newest() or 0) + 1
            if is_older:
                self._void(tx, beats)
            set_site_value(tx, BEATS, beats)
        self.heartbeat.keep(beats)

    def _void_if_behind(self, tx: Transaction, beats: int, known: int | None) -> bool:
        if known is None or beats == 0 or beats >= known:  # 0 is a new database, not a restored one
            return False
        self._void(tx, known)
        return True

    def _void(self, tx: Transaction, beats: int) -> None:
        log.warning("database_restored")
        self._void_all(tx)
        set_site_value(tx, RESTORED_AT, self.core.clock.now())
        set_site_value(tx, BEATS, beats)

    def was_lately(self) -> bool:
        """True for three days after a restoration, in which the log-in page says why users must log in again."""
        with self.core.db.read() as tx:
            at = tx.scalar(select(SiteValue.value).where(SiteValue.name == RESTORED_AT)) or 0
        return self.core.is_within(at, BANNER_SECONDS)

    def _void_all(self, tx: Transaction) -> None:
        self.core.db.take_time(tx)
        now, policy = self.core.clock.now(), self.core.policy
        for ended in (Session, PendingLogin, RememberedBrowser, TemporaryPassword, AppSession, AppAuthorization):
            tx.execute(update(ended).where(ended.ended_at.is_(None)).values(ended_at=now))
        requests = AuthorizationRequest, PushedRequest, DeviceRequest
        for dropped in (KeptAct, Draft, Code, Link, RefusedAccess, *requests):
            tx.execute(delete(dropped))
        # it is not known which backup codes were used since, so their owners must make new ones
        # and what waits can have been stopped since, and by its link no longer can be
        tx.execute(update(Account).values({"backup_code_hash": None, "backup_code_made_at": None, **STOPPED_CHANGES}))
        # a deletion and an undo of an address can have been stopped since too: their owners get the whole time again
        for waits, seconds in ((Account.delete_at, policy.deletion_waits), (Account.undo_at, policy.email_undo_waits)):
            tx.execute(update(Account).where(waits.is_not(None)).values({waits: now + seconds}))
        for method in self.methods:
            least = method.counter_at(now)
            tx.execute(update(Factor).where(Factor.method == method.slug, Factor.counter < least).values(counter=least))


class RestoredLately:
    """`Restoration.was_lately`, read at most once a minute: the log-in page asks at each view."""

    def __init__(self, restoration: Restoration) -> None:
        self._restoration = restoration
        self._read_at: int | None = None
        self._answer = False

    def __call__(self) -> bool:
        now = self._restoration.core.clock.now()
        if self._read_at is None or abs(now - self._read_at) >= MINUTE:
            self._read_at = now
            with suppress(DatabaseUnavailable):  # the page says so where it matters
                self._answer = self._restoration.was_lately()
        return self._answer
