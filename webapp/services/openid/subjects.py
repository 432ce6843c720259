"""By what an app knows an account and a session: keyed hashes, which tell nothing to others.

The key is random, sealed in the database and resealed with everything else: under a key of the settings, every account
would be another one to every app when that key is removed.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from hashlib import sha256

from sqlalchemy import insert, select

from ...models.database import Transaction
from ...models.names import SiteKey, site_key_bound
from ...models.registered_apps import PUBLIC_SUBJECT, RegisteredApp
from ..core import Core

NAME = "subjects"
KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Subjects:
    core: Core
    kept: dict[str, bytes] = field(default_factory=dict)
    """The key, once it was read: it never changes."""

    def of(self, app: RegisteredApp, account_id: int) -> str:
        """The `sub` of the account for the app: another one for each sector, unless the app has public subjects
        (OpenID Connect Core 1.0 section 8)."""
        sector = "" if app.subject_type == PUBLIC_SUBJECT else app.sector
        return self._hash(f"account\0{sector}\0{account_id}")

    def session(self, app: RegisteredApp, session_id: int) -> str:
        """The `sid` of the session for the app."""
        return self._hash(f"session\0{app.client_id}\0{session_id}")

    def ready(self) -> None:
        """Reads the key, or makes it. Must come before a transaction in which a subject is told."""
        self._key()

    def _hash(self, text: str) -> str:
        return hmac.new(self._key(), text.encode(), sha256).hexdigest()

    def _key(self) -> bytes:
        kept = self.kept.get(NAME)
        if kept is None:
            with self.core.db.read() as tx:
                kept = self._stored(tx)
            self.kept[NAME] = kept = kept or self._make()
        return kept

    def _stored(self, tx: Transaction) -> bytes | None:
        sealed = tx.scalar(select(SiteKey.sealed).where(SiteKey.name == NAME))
        return bytes.fromhex(self.core.keyring.open(sealed, site_key_bound(NAME))) if sealed else None

    def _make(self) -> bytes:
        """One of several processes makes it; the others read it."""
        fresh = self.core.entropy.bytes(KEY_BYTES)
        with self.core.db.write() as tx:
            self.core.db.serialize(tx, f"site-key:{NAME}")
            stored = self._stored(tx)
            if stored is None:
                sealed = self.core.keyring.seal(fresh.hex(), site_key_bound(NAME))
                tx.execute(insert(SiteKey).values(name=NAME, sealed=sealed))
        return stored or fresh
