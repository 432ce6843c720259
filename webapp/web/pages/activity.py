"""Activity: every security event of the account, newest first."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request
from flask_login import login_required

from ...policy import DAY
from ...services.activity import NEWEST
from ...services.notices import sentence_for
from .. import current, layouts, render

bp = Blueprint("activity", __name__, url_prefix="/settings/security/activity")


@bp.get("")
@login_required
def activity() -> Any:
    services, before = current.services(), _before(request.args.get("before", ""))
    page = services.activity.page(current.user().account.id, before)
    policy = services.settings.policy
    return render.page(
        "settings/activity.html",
        events=[(event, sentence_for(event.kind, event.details)) for event in page.events],
        older_url=layouts.page_url("activity.activity", before=page.older) if page.older else None,
        newest_url=layouts.page_url("activity.activity") if before != NEWEST else None,
        days=policy.activity_kept // DAY,
        address_days=policy.activity_address_kept // DAY,
    )


def _before(text: str) -> int:
    """The id of the event to begin before; the newest for anything else than a number."""
    is_number = text.isascii() and text.isdigit() and len(text) < len(str(NEWEST))
    return int(text) if is_number else NEWEST
