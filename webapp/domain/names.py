"""The form in which usernames and e-mail addresses are compared and looked up."""

from __future__ import annotations

import unicodedata


def key_of(name: str) -> str:
    """NFKC (Unicode TR15), trimmed and case-folded: compatibility characters and case make no difference."""
    return unicodedata.normalize("NFKC", name).strip().casefold()
