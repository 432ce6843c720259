"""The phone number of an account: confirmed by a code, and then used for codes.

A number is stored sealed, and becomes the account's own only when a code sent to it is entered. It is read from the row
of the code, and must not be taken from the form that confirms it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select, union_all, update

from ..domain import phone_numbers
from ..domain.channels import TEXT, Sent
from ..domain.language import bidi_isolate, spoken
from ..domain.origin import Origin
from ..domain.phone_numbers import PhoneNumber
from ..domain.refusals import (
    CodeExpired,
    CountryNotServed,
    EmailRequired,
    NotFound,
    NumberTaken,
    PhoneNotMobile,
    PhonePremium,
    Refusal,
    TooSoon,
)
from ..models.accounts import Account, lock_for_change
from ..models.codes import Code
from ..models.database import Transaction
from ..models.sessions import PENDING_CHALLENGE, Activity
from ..models.user import User
from .attempt_rules import Total
from .attempts import Bucket
from .core import Core
from .notices import Notices
from .one_time_codes import OneTimeCodes, Terms
from .outbox import Outbox
from .sealed_numbers import phone_bound, target_bound, unsealed
from .sessions import Sessions
from .text_caps import Recipient, TextCaps

UNFIT: dict[type[Refusal], str] = {
    PhoneNotMobile: "refused: gets no texts",
    PhonePremium: "refused: premium",
    CountryNotServed: "refused: country",
}
"""The outcome, in the operator's report, of a number that is refused before a text; counted for the chosen country."""


