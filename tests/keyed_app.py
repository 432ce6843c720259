"""An app that proves itself by keys: client assertions (RFC 7523) and DPoP proofs (RFC 9449), made by joserfc."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from hashlib import sha256
from itertools import count
from typing import Any

from joserfc.jwk import ECKey, RSAKey
from joserfc.jws import JWSRegistry

from tests.conftest import Site
from tests.people import Page
from tests.relying_party import ISSUER, WEB, RelyingParty

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
KEY = ECKey.generate_key("P-256", {"kid": "one", "alg": "ES256", "use": "sig"})
RSA = RSAKey.generate_key(2048, {"kid": "two", "use": "sig"})
OTHER = ECKey.generate_key("P-256", {"kid": "one"})
"""A key that the app does not have, with the name of one that it has."""
JWKS = {"keys": [KEY.as_dict(private=False), RSA.as_dict(private=False)]}
numbers = count(1)


def encoded(part: bytes) -> str:
    return urlsafe_b64encode(part).rstrip(b"=").decode()


def signed(header: Any, claims: Any, key: Any) -> str:
    """A JWT with a right signature under a header of any content; by ES256 or RS256 where the header names no other."""
    text = f"{encoded(json.dumps(header).encode())}.{encoded(json.dumps(claims).encode())}"
    named = header.get("alg") if header.get("alg") in ("RS256", "PS256", "ES256") else None
    algorithm = named or ("ES256" if isinstance(key, ECKey) else "RS256")
    return f"{text}.{encoded(JWSRegistry.algorithms[algorithm].sign(text.encode(), key))}"


class KeyedApp(RelyingParty):
    """A web application without a secret. Its options are those of `AppOptions`."""

    def __init__(self, site: Site, **options: Any) -> None:
        super().__init__(site, WEB, **{"jwks": JWKS, **options})

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Those of an assertion. None leaves one out."""
        now = self.site.clock.now()
        rule = {"iss": self.client_id, "sub": self.client_id, "aud": ISSUER, "exp": now + 60, "iat": now}
        given = {**rule, "jti": f"assertion {next(numbers)}", **changes}
        return {name: value for name, value in given.items() if value is not None}

    def assertion(self, key: Any = KEY, header: dict[str, Any] | None = None, **changes: Any) -> str:
        head = {"alg": "ES256", "kid": key.kid, **(header or {})}
        head = {name: value for name, value in head.items() if value is not None}
        return signed(head, self.claims(**changes), key)

    def proved(self, assertion: str | None = None) -> dict[str, str]:
        return {"client_assertion_type": TYPE, "client_assertion": assertion or self.assertion()}

    def call(
        self, path: str, *, authorization: str | None = None, proved: bool = True, dpop: str | None = None, **form: str
    ) -> Page:
        given = {**(self.proved() if proved else {}), **form}
        return super().call(path, authorization=authorization, proved=False, dpop=dpop, **given)


def proof(site: Site, method: str, path: str, key: Any = KEY, *, header: Any = None, **changes: Any) -> str:
    """A DPoP proof for a request to this site. `token` gives it `ath`; None leaves a claim out."""
    token = changes.pop("token", None)
    claims = {"jti": f"proof {next(numbers)}", "htm": method, "htu": f"{ISSUER}{path}", "iat": site.clock.now()}
    if token is not None:
        claims["ath"] = encoded(sha256(token.encode()).digest())
    claims = {name: value for name, value in {**claims, **changes}.items() if value is not None}
    public = {name: value for name, value in key.as_dict(private=False).items() if name not in ("kid", "use", "alg")}
    head = {"typ": "dpop+jwt", "alg": "ES256", "jwk": public, **(header or {})}
    return signed(head, claims, key)
