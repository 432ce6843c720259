"""What the settings show of a method: whether it is on, what it is then, and where it is managed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

from ..domain import lists
from ..domain.language import bidi_isolate
from ..domain.language import gettext as _
from ..domain.qr_codes import qr_code
from ..models.factors import Factor
from ..services.enrollment.common_steps import OVERVIEW
from ..services.method import Method
from ..services.method_kinds import Several
from . import current, layouts
from .factor_rows import dates_of

SWITCH: Final = "switch"
"""A checkbox that begins its setup or turns it off."""
LINK: Final = "link"
"""Its factors have a list of their own."""
ELSEWHERE: Final = "elsewhere"
"""It is turned on and off on another device."""
Kind = Literal["switch", "link", "elsewhere"]


@dataclass(frozen=True, slots=True)
class MethodRow:
    slug: str
    title: str
    icon: str
    kind: Kind
    is_on: bool
    facts: list[str]
    """What it is while it is on: the number's end, when added, when last used; or the names of its devices."""
    note: str
    """What it is in general, while it is off; how another device turns it on."""
    url: str
    """Its own page while it is on, else its setup; of one with a list always the setup."""
    list_title: str = ""
    list_url: str = ""
    """The list of its factors, where there is one."""
    qr_svg: str = ""
    """The address where another device turns it on."""
    qr_text: str = ""


def has_list(method: Method) -> bool:
    """True for a method with a list of named factors of its own."""
    return isinstance(method, Several) and not method.is_this_browser


def list_url(slug: str) -> str:
    """The path of the list of a method's named factors."""
    return layouts.page_url("named_factors.listed", method=slug)


def shown(method: Method) -> Sequence[Factor]:
    """The user's factors of the method that the settings can turn off here."""
    return method.shown(all_of(method), current.origin())


def all_of(method: Method) -> list[Factor]:
    """The user's factors of the method that are on."""
    return current.user().factors_of(method.slug)


def is_elsewhere(method: Method) -> bool:
    return method.only_on_phones is not None and not layouts.variant().is_phone


def row_of(method: Method) -> MethodRow:
    if is_elsewhere(method):
        return _elsewhere(method)
    factors, is_list = shown(method), has_list(method)
    url = layouts.page_url("enrollment.start", method=method.slug)
    if is_list and factors:
        url = list_url(method.slug)
    elif not factors:
        start = OVERVIEW.slug if is_list else method.steps()[0].slug
        url = layouts.page_url("enrollment.step", method=method.slug, step=start)
    return MethodRow(
        slug=method.slug,
        title=str(method.title),
        icon=method.icon,
        kind=LINK if is_list else SWITCH,
        is_on=bool(factors),
        facts=facts_of(method, factors),
        note="" if factors else _note(method),
        url=url,
    )


def facts_of(method: Method, factors: Sequence[Factor]) -> list[str]:
    """What the method is while it is on; empty while it is off."""
    if not factors:
        return []
    if has_list(method):
        return lists.shortened([factor.label for factor in factors])
    detail = factors[0].label or method.detail(current.user().account)
    return [*([detail] if detail else []), *dates_of(factors[0])]


def _note(method: Method) -> str:
    """Of a method that is off here: what it is, and where it is on."""
    what, elsewhere = str(method.overview.what), [bidi_isolate(factor.label) for factor in all_of(method)]
    if not elsewhere:
        return what
    devices = lists.all_of(lists.shortened(elsewhere))
    return " ".join((what, _("It is on for %(devices)s.", devices=devices)))


def _elsewhere(method: Method) -> MethodRow:
    """The row on a device that cannot turn the method on."""
    settings, factors = current.services().settings, all_of(method)
    list_title = url = ""
    if factors and isinstance(method, Several):
        list_title, url = str(method.list_title), list_url(method.slug)
    return MethodRow(
        slug=method.slug,
        title=str(method.general_title),
        icon=method.icon,
        kind=ELSEWHERE,
        is_on=bool(factors),
        facts=lists.shortened([factor.label for factor in factors]),
        note=str(method.only_on_phones) % {"site": settings.mobile_host},
        url="",
        list_title=list_title,
        list_url=url,
        qr_svg=_drawn(f"{settings.mobile_url}{layouts.page_url('two_factor.methods')}"),
        qr_text=_("QR code of the address of this page on your phone"),
    )


@cache
def _drawn(address: str) -> str:
    """Once in a process: the address is always the same, and a drawing takes as long as a password hash."""
    return qr_code(address)
