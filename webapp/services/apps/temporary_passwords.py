"""Temporary passwords: 80 random bits for legacy access and guarded hosts, where no second factor can be asked for.

They are valid for one hour. An account must have at most one. An app may use it repeatedly; exchanging it for a token
consumes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import ColumnElement, and_, bindparam, insert, select, update

from ...domain.codes import draw_base32, grouped, is_base32, tidy_base32
from ...domain.origin import Origin
from ...domain.refusals import DatabaseUnavailable, NotFound, TooManyTemporaryPasswords, WrongLogin
from ...models.accounts import NO_ACCOUNT, Account, lock_account
from ...models.apps import TemporaryPassword
from ...models.database import Transaction, changed_one_row
from ...models.registered_apps import RegisteredApp
from ...models.user import User
from ..account_lookup import has_factor
from ..attempt_rules import SlidingWindows
from ..attempts import Attempts, Bucket
from ..core import Core
from ..notices import Notices
from ..outbox import Outbox
from ..phone_numbers import PhoneNumbers
from ..sessions import Sessions

FIND = select(TemporaryPassword).where(
    TemporaryPassword.account_id == bindparam("account"),
    TemporaryPassword.secret_hash == bindparam("secret"),
    TemporaryPassword.ended_at.is_(None),
    TemporaryPassword.expires_at > bindparam("now"),
    TemporaryPassword.made_at <= bindparam("until"),
)


@dataclass(frozen=True, slots=True)
class TemporaryPasswords:
    core: Core
    attempts: Attempts
    sessions: Sessions
    phones: PhoneNumbers
    outbox: Outbox
    notices: Notices

    def a_host_takes_them(self) -> bool:
        """True where an application behind a guarded host may be sent one. False while the database does not answer,
        because the public help asks."""
        allowed = RegisteredApp.authorization_allowed, RegisteredApp.max_age.is_(None)
        with suppress(DatabaseUnavailable), self.core.db.read() as tx:
            return tx.scalar(select(RegisteredApp.id).where(*allowed).limit(1)) is not None
        return False

    def make(self, user: User, origin: Origin) -> str:
        """Generates a password and returns the only copy; any earlier one stops working.

        Raises `NotFresh` when step-up is due, `NotFound` without a factor, `LoginExpired` when the session was ended
        meanwhile, and `TooManyTemporaryPasswords`.
        """
        self.sessions.demand_fresh(user)
        with self.core.db.write() as tx:
            lock_account(tx, user.account.id)
            self.sessions.demand_open(tx, user.session)
            if not has_factor(tx, user.account.id):
                raise NotFound()
            code = self._draw(tx, user.account.id, texted=False)
            self.notices.tell(tx, user.account, "temporary-password-made", origin)
        return code

    def text(self, account: Account, origin: Origin) -> None:
        """Texts a new one to the account's number, unless a valid one would be lost that its owner made, that an app
        uses, or that was texted less than ten minutes ago.

        Raises `TooManyTemporaryPasswords`, and as `PhoneNumbers.count_text` does.
        """
        with self.core.db.read() as tx:
            if self._would_lose(tx, account.id):
                return
        wait = self.attempts.wait(self._bucket(account.id))
        if wait:  # checked first, so that no text is counted that is not sent
            raise TooManyTemporaryPasswords(wait)
        challenge = f"temporary-password:{account.id}:{self.core.clock.now()}"
        number = self.phones.count_text(account, challenge, origin)
        with self.core.db.write() as tx:
            lock_account(tx, account.id)
            if self._would_lose(tx, account.id):  # its owner made one meanwhile
                return
            password = grouped(self._draw(tx, account.id, texted=True))
            template, lasts = "temporary-password", self.core.policy.temporary_password_seconds
            self.outbox.post_text(tx, to=number, template=template, account=account, lasts=lasts, password=password)
            self.notices.tell(tx, account, "temporary-password-texted", origin, hint=number.hint)

    def live(self, account_id: int) -> Sequence[TemporaryPassword]:
        """The valid ones, newest first; there is at most one."""
        with self.core.db.read() as tx:
            return self._live(tx, account_id)

    def end(self, account: Account, password_id: int, origin: Origin) -> bool:
        """Ends one for its owner. False when it had ended already. Raises `NotFound` for one of another account."""
        own = TemporaryPassword.account_id == account.id, TemporaryPassword.id == password_id
        with self.core.db.write() as tx:
            if changed_one_row(
                tx, update(TemporaryPassword).where(*own, self._is_valid()).values(ended_at=self.core.clock.now())
            ):
                self.notices.tell(tx, account, "temporary-password-ended", origin)
                return True
            if tx.scalar(select(TemporaryPassword.id).where(*own)) is None:
                raise NotFound()
        return False

    # -- Legacy access -----------------------------------------------------------------------------

    def find(self, account: Account | None, typed: str) -> TemporaryPassword | None:
        """The account's valid temporary password that was typed, if any. Takes as long without an account."""
        code = tidy_base32(typed) if len(typed) <= self.core.policy.password_maximum else ""
        if not is_base32(code):
            return None
        account_id = account.id if account is not None else NO_ACCOUNT
        with self.core.db.read() as tx:
            now = self.core.clock.now()
            times = {"now": now, "until": now + self.core.policy.clock_ahead}
            return tx.objects.scalars(
                FIND, {"account": account_id, "secret": _hash(account_id, code), **times}
            ).one_or_none()

    def use(self, tx: Transaction, password: TemporaryPassword, origin: Origin) -> None:
        """Records a use, after which it is still valid. Raises `WrongLogin` when it ended meanwhile."""
        valid = update(TemporaryPassword).where(TemporaryPassword.id == password.id, self._is_valid())
        used = valid.values(self._use(origin))
        if changed_one_row(tx, used.where(TemporaryPassword.used_at.is_(None))):
            self.notices.record(tx, password.account_id, "temporary-password-used", origin)
        elif not changed_one_row(tx, used):
            raise WrongLogin()

    def consume(self, tx: Transaction, password: TemporaryPassword, origin: Origin) -> None:
        """Records the use and ends it. Raises `WrongLogin` when it ended meanwhile."""
        valid = update(TemporaryPassword).where(TemporaryPassword.id == password.id, self._is_valid())
        if not changed_one_row(tx, valid.values(**self._use(origin), ended_at=self.core.clock.now())):
            raise WrongLogin()

    def _live(self, tx: Transaction, account_id: int) -> Sequence[TemporaryPassword]:
        query = select(TemporaryPassword).where(TemporaryPassword.account_id == account_id, self._is_valid())
        return tx.objects.scalars(query.order_by(TemporaryPassword.id.desc())).all()

    def _would_lose(self, tx: Transaction, account_id: int) -> bool:
        """True when a text would end a valid one that its owner made, that an app uses, or that was texted lately."""
        lately = self.core.clock.now() - self.core.policy.texted_again
        live = self._live(tx, account_id)
        return any(not one.texted or one.used_at is not None or one.made_at > lately for one in live)

    def _draw(self, tx: Transaction, account_id: int, *, texted: bool) -> str:
        # counting locks the account's bucket, so that of two requests at once only one password stays valid
        self.attempts.count_within(tx, self._bucket(account_id))
        now, code = self.core.clock.now(), draw_base32(self.core.entropy)
        older = update(TemporaryPassword).where(
            TemporaryPassword.account_id == account_id, TemporaryPassword.ended_at.is_(None)
        )
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
        rule = SlidingWindows((self.core.policy.temporary_passwords,), TooManyTemporaryPasswords)
        return Bucket(f"temporary-password:{account_id}", rule)

    def _is_valid(self) -> ColumnElement[bool]:
        now = self.core.clock.now()
        made = TemporaryPassword.made_at <= now + self.core.policy.clock_ahead
        return and_(TemporaryPassword.ended_at.is_(None), TemporaryPassword.expires_at > now, made)

    def _use(self, origin: Origin) -> dict[str, str | int]:
        device = origin.device
        return {"used_at": self.core.clock.now(), "used_address": origin.address, "used_device": device}


def _hash(account_id: int, code: str) -> str:
    # 80 random bits need no slow hash (ASVS V6.5.2); with the account's id, equal codes have different hashes
    return sha256(f"temporary password of {account_id}: {code}".encode()).hexdigest()
