"""The web origins of public apps: their scripts may read what the provider answers (CORS)."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from ...domain.app_addresses import origin_of
from ...models.registered_apps import PUBLIC, RegisteredApp
from ..core import Core


@dataclass(frozen=True, slots=True)
class Origins:
    core: Core

    def is_of_public_app(self, origin: str) -> bool:
        """True for an origin (RFC 6454 section 6.1) that the operator named, or that a redirect address has."""
        row = RegisteredApp
        with self.core.db.read() as tx:
            found = tx.execute(select(row.origins, row.redirect_uris).where(row.kind == PUBLIC)).all()
        return any(origin in origins or origin in map(origin_of, uris) for origins, uris in found)
