"""The steps that methods share: overview, password, confirmed email, and the end."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..domain.refusals import CodeExpired, NotFresh, StepClosed
from .fields import ConfirmationCodeFields, EmailFields, PasswordFields
from .method import Answers, Step
from .visit import Visit

# What an enrollment asks for is settled when it begins ("plan"), so that "Step 2 of 5" does not jump.


def plan(visit: Visit) -> dict[str, Any]:
    return {
        "password": not visit.is_fresh,
        "email": visit.account.email is None,
        "first": not visit.user.factors,
        "done": [step.slug for step in visit.method.steps if step.passed_over and step.done(visit)],
    }


def planned(visit: Visit) -> dict[str, Any]:
    """As it was when the enrollment began, or would be if it began now."""
    return visit.notes.get("plan") or plan(visit)


def _always(visit: Visit) -> bool:
    return True


def _begun(visit: Visit) -> bool:
    return visit.draft is not None


def _read_overview(visit: Visit, answers: Answers) -> None:
    """The service makes the draft when the first step is submitted."""


def _show_overview(visit: Visit) -> dict[str, Any]:
    return {"replaces": bool(visit.factors) and visit.method.several is None}


OVERVIEW = Step(
    "overview", "enrollment/overview.html", _always, _begun, _read_overview, _show_overview, needs_fresh=False
)


def _note_overview(visit: Visit, answers: Answers) -> None:
    visit.note(read=True)


def _overview_known(visit: Visit) -> bool:
    return bool(visit.notes.get("read") or visit.factors)


OVERVIEW_ONCE = replace(OVERVIEW, submit=_note_overview, done=_overview_known, passed_over=True)
"""Where it is not the first step, and needs no second reading when another one is added."""


def _prove_password(visit: Visit, answers: Answers) -> None:
    visit.opened = visit.desk.prove_password(visit.user, answers["password"])
    visit.note(proved=True)
    if not visit.is_fresh:
        raise NotFresh()  # a second factor is asked for as well, by step-up


PASSWORD_UNLESS_FRESH = Step(
    "password",
    "enrollment/password.html",
    lambda visit: bool(planned(visit)["password"]),
    lambda visit: visit.is_fresh,
    _prove_password,
    fields=PasswordFields,
    needs_fresh=False,
)


def _proved_here(visit: Visit) -> bool:
    return bool(visit.notes.get("proved"))


PASSWORD_ALWAYS = replace(PASSWORD_UNLESS_FRESH, needed=_always, done=_proved_here)


def _email_asked(visit: Visit) -> bool:
    if visit.account.email is not None:
        return True
    return visit.desk.email_asked(visit.account.id, visit.email_challenge) is not None


def _ask_email(visit: Visit, answers: Answers) -> None:
    if visit.account.email is not None:
        return  # confirmed meanwhile: another one is a change, which has its own page
    visit.desk.ask_email(visit.account, visit.email_challenge, answers["email"])


def _show_email(visit: Visit) -> dict[str, Any]:
    return {"suggested": {"email": visit.account.email or visit.account.unconfirmed_email or ""}}


def _counts_email(visit: Visit) -> bool:
    return bool(planned(visit)["email"])


EMAIL = Step("email", "enrollment/email.html", _counts_email, _email_asked, _ask_email, _show_email, fields=EmailFields)


def _confirm_email(visit: Visit, answers: Answers) -> None:
    visit.desk.confirm_email(visit.account, visit.email_challenge, answers["code"], visit.origin)


def _resend_email(visit: Visit) -> None:
    asked = visit.desk.email_asked(visit.account.id, visit.email_challenge)
    if asked is not None:
        visit.desk.ask_email(visit.account, visit.email_challenge, asked.address)


def _show_email_code(visit: Visit) -> dict[str, Any]:
    asked = visit.desk.email_asked(visit.account.id, visit.email_challenge)
    if asked is None:
        raise StepClosed()  # it is confirmed already, and Back has nothing to show
    return {"asked": asked, "different": EMAIL.slug}


def _email_confirmed(visit: Visit) -> bool:
    return visit.account.email is not None


EMAIL_CODE = Step(
    "email-code",
    "enrollment/email_code.html",
    _counts_email,
    _email_confirmed,
    _confirm_email,
    _show_email_code,
    fields=ConfirmationCodeFields,
    acts={"resend": _resend_email},
    closed=CodeExpired,
)
CONFIRMED_EMAIL = (EMAIL, EMAIL_CODE)


def _got_it(visit: Visit, answers: Answers) -> None:
    """The service forgets the draft."""


DONE = Step("done", "enrollment/done.html", _always, lambda visit: False, _got_it, needs_fresh=False)
DONE_IF_FIRST = replace(DONE, needed=lambda visit: bool(planned(visit)["first"]))
