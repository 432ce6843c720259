"""Kept acts: a form that was sent when step-up was due, sealed, bound to its page and browser, and sent again once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hmac import compare_digest

from sqlalchemy import delete, insert, select

from ..domain.codes import draw_token
from ..domain.ports import KeyMissing
from ..models.database import changed_one_row
from ..models.sessions import KeptAct
from ..models.user import User
from .core import Core


@dataclass(frozen=True, slots=True)
class Act:
    path: str
    """The page whose form it is, with its query string."""
    form: list[tuple[str, str]]
    trusted: bool = True
    """False for a form with an expired CSRF token: it may only be shown again."""


@dataclass(frozen=True, slots=True)
class KeptActs:
    core: Core

    def keep(self, user: User, act: Act) -> str:
        """Stores the act in place of an earlier one. Returns a key for this browser only, so that a thief of the
        session's token cannot have their act done by the owner's step-up."""
        key, session_id = draw_token(self.core.entropy), user.session.id
        text = json.dumps([key, act.path, act.form, act.trusted])
        sealed = self.core.keyring.seal(text, act_bound(session_id))
        values = {"session_id": session_id, "at": self.core.clock.now(), "sealed": sealed}
        with self.core.db.write() as tx:
            self.core.db.serialize(tx, act_bound(session_id))
            tx.execute(delete(KeptAct).where(KeptAct.session_id == session_id))
            tx.execute(insert(KeptAct).values(values))
        return key

    def take(self, user: User, key: str, path: str | None) -> Act | None:
        """Returns the act of this browser for the page `path` and deletes it. One for another page is only deleted, and
        so is one whose key is missing: the proof after which it is taken must not be lost with it."""
        own = KeptAct.session_id == user.session.id
        with self.core.db.write() as tx:
            row = tx.execute(select(KeptAct.id, KeptAct.at, KeptAct.sealed).where(own)).one_or_none()
            if row is None or not changed_one_row(tx, delete(KeptAct).where(KeptAct.id == row.id)):
                return None
        try:
            kept = json.loads(self.core.keyring.open(row.sealed, act_bound(user.session.id)))
        except KeyMissing:
            return None
        kept_key, kept_path, form, trusted = [*kept, True][:4]  # the version before kept trusted forms only
        is_recent = self.core.is_within(row.at, self.core.policy.fresh)
        if not is_recent or kept_path != path or not compare_digest(kept_key, key):
            return None
        return Act(kept_path, [(name, value) for name, value in form], trusted)


def act_bound(session_id: int) -> str:
    """What a kept act is bound to."""
    return f"session:{session_id}:act"
