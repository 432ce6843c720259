"""The theme of a page: the choice of the account, else that of the device. It must never wait for a script."""

from __future__ import annotations

from flask import g

from ..domain.language import lazy
from ..models.accounts import SYSTEM, Account
from . import current

LABELS = {SYSTEM: lazy("System"), "light": lazy("Light"), "dark": lazy("Dark")}


def use(account: Account) -> None:
    """On pages before the second factor: the theme of the account whose password was right."""
    g.theme = account.theme


def here() -> str | None:
    """ "light" or "dark"; None when the page follows the device."""
    user = current.user_or_none()
    theme: str = user.account.theme if user is not None else g.get("theme", SYSTEM)
    return theme if theme != SYSTEM else None
