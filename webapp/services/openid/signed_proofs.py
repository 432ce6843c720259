"""JWTs by which apps prove themselves: client assertions (RFC 7523) and DPoP proofs (RFC 9449).

Their header is judged before a key is chosen by it: the algorithm is from a fixed list of signatures with a public key
(RFC 8725 section 3.1), and a key is used with its own kind of algorithm only, so that none can pass as the secret of a
HMAC.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, RSAKey

from ...domain.codes import hash_of
from ...models.registered_apps import ES256, RS256

PS256 = "PS256"
PROOF_ALGORITHMS = RS256, ES256, PS256
"""Of the algorithms that FAPI 2.0 section 5.4.1 and older apps have, those that joserfc recommends."""
KEY_TYPES = {RS256: "RSA", PS256: "RSA", ES256: "EC"}
RSA_BITS = range(2048, 4097)  # NIST SP 800-131A; a larger key only costs time
MALFORMED = (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError)
"""What joserfc raises for a token or key that was not made by a library."""


class Headers(jws.JWSRegistry):
    """Allows a header that has an RSA key of 4096 bits; joserfc allows 512 bytes."""

    max_header_length = 4096


REGISTRY = Headers(algorithms=PROOF_ALGORITHMS, strict_check_header=False)


class ProofRefused(Exception):
    """`why` is a sentence for the developer of the app."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class OneUse:
    """What is stored of a proof when it is used. `expires_at` is in Unix seconds."""

    proof_hash: str
    expires_at: int


def one_use(kind: str, signer: str, jti: Any, expires_at: int) -> OneUse:
    """`signer` is who may use each `jti` once. Raises `ProofRefused` when `jti` is no text."""
    if not isinstance(jti, str) or not jti:
        raise ProofRefused("The claim jti is missing.")
    return OneUse(hash_of(f"{kind}\0{signer}\0{jti.encode('utf-8', 'backslashreplace').decode()}"), expires_at)


def header_of(token: str, types: Sequence[str | None]) -> dict[str, Any]:
    """The header, which is not verified yet. `types` are the values that `typ` may have, in lower case; None for a
    header without it. Raises `ProofRefused`."""
    try:
        header: dict[str, Any] = dict(jws.extract_compact(token.encode(), registry=REGISTRY).headers())
    except MALFORMED:
        raise ProofRefused("It is not a signed JWT.") from None
    kind = header.get("typ")
    if (kind.lower() if isinstance(kind, str) else kind) not in types:
        raise ProofRefused("Its header has another typ.")
    if header.get("alg") not in PROOF_ALGORITHMS:
        raise ProofRefused(f"Its algorithm is none of {', '.join(PROOF_ALGORITHMS)}.")
    if "crit" in header or "b64" in header:
        raise ProofRefused("Its header demands an extension.")  # RFC 7515 section 4.1.11
    return header


def payload_of(token: str) -> dict[str, Any]:
    """The claims, of which nothing is verified. Raises `ProofRefused`."""
    try:
        claims = json.loads(jws.extract_compact(token.encode(), registry=REGISTRY).payload)
    except MALFORMED:
        raise ProofRefused("It is not a signed JWT.") from None
    if not isinstance(claims, dict):
        raise ProofRefused("It is not a signed JWT.")
    return claims


def key_of(jwk: Any, algorithm: str) -> RSAKey | ECKey:
    """The public key. Raises `ProofRefused` for a private one, one of another kind, and one that is too short."""
    if not isinstance(jwk, dict) or jwk.get("kty") != KEY_TYPES[algorithm]:
        raise ProofRefused("The key is not one for this algorithm.")
    if "d" in jwk:  # before its import, which looks for the primes of a RSA key: that may take minutes
        raise ProofRefused("The key is a private one.")
    try:
        key = JWKRegistry.import_key(jwk)
    except MALFORMED:
        raise ProofRefused("The key is malformed.") from None
    assert isinstance(key, (RSAKey, ECKey)), "the type was compared"
    if isinstance(key, RSAKey) and key.raw_value.key_size not in RSA_BITS:
        raise ProofRefused("An RSA key has 2048 to 4096 bits.")
    return key


def claims_of(token: str, key: RSAKey | ECKey) -> dict[str, Any]:
    """The claims, when the key verifies the signature. Raises `ProofRefused`."""
    try:
        return dict(jwt.decode(token, key, registry=REGISTRY).claims)
    except MALFORMED:
        raise ProofRefused("Its signature is wrong.") from None


def seconds_of(claims: dict[str, Any], name: str) -> float:
    """The moment that a claim names, in Unix seconds. Raises `ProofRefused` for anything that is no number.

    It may be infinite or no number in the sense of IEEE 754: compare it so that only a moment within bounds is right.
    """
    value = claims.get(name)
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise ProofRefused(f"The claim {name} is missing or is no number.")
    return value
