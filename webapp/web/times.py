"""Times on pages: <time> elements, in UTC until the script of the page shows them in the zone of its reader."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup, escape

from ..domain.moments import day, machine, minute


def at(seconds: int) -> Markup:
    """A date and a time, for use inside a sentence."""
    return Markup('<time datetime="{}">{}</time>').format(machine(seconds), minute(seconds))


def ago(seconds: int, within: bool = False) -> Markup:
    """As `at`, standing alone: the script shows "2 minutes ago" or "Today at 2:05 PM".

    `within`: after other words, such as "Logged in", so the script shows "today at 2:05 PM".
    """
    place = "within" if within else ""
    return Markup('<time datetime="{}" data-ago="{}">{}</time>').format(machine(seconds), place, minute(seconds))


def on(seconds: int) -> Markup:
    """A date without a time, for use inside a sentence."""
    return Markup('<time datetime="{}" data-day>{}</time>').format(machine(seconds), day(seconds))


def sentence(words: str, **values: Any) -> Markup:
    """A translated sentence with its placeholders filled in. Only values made by this module are not escaped.

    A date that ends in a full stop, as in Serbian, has none before that of the sentence.
    """
    return (escape(words) % values).replace(Markup(".</time>."), Markup("</time>."))
