"""Phone numbers as they are stored: sealed, and bound to the row that they belong to."""

from __future__ import annotations

from ..domain.ports import Keyring


def unsealed(keyring: Keyring, account_id: int, sealed: str | None) -> str | None:
    """The number of an account; None without one, or when the key that sealed it is missing."""
    try:
        return keyring.open(sealed, phone_bound(account_id)) if sealed is not None else None
    except ValueError:
        return None


def phone_bound(account_id: int) -> str:
    """What the sealed number of an account is bound to."""
    return f"account:{account_id}:phone"


def target_bound(account_id: int, challenge: str) -> str:
    """What the sealed number of a code is bound to."""
    return f"account:{account_id}:code:{challenge}"
