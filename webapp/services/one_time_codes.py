"""Six-digit codes sent by message: generated, stored as a keyed HMAC, and consumed once (ASVS V6.5, V6.6).

A code belongs to one account and one challenge, and a second challenge may adopt it. A newer code of a challenge voids
the older ones; a resend does not reset the count of attempts.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, insert, or_, select, update

from ..domain.codes import draw_digits, read_digits, tidy_digits
from ..domain.refusals import (
    CodeAlreadyUsed,
    CodeExpired,
    CodeFromEarlierMessage,
    TooManyAttempts,
    TooSoon,
    WrongCode,
)
from ..models.codes import Code
from ..models.database import Transaction, changed_one_row
from .core import Core


@dataclass(frozen=True, slots=True)
class Terms:
    """Lifetime of a code in seconds, allowed attempts, and seconds until another code may be sent."""

    lasts: int
    attempts: int
    resend_after: int


@dataclass(frozen=True, slots=True)
class OneTimeCodes:
    core: Core

    def newest(self, account_id: int, challenge: str, terms: Terms) -> Code | None:
        """The newest code of the challenge, used or not; None when there is none or it has expired."""
        with self.core.db.read() as tx:
            code = self._newest(tx, account_id, challenge)
        return code if code is not None and self.core.clock.now() - code.made_at < terms.lasts else None

    def demand_attempts(self, account_id: int, challenge: str, terms: Terms) -> None:
        """Raises `TooManyAttempts` as `draw` does, for what must be counted before that."""
        newest = self.newest(account_id, challenge, terms)
        if newest is not None:
            self._demand_attempts(newest, terms)

    def was_used(self, account_id: int, challenge: str, typed: str, terms: Terms) -> bool:
        """True when this is the newest code of the challenge, and was used."""
        code = self.newest(account_id, challenge, terms)
        if code is None or code.used_at is None:
            return False
        return self._is_of(code, tidy_digits(typed))

    def draw(self, tx: Transaction, account_id: int, challenge: str, target: str, terms: Terms) -> tuple[int, str]:
        """Generates a code; returns the id of its row and the code. Raises `TooSoon` or `TooManyAttempts`."""
        now = self.core.clock.now()
        self.core.db.serialize(tx, challenge)
        before = self._newest(tx, account_id, challenge)
        attempts = 0
        if before is not None and before.used_at is None and now - before.made_at < terms.lasts:
            if before.target == target and now - before.made_at < terms.resend_after:
                raise TooSoon(before.made_at + terms.resend_after - now)
            self._demand_attempts(before, terms)
            attempts = before.attempts
        live = _of(challenge), Code.account_id == account_id, Code.voided_at.is_(None)
        tx.execute(update(Code).where(*live).values(voided_at=now))
        code = draw_digits(self.core.entropy)
        values = {
            "account_id": account_id,
            "challenge": challenge,
            "target": target,
            "mac": self.core.keyring.mac(code, _bound(account_id, challenge)),
            "made_at": now,
            "attempts": attempts,
        }
        return tx.execute(insert(Code).values(values).returning(Code.id)).scalar_one(), code

    def adopt(self, account_id: int, challenge: str, purpose: str, target: str, within: int) -> None:
        """Lets a challenge use the account's newest code of the same purpose, if it was sent less than `within` s ago.

        Only one challenge can, and never a code that was used or voided. `purpose` is how the names of both challenges
        begin.
        """
        now = self.core.clock.now()
        newest = (
            select(func.max(Code.id))
            .where(Code.account_id == account_id, Code.challenge.startswith(purpose), Code.target == target)
            .scalar_subquery()
        )
        free = Code.adopted_by.is_(None), Code.used_at.is_(None), Code.voided_at.is_(None)
        with self.core.db.write() as tx:
            recent = update(Code).where(Code.id == newest, Code.made_at > now - within, *free)
            tx.execute(recent.values(adopted_by=challenge))

    def void_adopted(self, tx: Transaction, account_id: int) -> None:
        """Voids the code of the account that a second challenge adopted, for both, because a newer one is sent."""
        adopted = Code.account_id == account_id, Code.adopted_by.is_not(None), Code.voided_at.is_(None)
        tx.execute(update(Code).where(*adopted).values(voided_at=self.core.clock.now()))

    def sent_with(self, tx: Transaction, code_id: int, message_id: int, sealed_target: str | None = None) -> None:
        """Records the message that carries the code and, for a text, the sealed number it goes to."""
        values = {"message_id": message_id, "sealed_target": sealed_target}
        tx.execute(update(Code).where(Code.id == code_id).values(values))

    def check(self, account_id: int, challenge: str, typed: str, terms: Terms) -> Code:
        """The code that matches; the caller must consume it. The attempt is counted and committed first.

        Raises `CodeMalformed`, `CodeExpired`, `CodeAlreadyUsed`, `CodeFromEarlierMessage`, `TooManyAttempts`
        or `WrongCode`.
        """
        digits = read_digits(typed)
        now = self.core.clock.now()
        with self.core.db.write() as tx:
            code = self._newest(tx, account_id, challenge)
            if code is None or now - code.made_at >= terms.lasts:
                raise CodeExpired()
            allowed = update(Code).where(Code.id == code.id, Code.attempts < terms.attempts, Code.used_at.is_(None))
            counted = changed_one_row(tx, allowed.values(attempts=Code.attempts + 1))
        exhausted = TooManyAttempts(code.made_at + terms.lasts - now)
        if not counted:
            raise CodeAlreadyUsed() if code.used_at else exhausted
        if self._is_of(code, digits):
            return code
        left = terms.attempts - code.attempts - 1
        if left < 1:
            raise exhausted
        if self._is_older_code(account_id, challenge, digits):
            raise CodeFromEarlierMessage(left)
        raise WrongCode(left)

    def match(self, tx: Transaction, account_id: int, challenge: str, typed: str, terms: Terms) -> Code:
        """The code that matches; the caller must count the attempt before, and consume the code after.

        Raises `CodeMalformed`, `CodeExpired`, `CodeAlreadyUsed`, `CodeFromEarlierMessage` or `WrongCode`.
        """
        digits = read_digits(typed)
        code = self._newest(tx, account_id, challenge)
        if code is None or self.core.clock.now() - code.made_at >= terms.lasts:
            raise CodeExpired()
        if not self._is_of(code, digits):
            raise CodeFromEarlierMessage() if self._is_older_code(account_id, challenge, digits) else WrongCode()
        if code.used_at is not None:
            raise CodeAlreadyUsed()
        return code

    def consume(self, tx: Transaction, code: Code) -> None:
        """Marks the code as used. Raises `CodeAlreadyUsed` when it was used or voided by a newer one meanwhile."""
        unused = update(Code).where(Code.id == code.id, Code.used_at.is_(None), Code.voided_at.is_(None))
        if not changed_one_row(tx, unused.values(used_at=self.core.clock.now())):
            raise CodeAlreadyUsed()

    def _demand_attempts(self, newest: Code, terms: Terms) -> None:
        """Another code inherits the attempts of an unused one."""
        if newest.used_at is None and newest.attempts >= terms.attempts:
            raise TooManyAttempts(newest.made_at + terms.lasts - self.core.clock.now())

    def _newest(self, tx: Transaction, account_id: int, challenge: str) -> Code | None:
        own = Code.account_id == account_id, _of(challenge), Code.voided_at.is_(None)
        # one of a clock that was far ahead would be valid, and delay the next, until that time comes
        query = select(Code).where(*own, Code.made_at <= self.core.clock.now() + self.core.policy.clock_ahead)
        return tx.objects.scalars(query.order_by(Code.id.desc()).limit(1)).first()

    def _is_of(self, code: Code, digits: str) -> bool:
        return self.core.keyring.is_mac_of(code.mac, digits, _bound(code.account_id, code.challenge))

    def _is_older_code(self, account_id: int, challenge: str, digits: str) -> bool:
        query = select(Code.mac, Code.challenge).where(Code.account_id == account_id, _of(challenge))
        with self.core.db.read() as tx:
            older = tx.execute(query.where(Code.voided_at.is_not(None)).order_by(Code.id.desc()).limit(5)).all()
        return any(self.core.keyring.is_mac_of(mac, digits, _bound(account_id, of)) for mac, of in older)


def _bound(account_id: int, challenge: str) -> str:
    """What the HMAC of a code is bound to; `challenge` is the one it was drawn for."""
    return f"{account_id}:{challenge}"


def _of(challenge: str) -> ColumnElement[bool]:
    return or_(Code.challenge == challenge, Code.adopted_by == challenge)
