"""The public keys of an app (RFC 7517), by which its assertions are verified."""

from __future__ import annotations

from typing import Any

from ...models.registered_apps import RegisteredApp
from .signed_proofs import KEY_TYPES, ProofRefused


class KeysUnreachable(ProofRefused):
    """The app's keys could not be fetched from its address."""


def matching(jwks: Any, header: dict[str, Any]) -> dict[str, Any] | None:
    """The one key of the set that the header means, None without one. Raises `ProofRefused` when there are several.

    Only with one key for its algorithm may the header leave out `kid` (OpenID Connect Core 1.0 section 10.1).
    """
    keys = jwks.get("keys") if isinstance(jwks, dict) else None
    found = [key for key in keys if _is_meant(key, header)] if isinstance(keys, list) else []
    if len(found) > 1:
        raise ProofRefused("Several of the app's keys match; the header must name one by kid.")
    return found[0] if found else None


def _is_meant(key: Any, header: dict[str, Any]) -> bool:
    if not isinstance(key, dict) or key.get("kty") != KEY_TYPES[header["alg"]]:
        return False
    is_for_it = key.get("use", "sig") == "sig" and key.get("alg", header["alg"]) == header["alg"]
    return is_for_it and ("kid" not in header or key.get("kid") == header["kid"])


def key_for(app: RegisteredApp, header: dict[str, Any]) -> dict[str, Any]:
    """Raises `ProofRefused` when the app has no such key."""
    found = matching(app.jwks, header)
    if found is None:
        raise ProofRefused("The app has no key that matches its header.")
    return found
