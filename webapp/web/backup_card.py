"""What the card with a new backup code shows. The card is shown once, to be copied, downloaded or printed."""

from __future__ import annotations

from dataclasses import dataclass

from ..domain.codes import grouped, groups
from ..domain.moments import day
from ..models.accounts import Account
from . import current

BACKUP_CODE = "backup-code"
"""Its name in `shown_once`."""


@dataclass(frozen=True, slots=True)
class Card:
    account: str
    site: str
    date: str
    groups: list[str]
    code: str


def card(account: Account, code: str) -> Card:
    services = current.services()
    return Card(
        account=account.username,
        site=services.settings.site_name,
        date=day(services.clock.now()),
        groups=groups(code),
        code=grouped(code),
    )
