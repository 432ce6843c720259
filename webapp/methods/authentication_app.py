"""The authentication app: time-based one-time passwords (RFC 6238) from an app on a phone.

The secret is drawn when the enrollment begins and stays the same until "Start over", so that a reload, a wrong
code or a second tab never leaves an app linked to a secret that is gone.
"""

from __future__ import annotations

from base64 import b32encode
from hmac import compare_digest
from typing import Any

from pyotp import TOTP
from sqlalchemy import bindparam, update

from ..domain.codes import groups, is_digits, tidy_digits
from ..domain.language import gettext, lazy
from ..domain.refusals import ClockSkew, CodeAlreadyUsed, CodeMalformed, WrongCode
from ..enrollment.common_steps import CONFIRMED_EMAIL, DONE, OVERVIEW, PASSWORD_UNLESS_FRESH
from ..enrollment.fields import CodeFields
from ..enrollment.method import Answers, ByDevice, Challenge, Method, Overview, Proof, Step
from ..enrollment.visit import Visit
from ..models.base import rows_of
from ..models.database import changed_one_row
from ..models.factors import Factor
from ..policy import Policy

MODULE_PIXELS = 6


def begin(visit: Visit) -> dict[str, Any]:
    return {"secret": _draw_secret(visit), "linked": False}


def _draw_secret(visit: Visit) -> str:
    return b32encode(visit.entropy.bytes(visit.policy.totp_secret_bytes)).decode()


def start_over(visit: Visit) -> None:
    visit.note(secret=_draw_secret(visit), linked=False)


# -- The steps of its own --------------------------------------------------------------------------


def show_link(visit: Visit) -> dict[str, Any]:
    import segno  # 20 ms that only this page needs

    secret: str = visit.notes["secret"]
    app_link = TOTP(secret).provisioning_uri(name=visit.account.username, issuer_name=visit.site_name)
    drawing = segno.make(app_link, error="m", micro=False)
    svg = drawing.svg_inline(scale=MODULE_PIXELS, border=4, dark="#000", light="#fff", omitsize=True, svgclass="qr")
    return {"qr_svg": svg, "app_link": app_link, "setup_key": groups(secret)}


def linked(visit: Visit, answers: Answers) -> None:
    visit.note(linked=True)


def is_linked(visit: Visit) -> bool:
    return bool(visit.notes.get("linked"))


def check_first_code(visit: Visit, answers: Answers) -> None:
    visit.count_attempt("first-code")
    code = _tidy(answers["code"])
    step = _matching_step(visit.notes["secret"], code, visit.clock.now(), visit.policy)
    visit.turn_on(visit.notes["secret"], counter=step)  # the step is burnt: this code opens nothing later


LINK = Step(
    slug="link",
    template="enrollment/authentication-app/link.html",
    needed=lambda visit: True,
    done=is_linked,
    submit=linked,
    show=show_link,
    acts={"start-over": start_over},
)
CODE = Step(
    slug="code",
    template="enrollment/authentication-app/code.html",
    needed=lambda visit: True,
    done=lambda visit: False,  # when it is, the enrollment is finished
    submit=check_first_code,
    fields=CodeFields,
    acts={"start-over": start_over},
)


# -- The challenge at log-in and step-up -----------------------------------------------------------

FACTORS = rows_of(Factor)
BURN = (
    update(FACTORS)
    .where(
        FACTORS.c.id == bindparam("factor"),
        FACTORS.c.counter < bindparam("step"),
        FACTORS.c.turned_off_at.is_(None),
    )
    .values(counter=bindparam("step"), logged_in_at=bindparam("now"))
)


def verify(proof: Proof, answers: Answers) -> None:
    """Accepts a time step once only. Raises `CodeMalformed`, `CodeAlreadyUsed`, `ClockSkew` or `WrongCode`."""
    code = _tidy(answers.get("code", ""))
    step = _matching_step(proof.secret, code, proof.clock.now(), proof.policy)
    if not changed_one_row(proof.tx, BURN, {"factor": proof.factor.id, "step": step, "now": proof.clock.now()}):
        raise CodeAlreadyUsed()


def _tidy(typed: str) -> str:
    code = tidy_digits(typed)
    if not is_digits(code):
        raise CodeMalformed()
    return code


def _matching_step(secret: str, code: str, now: int, policy: Policy) -> int:
    """The accepted time step (Unix seconds // 30) that makes this code. Raises `ClockSkew` or `WrongCode`.

    Steps further away are looked at only to say by how much the phone's clock is wrong; they are never accepted.
    """
    totp = TOTP(secret)
    today = now // policy.totp_step
    told = policy.totp_skew_told // policy.totp_step
    for offset in sorted(range(-told, told + 1), key=abs):
        if not compare_digest(totp.generate_otp(today + offset), code):
            continue
        if abs(offset) <= policy.totp_steps_aside:
            return today + offset
        minutes = max(1, round(abs(offset) * policy.totp_step / 60))
        raise ClockSkew(minutes=minutes if offset < 0 else -minutes)
    raise WrongCode()


def counter_at(now: int) -> int:
    return now // Policy().totp_step + Policy().totp_steps_aside


METHOD = Method(
    slug="authentication-app",
    title=lazy("Authentication app"),
    overview=Overview(
        what=lazy("An authentication app on your phone shows a new six-digit code every 30 seconds."),
        needed=lazy(
            "You need an app such as Google Authenticator, Authy, Duo Mobile or 1Password. It works without a"
            " phone number and without reception."
        ),
        later=lazy("When you log in, you enter your password and then the code that the app shows."),
        button=ByDevice(computer=lazy("Start"), phone=lazy("Start"), iphone=lazy("Got it")),
    ),
    steps=(OVERVIEW, PASSWORD_UNLESS_FRESH, *CONFIRMED_EMAIL, LINK, CODE, DONE),
    begin=begin,
    challenge=Challenge(
        template="challenge/code.html",
        fields=CodeFields,
        hint=lambda factor, account: gettext("Authentication app"),
        source=lambda factor, account: gettext("Enter the six-digit code from your authentication app."),
        verify=verify,
    ),
    counter_at=counter_at,
)
