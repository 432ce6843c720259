"""A push service and a subscribed browser on loopback: decrypts RFC 8291 and verifies RFC 8292 without the library.

    with PushEndpoint() as service:
        browser = service.subscribe()
        WebPush(...).send(PushMessage("1", "login-request", browser.subscription, "{}", 300, 1))
    assert service.taken[0].text == "{}"

It accepts every push with 201. Answers put into `service.answers` are given first, one per request.
"""

from __future__ import annotations

import json
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import ECDH, ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as new_key
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.adapters.loopback import Loopback, Turn

Answer = tuple[int, Mapping[str, str]] | float
"""A status with its headers, or the number of seconds without an answer."""


def coded(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class Receiver:
    """A subscribed browser: what it tells the site, and how it decrypts a push."""

    endpoint: str
    key: Any = field(default_factory=lambda: new_key(SECP256R1()))
    auth: bytes = bytes(range(16))

    @property
    def point(self) -> bytes:
        return bytes(self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))

    @property
    def subscription(self) -> str:
        keys = {"p256dh": coded(self.point), "auth": coded(self.auth)}
        return json.dumps({"endpoint": self.endpoint, "expirationTime": None, "keys": keys})

    def read(self, body: bytes) -> str:
        """Decrypts as RFC 8188 section 2 and RFC 8291 section 3 say."""
        salt, size, length = body[:16], struct.unpack("!I", body[16:20])[0], body[20]
        sender, record = body[21 : 21 + length], body[21 + length :]
        assert len(record) <= size, "one record"
        secret = self.key.exchange(ECDH(), EllipticCurvePublicKey.from_encoded_point(SECP256R1(), sender))
        mixed = derive(self.auth, secret, b"WebPush: info\0" + self.point + sender, 32)
        key = derive(salt, mixed, b"Content-Encoding: aes128gcm\0", 16)
        nonce = derive(salt, mixed, b"Content-Encoding: nonce\0", 12)
        padded = AESGCM(key).decrypt(nonce, record, None).rstrip(b"\0")
        assert padded.endswith(b"\x02"), "the last record"
        return padded[:-1].decode()


def derive(salt: bytes, secret: bytes, info: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length, salt, info).derive(secret)


@dataclass
class Taken:
    """One push that was received."""

    path: str
    headers: Mapping[str, str]
    """Header names are in lower case."""
    body: bytes
    receiver: Receiver | None

    @property
    def text(self) -> str:
        assert self.receiver is not None, "a push for nobody"
        return self.receiver.read(self.body)

    def claims(self, public_key: str) -> dict[str, Any]:
        """The signed claims, if that key signed them (RFC 8292 section 2)."""
        scheme, _, rest = self.headers["authorization"].partition(" ")
        parts = dict(part.strip().split("=", 1) for part in rest.split(","))
        assert (scheme, parts["k"]) == ("vapid", public_key)
        signed, _, signature = parts["t"].rpartition(".")
        raw = decoded(signature)
        point = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), decoded(public_key))
        der = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
        point.verify(der, signed.encode(), ECDSA(SHA256()))
        header, claims = (json.loads(decoded(part)) for part in signed.split("."))
        assert header == {"typ": "JWT", "alg": "ES256"}
        return dict(claims)


class PushTurn(Turn):
    server_: PushEndpoint

    def take(self, headers: Mapping[str, str], body: bytes) -> None:
        self.server_.taken.append(Taken(self.path, headers, body, self.server_.receivers.get(self.path)))
        answer = self.server_.answers.pop(0) if self.server_.answers else (201, {})
        if isinstance(answer, float):
            self.server_.woken.wait(answer)
            answer = (201, {})
        self.send_response(answer[0])
        for name, value in {"Content-Length": "0", **answer[1]}.items():
            self.send_header(name, value)
        self.end_headers()


class PushEndpoint(Loopback):
    def __init__(self) -> None:
        super().__init__(PushTurn)
        self.answers: list[Answer] = []
        self.taken: list[Taken] = []
        self.receivers: dict[str, Receiver] = {}
        self.host = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.host}"

    def subscribe(self) -> Receiver:
        path = f"/push/{len(self.receivers) + 1}"
        self.receivers[path] = Receiver(f"{self.url}{path}")
        return self.receivers[path]
