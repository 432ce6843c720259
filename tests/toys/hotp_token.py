"""A hardware token that shows the next counter-based code at each press of its button (RFC 4226).

The counter of the newest used code is the factor's; one conditional UPDATE lets a code be used once.
"""

from __future__ import annotations

import re
from base64 import b32decode, b32encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hmac import compare_digest
from typing import Any

from pyotp import HOTP
from sqlalchemy import bindparam, update
from wtforms import StringField
from wtforms.validators import InputRequired

from webapp.domain.codes import is_digits, tidy_digits
from webapp.domain.forecast import Authenticator, Loss
from webapp.domain.language import gettext, lazy
from webapp.domain.refusals import CodeAlreadyUsed, CodeMalformed, CodeRefusal, Refusal, WrongCode
from webapp.models.accounts import Account
from webapp.models.database import Transaction, changed_one_row
from webapp.models.factors import Factor, factor_bound
from webapp.services.core import Core
from webapp.services.enrollment.common_steps import CONFIRMED_EMAIL, DONE, OVERVIEW, PASSWORD_UNLESS_FRESH
from webapp.services.enrollment.fields import CodeFields
from webapp.services.method import Answers, ByDevice, Challenge, Method, NewFactor, Overview, Step, Visit

LOOK_AHEAD = 10  # codes after the newest used one that are accepted (section 7.2)
RESYNC_AHEAD = 100  # codes among which two in a row are accepted (section 7.4)
LEAST_BYTES, MOST_BYTES = 16, 64  # 128 bits at least (section 4, R6)

ACCEPT_ONCE = (
    update(Factor)
    .where(Factor.id == bindparam("factor"), Factor.counter < bindparam("count"), Factor.turned_off_at.is_(None))
    .values(counter=bindparam("count"), logged_in_at=bindparam("now"))
)

TOKEN = Loss("hotp-token", lazy("your hardware token"))


class SecretMalformed(Refusal):
    field = "secret"
    sentence = lazy("Enter the whole secret as it is printed on the card of your token.")


class OutOfStep(CodeRefusal):
    """The code is further ahead than one is accepted alone: its button was pressed often."""

    field = "next_code"
    sentence = lazy("Your token is ahead. Press its button again and enter the next code as well.")


class SecretFields:
    secret = StringField(lazy("Secret"), [InputRequired(lazy("Enter the secret of your token."))])


class TwoCodesFields(CodeFields):
    next_code = StringField(lazy("Next code"), [InputRequired(lazy("Enter the next code."))])


class ChallengeFields(CodeFields):
    next_code = StringField(lazy("Next code"))


class Secret(Step):
    """The key of the token."""

    slug, template = "secret", "enrollment/hotp-token/secret.html"
    fields = SecretFields

    def done(self, visit: Visit) -> bool:
        return "secret" in visit.notes

    def submit(self, visit: Visit, answers: Answers) -> None:
        visit.note(secret=read_secret(answers["secret"]))


class TwoCodes(Step):
    """Two codes in a row: one could have been watched, and its place would not be known."""

    slug, template = "codes", "enrollment/hotp-token/codes.html"
    fields = TwoCodesFields

    def done(self, visit: Visit) -> bool:
        return False

    def submit(self, visit: Visit, answers: Answers) -> None:
        visit.count_attempt("first-codes")
        secret, code, after = visit.notes["secret"], _tidy(answers["code"]), _tidy(answers["next_code"])
        hotp = HOTP(secret)
        for count in _places(hotp, code, range(RESYNC_AHEAD)):
            if compare_digest(hotp.at(count + 1), after):
                visit.turn_on(NewFactor(secret, counter=count + 1))
                return
        raise WrongCode()

    def show(self, visit: Visit) -> dict[str, Any]:
        return {"different": Secret.slug, "different_label": gettext("Enter another secret")}


@dataclass(frozen=True)
class HotpToken(Method):
    core: Core

    slug, title = "hotp-token", lazy("Hardware token")
    template = "challenge/hotp-token.html"
    fields = ChallengeFields
    overview = Overview(
        what=lazy("A small device shows a new six-digit code each time you press its button."),
        needed=lazy("You need the token and the card with its secret. It works without a phone and without reception."),
        later=lazy("When you log in, you enter your password and then the next code of the token."),
        button=ByDevice(computer=lazy("Start"), phone=lazy("Start"), iphone=lazy("Start")),
    )

    def steps(self) -> Sequence[Step]:
        return OVERVIEW, PASSWORD_UNLESS_FRESH, *CONFIRMED_EMAIL, Secret(), TwoCodes(), DONE

    def source(self, challenge: Challenge) -> str:
        return gettext("Press the button of your hardware token and enter the six digits that it shows.")

    def authenticators(self, account: Account, factors: Sequence[Factor]) -> list[Authenticator]:
        return [Authenticator(str(TOKEN.name), (TOKEN,))]

    def verify(self, tx: Transaction, challenge: Challenge, answers: Answers) -> None:
        """Raises `CodeMalformed`, `CodeAlreadyUsed`, `OutOfStep` or `WrongCode`."""
        factor, code = challenge.factor, _tidy(answers.get("code", ""))
        secret = self.core.keyring.open(factor.sealed, factor_bound(factor.account_id, factor.method))
        count = matching_count(HOTP(secret), factor.counter, code, answers.get("next_code", ""))
        facts = {"factor": factor.id, "count": count, "now": self.core.clock.now()}
        if not changed_one_row(tx, ACCEPT_ONCE, facts):
            raise CodeAlreadyUsed()


def matching_count(hotp: HOTP, newest_used: int, code: str, next_code: str) -> int:
    """The counter that is used up when `code` is accepted. Raises `CodeAlreadyUsed`, `OutOfStep` or `WrongCode`.

    Further ahead than the look-ahead window a code counts only with the one after it (section 7.4).
    """
    first = newest_used + 1
    for count in _places(hotp, code, range(first, first + LOOK_AHEAD)):
        return count
    if list(_places(hotp, code, range(max(0, first - LOOK_AHEAD), first))):
        raise CodeAlreadyUsed()
    ahead = list(_places(hotp, code, range(first + LOOK_AHEAD, first + RESYNC_AHEAD)))
    if not ahead:
        raise WrongCode()
    if not next_code.strip():
        raise OutOfStep()
    after = _tidy(next_code)
    for count in ahead:
        if compare_digest(hotp.at(count + 1), after):
            return count + 1
    raise WrongCode()


def read_secret(typed: str) -> str:
    """Hexadecimal or base32 as base32. Raises `SecretMalformed`.

    What could be both is hexadecimal: a base32 key of 128 bits without a letter after F is one in 10^11.
    """
    tidy = re.sub(r"[\s=-]", "", typed).upper()
    is_hexadecimal = re.fullmatch("[0-9A-F]+", tidy)
    try:
        key = bytes.fromhex(tidy) if is_hexadecimal else b32decode(tidy + "=" * (-len(tidy) % 8))
    except ValueError:
        raise SecretMalformed() from None
    if not LEAST_BYTES <= len(key) <= MOST_BYTES:
        raise SecretMalformed()
    return b32encode(key).decode()


def _places(hotp: HOTP, code: str, counts: Iterable[int]) -> Iterable[int]:
    return (count for count in counts if compare_digest(hotp.at(count), code))


def _tidy(typed: str) -> str:
    code = tidy_digits(typed)
    if not is_digits(code):
        raise CodeMalformed()
    return code
