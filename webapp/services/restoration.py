"""Detects that the database was restored from a backup, and voids what must not become valid again.

The count of heartbeats is stored in the database and also beside it. A database that is behind that count is an older
copy: sessions that were ended since would be open again, and codes that were used since would be valid again. So every
user must log in again, and every earlier code and link is void.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, insert, select, update

from ..domain.ports import Heartbeat
from ..models.accounts import Account
from ..models.apps import AppSession, RefusedAccess, TemporaryPassword
from ..models.codes import Code, Link
from ..models.database import Transaction, changed_one_row
from ..models.drafts import Draft
from ..models.factors import Factor
from ..models.messages import SiteValue
from ..models.sessions import KeptAct, PendingLogin, RememberedBrowser, Session
from ..policy import DAY
from .core import Core
from .method_kinds import Methods

BEATS, RESTORED_AT = "beats", "restored-at"
BANNER_SECONDS = 3 * DAY


@dataclass(frozen=True, slots=True)
class Restoration:
    core: Core
    heartbeat: Heartbeat
    methods: Methods

    def count_heartbeat(self) -> None:
        """Raises the count of heartbeats by one. Called by the worker once a minute."""
        with self.core.db.write() as tx:
            if not changed_one_row(
                tx, update(SiteValue).where(SiteValue.name == BEATS).values(value=SiteValue.value + 1)
            ):
                tx.execute(insert(SiteValue).values(name=BEATS, value=1))
            beats = self._value(tx, BEATS)
        self.heartbeat.keep(beats)

    def void_if_restored(self) -> bool:
        """Voids all that must not become valid again and returns True, if the database is an older copy."""
        with self.core.db.write() as tx:
            beats = self._value(tx, BEATS)
            if beats == 0 or beats >= self.heartbeat.newest():  # 0 is a new database, not a restored one
                return False
            self._void_all(tx)
            self._set(tx, RESTORED_AT, self.core.clock.now())
            self._set(tx, BEATS, self.heartbeat.newest())
        return True

    def check(self) -> bool:
        """`void_if_restored`, then `was_lately`. Called before the first request, on a migrated database."""
        self.void_if_restored()
        return self.was_lately()

    def was_lately(self) -> bool:
        """True for three days after a restoration, in which the log-in page says why users must log in again."""
        with self.core.db.read() as tx:
            return self.core.clock.now() - self._value(tx, RESTORED_AT) < BANNER_SECONDS

    def _void_all(self, tx: Transaction) -> None:
        now = self.core.clock.now()
        for ended in (Session, PendingLogin, RememberedBrowser, TemporaryPassword, AppSession):
            tx.execute(update(ended).where(ended.ended_at.is_(None)).values(ended_at=now))
        for dropped in (KeptAct, Draft, Code, Link, RefusedAccess):
            tx.execute(delete(dropped))
        # it is not known which backup codes were used since, so their owners must make new ones
        tx.execute(update(Account).values(backup_code_hash=None, backup_code_made_at=None))
        for method in self.methods:
            least = method.counter_at(now)
            tx.execute(update(Factor).where(Factor.method == method.slug, Factor.counter < least).values(counter=least))

    def _value(self, tx: Transaction, name: str) -> int:
        return tx.scalar(select(SiteValue.value).where(SiteValue.name == name)) or 0

    def _set(self, tx: Transaction, name: str, value: int) -> None:
        tx.execute(delete(SiteValue).where(SiteValue.name == name))
        tx.execute(insert(SiteValue).values(name=name, value=value))
