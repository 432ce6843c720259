"""Browsers that skip the second factor for 30 days, because their owner ticked the box there.

Each has a random token of its own, valid for one account, listed and revocable. It never counts as step-up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, false, insert, select, update

from ..domain.codes import draw_token, hash_of
from ..domain.origin import Origin
from ..models.database import Transaction, changed_one_row
from ..models.sessions import RememberedBrowser
from .core import Core


@dataclass(frozen=True, slots=True)
class RememberedBrowsers:
    core: Core

    def add(self, tx: Transaction, account_id: int, origin: Origin) -> str | None:
        """The token for the cookie; None when the site does not remember browsers."""
        if not self.core.policy.remember_browsers:
            return None
        token, now = draw_token(self.core.entropy), self.core.clock.now()
        tx.execute(
            insert(RememberedBrowser).values(
                token_hash=hash_of(token),
                account_id=account_id,
                added_at=now,
                used_at=now,
                address=origin.address,
                device=origin.device,
            )
        )
        return token

    def use(self, tx: Transaction, account_id: int, tokens: Sequence[str]) -> bool:
        """True when one of the tokens is a live one of this very account, whose owner it now lets in."""
        if not tokens:
            return False
        hashes = [hash_of(token) for token in tokens]
        shown = RememberedBrowser.token_hash.in_(hashes), RememberedBrowser.account_id == account_id
        found = tx.scalars(select(RememberedBrowser.id).where(*shown, self.live())).first()
        mine = RememberedBrowser.id == found, RememberedBrowser.ended_at.is_(None)
        return changed_one_row(tx, update(RememberedBrowser).where(*mine).values(used_at=self.core.clock.now()))

    def live(self) -> ColumnElement[bool]:
        """Those that skip something now; none where the site remembers no browser any more."""
        if not self.core.policy.remember_browsers:
            return false()
        since = self.core.clock.now() - self.core.policy.remembered_browser
        return and_(RememberedBrowser.ended_at.is_(None), RememberedBrowser.added_at > since)
