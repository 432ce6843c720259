"""The public keys of an app (RFC 7517), by which its assertions are verified: stored, or fetched from its address.

What was fetched is kept for some minutes by each process, so that an app that ends a key is obeyed soon. For an unknown
key the set is fetched again, at most once a minute for all requests together.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from ...domain.ports import Refused, ServerRequests, Unreachable
from ...models.registered_apps import RegisteredApp
from ..core import Core
from .signed_proofs import KEY_TYPES, ProofRefused


class KeysUnreachable(ProofRefused):
    """The app's keys could not be fetched from its address."""


@dataclass
class Fetched:
    """What a process has fetched from one address. Times are Unix seconds; None for never."""

    jwks: Any = None
    fetched_at: int | None = None
    tried_at: int | None = None
    lock: Lock = field(default_factory=Lock)


@dataclass(frozen=True, slots=True)
class ClientKeys:
    core: Core
    servers: ServerRequests
    kept: dict[tuple[int, str], Fetched] = field(default_factory=dict)
    """By the app's id and its address."""

    def key_for(self, app: RegisteredApp, header: dict[str, Any]) -> dict[str, Any]:
        """The key that the header means. Raises `ProofRefused` when the app has no such key, and `KeysUnreachable`."""
        uri = app.jwks_uri
        found = matching(app.jwks, header) if uri is None else self._fetched_key(app, uri, header)
        if found is None:
            raise ProofRefused("The app has no key that matches its header.")
        return found

    def _fetched_key(self, app: RegisteredApp, uri: str, header: dict[str, Any]) -> dict[str, Any] | None:
        fetched = self.kept.setdefault((app.id, uri), Fetched())
        found = self._kept_key(fetched, header)
        if found is not None:
            return found
        with fetched.lock:  # several first requests fetch once
            found = self._kept_key(fetched, header)
            if found is None and not self._is_within(fetched.tried_at, self.core.policy.client_keys_again):
                self._fetch(app, uri, fetched)
                found = self._kept_key(fetched, header)
            if found is None and not self._is_young(fetched):
                raise KeysUnreachable("The app's keys could not be fetched from its address.")
            return found

    def _kept_key(self, fetched: Fetched, header: dict[str, Any]) -> dict[str, Any] | None:
        return matching(fetched.jwks, header) if self._is_young(fetched) else None

    def _fetch(self, app: RegisteredApp, uri: str, fetched: Fetched) -> None:
        """Keeps what was known when the address does not answer with a set of keys."""
        fetched.tried_at = self.core.clock.now()
        try:
            answer = self.servers.get(uri, app.private_addresses)
            jwks = json.loads(answer.body) if answer.status == 200 else None
        except (Refused, Unreachable, ValueError, RecursionError):
            return
        if isinstance(jwks, dict) and isinstance(jwks.get("keys"), list):
            fetched.jwks, fetched.fetched_at = jwks, fetched.tried_at

    def _is_young(self, fetched: Fetched) -> bool:
        return self._is_within(fetched.fetched_at, self.core.policy.client_keys_cached)

    def _is_within(self, at: int | None, seconds: int) -> bool:
        return at is not None and abs(self.core.clock.now() - at) < seconds


def matching(jwks: Any, header: dict[str, Any]) -> dict[str, Any] | None:
    """The one key of the set that the header means, None without one. Raises `ProofRefused` when there are several.

    Only with one key for its algorithm may the header leave out `kid` (OpenID Connect Core 1.0 section 10.1).
    """
    found = [key for key in jwks["keys"] if _is_meant(key, header)] if jwks is not None else []
    if len(found) > 1:
        raise ProofRefused("Several of the app's keys match; the header must name one by kid.")
    return found[0] if found else None


def _is_meant(key: Any, header: dict[str, Any]) -> bool:
    if not isinstance(key, dict) or key.get("kty") != KEY_TYPES[header["alg"]]:
        return False
    is_for_it = key.get("use", "sig") == "sig" and key.get("alg", header["alg"]) == header["alg"]
    return is_for_it and ("kid" not in header or key.get("kid") == header["kid"])
