"""The authentication app: time-based one-time passwords (RFC 6238) from an app on a phone.

The secret is generated when the enrollment begins and stays the same until "Start over", so that the app is still
linked to the right secret after a reload, after a wrong code and in a second tab.
"""

from __future__ import annotations

from base64 import b32encode
from collections.abc import Sequence
from dataclasses import dataclass
from hmac import compare_digest
from typing import Any

from pyotp import TOTP
from sqlalchemy import bindparam, or_, update

from ..domain.codes import groups, read_digits
from ..domain.forecast import PHONE, Authenticator
from ..domain.language import gettext, lazy, pgettext
from ..domain.qr_codes import qr_code
from ..domain.refusals import ClockSlow, CodeAlreadyUsed, WrongCode
from ..models.accounts import Account
from ..models.database import Transaction, changed_one_row
from ..models.factors import Factor, factor_bound
from ..policy import Policy
from ..services.core import Core
from ..services.enrollment.common_steps import CONFIRMED_EMAIL, DONE, OVERVIEW, PASSWORD_UNLESS_FRESH
from ..services.enrollment.fields import CodeFields
from ..services.method import Answers, ByDevice, Challenge, Method, NewFactor, Overview, Step, Visit

ACCEPT_ONCE = (
    update(Factor)
    .where(
        Factor.id == bindparam("factor"),
        # a step further ahead was accepted while the clock of this machine was wrong
        or_(Factor.counter < bindparam("step"), Factor.counter > bindparam("newest")),
        Factor.turned_off_at.is_(None),
    )
    .values(counter=bindparam("step"), logged_in_at=bindparam("now"))
)


@dataclass(frozen=True)
class Link(Step):
    """The QR code and the setup key."""

    slug, template = "link", "enrollment/authentication-app/link.html"
    acts = ("start-over",)
    site_name: str

    def done(self, visit: Visit) -> bool:
        return bool(visit.notes.get("linked"))

    def submit(self, visit: Visit, answers: Answers) -> None:
        visit.note(linked=True)

    def act(self, visit: Visit, name: str) -> None:
        start_over(visit)

    def show(self, visit: Visit) -> dict[str, Any]:
        secret: str = visit.notes["secret"]
        app_link = TOTP(secret).provisioning_uri(name=visit.account.username, issuer_name=self.site_name)
        return {"qr_svg": qr_code(app_link), "app_link": app_link, "setup_key": groups(secret)}


class FirstCode(Step):
    """The code that proves that the app is linked."""

    slug, template = "code", "enrollment/authentication-app/code.html"
    fields = CodeFields
    acts = ("start-over",)

    def done(self, visit: Visit) -> bool:
        return False

    def submit(self, visit: Visit, answers: Answers) -> None:
        code, secret = read_digits(answers["code"]), visit.notes["secret"]
        visit.count_attempt("first-code")
        step = matching_step(secret, code, visit.core.clock.now(), visit.core.policy)
        visit.turn_on(NewFactor(secret, counter=step))  # the code's time step is used: not accepted again

    def act(self, visit: Visit, name: str) -> None:
        start_over(visit)


@dataclass(frozen=True)
class AuthenticationApp(Method):
    core: Core
    site_name: str

    slug, title = "authentication-app", lazy("Authentication app")
    fields = CodeFields
    replace_label = lazy("Move to a new app")
    icon = "codes"
    overview = Overview(
        what=lazy("An authentication app on your phone shows a new six-digit code every 30 seconds."),
        needed=lazy(
            "An authentication app such as Google Authenticator, Authy, Duo Mobile, or 1Password. It works"
            " without a phone number or signal."
        ),
        later=lazy("You'll enter your password, then the code from your app."),
        button=ByDevice(computer=lazy("Start"), phone=lazy("Start"), iphone=lazy("Got it")),
    )

    def steps(self) -> Sequence[Step]:
        return OVERVIEW, PASSWORD_UNLESS_FRESH, *CONFIRMED_EMAIL, Link(self.site_name), FirstCode(), DONE

    def begin(self, visit: Visit) -> dict[str, Any]:
        return {"secret": _draw_secret(visit), "linked": False}

    def source(self, challenge: Challenge) -> str:
        return gettext("Enter the six-digit code from your authentication app.")

    def verify(self, tx: Transaction, challenge: Challenge, answers: Answers) -> None:
        """Accepts a time step once only (RFC 6238 section 5.2).

        Raises `CodeMalformed`, `CodeAlreadyUsed`, `ClockSlow` or `WrongCode`.
        """
        factor, now = challenge.factor, self.core.clock.now()
        secret = self.core.keyring.open(factor.sealed, factor_bound(factor.account_id, factor.method))
        step = matching_step(secret, read_digits(answers.get("code", "")), now, self.core.policy)
        values = {"factor": factor.id, "step": step, "newest": self.counter_at(now), "now": now}
        if not changed_one_row(tx, ACCEPT_ONCE, values):
            raise CodeAlreadyUsed()

    def authenticators(self, account: Account, factors: Sequence[Factor]) -> list[Authenticator]:
        return [Authenticator(pgettext("You can still log in with …", "your authentication app"), (PHONE,))]

    def counter_at(self, now: int) -> int:
        return now // self.core.policy.totp_step + self.core.policy.totp_steps_aside


def start_over(visit: Visit) -> None:
    visit.note(secret=_draw_secret(visit), linked=False)


def matching_step(secret: str, code: str, now: int, policy: Policy) -> int:
    """The accepted time step (Unix seconds // 30) whose code this is. Raises `ClockSlow` or `WrongCode`.

    Earlier steps are compared only to tell how slow the phone's clock is; they must not be accepted. Later steps must
    not be compared: a hint at one would tell a guesser which code becomes right later.
    """
    totp = TOTP(secret)
    current = now // policy.totp_step
    farthest = policy.totp_slow_told // policy.totp_step
    for offset in sorted(range(-farthest, policy.totp_steps_aside + 1), key=abs):
        if not compare_digest(totp.generate_otp(current + offset), code):
            continue
        if abs(offset) <= policy.totp_steps_aside:
            return current + offset
        raise ClockSlow(minutes=max(1, round(-offset * policy.totp_step / 60)))
    raise WrongCode()


def _draw_secret(visit: Visit) -> str:
    return b32encode(visit.core.entropy.bytes(visit.core.policy.totp_secret_bytes)).decode()
