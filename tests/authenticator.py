"""A security key and the browser in front of it, in software: it answers the options of WebAuthn with the same JSON.

It does what a real pair does, flags and counter included. A test names the values that are to be wrong, and only those
are: `key.create(options, origin="https://evil.example")`. The signature is made over the wrong values, so that a server
has to check each value and not only the signature. The names are in `WrongCreation` and `WrongAssertion`; a misspelt
one is a TypeError. What the server asks for under `pubKeyCredParams` is ignored.
"""

from __future__ import annotations

import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal, TypeVar

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ES256, EDDSA, ES384, RS256 = -7, -8, -35, -257

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
T = TypeVar("T")


class InvalidStateError(Exception):
    """The authenticator already has one of the credentials to exclude."""


class NotAllowedError(Exception):
    """No credential fits, or the user cannot be verified as required; a page cannot tell the two apart."""


class SecurityError(Exception):
    """The server names an RP ID that does not belong to the page."""


@dataclass
class Credential:
    id: bytes
    private_key: PrivateKey
    algorithm: int
    user_handle: bytes
    rp_id: str
    discoverable: bool
    sign_count: int


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """The values that are to be wrong in either ceremony. None means the right value."""

    origin: str | None = None  # clientDataJSON: the page that asked
    type: str | None = None  # clientDataJSON: webauthn.create or webauthn.get
    challenge: bytes | None = None  # clientDataJSON: another challenge than the server's
    cross_origin: bool | None = None  # clientDataJSON: the page was in a frame of another site
    top_origin: str | None = None  # clientDataJSON: that other site
    rp_id: str | None = None  # authenticator data: the RP ID that is hashed
    user_present: bool | None = None  # authenticator data: flag UP
    user_verified: bool | None = None  # authenticator data: flag UV
    backup_eligible: bool | None = None  # authenticator data: flag BE
    backed_up: bool | None = None  # authenticator data: flag BS
    sign_count: int | None = None  # authenticator data: the counter to show; the real one goes on counting
    id: bytes | None = None  # the credential ID; a new credential really gets it, even one that is too long or taken
    raw_id: bytes | None = None  # rawId alone, so that it differs from id
    signature: bytes | None = None  # of an assertion, or of a packed attestation
    garbage: Mapping[str, object] | None = None  # members to add at the top level


@dataclass(frozen=True, kw_only=True)
class WrongCreation(Wrong):
    algorithm: int | None = None  # the new credential's COSE algorithm
    attestation: Literal["none", "packed"] = "none"  # packed is self attestation


@dataclass(frozen=True, kw_only=True)
class WrongAssertion(Wrong):
    user_handle: bytes | None = None  # the user of the credential; b"" leaves the handle out


