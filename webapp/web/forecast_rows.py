"""The rows of "If you lose something": the lock-out forecast in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..domain.forecast import (
    ADD_BACKUP_CODE,
    ADD_EMAIL,
    ADD_METHOD,
    EMAIL_ACCOUNT,
    OF_EVERY_ACCOUNT,
    Addition,
    Authenticator,
    Loss,
    Outlook,
)
from ..domain.language import Sentence, bidi_isolate, lazy, pgettext
from ..domain.language import gettext as _
from ..domain.lists import MOST_NAMED, all_of, at_the_beginning, one_of, shortened
from ..models.user import User
from ..services.method import Method
from . import current, layouts, times
from .verbatim import verbatim

SAFE, LOCKED_OUT, ASK = "safe", "locked-out", "ask"
ADDITIONS: dict[Addition, tuple[str, Sentence]] = {
    ADD_BACKUP_CODE: ("two_factor.backup_code", lazy("Get a backup code")),
    ADD_EMAIL: ("settings.email", lazy("Confirm your email")),
    ADD_METHOD: ("two_factor.methods", lazy("Add another method")),
}


@dataclass(frozen=True, slots=True)
class Row:
    lost: str
    kind: str
    lines: list[str]
    """What can still log in."""
    url: str | None = None
    """Where the owner adds what `label` says."""
    label: str | None = None


def rows(user: User, outlooks: Iterable[Outlook]) -> list[Row]:
    return [_row(outlook, user.account.email or "") for outlook in outlooks]


def rows_of(user: User, method: Method) -> list[Row]:
    """Those about what the method is lost with."""
    authenticators = method.authenticators(user.account, user.factors_of(method.slug))
    keys = {loss.key for one in authenticators for loss in one.lost_with}
    outlooks = current.services().forecasts.of(user)
    return rows(user, (one for one in outlooks if len(one.losses) == 1 and one.losses[0].key in keys))


def within_a_sentence(loss: Loss) -> str:
    """What is lost, as a part of a sentence: "your phone", or the name that its owner gave a key."""
    return bidi_isolate(str(loss.name)) if loss.is_label else str(loss.name)


def _row(outlook: Outlook, email: str) -> Row:
    lost = _lost(outlook)
    if not outlook.is_locked_out:
        return Row(lost, SAFE, list(_lines(outlook, email)))
    if outlook.addition is not None:
        page, label = ADDITIONS[outlook.addition]
        return Row(lost, LOCKED_OUT, [_("Nothing. You would be locked out")], layouts.page_url(page), str(label))
    return Row(lost, ASK, [_("Nothing. Only the people who run this site could let you in again")])


def _lost(outlook: Outlook) -> str:
    losses = outlook.losses
    if len(losses) > 1 and not OF_EVERY_ACCOUNT.isdisjoint(loss.key for loss in losses):
        return pgettext("If you lose …", "All of them")
    if len(losses) > MOST_NAMED:
        return pgettext("If you lose …", "All your devices")
    words = all_of([str(loss.name) for loss in losses])
    return words if losses[0].is_label else at_the_beginning(words)


def _lines(outlook: Outlook, email: str) -> list[str]:
    alone = [authenticator for authenticator in outlook.authenticators if authenticator.alone]
    every = _named(outlook.authenticators, outlook.has_backup_code)
    several = len(outlook.authenticators) + outlook.has_backup_code > 1
    then = pgettext("You can still log in with …", "your second factor") if several else every
    if outlook.has_password and any(loss.key == EMAIL_ACCOUNT.key for loss in outlook.losses):
        password = (
            _("Your password, then %(methods)s", methods=then)
            if every
            else pgettext("You can still log in with …", "Your password")
        )
        return [password, _("Resetting your password would no longer work")]
    if outlook.has_password:
        return [_at_the_beginning(outlook, every)]
    if not outlook.has_link:
        return [_("%(keys)s, without a password", keys=_named(alone))]
    address = verbatim(email)
    link = times.sentence(_("A link sent to %(email)s, then %(methods)s"), email=address, methods=then)
    only_link = times.sentence(_("A link sent to %(email)s"), email=address)
    return [
        link if every else only_link,
        *([_("Or %(keys)s, without a password", keys=_named(alone))] if alone else []),
    ]


def _named(authenticators: Sequence[Authenticator], backup_code: bool = False) -> str:
    return one_of(
        shortened([a.name for a in authenticators])
        + ([pgettext("You can still log in with …", "your backup code")] if backup_code else [])
    )


def _at_the_beginning(outlook: Outlook, words: str) -> str:
    begins_with_label = bool(outlook.authenticators) and outlook.authenticators[0].is_label
    return words if begins_with_label else at_the_beginning(words)
