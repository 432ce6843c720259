"""Noticing that the database was restored from a backup, and what then must not live again.

The database counts its own heartbeats, and the newest count is also kept beside it. A database that is behind that
count is an older one: sessions that were ended since would be open again, and codes that were used since would be
good again. So everybody logs in again, and every code and link of before is void.
"""

from __future__ import annotations

from sqlalchemy import delete, insert, select, update

from ..domain.ports import Clock, Heartbeat
from ..methods.catalogue import CATALOGUE
from ..models.accounts import Account
from ..models.apps import AppSession, RefusedAccess, TemporaryPassword
from ..models.codes import Code, Link
from ..models.database import Database, Transaction, changed_one_row
from ..models.drafts import Draft
from ..models.factors import Factor
from ..models.messages import SiteValue
from ..models.sessions import KeptAct, PendingLogin, RememberedBrowser, Session
from ..policy import DAY

BEATS, RESTORED_AT = "beats", "restored-at"
BANNER_SECONDS = 3 * DAY


class Restoration:
    def __init__(self, db: Database, clock: Clock, heartbeat: Heartbeat) -> None:
        self._db = db
        self._clock = clock
        self._heartbeat = heartbeat

    def beat(self) -> None:
        """Once a minute, by the worker."""
        with self._db.write() as tx:
            if not changed_one_row(
                tx, update(SiteValue).where(SiteValue.name == BEATS).values(value=SiteValue.value + 1)
            ):
                tx.execute(insert(SiteValue).values(name=BEATS, value=1))
            beats = self._value(tx, BEATS)
        self._heartbeat.keep(beats)

    def look(self) -> bool:
        """At start: True when the database is older than the last one seen here, and has been made safe."""
        with self._db.write() as tx:
            beats = self._value(tx, BEATS)
            if beats == 0 or beats >= self._heartbeat.newest():  # one that never beat is new, not restored
                return False
            self._void_all(tx)
            self._set(tx, RESTORED_AT, self._clock.now())
            self._set(tx, BEATS, self._heartbeat.newest())
        return True

    def was_lately(self) -> bool:
        """True for the days in which the log-in page says why everybody must log in again."""
        with self._db.read() as tx:
            return self._clock.now() - self._value(tx, RESTORED_AT) < BANNER_SECONDS

    def _void_all(self, tx: Transaction) -> None:
        now = self._clock.now()
        for ended in (Session, PendingLogin, RememberedBrowser, TemporaryPassword, AppSession):
            tx.execute(update(ended).where(ended.ended_at.is_(None)).values(ended_at=now))
        for dropped in (KeptAct, Draft, Code, Link, RefusedAccess):
            tx.execute(delete(dropped))
        # which backup codes were used since, nobody knows: their owners make new ones
        tx.execute(update(Account).values(backup_code_hash=None, backup_code_made_at=None))
        for method in CATALOGUE:
            burnt = method.counter_at(now)
            tx.execute(update(Factor).where(Factor.method == method.slug, Factor.counter < burnt).values(counter=burnt))

    def _value(self, tx: Transaction, name: str) -> int:
        return tx.scalar(select(SiteValue.value).where(SiteValue.name == name)) or 0

    def _set(self, tx: Transaction, name: str, value: int) -> None:
        tx.execute(delete(SiteValue).where(SiteValue.name == name))
        tx.execute(insert(SiteValue).values(name=name, value=value))
