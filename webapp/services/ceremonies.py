"""The two ceremonies of WebAuthn Level 3: what a browser is asked, and whether its answer counts.

A challenge is kept nowhere: it says when it was drawn and holds a keyed hash of what it is for, so that no other
browser, account or ceremony can use it. That each is used once is the caller's to see to: it spends it as a try.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest
from typing import Any, TypeVar

from ..domain.base64url import as_bytes, as_text
from ..domain.key_refusals import CeremonyExpired, KeyRefused, NoCredential
from .core import Core

TIME_BYTES, CHANCE_BYTES, HASH_BYTES = 4, 12, 16
ES256, EDDSA, RS256 = -7, -8, -257  # RFC 9053, RFC 8812
TRANSPORTS = ("usb", "nfc", "ble", "smart-card", "hybrid", "internal")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Registered:
    """A new key. Bytes are in base64url, as browsers have them."""

    id: str
    public_key: str
    count: int
    model: str
    """Its AAGUID."""
    transports: list[str]
    syncs: bool
    """It may be copied to the other devices of who holds it; `synced` says that it was."""
    synced: bool
    verified: bool
    """It checked who holds it."""


@dataclass(frozen=True, slots=True)
class Asserted:
    """A key that answered rightly."""

    count: int
    syncs: bool
    synced: bool
    verified: bool
    user: str | None
    """The user handle it gave, if any."""


@dataclass(frozen=True, slots=True)
class Ceremonies:
    core: Core
    site_name: str
    rp_id: str
    """The main host's name, for good: a key is bound to it."""
    origins: Sequence[str]
    """The two from which a key may answer."""

    def draw(self, name: str) -> bytes:
        """32 bytes for the ceremony `name`, such as log-in:12, and for the next five minutes (section 13.4.3)."""
        drawn = self.core.clock.now().to_bytes(TIME_BYTES, "big") + self.core.entropy.bytes(CHANCE_BYTES)
        return drawn + _digest(self.core.keyring.mac(drawn.hex(), _bound(name)))

    def creation(self, name: str, user: str, username: str, display: str, mine: Sequence[dict[str, Any]]) -> Any:
        """PublicKeyCredentialCreationOptionsJSON. `user` is a handle in base64url, `mine` are descriptors."""
        return {
            "rp": {"id": self.rp_id, "name": self.site_name},
            "user": {"id": user, "name": username, "displayName": display},
            "challenge": as_text(self.draw(name)),
            "pubKeyCredParams": [{"type": "public-key", "alg": alg} for alg in (ES256, EDDSA, RS256)],
            "timeout": self.core.policy.ceremony_seconds * 1000,
            "excludeCredentials": list(mine),
            "authenticatorSelection": {"residentKey": "preferred", "userVerification": "preferred"},
            "attestation": "none",
            "extensions": {"credProps": True},
        }

    def request(self, name: str, mine: Sequence[dict[str, Any]]) -> Any:
        """PublicKeyCredentialRequestOptionsJSON. With none of `mine`, a key must know whose it is, and check it."""
        return {
            "rpId": self.rp_id,
            "challenge": as_text(self.draw(name)),
            "timeout": self.core.policy.ceremony_seconds * 1000,
            "userVerification": "preferred" if mine else "required",
            "allowCredentials": list(mine),
        }

    def registered(self, answer: str, name: str) -> Registered:
        """Section 7.1. Raises `NoKeyAnswer`, `KeyRefused` or `CeremonyOver`."""
        from webauthn import verify_registration_response  # 60 ms that only a key's pages need
        from webauthn.helpers.cose import COSEAlgorithmIdentifier

        challenge = self._demand(answer, name)
        key = _trusted(
            lambda: verify_registration_response(
                credential=answer,
                expected_challenge=challenge,
                expected_rp_id=self.rp_id,
                expected_origin=list(self.origins),
                supported_pub_key_algs=[COSEAlgorithmIdentifier(alg) for alg in (ES256, EDDSA, RS256)],
            )
        )
        if len(key.credential_id) > self.core.policy.credential_id_bytes:
            raise KeyRefused()
        said = json.loads(answer)["response"].get("transports")
        return Registered(
            id=as_text(key.credential_id),
            public_key=as_text(key.credential_public_key),
            count=key.sign_count,
            model=key.aaguid,
            transports=[way for way in TRANSPORTS if isinstance(said, list) and way in said],
            syncs=key.credential_device_type == "multi_device",
            synced=key.credential_backed_up,
            verified=key.user_verified,
        )

    def asserted(self, answer: str, name: str, public_key: str) -> Asserted:
        """Section 7.2, but for the count, which is compared where it is kept. Raises as `registered` does."""
        from webauthn import verify_authentication_response

        challenge = self._demand(answer, name)
        seen = _trusted(
            lambda: verify_authentication_response(
                credential=answer,
                expected_challenge=challenge,
                expected_rp_id=self.rp_id,
                expected_origin=list(self.origins),
                credential_public_key=as_bytes(public_key),
                credential_current_sign_count=0,
            )
        )
        return Asserted(
            count=seen.new_sign_count,
            syncs=seen.credential_device_type == "multi_device",
            synced=seen.credential_backed_up,
            verified=seen.user_verified,
            user=json.loads(answer)["response"].get("userHandle"),
        )

    def _demand(self, answer: str, name: str) -> bytes:
        """The challenge that was answered: drawn here, for this, in this place and not too long ago."""
        data = _client_data(answer)
        if data.get("crossOrigin") or "topOrigin" in data:
            raise KeyRefused()  # our pages stand in nobody's frame
        challenge = challenge_in(answer)
        drawn, digest = challenge[:-HASH_BYTES], challenge[-HASH_BYTES:]
        expected = [_digest(mac) for mac in self.core.keyring.macs(drawn.hex(), _bound(name))]
        age = self.core.clock.now() - int.from_bytes(drawn[:TIME_BYTES], "big")
        if not any(compare_digest(digest, one) for one in expected) or age >= self.core.policy.ceremony_seconds:
            raise CeremonyExpired()
        return challenge


def challenge_in(answer: str) -> bytes:
    """The challenge that the browser says it was given. Raises `NoKeyAnswer` or `KeyRefused`."""
    data = _client_data(answer)
    return _trusted(lambda: as_bytes(data["challenge"]))


def id_in(answer: str) -> bytes:
    """Which key answered. Raises `NoKeyAnswer` or `KeyRefused`."""
    return _trusted(lambda: as_bytes(_said(answer)["id"]))


def _client_data(answer: str) -> dict[str, Any]:
    data: dict[str, Any] = _trusted(lambda: dict(json.loads(as_bytes(_said(answer)["response"]["clientDataJSON"]))))
    return data


def _said(answer: str) -> Any:
    if not answer:
        raise NoCredential()
    return _trusted(lambda: json.loads(answer))


def _trusted(read: Callable[[], T]) -> T:
    """What is made of another's bytes: whatever a parser stumbles over, they are refused."""
    try:
        return read()
    except NoCredential:
        raise
    except Exception as error:
        raise KeyRefused() from error


def _digest(mac: str) -> bytes:
    return sha256(mac.encode()).digest()[:HASH_BYTES]


def _bound(name: str) -> str:
    return f"ceremony:{name}"
