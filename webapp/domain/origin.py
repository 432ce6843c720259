"""Where a request came from, for rate limits, notices and the activity."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network

DEVICE_MAXIMUM = 300
"""How many characters of the User-Agent header are stored."""


@dataclass(frozen=True, slots=True)
class Origin:
    """`address` is the client's network address, after trusted proxies; `user_agent` is the header of that name.

    `host` is the host that serves the page, without its port: a texted code names it. `browser` is the random id in a
    browser's cookie: it tells browsers apart, and proves nothing.
    """

    address: str
    user_agent: str = ""
    host: str = ""
    browser: str = ""
    languages: str = ""
    """The Accept-Language header (RFC 9110 section 12.5.4)."""
    external_ids: frozenset[str] = frozenset()
    """The values of `Factor.external_id` for which this browser has a token, as an approving device."""

    @property
    def device(self) -> str:
        """The stored part of `user_agent`."""
        return self.user_agent[:DEVICE_MAXIMUM]

    @property
    def network(self) -> str:
        """The /24 of an IPv4 address, or the /48 of an IPv6 one: many addresses of it can belong to one person."""
        try:
            address = ip_address(self.address)
        except ValueError:
            return self.address
        if isinstance(address, IPv6Address):
            if address.ipv4_mapped is None:
                return str(ip_network((address, 48), strict=False))
            address = address.ipv4_mapped
        return str(ip_network((address, 24), strict=False))

    @property
    def rate_limit_key(self) -> str:
        """What rate limits count by: an IPv4 address, or the /64 network of an IPv6 one, which one subscriber has."""
        try:
            address = ip_address(self.address)
        except ValueError:
            return self.address
        if isinstance(address, IPv6Address):
            if address.ipv4_mapped:
                return str(address.ipv4_mapped)
            return str(ip_network((address, 64), strict=False))
        return str(address)
