"""Browsers that skip the second factor for 30 days, because the user ticked the box for it there.

Each has a random token, valid for one account, listed and revocable. It must not count as a step-up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, false, insert, select, update

from ...domain.codes import draw_token, hash_of
from ...domain.origin import Origin
from ...models.database import Transaction, changed_one_row
from ...models.sessions import RememberedBrowser
from ..core import Core


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
        """True when one of the tokens is a valid one of this account; its time of use is then recorded."""
        if not tokens:
            return False
        hashes = [hash_of(token) for token in tokens]
        shown = RememberedBrowser.token_hash.in_(hashes), RememberedBrowser.account_id == account_id
        found = tx.scalars(select(RememberedBrowser.id).where(*shown, self.live())).first()
        still = RememberedBrowser.id == found, RememberedBrowser.ended_at.is_(None)
        return changed_one_row(tx, update(RememberedBrowser).where(*still).values(used_at=self.core.clock.now()))

    def live(self) -> ColumnElement[bool]:
        """The condition for those that are valid now; none are if the site no longer remembers browsers."""
        if not self.core.policy.remember_browsers:
            return false()
        recent = self.core.within(RememberedBrowser.added_at, self.core.policy.remembered_browser)
        return and_(RememberedBrowser.ended_at.is_(None), recent)
