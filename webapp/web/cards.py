"""The backup code as a card: shown once, to be copied, downloaded or printed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from ..domain.codes import grouped, groups
from ..domain.language import spoken
from ..models.accounts import Account
from . import current


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


def day(at: int) -> str:
    """Unix seconds as a date in the language now spoken, in UTC."""
    from babel import Locale, UnknownLocaleError
    from babel.dates import format_date  # 60 ms that few pages need

    try:
        locale = Locale.parse(spoken().code, sep="-")
    except (UnknownLocaleError, ValueError):
        locale = Locale("en")
    return format_date(datetime.fromtimestamp(at, UTC), "long", locale=locale)
