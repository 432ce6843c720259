"""Rows of the lists of security keys and approving devices, and what a factor of any method is."""

from __future__ import annotations

from dataclasses import dataclass

from ..domain.language import gettext as _
from ..models.factors import Factor
from ..services.method_kinds import Several
from . import current, layouts, times


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    icon: str
    """The name of its drawing in web/icons.py."""
    is_here: bool
    """It is this browser, or on this device."""
    facts: list[str]
    rename_url: str
    delete_url: str
    lacks: str | None
    """The label of the link to `again_url`; None without a link."""
    again_url: str


def dates_of(factor: Factor) -> list[str]:
    """When it was added and last used."""
    used = factor.logged_in_at
    added = times.sentence(_("Added on %(date)s"), date=times.on(factor.added_at))
    return [added, times.sentence(_("Last used on %(date)s"), date=times.on(used)) if used else _("Not used yet")]


def row_of(method: Several, factor: Factor) -> Row:
    lacks = method.lacks(factor, current.origin())
    return Row(
        name=factor.label,
        icon=method.icon_of(factor),
        is_here=method.is_here(factor, current.origin()),
        facts=[*method.describe(factor, current.origin()), *dates_of(factor)],
        rename_url=layouts.page_url("named_factors.rename", method=method.slug, factor=factor.id),
        delete_url=layouts.page_url("named_factors.delete", method=method.slug, factor=factor.id),
        lacks=str(lacks) if lacks is not None else None,
        again_url=layouts.page_url("enrollment.step", method=method.slug, step=method.first_step),
    )
