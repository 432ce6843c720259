"""Reading an account's activity, a page at a time, newest first.

A page is asked for by the event it comes before, never by its number: it costs the same however many came before.
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

# Made once: making a statement costs as much as running it.
ROWS = rows_of(Activity).c
PAGE = (
    select(ROWS.id, ROWS.at, ROWS.kind, ROWS.details, ROWS.address, ROWS.device)
    .where(ROWS.account_id == bindparam("account_id"), ROWS.id < bindparam("before"))
    .order_by(ROWS.id.desc())
    .limit(bindparam("most"))
)


@dataclass(frozen=True, slots=True)
class Event:
    """`address` is empty once it has been kept for long enough, `device` too where nobody's browser had a part."""

    at: int
    kind: str
    details: dict[str, Any]
    address: str
    device: str


@dataclass(frozen=True, slots=True)
class ActivityPage:
    """`older` is what the next page comes before; None on the last."""

    events: Sequence[Event]
    older: int | None


@dataclass(frozen=True, slots=True)
class ActivityPages:
    core: Core

    def page(self, account_id: int, before: int = NEWEST) -> ActivityPage:
        """The events of that account that came before the one with that id, whosever it is."""
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
        """Nobody reads it longer than it is kept, even where the purge is late."""
        return address or "" if age <= self.core.policy.activity_address_kept else ""
