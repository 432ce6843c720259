"""Notices to the owner of an account: an event in the activity and an e-mail, committed with the change."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert

from ..domain.devices import app_name, device
from ..domain.language import Sentence, bidi_isolate, gettext, lazy
from ..domain.moments import minute
from ..domain.origin import Origin
from ..models.accounts import Account
from ..models.base import rows_of
from ..models.database import Transaction
from ..models.sessions import Activity
from .core import Core
from .links import Links
from .outbox import Outbox

RECORD = insert(rows_of(Activity))  # built once, because every log-in runs it

RECOVERY_STARTED = lazy("You started the recovery of the account @%(username)s.")
RECOVERY_CANCELED = lazy("You canceled the recovery of the account @%(username)s.")
RECOVERY_SUBJECT = lazy("Your two-factor authentication will be turned off")
# Events that are only listed, and events of which the owner gets an e-mail too.
LISTED: dict[str, Sentence] = {
    "logged-in": lazy("You logged in."),
    "stepped-up": lazy("You verified your identity."),
    "logged-out": lazy("You logged out."),
    "signed-up": lazy("You created your account."),
    "logged-in-alone": lazy("You logged in with %(name)s, without a password."),
    "request-approved": lazy("You approved a login from %(device)s on %(name)s."),
    "request-cancelled": lazy("You canceled a login request from %(device)s."),
    "request-wrong": lazy(
        "A login request from %(device)s was canceled because the wrong number was entered on %(name)s."
    ),
    "temporary-password-used": lazy("An app used a temporary password."),
    "app-logged-in": lazy("An app logged in and will stay logged in."),
    "app-connected": lazy("You logged in to the app %(name)s for the first time."),
    "device-connected": lazy("You logged in to the app %(name)s on a device."),
    "device-denied": lazy("You refused to log in to the app %(name)s on a device."),
    "app-token-reused": lazy("The app %(name)s was logged out because one of its tokens was used twice."),
    "session-ended": lazy("You logged out %(device)s."),
    "app-logged-out": lazy("You logged out the app %(device)s."),
    "guarded-logged-out": lazy("You logged out of %(device)s."),
    "browser-known": lazy("A link from your email was used to log in in another browser."),
    "browser-forgotten": lazy("You removed a remembered browser: %(device)s."),
    "email-undo-asked": lazy("Someone asked to bring back your old email address %(email)s on %(until)s."),
    "username-change-asked": lazy(
        "A change of your username to @%(username)s was requested. It takes effect on %(until)s."
    ),
    "deletion-asked": lazy("You deleted your account. You could come back until %(until)s by logging in."),
    "second-factor-failed": lazy("Someone entered your password and then five wrong codes."),
    "group-joined": lazy("An administrator added you to the group %(group)s."),
    "group-left": lazy("An administrator removed you from the group %(group)s."),
    "operator-recovery-started": RECOVERY_STARTED,
    "operator-recovery-canceled": RECOVERY_CANCELED,
    "operator-recovery-stopped": lazy("The recovery of the account @%(username)s was stopped."),
    "operator-logged-out": lazy("You logged out the account @%(username)s on all devices."),
    "operator-invited": lazy("You invited @%(username)s."),
    "operator-locked": lazy("You locked the account @%(username)s."),
    "operator-unlocked": lazy("You unlocked the account @%(username)s."),
    "operator-group-added": lazy("You added the group %(group)s."),
    "operator-group-deleted": lazy("You deleted the group %(group)s."),
    "operator-member-added": lazy("You added @%(username)s to the group %(group)s."),
    "operator-member-removed": lazy("You removed @%(username)s from the group %(group)s."),
    "operator-message-tested": lazy("You sent a test message."),
    "operator-app-added": lazy("You added the app %(app)s."),
    "operator-app-changed": lazy("You changed the app %(app)s."),
    "operator-app-deleted": lazy("You deleted the app %(app)s."),
    "operator-secret-added": lazy("You generated a client secret for the app %(app)s."),
    "operator-secret-removed": lazy("You removed a client secret of the app %(app)s."),
}
TOLD: dict[str, Sentence] = {
    "logged-in-new-browser": lazy("Someone logged in to your account from a new browser."),
    "wrong-codes": lazy(
        "Wrong codes were entered after your password. There have been %(count)s since you last logged in. If this"
        " wasn't you, someone knows your password: change it."
    ),
    "password-changed": lazy("Your password was changed."),
    "password-reset": lazy("Your password was reset using a link sent to your email."),
    "email-confirmed": lazy("You confirmed your email address: %(email)s."),
    "invitation-accepted": lazy("The invitation to your account was accepted, and its password was set."),
    "email-restored": lazy("Your email address was changed back to %(email)s."),
    "email-undo-stopped": lazy("Your email address hasn't changed: we stopped its return to %(email)s."),
    "name-changed": lazy("Your name was changed to %(name)s."),
    "username-changed": lazy("Your username was changed to @%(username)s. You can still log in with @%(earlier)s."),
    "username-changed-by-operator": lazy(
        "An administrator changed your username to @%(username)s. You can still log in with @%(earlier)s."
    ),
    "username-change-stopped": lazy("The change of your username to @%(username)s was stopped."),
    "deletion-undone": lazy("You logged in, so your account is no longer being deleted."),
    "data-downloaded": lazy("A copy of your account's data was downloaded."),
    "phone-added": lazy("A phone number ending in %(hint)s was added to your account."),
    "phone-changed": lazy("Your phone number was changed to one ending in %(hint)s."),
    "factor-on": lazy("%(method)s was turned on."),
    "factor-added": lazy("%(name)s was added to your account."),
    "factor-renamed": lazy("%(method)s renamed to %(name)s."),
    "factor-deleted": lazy("%(name)s was removed from your account."),
    "last-factor-deleted": lazy("%(name)s was removed. Two-factor authentication is now off."),
    "factor-copied": lazy(
        "We rejected %(name)s because it may have been cloned. If you don't know why, delete it from your account."
    ),
    "factor-replaced": lazy("%(method)s was replaced. The old one no longer works."),
    "request-denied": lazy(
        "You denied a login from %(device)s. If it wasn't you, change your password: someone knows it."
    ),
    "factor-off": lazy("%(method)s was turned off."),
    "last-factor-off": lazy("%(method)s was turned off. Two-factor authentication is now off."),
    "backup-code-used": lazy("Your backup code was used to log in. We replaced it with a new one."),
    "backup-code-made": lazy("You generated a new backup code. The old one no longer works."),
    "temporary-password-made": lazy("You generated a temporary password for apps. It works for one hour."),
    "temporary-password-texted": lazy(
        "An app tried your usual password, so we texted a temporary password to the number ending in %(hint)s."
    ),
    "temporary-password-ended": lazy("You ended a temporary password for apps."),
    "app-disconnected": lazy("You disconnected the app %(name)s."),
    "others-logged-out": lazy("All your other devices were logged out."),
    "others-logged-out-and-forgotten": lazy(
        "All your other devices were logged out, and remembered browsers were forgotten."
    ),
    "sessions-ended": lazy("All devices were logged out using a link from a security email."),
    "factors-reset": lazy("An administrator turned off your two-factor authentication. Reason: %(why)s"),
    "logged-out-by-operator": lazy("An administrator logged you out on all devices."),
    "recovery-started": lazy(
        "An administrator asked to turn off your two-factor authentication on %(until)s. Reason: %(why)s"
    ),
    "recovery-stopped": lazy("The change of your two-factor authentication by an administrator was stopped."),
    "promoted": lazy("An administrator made you an operator of this site."),
    "demoted": lazy("An administrator ended your role as an operator of this site."),
    "locked": lazy("An administrator locked your account. No one can log in to it until it's unlocked."),
    "unlocked": lazy("An administrator unlocked your account. You can log in again."),
}
# Subjects of the emails whose text says more than one short sentence; of all others the text is the subject.
SUBJECTS: dict[str, Sentence] = {
    "recovery-started": RECOVERY_SUBJECT,
    "wrong-codes": lazy("Wrong codes were entered after your password"),
    "username-changed": lazy("Your username was changed to @%(username)s"),
    "username-changed-by-operator": lazy("An administrator changed your username to @%(username)s"),
    "factor-copied": lazy("We rejected %(name)s because it may have been cloned"),
    "factor-replaced": lazy("%(method)s was replaced"),
    "request-denied": lazy("You denied a login from %(device)s"),
    "last-factor-off": lazy("Two-factor authentication is now off: %(method)s was turned off"),
    "last-factor-deleted": lazy("Two-factor authentication is now off: %(name)s was removed"),
    "backup-code-used": lazy("Your backup code was used to log in"),
    "backup-code-made": lazy("You generated a new backup code"),
    "temporary-password-made": lazy("You generated a temporary password for apps"),
    "temporary-password-texted": lazy("We texted a temporary password to the number ending in %(hint)s"),
    "factors-reset": lazy("An administrator turned off your two-factor authentication"),
    "locked": lazy("An administrator locked your account"),
    "unlocked": lazy("An administrator unlocked your account"),
}


def sentence_for(kind: str, details: dict[str, Any]) -> str:
    """The sentence for an event, in the current language."""
    return gettext(msgid_for(kind), **values_for(kind, details))


def subject_for(kind: str, details: dict[str, Any]) -> str:
    """The subject of the e-mail about an event, in the current language."""
    return gettext((SUBJECTS.get(kind) or TOLD[kind]).msgid, **values_for(kind, details))


def msgid_for(kind: str) -> str:
    """The sentence for an event in English, with its placeholders left in."""
    return (TOLD.get(kind) or LISTED[kind]).msgid


def values_for(kind: str, details: dict[str, Any]) -> dict[str, str]:
    """What a sentence about an event is filled with, in the current language."""
    return {name: _displayed(kind, name, value) for name, value in details.items()}


def _displayed(kind: str, name: str, value: object) -> str:
    if name == "until":
        return minute(int(str(value)))
    if name == "device":  # stored as the User-Agent header, which must not be shown as it is
        if kind == "guarded-logged-out":
            return str(value)
        return app_name(str(value)) if kind == "app-logged-out" else device(str(value))
    if name in ("hint", "email"):
        return bidi_isolate(str(value))
    # a method's title is stored as its msgid and translated for the reader; a name is shown as its owner entered it
    return gettext(str(value)) if name == "method" else str(value)


@dataclass(frozen=True, slots=True)
class Notices:
    core: Core
    outbox: Outbox
    links: Links

    def record(self, tx: Transaction, account_id: int, kind: str, origin: Origin, **details: str | int) -> None:
        """Adds an event to the account's activity."""
        tx.execute(
            RECORD,
            {
                "account_id": account_id,
                "at": self.core.clock.now(),
                "kind": kind,
                "details": json.dumps(details),
                "address": origin.address,
                "device": origin.device,
            },
        )

    def tell(self, tx: Transaction, account: Account, kind: str, origin: Origin, **details: str | int) -> None:
        """Adds the event, and sends an e-mail about it as `mail` does."""
        self.record(tx, account.id, kind, origin, **details)
        self.mail(tx, account, kind, origin, **details)

    def mail(self, tx: Transaction, account: Account, kind: str, origin: Origin, **details: str | int) -> None:
        """Sends an e-mail that says what, when and from where, with a "Not you?" link.

        An account without a confirmed address gets no e-mail.
        """
        if account.email is None:
            return
        url = self.links.draw(tx, account, "not-you", account.email, self.core.policy.notice_link_seconds)
        with self.outbox.speaking_to(account):
            subject, what = subject_for(kind, details), sentence_for(kind, details)
        self.outbox.post_email(
            tx,
            to=account.email,
            template="notice",
            account=account,
            subject=subject,
            what=what,
            at=self.core.clock.now(),
            origin=origin,
            not_you_url=url,
        )

    def tell_address(
        self, tx: Transaction, account: Account, to: str | None, kind: str, origin: Origin, **details: str | int
    ) -> None:
        """Sends the e-mail of an event to an address that is not, or no longer, the account's: without any link.

        To None, no e-mail is sent.
        """
        if to is None:
            return
        with self.outbox.speaking_to(account):
            what = sentence_for(kind, details)
        now = self.core.clock.now()
        self.outbox.post_email(tx, to=to, template="address-notice", account=account, what=what, at=now, origin=origin)
