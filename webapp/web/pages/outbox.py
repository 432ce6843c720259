"""The outbox page of a development site: messages that a served site would have sent."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint

from ...domain.ports import Email
from .. import current, render

bp = Blueprint("outbox", __name__)
MOST = 50


@bp.get("/outbox")
def messages() -> Any:
    services = current.services()
    shown = [
        {
            "to": message.to,
            "subject": message.subject if isinstance(message, Email) else None,
            "text": message.text,
            "at": datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
        }
        for message, at in services.delivery.kept(MOST)
    ]
    return render.page("outbox/messages.html", messages=shown)
