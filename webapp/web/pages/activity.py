"""Activity: every security event of the account, newest first."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request
from flask_login import login_required

from ...policy import DAY
from ...services.activity import NEWEST
from .. import current, layouts, render
from ..event_sentences import happened

ICONS = {
    "logged-out": "leave",
    "logged-in": "enter",
    "stepped-up": "check",
    "session": "leave",
    "sessions": "leave",
    "others": "leave",
    "password": "lock",
    "email": "mail",
    "phone": "phone",
    "factor": "key",
    "factors": "key",
    "last-factor": "key",
    "backup-code": "paper",
    "temporary-password": "clock",
    "app": "app",
    "device": "app",
    "request": "bell",
}
"""The drawing of an event in web/icons.py, by the beginning of its kind."""
ALARMS = {
    "request-denied": "denied",
    **dict.fromkeys(
        ("request-wrong", "second-factor-failed", "wrong-codes", "factor-copied", "email-undo-asked"), "alert"
    ),
}
"""Events that their owner should look at, with their drawings."""
GOOD = frozenset({"factor-on", "factor-added", "email-confirmed"})

bp = Blueprint("activity", __name__, url_prefix="/settings/security/activity")


@bp.get("")
@login_required
def activity() -> Any:
    services, before = current.services(), _before(request.args.get("before", ""))
    page = services.activity.page(current.user().account.id, before)
    policy = services.settings.policy
    return render.page(
        "settings/activity.html",
        events=[(event, happened(event.kind, event.details), *_drawn(event.kind)) for event in page.events],
        older_url=layouts.page_url("activity.activity", before=page.older) if page.older else None,
        newest_url=layouts.page_url("activity.activity") if before != NEWEST else None,
        days=policy.activity_kept // DAY,
        address_days=policy.activity_address_kept // DAY,
    )


def _drawn(kind: str) -> tuple[str, str]:
    """The drawing of an event, and "bad", "good" or nothing."""
    if kind in ALARMS:
        return ALARMS[kind], "bad"
    icon = next((drawn for beginning, drawn in ICONS.items() if kind.startswith(beginning)), "person")
    return icon, "good" if kind in GOOD else ""


def _before(text: str) -> int:
    """The id of the event to begin before; the newest for anything else than a number."""
    is_number = text.isascii() and text.isdigit() and len(text) < len(str(NEWEST))
    return int(text) if is_number else NEWEST
