"""The forms of addresses that an app may have. They are compared as they are stored, so only one form is accepted.

Redirect addresses: RFC 6749 section 3.1.2, RFC 8252 sections 7.1 and 7.3, RFC 9700 section 2.1.
"""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

import idna

from .app_refusals import (
    CREDENTIALS,
    FRAGMENT,
    MALFORMED,
    NOT_HTTPS,
    OURS,
    SCHEME,
    WILDCARD,
    AddressRefused,
    HostRefused,
    NetworkMalformed,
    OriginRefused,
    RedirectAddressRefused,
    ResourceRefused,
    SectorRefused,
)

LONGEST = 2000  # characters
OWN_PORTS = {"https": 443, "http": 80}
"""Which browsers omit."""
DEVELOPMENT = ".localhost"
"""Names under it are always this machine (RFC 6761 section 6.3)."""
SCHEMES = re.compile(r"[a-z][a-z0-9+.-]*")  # RFC 3986 section 3.1
HOST = re.compile(r"(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


def redirect_address(
    text: str, *, private_schemes: bool, refused: type[AddressRefused] = RedirectAddressRefused
) -> str:
    """The address as it was entered, without spaces around it. Raises an `AddressRefused` of the type `refused`.

    With `private_schemes` it may have a scheme of an installed app, which needs a dot (RFC 8252 section 7.1).
    """
    address, parts = _parsed(text, refused)
    if parts.scheme in OWN_PORTS:
        return _web_address(address, parts, refused)
    if not private_schemes:
        raise refused(address, NOT_HTTPS)
    if "." not in parts.scheme:
        raise refused(address, SCHEME)
    if address == f"{parts.scheme}:":
        raise refused(address, MALFORMED)
    return address


def server_address(text: str, refused: type[AddressRefused]) -> str:
    """An address that this site itself calls: https, or http on this machine. Raises the given refusal."""
    address, parts = _parsed(text, refused)
    return _web_address(address, parts, refused)


def web_origin(text: str) -> str:
    """Scheme, host and port as browsers write them in `Origin` (RFC 6454 section 6.2). Raises `OriginRefused`."""
    address, parts = _parsed(text, OriginRefused)
    _web_address(address, parts, OriginRefused)
    if parts.path not in ("", "/") or parts.query:
        raise OriginRefused(address, MALFORMED)
    return _origin(parts)


def resource(text: str) -> str:
    """An absolute URI without a fragment (RFC 8707 section 2). Raises `ResourceRefused`."""
    address, parts = _parsed(text, ResourceRefused)
    if parts.scheme in OWN_PORTS:
        return _web_address(address, parts, ResourceRefused)
    if address == f"{parts.scheme}:":
        raise ResourceRefused(address, MALFORMED)
    return address


def network(text: str) -> str:
    """A network such as 10.0.0.0/8, or one address. Raises `NetworkMalformed`."""
    try:
        return str(ip_network(text.strip()))
    except ValueError:
        raise NetworkMalformed(text.strip()) from None


def guarded_host(text: str, ours: tuple[str, ...]) -> str:
    """The host in lower case, with a port that is not its scheme's own. Raises `HostRefused`.

    Names under .localhost have http, all others https. `ours` are the hosts of this site, without their ports.
    """
    name, _, port = text.strip().lower().rpartition(":") if ":" in text else (text.strip().lower(), "", "")
    name = _ascii(name, HostRefused, text)
    if name in ours:
        raise HostRefused(text.strip(), OURS)
    if ":" not in text:
        return name
    if not re.fullmatch("[0-9]{1,5}", port) or not 0 < int(port) < 65536:
        raise HostRefused(text.strip(), MALFORMED)
    scheme = "http" if name.endswith(DEVELOPMENT) else "https"
    return name if int(port) == OWN_PORTS[scheme] else f"{name}:{int(port)}"


def sector(text: str) -> str:
    """A host name without a port (OpenID Connect Core 1.0 section 8.1). Raises `SectorRefused`."""
    return _ascii(text.strip().lower(), SectorRefused, text)


def host_of(address: str) -> str | None:
    """The host in an address that was accepted, without its port; None for an address of an installed app."""
    parts = urlsplit(address)
    return parts.hostname if parts.scheme in OWN_PORTS else None


def origin_of(address: str) -> str | None:
    """The origin of an address that was accepted, as browsers write it; None for an address of an installed app."""
    parts = urlsplit(address)
    return _origin(parts) if parts.scheme in OWN_PORTS else None


def names_this_machine(host: str) -> bool:
    """True for an address or name of the same machine (RFC 8252 section 7.3, RFC 6761 section 6.3)."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(DEVELOPMENT)


def _parsed(text: str, refused: type[AddressRefused]) -> tuple[str, SplitResult]:
    address = text.strip()
    if not address or len(address) > LONGEST or "\\" in address or any(not 32 < ord(c) < 127 for c in address):
        raise refused(address, MALFORMED)
    if "*" in address:
        raise refused(address, WILDCARD)
    if "#" in address:
        raise refused(address, FRAGMENT)
    try:
        parts = urlsplit(address)
        parts.port  # noqa: B018  # raises ValueError for a port that is no number
    except ValueError:
        raise refused(address, MALFORMED) from None
    if not SCHEMES.fullmatch(parts.scheme) or not address.startswith(f"{parts.scheme}:"):
        raise refused(address, MALFORMED)
    return address, parts


def _web_address(address: str, parts: SplitResult, refused: type[AddressRefused]) -> str:
    if parts.username is not None or parts.password is not None:
        raise refused(address, CREDENTIALS)
    if parts.scheme not in OWN_PORTS:
        raise refused(address, NOT_HTTPS)
    if not parts.hostname or not _is_host(parts.hostname):
        raise refused(address, MALFORMED)
    if parts.scheme == "http" and not names_this_machine(parts.hostname):
        raise refused(address, NOT_HTTPS)
    return address


def _is_host(name: str) -> bool:
    try:
        return bool(ip_address(name))
    except ValueError:
        return HOST.fullmatch(name) is not None


def _origin(parts: SplitResult) -> str:
    name = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    port = "" if parts.port in (None, OWN_PORTS[parts.scheme]) else f":{parts.port}"
    return f"{parts.scheme}://{name}{port}"


def _ascii(name: str, refused: type[AddressRefused], text: str) -> str:
    """The host name in the ASCII form that browsers send (RFC 5891 section 4)."""
    try:
        encoded = idna.encode(name, uts46=True).decode() if not name.isascii() else name
    except idna.IDNAError:
        raise refused(text.strip(), MALFORMED) from None
    if not HOST.fullmatch(encoded):
        raise refused(text.strip(), MALFORMED)
    return encoded
