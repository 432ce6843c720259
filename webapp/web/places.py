"""Where something came from, in words."""

from __future__ import annotations

from ..domain.language import gettext as _
from ..domain.language import upright


def place_of(address: str) -> str:
    """What is known of the place: the network address for now. A file of places would be asked here and nowhere else.

    Empty when the address is not known, or not any more.
    """
    return _("network address %(address)s", address=upright(address)) if address else ""
