"""The place of a network address, in words."""

from __future__ import annotations

from ..domain.language import bidi_isolate
from ..domain.language import gettext as _
from . import current


def place_of(address: str) -> str:
    """The approximate place according to the operator's places file, else the network address.

    Empty when the address is not stored or was deleted.
    """
    if not address:
        return ""
    near = current.services().places.near(address)
    if near is not None:
        return _("near %(place)s", place=near)
    return _("IP address %(address)s", address=bidi_isolate(address))
