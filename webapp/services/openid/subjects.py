"""By what an app knows an account and a session: keyed hashes, which tell nothing to others.

Their key is one of `site_keys`: with another key, every account would be another one to every app.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from hashlib import sha256

from ...models.registered_apps import PUBLIC_SUBJECT, RegisteredApp
from ..core import Core
from ..site_keys import KEY_BYTES, ensure_site_key, site_key

NAME = "subjects"


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
                kept = site_key(self.core, tx, NAME)
            if kept is None:
                fresh = self.core.entropy.bytes(KEY_BYTES)
                with self.core.db.write() as tx:
                    kept = ensure_site_key(self.core, tx, NAME, fresh)
            self.kept[NAME] = kept
        return kept
