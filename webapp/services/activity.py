"""Reading an account's activity, a page at a time, newest first.

A page is requested by the id of the event it comes before, not by its number, so that every page costs the same.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, select

from ..models.base import rows_of
from ..models.sessions import Activity
from .core import Core

NEWEST = 2**63 - 1  # above every id

# Built once: building a statement costs as much as running it.
ROWS = rows_of(Activity).c
PAGE = (
    select(ROWS.id, ROWS.at, ROWS.kind, ROWS.details, ROWS.address, ROWS.device)
    .where(ROWS.account_id == bindparam("account_id"), ROWS.id < bindparam("before"))
    .order_by(ROWS.id.desc())
    .limit(bindparam("most"))
)


@dataclass(frozen=True, slots=True)
class Event:
    """`at` is in Unix seconds. `address` is empty after its retention time; it and `device` are empty for an event
    without a browser, such as one of the operator."""

    at: int
    kind: str
    details: dict[str, Any]
    address: str
    device: str


@dataclass(frozen=True, slots=True)
class ActivityPage:
    """`older` is `before` of the next page; None on the last page."""

    events: Sequence[Event]
    older: int | None


@dataclass(frozen=True, slots=True)
class ActivityPages:
    core: Core

    def page(self, account_id: int, before: int = NEWEST) -> ActivityPage:
        """The events of the account that came before the event with id `before`, which may be another account's."""
        most = self.core.policy.activity_page
        with self.core.db.read() as tx:
            rows = tx.execute(PAGE, {"account_id": account_id, "before": before, "most": most + 1}).all()
        shown, now = rows[:most], self.core.clock.now()
        events = [
            Event(row.at, row.kind, json.loads(row.details), self._address(row.address, now - row.at), row.device)
            for row in shown
        ]
        return ActivityPage(events, shown[-1].id if len(rows) > most else None)

    def _address(self, address: str | None, age: int) -> str:
        """Empty after the retention time, even if the purge is late. `age` is in seconds."""
        return address or "" if age <= self.core.policy.activity_address_kept else ""
