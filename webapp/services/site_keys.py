"""Random keys of the whole site, each made once, and sealed in the database.

They are resealed with everything else. Hashes under a key of the settings would be lost when that key is removed.
"""

from __future__ import annotations

from sqlalchemy import insert, select

from ..models.database import Transaction
from ..models.names import SiteKey, site_key_bound
from .core import Core

KEY_BYTES = 32


def site_key(core: Core, tx: Transaction, name: str) -> bytes | None:
    """The key with this name; None while there is none."""
    sealed = tx.scalar(select(SiteKey.sealed).where(SiteKey.name == name))
    return bytes.fromhex(core.keyring.open(sealed, site_key_bound(name))) if sealed else None


def ensure_site_key(core: Core, tx: Transaction, name: str, fresh: bytes) -> bytes:
    """The key with this name. If there is none, it is `fresh`, `KEY_BYTES` at random: of several transactions at once,
    one stores its own, and the others get that."""
    core.db.serialize(tx, site_key_bound(name))
    stored = site_key(core, tx, name)
    if stored is not None:
        return stored
    sealed = core.keyring.seal(fresh.hex(), site_key_bound(name))
    tx.execute(insert(SiteKey).values(name=name, sealed=sealed))
    return fresh
