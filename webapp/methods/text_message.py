"""Text message: a six-digit code to the account's phone (NIST SP 800-63B-4 section 3.1.3, a restricted way).

A code goes out only after a right password, and never more often than the caps of `services/text_caps.py` allow.
"""

from __future__ import annotations

from typing import Any

from ..domain.language import bidi_isolate, gettext, lazy
from ..domain.origin import Origin
from ..domain.refusals import CodeAlreadyUsed, CodeExpired, Refusal, TooSoon
from ..enrollment.common_steps import CONFIRMED_EMAIL, DONE, OVERVIEW, PASSWORD_ALWAYS
from ..enrollment.fields import CodeFields, ConfirmationCodeFields, PhoneFields
from ..enrollment.method import Answers, Asked, Asking, ByDevice, Challenge, Method, Overview, Proof, Step
from ..enrollment.visit import Visit
from ..models.accounts import Account
from ..models.database import changed_one_row
from ..models.factors import USE, Factor


def begin(visit: Visit) -> dict[str, Any]:
    """Replacing it means another number, which is asked for."""
    return {"new_number": visit.account.phone_number is None or bool(visit.factors)}


# -- The steps of its own --------------------------------------------------------------------------


def asked(visit: Visit) -> Asked | None:
    return visit.desk.phone_asked(visit.account, visit.phone_challenge)


def has_number(visit: Visit) -> bool:
    notes = visit.notes if "new_number" in visit.notes else begin(visit)
    return not notes["new_number"] or asked(visit) is not None


def send_first(visit: Visit, answers: Answers) -> None:
    """Raises what makes a number unfit for texts, and what the caps refuse with."""
    number = visit.desk.read_phone(answers["phone"], answers.get("country", ""))
    visit.note(discoverable="discoverable" in answers)
    under_way = asked(visit)
    try:
        visit.desk.ask_phone(visit.account, visit.phone_challenge, visit.origin, number)
    except TooSoon:
        if under_way is None or under_way.address != number.hint:
            raise  # else: Back, and the same number again; its code is on the way already


def send_again(visit: Visit) -> None:
    visit.desk.ask_phone_again(visit.account, visit.phone_challenge, visit.origin)


def send_to_known_number(visit: Visit) -> None:
    """When no number had to be typed. The page says what stops it, and beside Resend when another may go."""
    if asked(visit) is None:
        try:
            visit.desk.ask_phone(visit.account, visit.phone_challenge, visit.origin)
        except TooSoon:
            return
        except Refusal as refusal:
            visit.hindrance = refusal


def show_code(visit: Visit) -> dict[str, Any]:
    return {"asked": asked(visit), "different": PHONE.slug}


def check_code(visit: Visit, answers: Answers) -> None:
    visit.count_attempt("first-code")
    discoverable = visit.notes.get("discoverable")
    visit.desk.confirm_phone(visit.account, visit.phone_challenge, answers["code"], visit.origin, discoverable)
    visit.turn_on("")  # the number is the account's, so that changing it needs no new factor


PHONE = Step(
    slug="phone",
    template="enrollment/text-message/phone.html",
    needed=lambda visit: True,
    done=has_number,
    submit=send_first,
    fields=PhoneFields,
    passed_over=True,
)
CODE = Step(
    slug="code",
    template="enrollment/text-message/code.html",
    needed=lambda visit: True,
    done=lambda visit: False,  # when it is, the enrollment is finished
    submit=check_code,
    show=show_code,
    fields=ConfirmationCodeFields,
    acts={"resend": send_again},
    closed=CodeExpired,
    arrive=send_to_known_number,
)


# -- The challenge at log-in and step-up -----------------------------------------------------------


def send(asking: Asking, origin: Origin) -> None:
    asking.codes.ask(asking.account, asking.name, origin)


def sent(asking: Asking) -> Asked | None:
    return asking.codes.asked(asking.account, asking.name)


def verify(proof: Proof, answers: Answers) -> None:
    """Raises what `OneTimeCodes.match` raises."""
    proof.asking.codes.prove(proof.tx, proof.asking.account, proof.asking.name, answers.get("code", ""))
    if not changed_one_row(proof.tx, USE, {"factor": proof.factor.id, "now": proof.clock.now()}):
        raise CodeAlreadyUsed()  # replaced or turned off meanwhile, and so is what it proves


def hint(factor: Factor, account: Account) -> str:
    return gettext("Text message to %(number)s", number=bidi_isolate(account.phone_number_hint or ""))


def source(factor: Factor, account: Account) -> str:
    return gettext(
        "Enter the six-digit code from our text to %(number)s.", number=bidi_isolate(account.phone_number_hint or "")
    )


METHOD = Method(
    slug="text-message",
    title=lazy("Text message"),
    overview=Overview(
        what=lazy("We text a six-digit code to your phone."),
        needed=lazy(
            "You need a phone that gets texts, and reception where you log in. A text can be late, and somebody who"
            " takes over your number gets it: an authentication app or a security key is safer."
        ),
        later=lazy("When you log in, you enter your password and then the code that we text you."),
        button=ByDevice(computer=lazy("Next"), phone=lazy("Next"), iphone=lazy("Get started")),
    ),
    steps=(OVERVIEW, PASSWORD_ALWAYS, *CONFIRMED_EMAIL, PHONE, CODE, DONE),
    begin=begin,
    challenge=Challenge(
        template="challenge/code.html",
        fields=CodeFields,
        hint=hint,
        source=source,
        verify=verify,
        send=send,
        asked=sent,
    ),
    needs="texts",
    stands_in=lambda account: account.phone_number is not None,
)
