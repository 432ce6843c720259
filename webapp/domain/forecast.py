"""The lock-out forecast: what can still log in to an account when something is lost, and what to add.

It must promise nothing that the log-in pages do not do. Where two authenticators may be on one device, they are lost
together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from .language import Sentence, lazy_pgettext


@dataclass(frozen=True, slots=True)
class Loss:
    """What a person can lose at one time, such as a phone with all that is on it."""

    key: str
    name: Sentence | str
    """As in the middle of a sentence: "your phone"."""
    is_label: bool = False
    """The name was given by the owner, and is shown as it is."""
    may_be: frozenset[str] = frozenset()
    """The keys of losses that may be of the same object: it takes with it what they take."""


PHONE = Loss("phone", lazy_pgettext("If you lose …", "your phone"))
"""With its number, its apps and its approvals."""
PASSWORD = Loss("password", lazy_pgettext("If you lose …", "your password"))
EMAIL_ACCOUNT = Loss("email", lazy_pgettext("If you lose …", "your email account"))
BACKUP_CODE = Loss("backup-code", lazy_pgettext("If you lose …", "your backup code"))
OF_EVERY_ACCOUNT = frozenset({PASSWORD.key, EMAIL_ACCOUNT.key, BACKUP_CODE.key})


@dataclass(frozen=True, slots=True)
class Authenticator:
    """What proves a second factor, as NIST SP 800-63B-4 section 3 calls it."""

    name: str
    """As in the middle of a sentence: "your authentication app"."""
    lost_with: tuple[Loss, ...] = ()
    """Any of these takes it away. None for what its owner has on several devices, such as a synced passkey."""
    alone: bool = False
    """It logs in without a password."""
    is_label: bool = False
    """The name was given by the owner, and is shown as it is."""


@dataclass(frozen=True, slots=True)
class Holdings:
    """What an account can log in with, beside its password."""

    authenticators: tuple[Authenticator, ...] = ()
    second_factor_on: bool = True
    """The password is not enough."""
    backup_code: bool = True
    mailed_link: bool = True
    """A link to a confirmed e-mail address lets its owner choose a new password."""


ADD_BACKUP_CODE: Final = "backup-code"
ADD_EMAIL: Final = "email"
ADD_METHOD: Final = "method"
Addition = Literal["backup-code", "email", "method"]
"""What an owner can add to an account, the quickest first."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What can still log in after `losses`."""

    losses: tuple[Loss, ...]
    has_password: bool
    has_link: bool
    authenticators: tuple[Authenticator, ...]
    """Those that can complete a log-in."""
    has_backup_code: bool
    """The backup code can complete a log-in."""
    is_locked_out: bool
    addition: Addition | None = None
    """What would let its owner in: None where that is not needed or nothing would."""


def forecast(holdings: Holdings) -> list[Outlook]:
    """For each thing that can be lost: what can still log in.

    Where no loss alone locks out, two more follow where they are of several things: all devices lost, and everything
    lost.
    """
    losses = tuple(_losses(holdings))
    alone = [_with_advice(holdings, (loss,)) for loss in losses]
    if not holdings.second_factor_on or any(row.is_locked_out for row in alone):
        return alone
    devices = tuple(loss for loss in losses if loss.key not in OF_EVERY_ACCOUNT)
    together = [_with_advice(holdings, devices), outlook(holdings, losses)]
    return [*alone, *(row for row in together if len(row.losses) > 1)]


def outlook(holdings: Holdings, losses: Sequence[Loss]) -> Outlook:
    """What can still log in when these are lost."""
    gone = {key for loss in losses for key in (loss.key, *loss.may_be)}
    has_password = PASSWORD.key not in gone
    has_link = holdings.mailed_link and EMAIL_ACCOUNT.key not in gone
    passes_first = has_password or has_link
    kept = [a for a in holdings.authenticators if gone.isdisjoint(loss.key for loss in a.lost_with)]
    working = tuple(a for a in kept if passes_first or a.alone)
    has_code = holdings.second_factor_on and holdings.backup_code and passes_first and BACKUP_CODE.key not in gone
    is_locked_out = not (working or has_code) if holdings.second_factor_on else not passes_first
    return Outlook(tuple(losses), has_password, has_link, working, has_code, is_locked_out)


def _losses(holdings: Holdings) -> Iterator[Loss]:
    """Each thing once: the devices in the order of their authenticators, then what every account has."""
    with_devices = {loss.key: loss for a in holdings.authenticators for loss in a.lost_with}
    covered = {key for loss in with_devices.values() for key in loss.may_be}
    yield from (loss for key, loss in with_devices.items() if key not in covered | OF_EVERY_ACCOUNT)
    if holdings.second_factor_on and holdings.backup_code:
        yield BACKUP_CODE
    yield PASSWORD
    if holdings.mailed_link or EMAIL_ACCOUNT.key in with_devices:
        yield EMAIL_ACCOUNT


def _with_advice(holdings: Holdings, losses: Sequence[Loss]) -> Outlook:
    found = outlook(holdings, losses)
    if not found.is_locked_out:
        return found
    helps = (one for one, more in _additions(holdings) if not outlook(more, losses).is_locked_out)
    return replace(found, addition=next(helps, None))


def _additions(holdings: Holdings) -> Iterator[tuple[Addition, Holdings]]:
    """What the account lacks, and what it would then have."""
    if holdings.second_factor_on and not holdings.backup_code:
        yield ADD_BACKUP_CODE, replace(holdings, backup_code=True)
    if not holdings.mailed_link:
        yield ADD_EMAIL, replace(holdings, mailed_link=True)
    yield ADD_METHOD, replace(holdings, authenticators=(*holdings.authenticators, Authenticator("")))
