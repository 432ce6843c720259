"""Sealing with AES-256-GCM (NIST SP 800-38D) and HMAC-SHA-256, under several keys so that they can be rotated.

A sealed text is `id.base64`: the id of the key, then nonce and ciphertext. What it is bound to, such as account and
field, is its associated data, so a value that was moved to another row cannot be opened. A key must never be in an
error message.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Sequence
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ..domain.ports import Entropy, KeyMissing

NONCE_BYTES = 12  # NIST SP 800-38D section 5.2.1.1


class AesGcmKeyring:
    def __init__(self, keys: Sequence[tuple[str, bytes]], entropy: Entropy) -> None:
        """`keys` are pairs of id and 32 bytes; the first one seals."""
        self._entropy = entropy
        self._newest = keys[0][0]
        # a derived key for each use (NIST SP 800-108): sealing and hashing must not share a key
        self._sealing = {name: AESGCM(_derive(key, b"seal")) for name, key in keys}
        self._hashing = {name: _derive(key, b"mac") for name, key in keys}

    def seal(self, plaintext: str, bound_to: str) -> str:
        nonce = self._entropy.bytes(NONCE_BYTES)
        sealed = self._sealing[self._newest].encrypt(nonce, plaintext.encode(), bound_to.encode())
        return f"{self._newest}.{base64.b64encode(nonce + sealed).decode()}"

    def open(self, sealed: str, bound_to: str) -> str:
        name, _, text = sealed.partition(".")
        try:
            raw = base64.b64decode(text, validate=True)
            opened = self._sealing[name].decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], bound_to.encode())
        except KeyError:
            raise KeyMissing(f"the encryption key {name!r} is not among the settings") from None
        except (InvalidTag, ValueError):
            raise ValueError("a sealed value was altered or moved") from None
        return opened.decode()

    def mac(self, text: str, bound_to: str) -> str:
        return f"{self._newest}.{self._mac(self._newest, text, bound_to)}"

    def macs(self, text: str, bound_to: str) -> list[str]:
        return [f"{name}.{self._mac(name, text, bound_to)}" for name in self._hashing]

    def knows(self, mac: str) -> bool:
        return mac.partition(".")[0] in self._hashing

    def is_mac_of(self, mac: str, text: str, bound_to: str) -> bool:
        name, _, digest = mac.partition(".")
        return name in self._hashing and hmac.compare_digest(digest, self._mac(name, text, bound_to))

    def is_newest(self, sealed: str) -> bool:
        return sealed.startswith(f"{self._newest}.")

    def _mac(self, name: str, text: str, bound_to: str) -> str:
        return hmac.new(self._hashing[name], f"{bound_to}\0{text}".encode(), sha256).hexdigest()


def _derive(key: bytes, use: bytes) -> bytes:
    return hmac.new(key, b"nightlatch " + use, sha256).digest()
