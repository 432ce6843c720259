"""Links that speak for an e-mail address: 256 bits, one use, stored as SHA-256 (ASVS V6.4.3).

Opening one (GET) only shows a page; only pressing its button (POST) uses it up, so a mail scanner does no harm.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, insert, select, update
from sqlalchemy.orm import aliased

from ..domain.codes import draw_token, hash_of
from ..domain.refusals import LinkInvalid
from ..models.accounts import Account
from ..models.codes import Link
from ..models.database import Transaction, changed_one_row
from .core import Core

PATHS = {"reset": "/reset-password/", "not-you": "/not-you/", "undo-email": "/undo-email/"}


@dataclass(frozen=True, slots=True)
class OpenLink:
    link: Link
    account: Account


@dataclass(frozen=True, slots=True)
class Links:
    core: Core
    main_url: str

    def draw(self, tx: Transaction, account: Account, purpose: str, email: str, lasts: int) -> str:
        """The absolute address at the main host, from the settings and never from the request."""
        token, now = draw_token(self.core.entropy), self.core.clock.now()
        tx.execute(
            insert(Link).values(
                account_id=account.id,
                purpose=purpose,
                token_hash=hash_of(token),
                email=email,
                made_at=now,
                expires_at=now + lasts,
            )
        )
        return f"{self.main_url}{PATHS[purpose]}{token}"

    def find(self, purpose: str, token: str) -> OpenLink:
        """Raises `LinkDead` when it is unknown, used, of another purpose or too old."""
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
        """A link after its use, and the one of the purpose `drew` that was drawn for it at that moment, if any.

        Raises `LinkDead` when it is unknown, of another purpose or not used.
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
        """Raises `LinkDead` when somebody was first."""
        if not changed_one_row(
            tx, update(Link).where(Link.id == link.id, self._is_live()).values(used_at=self.core.clock.now())
        ):
            raise LinkInvalid()

    def void_later(self, tx: Transaction, link: Link) -> None:
        """Those of the same purpose that were drawn after this one: whoever undoes a change undoes what followed."""
        later = Link.account_id == link.account_id, Link.purpose == link.purpose, Link.id > link.id
        tx.execute(update(Link).where(*later, self._is_live()).values(used_at=self.core.clock.now()))

    def void_elsewhere(self, tx: Transaction, link: Link) -> None:
        """All that were sent to another address of the account than this one: a stranger may read mail there."""
        self.void_all(tx, link.account_id, Link.email != link.email)

    def void_all(self, tx: Transaction, account_id: int, *which: ColumnElement[bool]) -> None:
        """They lapse: one that was used says what it did, and these did nothing."""
        mine = Link.account_id == account_id, self._is_live(), *which
        tx.execute(update(Link).where(*mine).values(expires_at=self.core.clock.now()))

    def _is_live(self) -> ColumnElement[bool]:
        return and_(Link.used_at.is_(None), Link.expires_at > self.core.clock.now())
