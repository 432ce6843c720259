"""Which network addresses this site may call when an app names one: an app must not make it call what is inside.

Sources: the special-purpose registries of IANA (RFC 6890), which `ipaddress` has, and ASVS V13.2.4.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

TRANSLATED = IPv6Network("64:ff9b::/96")
"""IPv4 addresses as a network with IPv6 only reaches them (RFC 6052 section 2.1)."""
SPECIAL = tuple(map(ip_network, ("192.0.0.0/24", "192.88.99.0/24", "3fff::/20")))
"""In the registries too, but not in `ipaddress` of every Python: RFC 6890 section 2.1, RFC 7526, RFC 9637."""


def is_allowed(address: str, networks: Sequence[str]) -> bool:
    """True for a public address, and for a private one that is in one of the `networks`, such as 10.0.0.0/8.

    An IPv4 address inside of an IPv6 address is judged as the IPv4 address. Raises `ValueError` for a text that is no
    address.
    """
    judged = _inner(ip_address(address))
    return is_public(judged) or any(judged in ip_network(network) for network in networks)


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """False for this machine, private, shared and link-local networks, multicast and what is reserved."""
    is_special = address.is_multicast or address.is_reserved or address.is_unspecified or address.is_loopback
    is_local = address.is_link_local or (isinstance(address, IPv6Address) and address.is_site_local)
    is_listed = any(address in network for network in SPECIAL)
    return address.is_global and not is_special and not is_local and not is_listed


def is_loopback(address: str) -> bool:
    """True for an address of this machine. Raises `ValueError` for a text that is no address."""
    return _inner(ip_address(address)).is_loopback


def _inner(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    if isinstance(address, IPv4Address):
        return address
    if address in TRANSLATED:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
