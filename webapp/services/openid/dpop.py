"""Proofs of possession by which a token is bound to a key of the app (DPoP, RFC 9449). No nonces are used."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import unquote, urlsplit

from authlib.oauth2.rfc6749 import OAuth2Error

from ...domain import base64url
from ...domain.app_addresses import OWN_PORTS
from ..core import Core
from . import signed_proofs
from .signed_proofs import PROOF_ALGORITHMS, OneUse, ProofRefused

DPOP = "DPoP"
"""The token type, the scheme of the Authorization header and the name of the header with the proof."""
ALGORITHMS = " ".join(PROOF_ALGORITHMS)
"""As `WWW-Authenticate` names them (RFC 9449 section 7.1)."""
THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}")
"""A SHA-256 in base64url without padding (RFC 7638)."""
ENCODED = re.compile(r"%([0-9A-Fa-f]{2})")
UNRESERVED = re.compile(r"[A-Za-z0-9._~-]")


class InvalidDpopProof(OAuth2Error):  # type: ignore[misc]  # Authlib has no types
    error = "invalid_dpop_proof"  # RFC 9449 section 5


@dataclass(frozen=True, slots=True)
class KeyProof:
    """A verified proof."""

    thumbprint: str
    """Of the key (RFC 7638), as `cnf.jkt` has it."""
    use: OneUse
    """What is to be stored when it is used."""


@dataclass(frozen=True, slots=True)
class Dpop:
    core: Core
    issuer: str

    def verified(self, proof: str, method: str, path: str, token: str | None = None) -> KeyProof:
        """Checks a proof for a request to this site (RFC 9449 section 4.3). Raises `ProofRefused`.

        `token` is the access token that comes with it. More than one header is read as one with a comma, which no JWT
        has.
        """
        header = signed_proofs.header_of(proof, ("dpop+jwt",))
        key = signed_proofs.key_of(header.get("jwk"), header["alg"])
        claims = signed_proofs.claims_of(proof, key)
        if claims.get("htm") != method:
            raise ProofRefused("The claim htm is not the method of the request.")
        address = claims.get("htu")
        if not isinstance(address, str) or normalized(address) != normalized(f"{self.issuer}{path}"):
            raise ProofRefused("The claim htu is not the address of the request.")
        now, policy = self.core.clock.now(), self.core.policy
        if not abs(now - signed_proofs.seconds_of(claims, "iat")) <= policy.dpop_proof_aside:
            raise ProofRefused(f"The claim iat is more than {policy.dpop_proof_aside} seconds away from now.")
        if token is not None and claims.get("ath") != base64url.as_text(sha256(token.encode()).digest()):
            raise ProofRefused("The claim ath is not the hash of the access token.")
        thumbprint = key.thumbprint()
        use = signed_proofs.one_use("dpop", thumbprint, claims.get("jti"), now + policy.dpop_proof_kept)
        return KeyProof(thumbprint, use)


def normalized(address: str) -> tuple[str, str, int | None, str] | None:
    """Scheme, host, port and path of an address as they are compared (RFC 9449 section 4.3, RFC 3986 section 6.2), None
    for one that is malformed or has a user. Query and fragment do not count."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in OWN_PORTS or not parts.hostname or "@" in parts.netloc:
        return None
    path = ENCODED.sub(_plain_or_upper, parts.path) or "/"
    return parts.scheme, parts.hostname, port or OWN_PORTS[parts.scheme], path


def _plain_or_upper(found: re.Match[str]) -> str:
    """An encoded character as itself where it needs no encoding, else with capital digits."""
    character = unquote(found.group())
    return character if UNRESERVED.fullmatch(character) else found.group().upper()
