"""Login requests: an approving device confirms a log-in elsewhere, by the number that the other screen shows.

The device is recognized by a token of its own, and notified by Web Push if its browser and its owner allow that. No
push is needed: the list on the device shows every request that waits.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from wtforms import StringField
from wtforms.validators import InputRequired

from ..domain.codes import draw_token, hash_of
from ..domain.devices import device
from ..domain.forecast import PHONE, Authenticator, Loss
from ..domain.labels import unused_label
from ..domain.language import Sentence, gettext, lazy, pgettext
from ..domain.origin import Origin
from ..domain.push import PushHosts, read_subscription
from ..models.accounts import Account
from ..models.database import Transaction
from ..models.factors import Factor
from ..services.enrollment.common_steps import CONFIRMED_EMAIL, DONE, OVERVIEW, PASSWORD_ALWAYS
from ..services.method import Answers, ByDevice, Challenge, NewFactor, Overview, Step, Visit
from ..services.method_kinds import Glance, OutOfBand, RequestStatus
from ..services.requests.login_requests import LoginRequests


class SubscriptionFields:
    """The push subscription, which JavaScript fills in; the template writes the input."""

    subscription = StringField()


class LabelFields:
    name = StringField(lazy("Phone name"), [InputRequired(lazy("Enter a name for the phone."))])


class NoFields:
    """Nothing is entered in the browser that waits."""


@dataclass(frozen=True)
class Notifications(Step):
    """Asks for permission to send notifications. Without it the phone is turned on as well."""

    slug, template = "notifications", "enrollment/login-requests/notifications.html"
    fields = SubscriptionFields
    acts = ("not-now",)
    push_hosts: PushHosts
    push_key: str | None

    def done(self, visit: Visit) -> bool:
        return False

    def show(self, visit: Visit) -> dict[str, Any]:
        return {"push_key": self.push_key}

    def submit(self, visit: Visit, answers: Answers) -> None:
        """Turns the phone on, with or without a subscription. Raises `SubscriptionRefused`."""
        subscription = answers.get("subscription", "")
        self._turn_on(visit, read_subscription(subscription, self.push_hosts) if subscription else "")

    def act(self, visit: Visit, name: str) -> None:
        self._turn_on(visit, "")

    def _turn_on(self, visit: Visit, subscription: str) -> None:
        before = next((f for f in visit.factors if f.external_id in visit.origin.external_ids), None)
        labels = [f.label for f in visit.factors if f is not before]
        label = before.label if before is not None else unused_label(device(visit.origin.user_agent), labels)
        visit.browser_token = draw_token(visit.core.entropy)
        visit.turn_on(
            NewFactor(
                subscription,
                external_id=hash_of(visit.browser_token),
                label=label,
                attributes=json.dumps({"pushes": bool(subscription)}),
                replaces=before.id if before is not None else None,
            )
        )


@dataclass(frozen=True)
class LoginRequestsMethod(OutOfBand):
    requests: LoginRequests
    push_hosts: PushHosts
    push_key: str | None

    slug, title = "login-requests", lazy("Login requests on this phone")
    template, fields = "challenge/login-requests.html", NoFields
    is_code = False
    icon = "bell"
    requests_path, requests_title = "/settings/security/login-requests", lazy("Login requests")
    path, list_title, list_template = "phones", lazy("Manage phones"), "two_factor/login-requests.html"
    label_fields = LabelFields
    first_step = OVERVIEW.slug
    is_this_browser = True
    only_on_phones = lazy("To set this up, open %(site)s on your phone, log in, and turn it on from this page there.")
    overview = Overview(
        what=lazy("When someone enters your password on another device, this phone asks if it was you."),
        needed=lazy(
            "This phone and this browser. Notifications are optional: requests also appear under Security >"
            " Login requests."
        ),
        later=lazy(
            "When you log in on another device, it shows a number after your password. Enter that number here and"
            " approve. Anyone you deny stays out. If your account has a phone number, you can also ask for a code by"
            " text message while you wait."
        ),
        button=ByDevice(computer=lazy("Next"), phone=lazy("Next"), iphone=lazy("Next")),
    )

    def steps(self) -> Sequence[Step]:
        notifications = Notifications(self.push_hosts, self.push_key)
        return OVERVIEW, PASSWORD_ALWAYS, *CONFIRMED_EMAIL, notifications, DONE

    # -- The challenge ---------------------------------------------------------------------------------

    def hint(self, challenge: Challenge) -> str:
        return gettext("Login request to your phone")

    def source(self, challenge: Challenge) -> str:
        return gettext(
            "Open the notification, or this site, on the phone: the request is at the top of each page there, and under"
            " Profile > Login requests."
        )

    def send(self, challenge: Challenge, origin: Origin) -> None:
        self.requests.ask(challenge.account, challenge.name, challenge.factors, origin, self.requests_path)

    def status(self, challenge: Challenge) -> RequestStatus | None:
        return self.requests.status(challenge.account, challenge.name)

    def glance(self, pending_token: str) -> Glance | None:
        return self.requests.glance(pending_token)

    def withdraw(self, tx: Transaction, account_id: int, challenge_name: str) -> None:
        self.requests.withdraw(tx, account_id, challenge_name)

    def verify(self, tx: Transaction, challenge: Challenge, answers: Answers) -> None:
        """Raises `NotApproved`."""
        self.requests.use(tx, challenge.account, challenge.name)

    def authenticators(self, account: Account, factors: Sequence[Factor]) -> list[Authenticator]:
        """Of several phones, each may be the one that has the number and the apps."""
        return [
            Authenticator(
                pgettext("You can still log in with …", "a login request on %(device)s", device=phone.label),
                (PHONE if len(factors) == 1 else Loss(_loss_key(phone), phone.label, True, frozenset({PHONE.key})),),
            )
            for phone in sorted(factors, key=lambda f: f.id)
        ]

    # -- The list of phones ----------------------------------------------------------------------------

    def describe(self, factor: Factor, origin: Origin) -> list[str]:
        facts = [gettext("Notifications on") if _pushes(factor) else gettext("Notifications off")]
        if origin.external_ids:  # this browser approves too
            here = self.is_here(factor, origin)
            facts.insert(0, gettext("This phone") if here else gettext("Another phone"))
        return facts

    def icon_of(self, factor: Factor) -> str:
        return "phone"

    def is_here(self, factor: Factor, origin: Origin) -> bool:
        return factor.external_id in origin.external_ids

    def lacks(self, factor: Factor, origin: Origin) -> Sentence | None:
        """A link to allow notifications, on this phone after Not now or after its subscription ended."""
        without = self.is_here(factor, origin) and not _pushes(factor)
        return lazy("Allow notifications") if without else None


def _loss_key(factor: Factor) -> str:
    return f"{factor.method}:{factor.id}"


def _pushes(factor: Factor) -> bool:
    return bool(json.loads(factor.attributes)["pushes"])
