"""Checks of push subscriptions: which push services may be called, and the form of the keys (RFC 8030, RFC 8291).

The browser chooses the URL that the server calls, so it is checked when it is stored and again before each call.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey

from .base64url import as_bytes
from .request_refusals import SubscriptionRefused

ENDPOINT_MAXIMUM = 1000
AUTH_BYTES = 16  # RFC 8291 section 3.2
UNCOMPRESSED = 4  # the first byte of an uncompressed point, RFC 8291 section 3.1


@dataclass(frozen=True, slots=True)
class PushHosts:
    """The push services that may be called.

    Patterns are push.example.org, *.push.example.org or a literal host:port; only the last allows http and loopback.
    """

    patterns: Sequence[str]

    def allows(self, endpoint: str) -> bool:
        if len(endpoint) > ENDPOINT_MAXIMUM or not re.fullmatch(r"[!-~]+", endpoint) or "\\" in endpoint:
            return False
        try:
            parts = urlsplit(endpoint)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            return False
        if parts.scheme not in ("http", "https") or "@" in parts.netloc or parts.fragment or not host:
            return False
        if port is not None and f"{host}:{port}" in self.patterns:
            return True
        return parts.scheme == "https" and port in (None, 443) and self._is_named(host)

    def _is_named(self, host: str) -> bool:
        if is_inside(host):
            return False
        return any(
            host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern for pattern in self.patterns
        )


def is_inside(host: str) -> bool:
    """True for an IP address, and for the names of the loopback interface (RFC 6761 section 6.3)."""
    try:
        ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return True


def read_subscription(text: str, hosts: PushHosts) -> str:
    """Checks what PushSubscription.toJSON() made; returns its endpoint and keys as JSON, as they are stored.

    Raises `SubscriptionRefused`.
    """
    try:
        subscription: Any = json.loads(text)
        endpoint, keys = subscription["endpoint"], subscription["keys"]
        point, auth = _bytes(keys["p256dh"]), _bytes(keys["auth"])
    except (ValueError, TypeError, KeyError, RecursionError):
        raise SubscriptionRefused() from None
    if not isinstance(endpoint, str) or not hosts.allows(endpoint) or len(auth) != AUTH_BYTES or not _is_point(point):
        raise SubscriptionRefused()
    return json.dumps({"endpoint": endpoint, "keys": {"p256dh": keys["p256dh"], "auth": keys["auth"]}})


def _bytes(coded: str) -> bytes:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,100}={0,2}", coded):
        raise ValueError
    return as_bytes(coded)


def _is_point(raw: bytes) -> bool:
    """True for an uncompressed point on the curve. A point off the curve would leak bits of our ephemeral key."""
    try:
        EllipticCurvePublicKey.from_encoded_point(SECP256R1(), raw)
    except ValueError:
        return False
    return raw[0] == UNCOMPRESSED
