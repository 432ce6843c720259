"""The two ceremonies of WebAuthn Level 3: the options for the browser, and the verification of its answer.

A challenge is not stored: it contains its time and a keyed hash of its purpose, so that no other browser, account or
ceremony can use it. The caller must count it with `attempts.single_use`, so that each is used once.
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

TIME_BYTES, NONCE_BYTES, HASH_BYTES = 4, 12, 16
ES256, EDDSA, RS256 = -7, -8, -257  # RFC 9053, RFC 8812
BYTES = ("clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle")
"""The members of a response that are verified; all are in base64url."""
LONGEST_ANSWER = 16 * 1024
"""Characters of the browser's JSON. Without attestation, an answer with ids of the greatest length has half of that; in
64 KB, what CBOR calls a message or a decimal fraction takes a fifth of a second to parse."""
TRANSPORTS = ("usb", "nfc", "ble", "smart-card", "hybrid", "internal")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Registered:
    """A newly registered key. Bytes are in base64url, as in the browser's JSON."""

    id: str
    public_key: str
    count: int
    model: str
    """Its AAGUID."""
    transports: list[str]
    syncs: bool
    """It can be synced to other devices of its user (backup eligible, section 6.1.3); `synced` says that it was."""
    synced: bool
    verified: bool
    """It verified its user."""


@dataclass(frozen=True, slots=True)
class Asserted:
    """A key whose answer was verified."""

    count: int
    syncs: bool
    synced: bool
    verified: bool
    user: str | None
    """The user handle in its answer, if any."""


@dataclass(frozen=True, slots=True)
class Ceremonies:
    core: Core
    site_name: str
    rp_id: str
    """The main host's name. It must not change, because keys are bound to it."""
    origins: Sequence[str]
    """The origins from which a key may answer."""

    def draw(self, name: str) -> bytes:
        """A challenge of 32 bytes for the ceremony `name`, such as log-in:12, valid for 5 minutes (section 13.4.3)."""
        drawn = self.core.clock.now().to_bytes(TIME_BYTES, "big") + self.core.entropy.bytes(NONCE_BYTES)
        return drawn + _digest(self.core.keyring.mac(drawn.hex(), _bound(name)))

    def creation(self, name: str, user: str, username: str, display: str, keys: Sequence[dict[str, Any]]) -> Any:
        """PublicKeyCredentialCreationOptionsJSON. `user` is a handle in base64url, `keys` are descriptors."""
        return {
            "rp": {"id": self.rp_id, "name": self.site_name},
            "user": {"id": user, "name": username, "displayName": display},
            "challenge": as_text(self.draw(name)),
            "pubKeyCredParams": [{"type": "public-key", "alg": alg} for alg in (ES256, EDDSA, RS256)],
            "timeout": self.core.policy.ceremony_seconds * 1000,
            "excludeCredentials": list(keys),
            "authenticatorSelection": {"residentKey": "preferred", "userVerification": "preferred"},
            "attestation": "none",
            "extensions": {"credProps": True},
        }

    def request(self, name: str, keys: Sequence[dict[str, Any]]) -> Any:
        """PublicKeyCredentialRequestOptionsJSON. Without `keys`, a key must name the account and verify its user."""
        return {
            "rpId": self.rp_id,
            "challenge": as_text(self.draw(name)),
            "timeout": self.core.policy.ceremony_seconds * 1000,
            "userVerification": "preferred" if keys else "required",
            "allowCredentials": list(keys),
        }

    def registered(self, answer: str, name: str) -> Registered:
        """Verifies a registration (section 7.1). Raises `NoCredential`, `KeyRefused` or `CeremonyExpired`."""
        from webauthn import verify_registration_response  # takes 60 ms, and only pages for keys need it
        from webauthn.helpers.cose import COSEAlgorithmIdentifier

        challenge = self._demand(answer, name)
        key = _parse_or_refuse(
            lambda: verify_registration_response(
                credential=_known(answer),
                expected_challenge=challenge,
                expected_rp_id=self.rp_id,
                expected_origin=list(self.origins),
                supported_pub_key_algs=[COSEAlgorithmIdentifier(alg) for alg in (ES256, EDDSA, RS256)],
            )
        )
        if len(key.credential_id) > self.core.policy.credential_id_bytes:
            raise KeyRefused()
        transports = json.loads(answer)["response"].get("transports")
        return Registered(
            id=as_text(key.credential_id),
            public_key=as_text(key.credential_public_key),
            count=key.sign_count,
            model=key.aaguid,
            transports=[one for one in TRANSPORTS if isinstance(transports, list) and one in transports],
            syncs=key.credential_device_type == "multi_device",
            synced=key.credential_backed_up,
            verified=key.user_verified,
        )

    def asserted(self, answer: str, name: str, public_key: str) -> Asserted:
        """Verifies an authentication (section 7.2) but for the signature count, which the caller must compare.

        Raises as `registered` does.
        """
        from webauthn import verify_authentication_response

        challenge = self._demand(answer, name)
        known = _parse_or_refuse(lambda: _known(answer))
        seen = _parse_or_refuse(
            lambda: verify_authentication_response(
                credential=known,
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
            user=known["response"].get("userHandle"),
        )

    def _demand(self, answer: str, name: str) -> bytes:
        """The challenge of the answer, once it is known to be drawn here, for `name`, in the last five minutes."""
        data = _client_data(answer)
        if data.get("crossOrigin") or "topOrigin" in data:
            raise KeyRefused()  # our pages cannot be framed
        challenge = challenge_in(answer)
        drawn, digest = challenge[:-HASH_BYTES], challenge[-HASH_BYTES:]
        expected = [_digest(mac) for mac in self.core.keyring.macs(drawn.hex(), _bound(name))]
        drawn_at = int.from_bytes(drawn[:TIME_BYTES], "big")
        is_recent = self.core.is_within(drawn_at, self.core.policy.ceremony_seconds)
        if not any(compare_digest(digest, one) for one in expected) or not is_recent:
            raise CeremonyExpired()
        return challenge


def challenge_in(answer: str) -> bytes:
    """The challenge in the browser's answer, not verified. Raises `NoCredential` or `KeyRefused`."""
    data = _client_data(answer)
    return _parse_or_refuse(lambda: as_bytes(data["challenge"]))


def id_in(answer: str) -> bytes:
    """The credential id in the browser's answer, not verified. Raises `NoCredential` or `KeyRefused`."""
    return _parse_or_refuse(lambda: as_bytes(_parsed(answer)["id"]))


def _known(answer: str) -> dict[str, Any]:
    """The members that are verified. Ids and handles are bytes, which extensions write with padding too; a value that
    is not known counts as none (section 5.1)."""
    given = json.loads(answer)
    ids = {name: as_text(as_bytes(given[name])) for name in ("id", "rawId")}
    response = {name: as_text(as_bytes(given["response"][name])) for name in BYTES if given["response"].get(name)}
    return {**ids, "type": given["type"], "response": response}


def _client_data(answer: str) -> dict[str, Any]:
    response = _parse_or_refuse(lambda: _parsed(answer)["response"])
    data: dict[str, Any] = _parse_or_refuse(lambda: dict(json.loads(as_bytes(response["clientDataJSON"]))))
    return data


def _parsed(answer: str) -> Any:
    if not answer:
        raise NoCredential()
    if len(answer) > LONGEST_ANSWER:
        raise KeyRefused()
    return _parse_or_refuse(lambda: json.loads(answer))


def _parse_or_refuse(read: Callable[[], T]) -> T:
    """Parses untrusted input: any exception of the parser becomes `KeyRefused`."""
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
