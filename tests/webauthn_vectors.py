"""The published test vectors of W3C Web Authentication Level 3, section "Test Vectors", as read in 2026-11.

They are in webauthn_vectors.json in hex, each under the end of its anchor: "none-es256" for
sctn-test-vectors-none-es256. All are of RP ID example.org and origin https://example.org. Every value was checked
against the derivation that the section gives (HKDF-SHA-256 from "WebAuthn test vectors") or by a signature over it.

A server accepts all of them except these: the two of a page in a frame of another site ("none-es256-crossOrigin" and
"none-es256-topOrigin"), unless it means to be framed, and "packed-es384", unless it asked for ES384.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from pathlib import Path

RP_ID = "example.org"
ORIGIN = "https://example.org"


@dataclass(frozen=True)
class Registration:
    challenge: bytes
    aaguid: bytes
    credential_id: bytes
    client_data_json: bytes
    attestation_object: bytes


@dataclass(frozen=True)
class Authentication:
    challenge: bytes
    client_data_json: bytes
    authenticator_data: bytes
    signature: bytes


@dataclass(frozen=True)
class Vector:
    name: str
    registration: Registration
    authentication: Authentication

    def registration_response(self) -> str:
        """The form field that a browser would send; the vectors have the bytes only."""
        made = self.registration
        return self._to_json(
            {"clientDataJSON": _b64(made.client_data_json), "attestationObject": _b64(made.attestation_object)}
        )

    def authentication_response(self) -> str:
        got = self.authentication
        return self._to_json(
            {
                "clientDataJSON": _b64(got.client_data_json),
                "authenticatorData": _b64(got.authenticator_data),
                "signature": _b64(got.signature),
            }
        )

    def _to_json(self, response: dict[str, str]) -> str:
        id_ = _b64(self.registration.credential_id)
        return json.dumps(
            {"id": id_, "rawId": id_, "type": "public-key", "clientExtensionResults": {}, "response": response}
        )


def _b64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(members: dict[str, str]) -> dict[str, bytes]:
    return {name: bytes.fromhex(value) for name, value in members.items()}


def _read() -> dict[str, Vector]:
    text = Path(__file__).with_suffix(".json").read_text()
    return {
        name: Vector(
            name, Registration(**_bytes(vector["registration"])), Authentication(**_bytes(vector["authentication"]))
        )
        for name, vector in json.loads(text).items()
    }


VECTORS = _read()
