"""Links in e-mails: a token of 256 bits, good once, stored as SHA-256 (ASVS V6.4.3).

GET must only show a page; the POST of its button consumes the link, so that mail scanners do no harm.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, insert, or_, select, update
from sqlalchemy.orm import aliased

from ..domain.codes import draw_token, hash_of
from ..domain.refusals import LinkInvalid
from ..models.accounts import Account
from ..models.codes import Link
from ..models.database import Transaction, changed_one_row
from .core import Core

PATHS = {
    "reset": "/reset-password/",
    "not-you": "/not-you/",
    "undo-email": "/undo-email/",
    "invite": "/invite/",
    "stop-rename": "/keep-username/",
    "stop-recovery": "/stop-recovery/",
    "log-in-here": "/log-in/here/",
}
OPENING = ("reset", "invite", "log-in-here")
"""Purposes of links that set a password or make a browser known."""
PROTECTING = ("undo-email", "not-you")
"""Purposes of links that stay valid when an account is deleted or locked: by them its owner answers a thief."""


INSERT_LINK = insert(Link)  # built once, because every login from a new browser runs it


@dataclass(frozen=True, slots=True)
class OpenLink:
    link: Link
    account: Account


@dataclass(frozen=True, slots=True)
class Links:
    core: Core
    main_url: str

    def draw(self, tx: Transaction, account: Account, purpose: str, email: str, lasts: int) -> str:
        """Creates a link for `lasts` seconds and returns its URL, at the host of the settings, never of the request."""
        token, now = draw_token(self.core.entropy), self.core.clock.now()
        row = {"account_id": account.id, "purpose": purpose, "token_hash": hash_of(token), "email": email}
        tx.execute(INSERT_LINK, {**row, "made_at": now, "expires_at": now + lasts})
        return f"{self.main_url}{PATHS[purpose]}{token}"

    def find(self, purpose: str, token: str) -> OpenLink:
        """A valid link. Raises `LinkInvalid` when it is unknown, used, of another purpose or expired."""
        query = (
            select(Link, Account)
            .join(Account, Account.id == Link.account_id)
            .where(Link.token_hash == hash_of(token), Link.purpose == purpose, self._is_live())
        )
        with self.core.db.read() as tx:
            row = tx.objects.execute(query).one_or_none()
        if row is None:
            raise LinkInvalid()
        return OpenLink(row[0], row[1])

    def find_used(self, purpose: str, token: str, drew: str) -> tuple[OpenLink, Link | None]:
        """A link after its use, and the link of purpose `drew` that its use created, if any.

        Raises `LinkInvalid` when it is unknown, of another purpose or not used.
        """
        drawn = aliased(Link)
        at_once = and_(
            drawn.account_id == Link.account_id,
            drawn.purpose == drew,
            drawn.email == Link.email,
            drawn.made_at == Link.used_at,
        )
        query = (
            select(Link, Account, drawn)
            .join(Account, Account.id == Link.account_id)
            .outerjoin(drawn, at_once)
            .where(Link.token_hash == hash_of(token), Link.purpose == purpose, Link.used_at.is_not(None))
            .order_by(drawn.id.desc())
        )
        with self.core.db.read() as tx:
            row = tx.objects.execute(query).first()
        if row is None:
            raise LinkInvalid()
        return OpenLink(row[0], row[1]), row[2]

    def use(self, tx: Transaction, link: Link) -> None:
        """Consumes the link. Raises `LinkInvalid` when it was used or has expired meanwhile."""
        if not changed_one_row(
            tx, update(Link).where(Link.id == link.id, self._is_live()).values(used_at=self.core.clock.now())
        ):
            raise LinkInvalid()

    def void_later(self, tx: Transaction, link: Link) -> None:
        """Voids the links of the same purpose that are newer: undoing a change must undo later changes too."""
        later = Link.account_id == link.account_id, Link.purpose == link.purpose, Link.id > link.id
        tx.execute(update(Link).where(*later, self._is_unused()).values(used_at=self.core.clock.now()))

    def void_all(self, tx: Transaction, account_id: int, *which: ColumnElement[bool]) -> None:
        """Lets valid links expire. They must not be marked as used, or `find_used` would find them."""
        unused = Link.account_id == account_id, self._is_unused(), *which
        tx.execute(update(Link).where(*unused).values(expires_at=self.core.clock.now()))

    def _is_live(self) -> ColumnElement[bool]:
        """One that opens something counts for nothing if it was made while the clock was ahead."""
        made = Link.made_at <= self.core.clock.now() + self.core.policy.clock_ahead
        return and_(self._is_unused(), or_(made, Link.purpose.not_in(OPENING)))

    def _is_unused(self) -> ColumnElement[bool]:
        return and_(Link.used_at.is_(None), Link.expires_at > self.core.clock.now())
