"""Sentences about the events of an account, as pages show them."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from ..domain.language import gettext
from ..services.notices import msgid_for, values_for
from . import times


def happened(kind: str, details: dict[str, Any]) -> Markup:
    """The sentence for an event in the current language, with its times as `<time>` elements."""
    values = values_for(kind, details)
    if "until" in details:
        values["until"] = times.at(details["until"])
    return times.sentence(gettext(msgid_for(kind)), **values)
