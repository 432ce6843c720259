"""What the card with a new backup code shows. It is shown to the session that generated it, until Got it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flask.wrappers import Response

from ..domain.codes import grouped, groups
from ..models.accounts import Account
from . import current, layouts, render
from .forms import Form


@dataclass(frozen=True, slots=True)
class Card:
    account: str
    site: str
    made_at: int
    groups: list[str]
    code: str


def card(account: Account, code: str) -> Card:
    services = current.services()
    return Card(
        account=account.username,
        site=services.settings.site_name,
        made_at=services.clock.now(),
        groups=groups(code),
        code=grouped(code),
    )


def page(onward: Callable[[], Response]) -> Response:
    """The page of the new backup code, again at every reload until Got it; then, and without one, `onward`."""
    codes, form = current.services().backup_codes, Form()
    code = codes.kept(current.user())
    if code is not None and not form.submitted():
        return render.page("two_factor/new_backup_code.html", form, card=card(current.user().account, code))
    if code is not None:
        codes.saved(current.user())
    return onward()


def unsaved_url(blueprint: str) -> str | None:
    """The URL of the page of the new backup code, while this session has one that was not saved."""
    kept = current.services().backup_codes.kept(current.user())
    return layouts.page_url(f"{blueprint}.new_backup_code") if kept is not None else None
