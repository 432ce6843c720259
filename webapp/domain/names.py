"""The form in which usernames and e-mail addresses are compared and looked up."""

from __future__ import annotations

import unicodedata


def key_of(name: str) -> str:
    """NFKC (Unicode TR15), trimmed and case-folded: compatibility characters and case make no difference."""
    return unicodedata.normalize("NFKC", name).strip().casefold()


def log_in_key_of(typed: str) -> str:
    """The key of a name typed at log-in: a username may have an @ in front, as in a mention."""
    key = key_of(typed)
    return key[1:] if key.startswith("@") and "@" not in key[1:] else key
