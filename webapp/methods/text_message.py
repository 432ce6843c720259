"""Text message: a six-digit code to the account's phone number (NIST SP 800-63B-4 section 3.1.3, restricted).

A code must be sent only after a right password, and not more often than `services/text_caps.py` allows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..domain.channels import Sent
from ..domain.codes import read_digits
from ..domain.forecast import PHONE, Authenticator
from ..domain.language import Sentence, bidi_isolate, gettext, lazy, pgettext
from ..domain.origin import Origin
from ..domain.refusals import CodeAlreadyUsed, CodeExpired, TooSoon
from ..models.accounts import Account
from ..models.database import Transaction, changed_one_row
from ..models.factors import MARK_USED, Factor
from ..services.attempts import Bucket
from ..services.contacts import discoverable_by_default
from ..services.enrollment.common_steps import CONFIRMED_EMAIL, DONE, OVERVIEW, PASSWORD_ALWAYS
from ..services.enrollment.fields import CodeFields, ConfirmationCodeFields, PhoneFields
from ..services.method import Answers, ByDevice, Challenge, Method, NewFactor, Overview, Step, Visit
from ..services.phone_numbers import PhoneNumbers


@dataclass(frozen=True)
class Phone(Step):
    """Asks for the number, if the account has none or replaces the factor."""

    slug, template = "phone", "enrollment/text-message/phone.html"
    fields = PhoneFields
    passed_over = True
    phone_numbers: PhoneNumbers

    def done(self, visit: Visit) -> bool:
        return not _wants_new_number(visit) or self.phone_numbers.sent(visit.account, _challenge(visit)) is not None

    def submit(self, visit: Visit, answers: Answers) -> None:
        """Raises what `PhoneNumbers.read` and `PhoneNumbers.send_unless_sent` raise."""
        number = self.phone_numbers.read(answers["phone"], answers.get("country", ""))
        visit.note(discoverable="discoverable" in answers)
        self.phone_numbers.send_unless_sent(visit.account, _challenge(visit), visit.origin, number)

    def show(self, visit: Visit) -> dict[str, Any]:
        discoverable = visit.notes.get("discoverable", discoverable_by_default(visit.account))
        return {
            "choices": {"country": self.phone_numbers.country_choices()},
            "suggested": {
                "country": self.phone_numbers.default_country(visit.origin),
                "discoverable": discoverable,
            },
        }


@dataclass(frozen=True)
class FirstCode(Step):
    """The code from the first text."""

    slug, template = "code", "enrollment/text-message/code.html"
    fields = ConfirmationCodeFields
    acts = ("resend",)
    closed = CodeExpired
    phone_numbers: PhoneNumbers

    def done(self, visit: Visit) -> bool:
        return False

    def submit(self, visit: Visit, answers: Answers) -> None:
        typed, discoverable = read_digits(answers["code"]), visit.notes.get("discoverable")
        visit.count_attempt("first-code")
        code = self.phone_numbers.check(visit.account, _challenge(visit), typed)

        def store(tx: Transaction) -> None:
            # the notice about the factor covers the number
            self.phone_numbers.store(tx, visit.account, code, visit.origin, discoverable, tell_first=False)

        # the number is stored in the account, so that changing it needs no new factor
        visit.turn_on(NewFactor("", store=store))

    def act(self, visit: Visit, name: str) -> None:
        self.phone_numbers.resend_code(visit.account, _challenge(visit), visit.origin)

    def arrive(self, visit: Visit) -> None:
        """Sends a code if the step before has not. After `TooSoon` the page shows when one can be sent."""
        if self.phone_numbers.sent(visit.account, _challenge(visit)) is None:
            try:
                self.phone_numbers.send_code(visit.account, _challenge(visit), visit.origin)
            except TooSoon:
                return

    def show(self, visit: Visit) -> dict[str, Any]:
        sent = self.phone_numbers.sent(visit.account, _challenge(visit))
        wait = 0 if sent else self.phone_numbers.wait(visit.account)
        return {"sent": sent, "wait": wait, "different": Phone.slug}


@dataclass(frozen=True)
class TextMessage(Method):
    phone_numbers: PhoneNumbers
    can_text: bool

    slug, title = "text-message", lazy("Text message")
    fields = CodeFields
    sends_code = True
    replace_label = lazy("Change phone number")
    icon = "message"
    overview = Overview(
        what=lazy("Get a six-digit code by text message."),
        needed=lazy(
            "A phone that can receive texts. Texts can be delayed, or intercepted if someone takes over your number. An"
            " authentication app or a security key is safer."
        ),
        later=lazy("You'll enter your password, then the code we text you."),
        button=ByDevice(computer=lazy("Next"), phone=lazy("Next"), iphone=lazy("Get started")),
    )

    @property
    def is_offered(self) -> bool:
        return self.can_text

    def steps(self) -> Sequence[Step]:
        number, code = Phone(self.phone_numbers), FirstCode(self.phone_numbers)
        return OVERVIEW, PASSWORD_ALWAYS, *CONFIRMED_EMAIL, number, code, DONE

    def begin(self, visit: Visit) -> dict[str, Any]:
        return {"new_number": _wants_new_number(visit)}

    def detail(self, account: Account) -> str:
        return gettext("To %(number)s", number=_number(account))

    def hint(self, challenge: Challenge) -> str:
        return gettext("Text message to %(number)s", number=_number(challenge.account))

    def source(self, challenge: Challenge) -> str:
        return gettext("Enter the six-digit code from our text to %(number)s.", number=_number(challenge.account))

    def send(self, challenge: Challenge, origin: Origin) -> None:
        self.phone_numbers.send_proof(challenge.account, challenge.name, origin)

    def attempts_at(self, challenge: Challenge) -> Sequence[Bucket]:
        return self.phone_numbers.attempts_at(challenge.account, challenge.name)

    def sent(self, challenge: Challenge) -> Sent | None:
        return self.phone_numbers.sent(challenge.account, challenge.name)

    def wait(self, challenge: Challenge) -> int:
        return self.phone_numbers.wait(challenge.account)

    def verify(self, tx: Transaction, challenge: Challenge, answers: Answers) -> None:
        """Raises what `PhoneNumbers.verify` raises."""
        self.phone_numbers.verify(tx, challenge.account, challenge.name, answers.get("code", ""))
        if self._proves_no_factor(tx, challenge):
            return  # what turns the challenge's factor off ends the pending login
        now = self.phone_numbers.core.clock.now()
        if not changed_one_row(tx, MARK_USED, {"factor": challenge.factor.id, "now": now}):
            raise CodeAlreadyUsed()  # the factor was replaced or turned off meanwhile

    def _proves_no_factor(self, tx: Transaction, challenge: Challenge) -> bool:
        """True for a text in place of another method and, while an undo of a change of address waits, for one to a
        number that is newer than the change: a log-in by it must not stop the undo as one by an older factor does."""
        changed_at = challenge.account.undo_changed_at
        if challenge.factor.method != self.slug:
            return True
        return changed_at is not None and self.phone_numbers.was_changed_since(tx, challenge.account, changed_at)

    def authenticators(self, account: Account, factors: Sequence[Factor]) -> list[Authenticator]:
        return [
            Authenticator(
                pgettext("You can still log in with …", "a text to %(number)s", number=_number(account)), (PHONE,)
            )
        ]

    def stands_in(self, account: Account) -> Sentence | None:
        if account.phone_number is None or not self.can_text:
            return None
        return lazy("Request a code sent to your phone via text message")


def _wants_new_number(visit: Visit) -> bool:
    """Decided when the enrollment begins: without a number, or to replace the factor, a new one is asked for."""
    wants: bool = visit.notes.get("new_number", visit.account.phone_number is None or bool(visit.factors))
    return wants


def _challenge(visit: Visit) -> str:
    return f"phone:{visit.method.slug}:{visit.user.session.id}"


def _number(account: Account) -> str:
    return bidi_isolate(account.phone_number_hint or "")
