"""Where a request came from, for rate limits, notices and the activity."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

DEVICE_MAXIMUM = 300
"""How many characters of the User-Agent header are stored."""
WITH_PORT = re.compile(r"\[([^\]]+)\](?::\d+)?|([^:]+):\d+")
"""An IPv6 address in brackets, with or without a port, or an IPv4 address with one (RFC 7239 section 6)."""


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
    def rate_limit_key(self) -> str:
        """What rate limits count by: an IPv4 address, or the /64 network of an IPv6 one, which one subscriber has."""
        return _shortened(self.address, 32, 64).removesuffix("/32")

    @property
    def network(self) -> str:
        """The /24 network of an IPv4 address or the /48 of an IPv6 one: what one site or provider's customer has."""
        return _shortened(self.address, 24, 48)


NO_BROWSER = Origin("", "")
"""Of what the operator or the worker does."""


def address_in(entry: str) -> str | None:
    """The address in an entry of X-Forwarded-For, without quotes, brackets and port; None when there is none."""
    text = entry.strip().strip('"').strip()
    found = WITH_PORT.fullmatch(text)
    address = _parsed((found[1] or found[2]) if found else text)
    return str(address) if address is not None else None


@lru_cache(maxsize=1024)
def _shortened(text: str, ipv4: int, ipv6: int) -> str:
    """Kept for the addresses of most requests: one log-in asks five times."""
    address = _parsed(text)
    if address is None:
        return text
    return str(ip_network((address, ipv4 if isinstance(address, IPv4Address) else ipv6), strict=False))


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    """An IPv4 address inside an IPv6 one (RFC 4291 section 2.5.5.2) is the IPv4 address; a zone id is dropped."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped if isinstance(address, IPv6Address) else None) or address
