"""The check-up of the home page: one line for each thing that protects the account, and what to do next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..domain.forecast import OF_EVERY_ACCOUNT, Outlook
from ..domain.language import gettext as _
from ..domain.language import ngettext, pgettext
from ..domain.lists import all_of
from ..models.accounts import Account
from ..models.user import User
from ..services.notices import RECOVERY_SUBJECT
from . import backup_card, current, layouts, times
from .event_sentences import happened
from .verbatim import verbatim


@dataclass(frozen=True, slots=True)
class Act:
    """What to do about a line that is not well, as the heading of the page says it."""

    heading: str
    text: str
    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Line:
    title: str
    note: str
    act: Act | None = None
    """None where all is well."""
    label: str = ""
    """The label of the link to `url`, short, where all is well."""
    name: str = ""
    """Its whole name for screen readers, which begins with the label."""
    url: str = ""


def lines(user: User, outlooks: Sequence[Outlook]) -> list[Line]:
    return [_password(), _email(user), *_second_factor(user, outlooks)]


def state(user: User, missing: int) -> str:
    """One sentence about the state of the account. `missing`: the number of lines with something to do."""
    if not user.factors:
        return _("Right now, only your password protects this account.")
    if not missing:
        return _("All well. There's nothing for you to do.")
    return ngettext("One thing needs your attention.", "%(num)s things need your attention.", missing)


def _password() -> Line:
    url = layouts.page_url("settings.password")
    return Line(_("Password"), _("Only you should know it."), None, _("Change"), _("Change your password"), url)


def _email(user: User) -> Line:
    title, account = _("Email address"), user.account
    if account.email is None:
        text = _("Add and confirm an email address so you can reset your password and get security alerts.")
        label, url = _("Confirm your email"), layouts.page_url("settings.email")
        return Line(title, _("Not confirmed"), Act(_("Confirm your email address"), text, label, url))
    if account.undo_at is not None:
        asked = _("Your old email address comes back on %(time)s, because someone asked for it.")
        text = times.sentence(asked, time=times.at(account.undo_at))
        label, url = _("See who asked and how to stop it"), layouts.page_url("settings.email_undo")
        return Line(title, verbatim(account.email), Act(_("Your email address is about to change"), text, label, url))
    note = times.sentence(_("%(email)s, confirmed"), email=verbatim(account.email))
    url = layouts.page_url("settings.email")
    return Line(title, note, None, _("Change"), _("Change your email"), url)


def _second_factor(user: User, outlooks: Sequence[Outlook]) -> Iterator[Line]:
    title, url = _("Two-factor authentication"), layouts.page_url("two_factor.methods")
    if not user.factors:
        text = _("Anyone who learns your password can log in. Add a second step. It takes two minutes.")
        turn_on = Act(_("Add a second step"), text, _("Turn on two-factor authentication"), url)
        yield Line(title, pgettext("two-factor authentication", "Off"), turn_on)
        yield Line(_("Backup code"), _("You get one when you turn on your first method."))
        yield Line(_("A second method"), _("Another way to log in if you lose your phone."))
        return
    on = {factor.method for factor in user.factors}
    names = [str(method.general_title) for method in current.services().methods if method.slug in on]
    note = _("On: %(methods)s", methods=all_of(names))
    if user.account.recovery_at is not None:
        yield Line(title, note, _recovery(user.account))
    else:
        yield Line(title, note, None, _("Manage"), _("Manage two-factor authentication"), url)
    yield _backup_code(user)
    yield _second_method(user, url, outlooks)


def _recovery(account: Account) -> Act:
    """An operator's reset of the second factors waits."""
    text = happened("recovery-started", {"until": account.recovery_at, "why": account.recovery_why})
    return Act(str(RECOVERY_SUBJECT), text, _("Stop the change"), layouts.page_url("recoveries.waiting"))


def _backup_code(user: User) -> Line:
    title, url = _("Backup code"), layouts.page_url("two_factor.backup_code")
    unsaved_url = backup_card.unsaved_url("challenge")
    if unsaved_url is not None:
        label = _("Save your new backup code")
        text = _("Your old code no longer works.")
        return Line(title, _("You haven't saved your new code yet."), Act(label, text, label, unsaved_url))
    if user.account.backup_code_hash is None:
        text = _("Without a backup code, losing your phone could lock you out.")
        return Line(
            title,
            _("You don't have a backup code yet."),
            Act(_("Get a backup code"), text, _("Get a backup code"), url),
        )
    made_at = user.account.backup_code_made_at
    note = _("Lets you in once if you lose your phone.")
    if made_at:
        note = times.sentence(_("Created on %(date)s"), date=times.on(made_at))
    return Line(title, note, None, _("Replace"), _("Replace your backup code"), url)


def _second_method(user: User, url: str, outlooks: Sequence[Outlook]) -> Line:
    title = _("A second method")
    if _has_spare(user, outlooks):
        note = _("If you lose one, another still lets you in.")
        return Line(title, note, None, _("Manage"), _("Manage your methods"), url)
    heading = _("You have one method")
    text = _("If you lose it, only your backup code lets you in. A second method on another device keeps you safe.")
    if len(user.factors) > 1:
        heading = _("Your methods may be on one device")
        text = _("If you lose it, only your backup code lets you in. A method on another device keeps you safe.")
    act = Act(heading, text, _("Add another method"), url)
    return Line(title, _("Another way to log in if you lose your phone."), act)


def _has_spare(user: User, outlooks: Sequence[Outlook]) -> bool:
    """True when no single lost device takes away every method."""
    devices = [one for one in outlooks if len(one.losses) == 1 and one.losses[0].key not in OF_EVERY_ACCOUNT]
    return len(user.factors) > 1 and all(outlook.authenticators for outlook in devices)
