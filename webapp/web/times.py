"""Times on pages: <time> elements, in UTC until the script of the page shows them in the zone of its reader."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup, escape

from ..domain.moments import machine, minute


def at(seconds: int) -> Markup:
    """A date and a time, for use inside a sentence."""
    return Markup('<time datetime="{}">{}</time>').format(machine(seconds), minute(seconds))


def ago(seconds: int) -> Markup:
    """As `at`, standing alone: the script shows "2 minutes ago" or "Today at 2:05 PM"."""
    return Markup('<time datetime="{}" data-ago>{}</time>').format(machine(seconds), minute(seconds))


def ago_within(seconds: int) -> Markup:
    """As `ago`, after a word such as "Last seen": the script shows "today at 2:05 PM"."""
    return Markup('<time datetime="{}" data-ago="within">{}</time>').format(machine(seconds), minute(seconds))


def sentence(words: str, **values: Any) -> Markup:
    """A translated sentence with its placeholders filled in. Only values made by this module are not escaped."""
    return escape(words) % values
