"""The steps that methods share: overview, password, confirmed e-mail address, and the last one.

Which of them are needed is decided when an enrollment begins (`plan`), so that "Step 2 of 5" stays right.
"""

from __future__ import annotations

from typing import Any

from ...domain.refusals import CodeExpired, NotFresh, StepClosed
from ..method import Answers, Step, Visit
from ..method_kinds import Several
from .fields import ConfirmationCodeFields, EmailFields, PasswordFields


def plan(visit: Visit) -> dict[str, Any]:
    """Which steps an enrollment needs that begins now; `done` are the slugs of those to pass over."""
    return {
        "password": not visit.is_fresh,
        "email": visit.account.email is None,
        "first": not visit.user.factors,
        "done": [step.slug for step in visit.method.steps() if step.passed_over and step.done(visit)],
    }


def planned(visit: Visit) -> dict[str, Any]:
    """The plan made when the enrollment began or, before that, the one it would have now."""
    return visit.notes.get("plan") or plan(visit)


class Overview(Step):
    slug, template = "overview", "enrollment/overview.html"
    needs_fresh = False

    def done(self, visit: Visit) -> bool:
        return visit.draft is not None

    def submit(self, visit: Visit, answers: Answers) -> None:
        """Nothing: the service creates the draft at the first step."""

    def show(self, visit: Visit) -> dict[str, Any]:
        return {"replaces": bool(visit.factors) and not isinstance(visit.method, Several)}


class OverviewOnce(Overview):
    """An overview that is not the first step, and is passed over when another factor is added."""

    passed_over = True

    def done(self, visit: Visit) -> bool:
        return bool(visit.notes.get("read") or visit.factors)

    def submit(self, visit: Visit, answers: Answers) -> None:
        visit.note(read=True)


class PasswordUnlessFresh(Step):
    slug, template = "password", "enrollment/password.html"
    fields = PasswordFields
    needs_fresh = False

    def needed(self, visit: Visit) -> bool:
        return bool(planned(visit)["password"])

    def done(self, visit: Visit) -> bool:
        return visit.is_fresh

    def submit(self, visit: Visit, answers: Answers) -> None:
        """Raises `NotFresh` when a second factor must be proved as well, at step-up, or as `PasswordProof.verify`."""
        visit.token = visit.password_proof.verify(visit.user, answers["password"])
        visit.note(proved=True)
        if not visit.is_fresh:
            raise NotFresh()


class PasswordAlways(PasswordUnlessFresh):
    def needed(self, visit: Visit) -> bool:
        return True

    def done(self, visit: Visit) -> bool:
        return bool(visit.notes.get("proved"))


class Email(Step):
    slug, template = "email", "enrollment/email.html"
    fields = EmailFields

    def needed(self, visit: Visit) -> bool:
        return bool(planned(visit)["email"])

    def done(self, visit: Visit) -> bool:
        return visit.account.email is not None or _email_sent(visit) is not None

    def submit(self, visit: Visit, answers: Answers) -> None:
        if visit.account.email is not None:
            return  # confirmed meanwhile; an address is changed on another page
        visit.email_addresses.send_unless_sent(visit.account, _email_challenge(visit), answers["email"], visit.origin)

    def show(self, visit: Visit) -> dict[str, Any]:
        return {"suggested": {"email": visit.account.email or visit.account.unconfirmed_email or ""}}


class EmailCode(Step):
    slug, template = "email-code", "enrollment/email_code.html"
    fields = ConfirmationCodeFields
    acts = ("resend",)
    closed = CodeExpired

    def needed(self, visit: Visit) -> bool:
        return bool(planned(visit)["email"])

    def done(self, visit: Visit) -> bool:
        return visit.account.email is not None

    def submit(self, visit: Visit, answers: Answers) -> None:
        visit.email_addresses.confirm(visit.user, _email_challenge(visit), answers["code"], visit.origin)

    def act(self, visit: Visit, name: str) -> None:
        sent = _email_sent(visit)
        if sent is not None:
            visit.email_addresses.send_code(visit.account, _email_challenge(visit), sent.address, visit.origin)

    def show(self, visit: Visit) -> dict[str, Any]:
        """Raises `StepClosed` when no code is valid, such as after Back from a later step."""
        sent = _email_sent(visit)
        if sent is None:
            raise StepClosed()
        return {"sent": sent, "different": Email.slug}


def _email_challenge(visit: Visit) -> str:
    return f"email:{visit.method.slug}:{visit.user.session.id}"


def _email_sent(visit: Visit) -> Any:
    return visit.email_addresses.sent(visit.account.id, _email_challenge(visit))


class Done(Step):
    """Shows the backup code at the end of a first enrollment. Any other ends with the step before."""

    slug, template = "done", "enrollment/done.html"
    needs_fresh = False

    def needed(self, visit: Visit) -> bool:
        return bool(planned(visit)["first"])

    def done(self, visit: Visit) -> bool:
        return False

    def submit(self, visit: Visit, answers: Answers) -> None:
        """Nothing: the service deletes the draft."""


OVERVIEW, OVERVIEW_ONCE = Overview(), OverviewOnce()
PASSWORD_ALWAYS, PASSWORD_UNLESS_FRESH = PasswordAlways(), PasswordUnlessFresh()
CONFIRMED_EMAIL = (Email(), EmailCode())
DONE = Done()
