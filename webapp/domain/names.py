"""How user names and e-mail addresses are compared: as people read them, not as bytes."""

from __future__ import annotations

import unicodedata


def key_of(name: str) -> str:
    """What a user name or an address is looked up by: what looks alike is one (Unicode TR15, NFKC), in any case."""
    return unicodedata.normalize("NFKC", name).strip().casefold()
