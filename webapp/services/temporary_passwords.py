"""Temporary passwords: 80 bits that stand in at the legacy door for an hour, where no second factor can be asked for.

One lives at a time. An app may use it again within its hour; trading it for a token uses it up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import ColumnElement, and_, bindparam, insert, select, update

from ..domain.codes import draw_base32, grouped, is_base32, tidy_base32
from ..domain.origin import Origin
from ..domain.refusals import NotFound, TooManyTemporaryPasswords, WrongLogin
from ..models.accounts import Account
from ..models.apps import TemporaryPassword
from ..models.database import Transaction, changed_one_row
from ..models.user import User
from .attempts import Attempts, Bucket, SlidingWindows, WithRefusal
from .core import Core
from .notices import Notices
from .outbox import Outbox
from .phone_numbers import PhoneNumbers
from .sessions import Sessions

NOBODY = 0  # no account's id: whoever is looked for in vain costs the same look
FIND = select(TemporaryPassword).where(
    TemporaryPassword.account_id == bindparam("account"),
    TemporaryPassword.secret_hash == bindparam("secret"),
    TemporaryPassword.ended_at.is_(None),
    TemporaryPassword.expires_at > bindparam("now"),
)


@dataclass(frozen=True, slots=True)
class TemporaryPasswords:
    core: Core
    attempts: Attempts
    sessions: Sessions
    phones: PhoneNumbers
    outbox: Outbox
    notices: Notices

    def make(self, user: User, origin: Origin) -> str:
        """The only copy; any earlier one stops working.

        Raises `NotFresh` when step-up is due, `Missing` without a factor, and `TooManyTemporaryPasswords`.
        """
        self.sessions.demand_fresh(user)
        if not user.factors:
            raise NotFound()
        with self.core.db.write() as tx:
            code = self._draw(tx, user.account.id, texted=False)
            self.notices.tell(tx, user.account, "temporary-password-made", origin)
        return code

    def text(self, account: Account, origin: Origin) -> None:
        """To the account's phone, unless one that lives would be lost by it: one that its owner made, one that an app
        uses, or one that was texted moments ago.

        Raises `TooManyTemporaryPasswords`, and as `Phones.spend` does.
        """
        now = self.core.clock.now()
        for other in self.live(account.id):
            if not other.texted or other.used_at is not None or other.made_at > now - self.core.policy.texted_again:
                return
        wait = self.attempts.wait(self._bucket(account.id))
        if wait:  # before a text is counted that then does not go
            raise TooManyTemporaryPasswords(wait)
        number = self.phones.count_text(account, f"temporary-password:{account.id}:{now}", origin)
        with self.core.db.write() as tx:
            password = grouped(self._draw(tx, account.id, texted=True))
            template, lasts = "temporary-password", self.core.policy.temporary_password_seconds
            self.outbox.post_text(tx, to=number, template=template, account=account, lasts=lasts, password=password)
            self.notices.tell(tx, account, "temporary-password-texted", origin, hint=number.hint)

    def live(self, account_id: int) -> Sequence[TemporaryPassword]:
        """Those that still open the door, newest first: one at most, as the policy is."""
        mine = select(TemporaryPassword).where(TemporaryPassword.account_id == account_id, self._lives())
        with self.core.db.read() as tx:
            return tx.objects.scalars(mine.order_by(TemporaryPassword.id.desc())).all()

    def end(self, account: Account, password_id: int, origin: Origin) -> bool:
        """By its owner. False when it had ended by itself; raises `Missing` when there is no such one of theirs."""
        mine = TemporaryPassword.account_id == account.id, TemporaryPassword.id == password_id
        with self.core.db.write() as tx:
            if changed_one_row(
                tx, update(TemporaryPassword).where(*mine, self._lives()).values(ended_at=self.core.clock.now())
            ):
                self.notices.tell(tx, account, "temporary-password-ended", origin)
                return True
            if tx.scalar(select(TemporaryPassword.id).where(*mine)) is None:
                raise NotFound()
        return False

    # -- At the legacy door ------------------------------------------------------------------------

    def find(self, account: Account | None, typed: str) -> TemporaryPassword | None:
        """A live one of this account's, of what was typed. Looks as long for nobody's."""
        code = tidy_base32(typed) if len(typed) <= self.core.policy.password_maximum else ""
        if not is_base32(code):
            return None
        whose = account.id if account is not None else NOBODY
        with self.core.db.read() as tx:
            facts = {"account": whose, "secret": _hash(whose, code), "now": self.core.clock.now()}
            return tx.objects.scalars(FIND, facts).one_or_none()

    def use(self, tx: Transaction, password: TemporaryPassword, origin: Origin) -> None:
        """It may be used again. Raises `WrongLogIn` when it ended meanwhile."""
        used = (
            update(TemporaryPassword).where(TemporaryPassword.id == password.id, self._lives()).values(self._by(origin))
        )
        if changed_one_row(tx, used.where(TemporaryPassword.used_at.is_(None))):
            self.notices.record(tx, password.account_id, "temporary-password-used", origin)
        elif not changed_one_row(tx, used):
            raise WrongLogin()

    def consume_single_use(self, tx: Transaction, password: TemporaryPassword, origin: Origin) -> None:
        """For good. Raises `WrongLogIn` when somebody was first."""
        mine = update(TemporaryPassword).where(TemporaryPassword.id == password.id, self._lives())
        if not changed_one_row(tx, mine.values(**self._by(origin), ended_at=self.core.clock.now())):
            raise WrongLogin()

    def _draw(self, tx: Transaction, account_id: int, *, texted: bool) -> str:
        # counts under a lock of the account's own, so that two at once leave one alive
        self.attempts.count_within(tx, self._bucket(account_id))
        now, code = self.core.clock.now(), draw_base32(self.core.entropy)
        older = update(TemporaryPassword).where(TemporaryPassword.account_id == account_id, self._lives())
        tx.execute(older.values(ended_at=now))
        row = {
            "account_id": account_id,
            "secret_hash": _hash(account_id, code),
            "made_at": now,
            "expires_at": now + self.core.policy.temporary_password_seconds,
            "texted": texted,
        }
        tx.execute(insert(TemporaryPassword).values(row))
        return code

    def _bucket(self, account_id: int) -> Bucket:
        rule = WithRefusal(SlidingWindows((self.core.policy.temporary_passwords,)), TooManyTemporaryPasswords)
        return Bucket(f"temporary-password:{account_id}", rule)

    def _lives(self) -> ColumnElement[bool]:
        return and_(TemporaryPassword.ended_at.is_(None), TemporaryPassword.expires_at > self.core.clock.now())

    def _by(self, origin: Origin) -> dict[str, str | int]:
        device = origin.device
        return {"used_at": self.core.clock.now(), "used_address": origin.address, "used_device": device}


def _hash(account_id: int, code: str) -> str:
    # 80 random bits need no slow hash (ASVS V6.5.2); the account in front keeps equal codes apart
    return sha256(f"temporary password of {account_id}: {code}".encode()).hexdigest()
