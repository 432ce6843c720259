"""The phone number of an account: confirmed by a code, and then used for codes.

A number is stored sealed, and becomes the account's own only when a code sent to it is entered. It is read from the row
of the code, and must not be taken from the form that confirms it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlalchemy import update

from ..domain import phone_numbers
from ..domain.channels import TEXT, Sent
from ..domain.language import bidi_isolate, spoken
from ..domain.origin import Origin
from ..domain.phone_numbers import PhoneNumber
from ..domain.refusals import CodeExpired, CountryNotServed, NotFound, PhoneNotMobile, PhonePremium, Refusal
from ..models.accounts import Account, lock_for_change
from ..models.codes import Code
from ..models.database import Transaction
from .core import Core
from .notices import Notices
from .one_time_codes import OneTimeCodes, Terms
from .outbox import Outbox
from .text_caps import TextCaps

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
            return self._parse(typed, country)
        except (PhoneNotMobile, PhonePremium, CountryNotServed) as refusal:
            chosen = country if re.fullmatch("[A-Z]{2}", country) else phone_numbers.NO_COUNTRY
            self.caps.count(chosen, UNFIT[type(refusal)])
            raise

    def country_choices(self) -> list[tuple[str, str]]:
        """The countries that texts are sent to, as (ISO 3166 code, label) for a select field."""
        served = phone_numbers.countries(self.countries)
        return [(c.code, f"{c.name} ({bidi_isolate(c.calling_code)})") for c in served]

    def default_country(self, origin: Origin) -> str:
        """The country to preselect for this request."""
        return phone_numbers.default_country(spoken().code, origin.languages, self.countries)

    def number_of(self, account: Account) -> PhoneNumber:
        """The account's number. Raises `NotFound` without one, and as `read` does if texts are not sent there now."""
        e164 = self._own(account)
        if e164 is None:
            raise NotFound()
        return self._parse(e164, "")

    def keep(self, account: Account, number: PhoneNumber) -> None:
        """Sets the number without a code, for the operator, who must know that it is the owner's."""
        with self.core.db.write() as tx:
            tx.execute(update(Account).where(Account.id == account.id).values(self._values(account, number)))

    def send_code(self, account: Account, challenge: str, origin: Origin, number: PhoneNumber | None = None) -> None:
        """Texts a code to the number, the account's own by default.

        Raises `TooSoon`, `TooManyAttempts`, `TooManyTexts` or `TextLimitReached`, and as `number_of` does.
        """
        to = number or self.number_of(account)
        self.caps.count_text(account.id, challenge, to, origin)
        with self.core.db.write() as tx:
            code_id, code = self.codes.draw(tx, account.id, challenge, self.caps.key(to.e164), self._terms)
            lasts = self.core.policy.text_code_seconds
            message = self.outbox.post_text(
                tx, to=to, template="code", account=account, lasts=lasts, code=code, host=origin.host
            )
            sealed = self.core.keyring.seal(to.e164, target_bound(account.id, challenge))
            self.codes.sent_with(tx, code_id, message.id, sealed)

    def count_text(self, account: Account, challenge: str, origin: Origin) -> PhoneNumber:
        """Counts a text without a code, and returns the account's own number for it.

        Raises as `number_of` and `TextCaps.count_text` do.
        """
        number = self.number_of(account)
        self.caps.count_text(account.id, challenge, number, origin)
        return number

    def sent(self, account: Account, challenge: str) -> Sent | None:
        """The code that was sent for this challenge and is still valid."""
        code = self.codes.newest(account.id, challenge, self._terms)
        if code is None or code.used_at is not None:
            return None
        resend_at = code.made_at + self.core.policy.text_gap.seconds
        return Sent(self._target(code).hint, TEXT, code.message_id, resend_at)

    def wait(self, account: Account) -> int:
        """Seconds until another text may be sent to the account's own number; 0 also if none may be sent at all."""
        try:
            return self.caps.wait(self.number_of(account))
        except Refusal:
            return 0

    def resend_code(self, account: Account, challenge: str, origin: Origin) -> None:
        """Sends a new code to the number of the last one, by default the account's own. Raises as `send_code` does."""
        code = self.codes.newest(account.id, challenge, self._terms)
        self.send_code(account, challenge, origin, self._target(code) if code is not None else None)

    def verify(self, tx: Transaction, account: Account, challenge: str, typed: str) -> None:
        """Consumes the code; the caller must count the attempt before. Raises as `OneTimeCodes.match` does."""
        code = self.codes.match(tx, account.id, challenge, typed, self._terms)
        if self._target(code).e164 != self._own(account):
            raise CodeExpired()  # it was sent to a number that is no longer the account's
        self.codes.consume(tx, code)

    def confirm(
        self,
        account: Account,
        challenge: str,
        typed: str,
        origin: Origin,
        discoverable: bool | None = None,
        *,
        tell_first: bool = True,
    ) -> None:
        """Makes the number the account's own, and notifies its owner.

        Raises as `OneTimeCodes.check` and `lock_for_change` do.

        Without `tell_first` there is no notice of a first number: the caller's own notice must cover it.
        """
        code = self.codes.check(account.id, challenge, typed, self._terms)
        number = self._target(code)
        before = self._own(account)
        values = self._values(account, number)
        if discoverable is not None:
            values["discoverable"] = discoverable
        with self.core.db.write() as tx:
            lock_for_change(tx, account.id)
            self.codes.consume(tx, code)
            tx.execute(update(Account).where(Account.id == account.id).values(values))
            if before is None and tell_first:
                self.notices.tell(tx, account, "phone-added", origin, hint=number.hint)
            elif before is not None and before != number.e164:
                self._notify_both(tx, account, before, number, origin)
        for name, value in values.items():
            setattr(account, name, value)

    def _parse(self, typed: str, country: str) -> PhoneNumber:
        return phone_numbers.parse(typed, country, self.countries)

    def _own(self, account: Account) -> str | None:
        return self.core.keyring.open(account.phone_number, phone_bound(account.id)) if account.phone_number else None

    def _values(self, account: Account, number: PhoneNumber) -> dict[str, object]:
        sealed = self.core.keyring.seal(number.e164, phone_bound(account.id))
        return {"phone_number": sealed, "phone_number_hint": number.hint}

    def _notify_both(self, tx: Transaction, account: Account, before: str, number: PhoneNumber, origin: Origin) -> None:
        self.notices.tell(tx, account, "phone-changed", origin, hint=number.hint)
        old = PhoneNumber(before, phone_numbers.country_of(before))
        lasts = self.core.policy.text_warning_seconds
        self.outbox.post_text(tx, to=old, template="number-changed", account=account, lasts=lasts)

    def _target(self, code: Code) -> PhoneNumber:
        assert code.sealed_target is not None  # `send_code` stored it
        e164 = self.core.keyring.open(code.sealed_target, target_bound(code.account_id, code.challenge))
        return PhoneNumber(e164, phone_numbers.country_of(e164))


def phone_bound(account_id: int) -> str:
    """What the sealed number of an account is bound to."""
    return f"account:{account_id}:phone"


def target_bound(account_id: int, challenge: str) -> str:
    """What the sealed number of a code is bound to."""
    return f"account:{account_id}:code:{challenge}"
