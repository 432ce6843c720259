"""The place of a network address, in words."""

from __future__ import annotations

from markupsafe import Markup, escape

from ..domain.language import bidi_isolate
from ..domain.language import gettext as _
from . import current, times

COLON = Markup(":<wbr>")
"""Where a long IPv6 address may be broken."""


def place_of(address: str) -> str:
    """The approximate place according to the operator's places file, else the network address.

    Empty when the address is not stored or was deleted.
    """
    if not address:
        return ""
    near = current.services().places.near(address)
    if near is not None:
        return _("near %(place)s", place=near)
    return address_of(address)


def address_of(address: str) -> str:
    return times.sentence(_("IP address %(address)s"), address=escape(bidi_isolate(address)).replace(":", COLON))
