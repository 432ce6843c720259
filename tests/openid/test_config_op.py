"""The module of the OpenID Foundation's plan "Config OP" (oidcc-config-certification-test-plan)."""

from __future__ import annotations

from urllib.parse import urlsplit

from tests.people import Owner
from tests.relying_party import ISSUER, RelyingParty, json_of

PUBLIC_MEMBERS = {"kty", "kid", "use", "alg", "n", "e", "crv", "x", "y"}


def test_oidcc_discovery_endpoint_verification(ada: Owner, wiki: RelyingParty) -> None:
    wiki.code(ada)  # the first key is made when it is needed
    page = wiki.server.open("/.well-known/openid-configuration")
    assert page.response.mimetype == "application/json"
    told = json_of(page)
    assert told["issuer"] == ISSUER
    for name in ("authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri", "end_session_endpoint"):
        parts = urlsplit(told[name])
        assert f"{parts.scheme}://{parts.netloc}" == ISSUER
        assert not parts.fragment
    assert "code" in told["response_types_supported"]
    assert set(told["subject_types_supported"]) <= {"public", "pairwise"}
    assert "RS256" in told["id_token_signing_alg_values_supported"]
    assert "openid" in told["scopes_supported"]
    assert {"authorization_code", "refresh_token"} <= set(told["grant_types_supported"])
    assert {"client_secret_basic", "client_secret_post"} <= set(told["token_endpoint_auth_methods_supported"])
    assert told["claims_parameter_supported"] is True
    assert told["request_uri_parameter_supported"] is False, "it would be true where it is left out"
    keys = json_of(wiki.server.open("/oauth/keys"))["keys"]
    assert len({key["kid"] for key in keys}) == len(keys) > 0
    for key in keys:
        assert key.keys() <= PUBLIC_MEMBERS, "no private half"
        assert key["use"] == "sig"
