"""The rows of the list of methods, and the facts about a method that is on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import segno

from ..domain.language import gettext as _
from ..domain.moments import day
from ..models.factors import Factor
from ..services.enrollment.common_steps import OVERVIEW
from ..services.method import Method
from ..services.method_kinds import OutOfBand, Several
from . import current, layouts


@dataclass(frozen=True, slots=True)
class Row:
    slug: str
    title: str
    icon: str
    is_on: bool
    facts: Sequence[str]
    """What it is, when it was added and last used; of a method that is off, what it does."""
    url: str | None
    """Its own page when it is on; for one with a list of factors, where the first is added."""
    has_switch: bool
    names: Sequence[str] = ()
    """Of a method that is turned on from a phone: the names of those that are on, for other devices."""
    hint: str = ""
    """How it is turned on from a phone."""
    qr_svg: str = ""
    """The address of this page on the phone."""


def row_of(method: Method) -> Row:
    mine = [f for f in current.user().factors if f.method == method.slug]
    if method.only_on_phones is not None and not layouts.variant().is_phone:
        return _of_phones(method, mine)
    is_list = isinstance(method, Several) and not method.is_this_browser
    shown = method.shown(mine, current.origin())
    url = layouts.page_url("two_factor.method", method=method.slug) if shown else None
    if is_list and not shown:
        url = layouts.page_url("enrollment.step", method=method.slug, step=OVERVIEW.slug)
    facts = _facts(method, shown) if shown else [str(method.overview.what)]
    return Row(method.slug, str(method.title), method.looks.icon, bool(shown), facts, url, not is_list)


def _of_phones(method: Method, phones: Sequence[Factor]) -> Row:
    """What a device that is no phone shows: the phones that are on, and how to turn one on."""
    host = current.services().settings.mobile_host
    assert method.only_on_phones is not None
    url = current.services().settings.mobile_url + layouts.page_url("two_factor.methods")
    title = method.requests_title if isinstance(method, OutOfBand) else method.title
    return Row(
        method.slug,
        str(title),
        method.looks.icon,
        bool(phones),
        _facts(method, phones) if phones else [str(method.looks.elsewhere or method.overview.what)],
        layouts.page_url("two_factor.method", method=method.slug) if phones else None,
        False,
        [f.label for f in phones],
        method.only_on_phones % {"site": host},
        _qr(url),
    )


@lru_cache(maxsize=8)
def _qr(url: str) -> str:
    drawing = segno.make(url, error="m", micro=False)
    return drawing.svg_inline(scale=4, border=4, dark="#000", light="#fff", omitsize=True, svgclass="qr")


def _facts(method: Method, factors: Sequence[Factor]) -> list[str]:
    """In short what it is, when it was added and when it was last used."""
    known, facts = method.looks.known, []
    if known is not None:
        facts.append(known.briefly % {"known": known.of(current.user().account)})
    if len(factors) == 1:
        facts.append(added(factors[0]))
    return [*facts, last_used(max(factors, key=lambda f: f.logged_in_at))]


def added(factor: Factor) -> str:
    return _("Added on %(date)s", date=day(factor.added_at))


def last_used(factor: Factor) -> str:
    used = factor.logged_in_at
    return _("Last used on %(date)s", date=day(used)) if used else _("Not used yet")


def details(method: Method, factor: Factor) -> list[tuple[str, str]]:
    """Label and value of each fact on the method's own page."""
    known, used = method.looks.known, factor.logged_in_at
    facts = [(str(known.label), known.of(current.user().account))] if known is not None else []
    return [
        *facts,
        (_("Last used"), day(used) if used else _("Not used yet")),
        (_("Added"), day(factor.added_at)),
    ]


def replace_label(method: Method) -> str:
    """The label of the link that replaces the factor of the method."""
    label = method.looks.replace
    return str(label) if label is not None else _("Replace %(method)s", method=str(method.title))