@dataclass(frozen=True, slots=True)
class PhoneNumbers:
    core: Core
    codes: OneTimeCodes
    caps: TextCaps
    outbox: Outbox
    notices: Notices
    sessions: Sessions
    countries: frozenset[str]

    @property
    def _terms(self) -> Terms:
        policy = self.core.policy
        return Terms(policy.text_code_seconds, policy.text_code_attempts, policy.text_gap.seconds)

    def read(self, typed: str, country: str) -> PhoneNumber:
        """The typed number. Raises `PhoneMalformed`.

        Also raises `PhoneNotMobile`, `PhonePremium` or `CountryNotServed`, which are counted for the report.
        """
        try:
            return self.parse(typed, country)
        except (PhoneNotMobile, PhonePremium, CountryNotServed) as refusal:
            chosen = country if re.fullmatch("[A-Z]{2}", country) else phone_numbers.NO_COUNTRY
            self.caps.count(chosen, UNFIT[type(refusal)])
            raise

    def parse(self, typed: str, country: str) -> PhoneNumber:
        """The same without counting, for a number that is not going to be texted."""
        return phone_numbers.parse(typed, country, self.countries)

    def country_choices(self) -> list[tuple[str, str]]:
        """The countries that texts are sent to, as (ISO 3166 code, label) for a select field."""
        served = phone_numbers.countries(self.countries)
        return [(c.code, f"{c.name} ({bidi_isolate(c.calling_code)})") for c in served]

    def default_country(self, origin: Origin) -> str:
        """The country to preselect for this request."""
        return phone_numbers.default_country(spoken().code, origin.languages, self.countries)

    def number_of(self, account: Account) -> PhoneNumber:
        """The account's number. Raises `NotFound` without one that can be opened, and as `read` does for this one."""
        e164 = self._own(account)
        if e164 is None:
            raise NotFound()
        return self.parse(e164, "")

    def keep(self, tx: Transaction, account: Account, number: PhoneNumber) -> None:
        """Sets the number without a code, for the operator, who must know that it is the owner's. Raises
        `NumberTaken`."""
        self._limit_accounts(tx, account.id, number)
        tx.execute(update(Account).where(Account.id == account.id).values(self._values(account, number)))

    def send_proof(self, account: Account, challenge: str, origin: Origin) -> None:
        """Texts a code to the account's own number after a right password.

        A log-in for which it is too soon adopts the code of the last text, if that was for a log-in too. Raises as
        `send_code` does.
        """
        try:
            self._send(account, challenge, origin, self.number_of(account), "factor")
        except TooSoon:
            if challenge.startswith(PENDING_CHALLENGE):
                self._adopt(account, challenge)
            raise

    def send_code(self, account: Account, challenge: str, origin: Origin, number: PhoneNumber | None = None) -> None:
        """Texts a code that confirms the number, the account's own by default.

        Raises `TooSoon`, `TooManyAttempts`, `TooManyTexts` or `TextLimitReached`, `EmailRequired` for a number that is
        not the account's when it has no confirmed e-mail address, and as `number_of` does.
        """
        to = number or self.number_of(account)
        recipient: Recipient = "own" if to.e164 == self._own(account) else "new"
        if recipient == "new" and account.email is None:
            raise EmailRequired()
        self.codes.demand_attempts(account.id, challenge, self._terms)  # before the text is counted
        self._send(account, challenge, origin, to, recipient)

    def send_unless_sent(self, account: Account, challenge: str, origin: Origin, number: PhoneNumber) -> None:
        """As `send_code`, for a number that was entered: who went back and entered the same has a code already."""
        sent = self.codes.newest(account.id, challenge, self._terms)
        try:
            self.send_code(account, challenge, origin, number)
        except TooSoon:
            if sent is None or sent.used_at is not None or sent.target != self.caps.key(number.e164):
                raise

    def _send(self, account: Account, challenge: str, origin: Origin, to: PhoneNumber, recipient: Recipient) -> None:
        self.caps.count_text(account.id, challenge, to, origin, recipient)
        with self.core.db.write() as tx:
            self.codes.void_adopted(tx, account.id)
            code_id, code = self.codes.draw(tx, account.id, challenge, self.caps.key(to.e164), self._terms)
            lasts = self.core.policy.text_code_seconds
            message_id = self.outbox.post_text(
                tx, to=to, template="code", account=account, lasts=lasts, code=code, host=origin.host
            )
            sealed = self.core.keyring.seal(to.e164, target_bound(account.id, challenge))
            self.codes.sent_with(tx, code_id, message_id, sealed)

    def count_text(self, account: Account, challenge: str, origin: Origin) -> PhoneNumber:
        """Counts a text without a code that follows a right password, and returns the account's own number for it.

        Raises as `number_of` and `TextCaps.count_text` do.
        """
        number = self.number_of(account)
        self.caps.count_text(account.id, challenge, number, origin, "factor")
        return number

    def sent(self, account: Account, challenge: str) -> Sent | None:
        """The code that was sent for this challenge and is still valid."""
        code = self.codes.newest(account.id, challenge, self._terms)
        if code is None or code.used_at is not None:
            return None
        resend_at = code.made_at + self.core.policy.text_gap.seconds
        return Sent(self._target(code).hint, TEXT, code.message_id, resend_at, earlier=code.challenge != challenge)

    def was_confirmed(self, account_id: int, challenge: str, typed: str) -> bool:
        """True when this code was entered for the challenge before: the form was sent twice."""
        return self.codes.was_used(account_id, challenge, typed, self._terms)

    def wait(self, account: Account) -> int:
        """Seconds until another text may be sent to the account's own number; 0 also if none may be sent at all."""
        try:
            return self.caps.wait(account.id, self.number_of(account))
        except Refusal:
            return 0

    def resend_code(self, account: Account, challenge: str, origin: Origin) -> None:
        """Sends a new code to the number of the last one, by default the account's own. Raises as `send_code` does."""
        code = self.codes.newest(account.id, challenge, self._terms)
        self.send_code(account, challenge, origin, self._target(code) if code is not None else None)

    def attempts_at(self, account: Account, challenge: str) -> Sequence[Bucket]:
        """The bucket of the tries at the code of this challenge: two challenges may share the code."""
        code = self.codes.newest(account.id, challenge, self._terms)
        if code is None:
            return []
        name = f"text-code:{code.id}:{code.made_at}"  # SQLite gives the id of a deleted code again
        return [Bucket(name, Total(self._terms.attempts, CodeExpired))]

    def _adopt(self, account: Account, challenge: str) -> None:
        if self.codes.newest(account.id, challenge, self._terms) is None:
            key = self.caps.key(self.number_of(account).e164)
            self.codes.adopt(account.id, challenge, PENDING_CHALLENGE, key, self.core.policy.text_gap.seconds)

    def verify(self, tx: Transaction, account: Account, challenge: str, typed: str) -> None:
        """Consumes the code; the caller must count the attempt before. Raises as `OneTimeCodes.match` does."""
        code = self.codes.match(tx, account.id, challenge, typed, self._terms)
        now = tx.objects.get(Account, account.id)
        if now is None or self._target(code).e164 != self._own(now):
            raise CodeExpired()  # it was sent to a number that is no longer the account's
        self.codes.consume(tx, code)

    def confirm(self, user: User, challenge: str, typed: str, origin: Origin, discoverable: bool | None = None) -> None:
        """Makes the number the account's own, and notifies its owner.

        Raises as `check` and `store` do, and `LoginExpired` when the session was ended meanwhile.
        """
        account = user.account
        code = self.check(account, challenge, typed)
        with self.core.db.write() as tx:
            values = self.store(tx, account, code, origin, discoverable)
            self.sessions.demand_open(tx, user.session)
        for name, value in values.items():
            setattr(account, name, value)

    def check(self, account: Account, challenge: str, typed: str) -> Code:
        """The code that matches, for `store`. The attempt is committed first. Raises as `OneTimeCodes.check` does."""
        return self.codes.check(account.id, challenge, typed, self._terms)

    def store(
        self,
        tx: Transaction,
        account: Account,
        code: Code,
        origin: Origin,
        discoverable: bool | None = None,
        *,
        tell_first: bool = True,
    ) -> dict[str, object]:
        """Consumes the code and sets the number in the caller's transaction. Returns the new values of the account.

        Without `tell_first` there is no notice of a first number: the caller must send one in the same transaction.
        Raises `CodeAlreadyUsed`, what `lock_for_change` raises, or `NumberTaken`, which only a person with the phone
        learns.
        """
        account, number = lock_for_change(tx, account.id), self._target(code)
        before, values = self._own(account), self._values(account, number)
        values |= {"discoverable": discoverable} if discoverable is not None else {}
        self.codes.consume(tx, code)
        if before != number.e164:
            self._limit_accounts(tx, account.id, number)
        tx.execute(update(Account).where(Account.id == account.id).values(values))
        if before is None and tell_first:
            self.notices.tell(tx, account, "phone-added", origin, hint=number.hint)
        elif before is not None and before != number.e164:
            self.notices.tell(tx, account, "phone-changed", origin, hint=number.hint)
            self.warn(tx, account, "number-changed", before)
        return values

    def was_changed_since(self, tx: Transaction, account: Account, at: int) -> bool:
        """True when the account's number was added or changed at this time (Unix seconds) or later."""
        changes = Activity.account_id == account.id, Activity.kind.in_(("phone-added", "phone-changed"))
        return tx.scalar(select(Activity.id).where(*changes, Activity.at >= at).limit(1)) is not None

    def warn(self, tx: Transaction, account: Account, template: str, number: str | None = None) -> None:
        """Texts a warning to this number, by default the account's own, if it has one."""
        e164, lasts = number or self._own(account), self.core.policy.text_warning_seconds
        to = PhoneNumber(e164, phone_numbers.country_of(e164)) if e164 is not None else None
        if to is not None and self.caps.count_warning(tx, to):
            self.outbox.post_text(tx, to=to, template=template, account=account, lasts=lasts)

    def _own(self, account: Account) -> str | None:
        return unsealed(self.core.keyring, account.id, account.phone_number)

    def _values(self, account: Account, number: PhoneNumber) -> dict[str, object]:
        sealed, mac = self.core.keyring.seal(number.e164, phone_bound(account.id)), self._macs(number.e164)[0]
        return {"phone_number": sealed, "phone_number_hint": number.hint, "phone_number_mac": mac}

    def _macs(self, e164: str) -> list[str]:
        return self.core.keyring.macs(e164, "number of an account")

    def _limit_accounts(self, tx: Transaction, account_id: int, number: PhoneNumber) -> None:
        """Raises `NumberTaken`. A number whose key is missing counts as another one."""
        macs, most, keyring = self._macs(number.e164), self.core.policy.accounts_of_number, self.core.keyring
        self.core.db.serialize(tx, f"accounts-of:{self.caps.key(number.e164)}")
        others = select(Account.id, Account.phone_number, Account.phone_number_mac).where(
            Account.id != account_id, Account.phone_number.is_not(None), Account.phone_number_hint == number.hint
        )
        # two ranges of the index; with an OR, PostgreSQL and SQLite read each account with these last digits
        known, unknown = Account.phone_number_mac.in_(macs), Account.phone_number_mac.is_(None)
        rows = tx.execute(union_all(others.where(known), others.where(unknown)))
        theirs = [mac in macs or unsealed(keyring, owner, sealed) == number.e164 for owner, sealed, mac in rows]
        if sum(theirs) >= most:
            raise NumberTaken(most)

    def _target(self, code: Code) -> PhoneNumber:
        assert code.sealed_target is not None  # `send_code` stored it
        e164 = self.core.keyring.open(code.sealed_target, target_bound(code.account_id, code.challenge))
        return PhoneNumber(e164, phone_numbers.country_of(e164))
