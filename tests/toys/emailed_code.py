"""A six-digit code by email, to the confirmed address of the account.

It goes out only after a right password. NIST SP 800-63B-4 section 3.1.3.1 does not accept email for this, because
the same mailbox resets the password: it is the example of docs/how-to/add-a-method.md and not for a real site.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from webapp.domain.channels import Channel, Sent
from webapp.domain.forecast import EMAIL_ACCOUNT, Authenticator
from webapp.domain.language import bidi_isolate, gettext, lazy
from webapp.domain.origin import Origin
from webapp.domain.refusals import CodeAlreadyUsed, CodeExpired, EmailRequired, Waiting
from webapp.models.accounts import Account
from webapp.models.database import Transaction, changed_one_row
from webapp.models.factors import MARK_USED, Factor
from webapp.services.attempt_rules import SlidingWindows
from webapp.services.attempts import Attempts, Bucket
from webapp.services.core import Core
from webapp.services.email_addresses import masked
from webapp.services.enrollment.common_steps import CONFIRMED_EMAIL, DONE, OVERVIEW, PASSWORD_ALWAYS
from webapp.services.enrollment.fields import CodeFields, ConfirmationCodeFields
from webapp.services.method import Answers, ByDevice, Challenge, Method, NewFactor, Overview, Step, Visit
from webapp.services.one_time_codes import OneTimeCodes, Terms
from webapp.services.outbox import Outbox

BY_EMAIL = Channel(
    on_its_way=lazy("An email with a code is on its way."),
    failed=lazy("We can't email you now. Try again later, or choose another method."),
)


class TooManyEmails(Waiting):
    sentence = lazy("We can't email you another code now. Try again in %(wait)s, or choose another method.")


@dataclass(frozen=True)
class FirstCode(Step):
    """The code that proves that email arrives."""

    slug, template = "code", "enrollment/emailed-code/code.html"
    fields = ConfirmationCodeFields
    acts = ("resend",)
    closed = CodeExpired
    method: EmailedCode

    def done(self, visit: Visit) -> bool:
        return False  # as the last one before DONE

    def arrive(self, visit: Visit) -> None:
        if self.method.emailed(visit.account, visit.challenge) is None:
            self.method.email_code(visit.account, visit.challenge)

    def act(self, visit: Visit, name: str) -> None:
        self.method.email_code(visit.account, visit.challenge)

    def show(self, visit: Visit) -> dict[str, Any]:
        return {"sent": self.method.emailed(visit.account, visit.challenge)}

    def submit(self, visit: Visit, answers: Answers) -> None:
        visit.count_attempt("first-code")
        code = self.method.codes.check(visit.account.id, visit.challenge, answers["code"], self.method.terms)
        if code.target != visit.account.email:
            raise CodeExpired()  # it went to an address that was changed since
        with visit.core.db.write() as tx:
            self.method.codes.consume(tx, code)
        visit.turn_on(NewFactor(""))  # no secret of its own: the address is the account's


@dataclass(frozen=True)
class EmailedCode(Method):
    core: Core
    attempts: Attempts
    codes: OneTimeCodes
    outbox: Outbox

    slug, title = "emailed-code", lazy("Emailed code")
    fields = CodeFields
    sends_code = True
    overview = Overview(
        what=lazy("We email a six-digit code to you."),
        needed=lazy("You need your mailbox where you log in. Anyone who reads your email gets the code too."),
        later=lazy("When you log in, you enter your password and then the code that we email you."),
        button=ByDevice(computer=lazy("Next"), phone=lazy("Next"), iphone=lazy("Next")),
    )

    def steps(self) -> Sequence[Step]:
        return OVERVIEW, PASSWORD_ALWAYS, *CONFIRMED_EMAIL, FirstCode(self), DONE

    def hint(self, challenge: Challenge) -> str:
        return gettext("Code to %(email)s", email=_address(challenge))

    def source(self, challenge: Challenge) -> str:
        return gettext("Enter the six-digit code from our email to %(email)s.", email=_address(challenge))

    def send(self, challenge: Challenge, origin: Origin) -> None:
        self.email_code(challenge.account, challenge.name)

    def sent(self, challenge: Challenge) -> Sent | None:
        return self.emailed(challenge.account, challenge.name)

    def verify(self, tx: Transaction, challenge: Challenge, answers: Answers) -> None:
        """Raises what `OneTimeCodes.match` raises."""
        account, typed = challenge.account, answers.get("code", "")
        code = self.codes.match(tx, account.id, challenge.name, typed, self.terms)
        if code.target != account.email:
            raise CodeExpired()  # it went to an address that was changed since
        self.codes.consume(tx, code)
        if not changed_one_row(tx, MARK_USED, {"factor": challenge.factor.id, "now": self.core.clock.now()}):
            raise CodeAlreadyUsed()  # turned off meanwhile

    def authenticators(self, account: Account, factors: Sequence[Factor]) -> list[Authenticator]:
        return [Authenticator(gettext("a code sent to %(email)s", email=masked(account.email or "")), (EMAIL_ACCOUNT,))]

    @property
    def terms(self) -> Terms:
        policy = self.core.policy  # a code lives no longer than the log-in that it is for (ASVS V6.6.2)
        return Terms(policy.pending_login_seconds, policy.email_code_attempts, policy.resend_after)

    def email_code(self, account: Account, challenge: str) -> None:
        """Raises `TooSoon`, `TooManyAttempts` or `TooManyEmails`."""
        if account.email is None:
            raise EmailRequired()
        rule = SlidingWindows((self.core.policy.email_sends,), TooManyEmails)
        with self.core.db.write() as tx:
            code_id, code = self.codes.draw(tx, account.id, challenge, account.email, self.terms)
            self.attempts.count_within(tx, Bucket(f"emailed-code:{account.id}", rule))
            facts = {"code": code, "minutes": self.terms.lasts // 60}
            sent = self.outbox.post_email(tx, to=account.email, template="emailed-code", account=account, **facts)
            self.codes.sent_with(tx, code_id, sent)

    def emailed(self, account: Account, challenge: str) -> Sent | None:
        code = self.codes.newest(account.id, challenge, self.terms)
        if code is None or code.used_at is not None:
            return None
        return Sent(masked(code.target), BY_EMAIL, code.message_id, code.made_at + self.terms.resend_after)


def _address(challenge: Challenge) -> str:
    return bidi_isolate(masked(challenge.account.email or ""))
