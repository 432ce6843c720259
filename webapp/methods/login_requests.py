"""Login requests: a phone says yes to a log-in, after the number on the other screen was typed there.

A phone is known by a token of its own, and reached by Web Push where its browser and its owner let us. That a push
came is never needed: what waits is in the list.
"""

from __future__ import annotations

import json
from typing import Any

from wtforms import StringField
from wtforms.validators import InputRequired

from ..domain.codes import draw_token, hash_of
from ..domain.devices import device
from ..domain.labels import unused_label
from ..domain.language import Sentence, gettext, lazy
from ..domain.origin import Origin
from ..domain.request_refusals import NotApproved
from ..enrollment.common_steps import CONFIRMED_EMAIL, DONE, OVERVIEW, PASSWORD_ALWAYS
from ..enrollment.method import (
    Answers,
    Asking,
    ByDevice,
    Challenge,
    Method,
    Overview,
    Proof,
    RequestStatus,
    Several,
    Step,
    Waits,
)
from ..enrollment.visit import Visit
from ..models.database import changed_one_row
from ..models.factors import USE, Factor


class SubscriptionFields:
    """What the browser hands over; the template writes the input."""

    subscription = StringField()


class LabelFields:
    name = StringField(lazy("Phone name"), [InputRequired(lazy("Enter a name for the phone."))])


class NoFields:
    """Nothing is typed where one waits."""


# -- The step of its own ---------------------------------------------------------------------------


def show_notifications(visit: Visit) -> dict[str, Any]:
    return {"push_key": visit.desk.push_key()}


def allow(visit: Visit, answers: Answers) -> None:
    """With no subscription the phone is on all the same. Raises `SubscriptionRefused`."""
    said = answers.get("subscription", "")
    _turn_on(visit, visit.desk.read_subscription(said) if said else "")


def not_now(visit: Visit) -> None:
    _turn_on(visit, "")


def _turn_on(visit: Visit, subscription: str) -> None:
    before = next((f for f in visit.factors if is_here(f, visit.origin)), None)
    labels = [f.label for f in visit.factors if f is not before]
    label = before.label if before is not None else unused_label(device(visit.origin.user_agent), labels)
    visit.keeps = draw_token(visit.entropy)
    visit.turn_on(
        subscription,
        external_id=hash_of(visit.keeps),
        label=label,
        facts=json.dumps({"pushes": bool(subscription)}),
        instead_of=before.id if before is not None else None,
    )


NOTIFICATIONS = Step(
    slug="notifications",
    template="enrollment/login-requests/notifications.html",
    needed=lambda visit: True,
    done=lambda visit: False,  # when it is, the enrollment is finished
    submit=allow,
    show=show_notifications,
    fields=SubscriptionFields,
    acts={"not-now": not_now},
)


# -- The challenge at log-in and step-up -----------------------------------------------------------


def send(asking: Asking, origin: Origin) -> None:
    asking.requests.ask(asking.account, asking.name, asking.factors, origin)


def standing(asking: Asking) -> RequestStatus | None:
    return asking.requests.standing(asking.account, asking.name)


def verify(proof: Proof, answers: Answers) -> None:
    """Raises `NotApproved`."""
    phone = proof.asking.requests.use(proof.tx, proof.asking.account, proof.asking.name)
    if not changed_one_row(proof.tx, USE, {"factor": phone, "now": proof.clock.now()}):
        raise NotApproved()  # the phone was turned off meanwhile, and so is what it said


# -- The list of phones ----------------------------------------------------------------------------


def describe(factor: Factor, origin: Origin) -> list[str]:
    where = gettext("This phone") if is_here(factor, origin) else gettext("Another phone")
    pushes = json.loads(factor.attributes)["pushes"]
    return [where, gettext("Gets notifications") if pushes else gettext("Without notifications")]


def lacks(factor: Factor, origin: Origin) -> Sentence | None:
    """Not now, or a push service that forgot the phone: its owner may think again."""
    without = is_here(factor, origin) and not json.loads(factor.attributes)["pushes"]
    return lazy("Allow notifications") if without else None


def is_here(factor: Factor, origin: Origin) -> bool:
    return factor.external_id in origin.external_ids


METHOD = Method(
    slug="login-requests",
    title=lazy("Login requests on this phone"),
    overview=Overview(
        what=lazy("When your password is entered elsewhere, this phone asks you whether it was you."),
        needed=lazy(
            "You need this phone, in this browser. Notifications are of help but not needed: what waits for you is also"
            " in the list, under Security, then Login requests."
        ),
        later=lazy(
            "When you log in elsewhere, you enter your password there. It shows a number; you type that here, and"
            " approve. Whoever you deny stays out."
        ),
        button=ByDevice(computer=lazy("Next"), phone=lazy("Next"), iphone=lazy("Next")),
    ),
    steps=(OVERVIEW, PASSWORD_ALWAYS, *CONFIRMED_EMAIL, NOTIFICATIONS, DONE),
    challenge=Challenge(
        template="challenge/login-requests.html",
        fields=NoFields,
        hint=lambda factor, account: gettext("Login request to your phone"),
        source=lambda factor, account: gettext("Open the notification, or Login requests on your phone."),
        verify=verify,
        is_code=False,
        send=send,
        waits=Waits(path="/settings/security/login-requests", title=lazy("Login requests"), standing=standing),
    ),
    several=Several(
        path="phones",
        title=lazy("Manage phones"),
        template="two_factor/login-requests.html",
        label=LabelFields,
        another=OVERVIEW.slug,
        describe=describe,
        lacks=lacks,
        is_here=is_here,
    ),
    phones_only=lazy("You turn it on from your phone: open %(site)s there, log in, and choose it on this same page."),
)
