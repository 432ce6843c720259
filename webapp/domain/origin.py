"""Where a request came from, as far as the product cares."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network

DEVICE_MAXIMUM = 300
"""How much of what a browser says of itself is kept, in characters."""


@dataclass(frozen=True, slots=True)
class Origin:
    """`address` is the client's, after trusted proxies; `user_agent` is what the browser says of itself.

    `host` is the one that shows the page, without its port: a texted code names it. `browser` is the random name
    of one that logged in here before: it tells this device from others, and proves nothing.
    """

    address: str
    user_agent: str = ""
    host: str = ""
    browser: str = ""
    languages: str = ""
    """The Accept-Language header (RFC 9110 section 12.5.4)."""
    external_ids: frozenset[str] = frozenset()
    """What this very browser is as a factor (`Factor.external_id`), by tokens that only it holds."""

    @property
    def device(self) -> str:
        """What is kept of `user_agent`."""
        return self.user_agent[:DEVICE_MAXIMUM]

    @property
    def rate_limit_key(self) -> str:
        """What limits count: the address, or the /64 of an IPv6 one, which one household shares."""
        try:
            address = ip_address(self.address)
        except ValueError:
            return self.address
        if isinstance(address, IPv6Address):
            if address.ipv4_mapped:
                return str(address.ipv4_mapped)
            return str(ip_network((address, 64), strict=False))
        return str(address)