class Authenticator:
    """One device, with a user who confirms every request.

    `verifies`: it has a PIN or a fingerprint reader. `counts`: its credentials count signatures, from 1 on; those that
    do not show 0 for ever, as synchronised passkeys do. "internal" among `transports` makes it a platform's.
    """

    def __init__(
        self,
        origin: str,
        rp_id: str,
        *,
        algorithm: int = ES256,
        aaguid: bytes = bytes(16),
        transports: Iterable[str] = ("usb",),
        verifies: bool = True,
        backup_eligible: bool = False,
        backed_up: bool = False,
        counts: bool = True,
    ) -> None:
        self.origin = origin
        self.rp_id = rp_id
        self.algorithm = algorithm
        self.aaguid = aaguid
        self.transports = tuple(transports)
        self.verifies = verifies
        self.backup_eligible = backup_eligible
        self.backed_up = backed_up
        self.counts = counts
        self.credentials: list[Credential] = []

    def create(self, options: Mapping[str, Any], **wrong: Any) -> str:
        """Answers PublicKeyCredentialCreationOptionsJSON with RegistrationResponseJSON; see `WrongCreation`."""
        lie = WrongCreation(**wrong)
        rp_id = self._rp_id(options["rp"].get("id"))
        selection = options.get("authenticatorSelection", {})
        verified = self._verified(selection.get("userVerification"))
        if self._listed(options.get("excludeCredentials"), rp_id):
            raise InvalidStateError
        credential = Credential(
            id=_given(lie.id, secrets.token_bytes(32)),
            private_key=_new_key(_given(lie.algorithm, self.algorithm)),
            algorithm=_given(lie.algorithm, self.algorithm),
            user_handle=unb64(options["user"]["id"]),
            rp_id=rp_id,
            discoverable=self._attachment == "platform" or _wants_resident_key(selection),
            sign_count=int(self.counts),
        )
        self.credentials.append(credential)

        client_data = self._client_data("webauthn.create", options["challenge"], lie)
        attested = self.aaguid + len(credential.id).to_bytes(2) + credential.id + cbor2.dumps(_cose_key(credential))
        data = self._authenticator_data(credential, verified, lie, attested)
        statement: dict[str, object] = {}
        if lie.attestation == "packed":
            signature = _given(lie.signature, _sign(credential, data + sha256(client_data).digest()))
            statement = {"alg": credential.algorithm, "sig": signature}
        attestation = {"fmt": lie.attestation, "attStmt": statement, "authData": data}
        public_key = credential.private_key.public_key()
        response = {
            "clientDataJSON": b64(client_data),
            "attestationObject": b64(cbor2.dumps(attestation)),
            "authenticatorData": b64(data),
            "transports": list(self.transports),
            "publicKey": b64(public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)),
            "publicKeyAlgorithm": credential.algorithm,
        }
        asked = options.get("extensions", {}).get("credProps")
        extensions = {"credProps": {"rk": credential.discoverable}} if asked else {}
        return self._to_json(credential.id, response, extensions, lie)

    def get(self, options: Mapping[str, Any], **wrong: Any) -> str:
        """Answers PublicKeyCredentialRequestOptionsJSON with AuthenticationResponseJSON; see `WrongAssertion`."""
        lie = WrongAssertion(**wrong)
        rp_id = self._rp_id(options.get("rpId"))
        verified = self._verified(options.get("userVerification"))
        if allowed := options.get("allowCredentials"):
            candidates = self._listed(allowed, rp_id)
        else:
            candidates = [c for c in self.credentials if c.rp_id == rp_id and c.discoverable]
        if not candidates:
            raise NotAllowedError
        credential = candidates[-1]
        credential.sign_count += int(self.counts)

        client_data = self._client_data("webauthn.get", options["challenge"], lie)
        data = self._authenticator_data(credential, verified, lie)
        signature = _given(lie.signature, _sign(credential, data + sha256(client_data).digest()))
        response = {
            "clientDataJSON": b64(client_data),
            "authenticatorData": b64(data),
            "signature": b64(signature),
        }
        # A credential that is not discoverable does not know its user.
        if handle := _given(lie.user_handle, credential.user_handle if credential.discoverable else b""):
            response["userHandle"] = b64(handle)
        return self._to_json(_given(lie.id, credential.id), response, {}, lie)

    @property
    def _attachment(self) -> str:
        return "platform" if "internal" in self.transports else "cross-platform"

    def _rp_id(self, named: str | None) -> str:
        if named not in (None, self.rp_id):
            raise SecurityError(f"{named} on a page of {self.rp_id}")
        return self.rp_id

    def _verified(self, wish: str | None) -> bool:
        if wish == "required" and not self.verifies:
            raise NotAllowedError
        return self.verifies and wish != "discouraged"

    def _listed(self, descriptors: Iterable[Mapping[str, Any]] | None, rp_id: str) -> list[Credential]:
        ids = {unb64(descriptor["id"]) for descriptor in descriptors or ()}
        return [c for c in self.credentials if c.id in ids and c.rp_id == rp_id]

    def _client_data(self, ceremony: str, challenge: str, lie: Wrong) -> bytes:
        data: dict[str, object] = {
            "type": _given(lie.type, ceremony),
            "challenge": challenge if lie.challenge is None else b64(lie.challenge),
            "origin": _given(lie.origin, self.origin),
            "crossOrigin": _given(lie.cross_origin, False),
        }
        if lie.top_origin is not None:
            data["topOrigin"] = lie.top_origin
        return json.dumps(data, separators=(",", ":")).encode()

    def _authenticator_data(self, credential: Credential, verified: bool, lie: Wrong, attested: bytes = b"") -> bytes:
        flags = (
            _given(lie.user_present, True) << 0
            | _given(lie.user_verified, verified) << 2
            | _given(lie.backup_eligible, self.backup_eligible) << 3
            | _given(lie.backed_up, self.backed_up) << 4
            | bool(attested) << 6
        )
        rp_id_hash = sha256(_given(lie.rp_id, credential.rp_id).encode()).digest()
        return rp_id_hash + bytes([flags]) + _given(lie.sign_count, credential.sign_count).to_bytes(4) + attested

    def _to_json(self, id_: bytes, response: Mapping[str, object], extensions: Mapping[str, object], lie: Wrong) -> str:
        credential: dict[str, object] = {
            "id": b64(id_),
            "rawId": b64(_given(lie.raw_id, id_)),
            "response": response,
            "authenticatorAttachment": self._attachment,
            "clientExtensionResults": extensions,
            "type": "public-key",
        }
        return json.dumps(credential | dict(lie.garbage or {}))


def b64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _given(wrong: T | None, true: T) -> T:
    return true if wrong is None else wrong


def _wants_resident_key(selection: Mapping[str, Any]) -> bool:
    if wish := selection.get("residentKey"):
        return bool(wish != "discouraged")
    return bool(selection.get("requireResidentKey", False))


def _new_key(algorithm: int) -> PrivateKey:
    if algorithm == ES256:
        return ec.generate_private_key(ec.SECP256R1())
    if algorithm == ES384:
        return ec.generate_private_key(ec.SECP384R1())
    if algorithm == EDDSA:
        return ed25519.Ed25519PrivateKey.generate()
    if algorithm == RS256:
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    raise ValueError(f"no key for COSE algorithm {algorithm}")


def _cose_key(credential: Credential) -> dict[int, object]:
    """The members by number (RFC 9052 and RFC 9053): 1 key type, 3 algorithm, negative numbers are of the key."""
    key = credential.private_key
    if isinstance(key, ec.EllipticCurvePrivateKey):
        point, size = key.public_key().public_numbers(), key.key_size // 8
        curve = {256: 1, 384: 2}[key.key_size]
        return {1: 2, 3: credential.algorithm, -1: curve, -2: point.x.to_bytes(size), -3: point.y.to_bytes(size)}
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return {1: 1, 3: credential.algorithm, -1: 6, -2: key.public_key().public_bytes_raw()}
    numbers = key.public_key().public_numbers()
    return {1: 3, 3: credential.algorithm, -1: numbers.n.to_bytes(256), -2: numbers.e.to_bytes(3)}


def _sign(credential: Credential, data: bytes) -> bytes:
    key = credential.private_key
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(data, ec.ECDSA(hashes.SHA256() if key.key_size == 256 else hashes.SHA384()))
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(data)
    return key.sign(data, padding.PKCS1v15(), hashes.SHA256())
