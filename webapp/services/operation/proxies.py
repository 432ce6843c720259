"""Remembers that forwarded requests arrive at a site that trusts no proxy, so that `flask check` can say so.

Behind a proxy every client would then count as that proxy, and the limits of one client would be those of all.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...models.site_values import set_site_value, site_value
from ...policy import DAY
from ..core import Core

FORWARDED_AT = "forwarded-at"


@dataclass(frozen=True, slots=True)
class Proxies:
    core: Core

    def mark(self) -> None:
        """Stores the time of a request with X-Forwarded-For. Raises `DatabaseUnavailable`."""
        with self.core.db.write(durable=False) as tx:
            set_site_value(tx, FORWARDED_AT, self.core.clock.now())

    def sends_forwarded(self) -> bool:
        """True when such a request came in the last day. Raises `DatabaseUnavailable`."""
        with self.core.db.read() as tx:
            return self.core.is_within(site_value(tx, FORWARDED_AT), DAY)
