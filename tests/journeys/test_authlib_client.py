"""Authlib's own client logs a user in over a real server: discovery, code with PKCE, keys, refresh and revocation."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from authlib.common.security import generate_token
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from joserfc import jwt
from joserfc.jwk import KeySet

from tests.browser.live import LiveSite, live_site
from tests.keyed_app import JWKS, KEY, RSA
from tests.people import Owner
from tests.real_apps.guide import follow
from tests.relying_party import DEVICE_CODE, target_of
from webapp.models.registered_apps import PUBLIC, WEB
from webapp.services.operators import AppOptions

BACK = {WEB: "https://app.example/back", PUBLIC: "http://127.0.0.1/back"}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LiveSite]:
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")  # the site has http, as sites under .localhost may
    with live_site(tmp_path) as site:
        # not every resolver knows names under .localhost (RFC 6761 section 6.3), so the server is its own proxy
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{site.host.partition(':')[2]}")
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        yield site


@pytest.fixture
def told(site: LiveSite) -> dict[str, Any]:
    """The configuration, as any client reads it."""
    found: dict[str, Any] = requests.get(site.url("desktop", "/.well-known/openid-configuration"), timeout=20).json()
    return found


@pytest.fixture
def ada(site: LiveSite) -> Owner:
    ada = site.person("ada")
    site.services.sign_up.create_by_operator("Ada", "ada", ada.password, ada.email, confirmed=True)
    return ada


def path_of(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.path}?{parts.query}"


@pytest.mark.parametrize("kind", [WEB, PUBLIC])
def test_the_client_logs_in_refreshes_and_revokes(site: LiveSite, told: dict[str, Any], ada: Owner, kind: str) -> None:
    made = site.services.operators.apps.create(kind, AppOptions("Wiki", redirect_uris=(BACK[kind],)))
    address = BACK[kind].replace("127.0.0.1", "127.0.0.1:49152")
    client = OAuth2Session(
        made.app.client_id,
        made.secret,
        scope="openid email offline_access",
        redirect_uri=address,
        code_challenge_method="S256",
        token_endpoint_auth_method="client_secret_basic" if kind == WEB else "none",
    )
    verifier, nonce = generate_token(48), generate_token(16)
    asked, state = client.create_authorization_url(told["authorization_endpoint"], code_verifier=verifier, nonce=nonce)

    ada.open(path_of(asked))
    ada.press("Log in", username="ada", password=ada.password)
    ada.press("Continue")
    answer = target_of(ada)
    assert answer.startswith(f"{address}?code=")

    token = client.fetch_token(
        told["token_endpoint"], authorization_response=answer, state=state, code_verifier=verifier
    )
    keys = KeySet.import_key_set(requests.get(told["jwks_uri"], timeout=20).json())
    identity = jwt.decode(token["id_token"], keys, algorithms=told["id_token_signing_alg_values_supported"])
    rules = {"iss": told["issuer"], "aud": made.app.client_id, "nonce": nonce}
    registry = jwt.JWTClaimsRegistry(**{name: {"essential": True, "value": value} for name, value in rules.items()})
    registry.validate(identity.claims)

    profile = client.get(told["userinfo_endpoint"]).json()
    assert profile == {"sub": identity.claims["sub"], "email": "ada@example.org", "email_verified": True}

    first = token["refresh_token"]
    fresh = client.refresh_token(told["token_endpoint"], refresh_token=first)
    assert fresh["refresh_token"] != first
    assert client.get(told["userinfo_endpoint"]).status_code == 200

    assert client.revoke_token(told["revocation_endpoint"], token=fresh["refresh_token"]).status_code == 200
    assert client.get(told["userinfo_endpoint"]).status_code == 401
    with pytest.raises(OAuthError) as refused:
        client.refresh_token(told["token_endpoint"], refresh_token=fresh["refresh_token"])
    assert refused.value.error == "invalid_grant"


@pytest.mark.parametrize("key", [KEY, RSA], ids=["ES256", "RS256"])
def test_the_client_proves_itself_by_its_key(site: LiveSite, told: dict[str, Any], ada: Owner, key: Any) -> None:
    options = AppOptions("Bank", redirect_uris=(BACK[WEB],), jwks=JWKS, trusted=True)
    made = site.services.operators.apps.create(WEB, options)
    assert made.secret is None
    algorithm = "ES256" if key is KEY else "RS256"
    assert algorithm in told["token_endpoint_auth_signing_alg_values_supported"]

    class FewMinutes(PrivateKeyJWT):
        """As documented, with a lifetime of five minutes: Authlib's own hour is more than this site takes."""

        def sign(self, auth: Any, token_endpoint: str) -> str:
            self.claims = {"exp": int(time.time()) + 300}
            signed: str = super().sign(auth, token_endpoint)
            return signed

    client = OAuth2Session(
        made.app.client_id,
        key,
        scope="openid",
        redirect_uri=BACK[WEB],
        code_challenge_method="S256",
        token_endpoint_auth_method="private_key_jwt",
        revocation_endpoint_auth_method="private_key_jwt",
    )
    client.register_client_auth_method(FewMinutes(told["token_endpoint"], headers={"kid": key.kid}, alg=algorithm))
    verifier = generate_token(48)
    asked, state = client.create_authorization_url(told["authorization_endpoint"], code_verifier=verifier)
    ada.open(path_of(asked))
    ada.press("Log in", username="ada", password=ada.password)
    token = client.fetch_token(
        told["token_endpoint"], authorization_response=target_of(ada), state=state, code_verifier=verifier
    )
    assert client.get(told["userinfo_endpoint"]).status_code == 200
    assert client.revoke_token(told["revocation_endpoint"], token=token["refresh_token"]).status_code == 200
    assert client.get(told["userinfo_endpoint"]).status_code == 401


def test_a_device_polls_until_it_is_connected(site: LiveSite, told: dict[str, Any], ada: Owner) -> None:
    """By RFC 8628, with Authlib's client as the device."""
    options = AppOptions("Films", device_allowed=True)
    made = site.services.operators.apps.create(PUBLIC, options)
    client = OAuth2Session(made.app.client_id, token_endpoint_auth_method="none")
    asked = {"client_id": made.app.client_id, "scope": "openid email"}
    shown = requests.post(told["device_authorization_endpoint"], asked, timeout=20).json()
    assert DEVICE_CODE in told["grant_types_supported"]

    def poll() -> dict[str, Any]:
        answer: dict[str, Any] = client.fetch_token(
            told["token_endpoint"], grant_type=DEVICE_CODE, device_code=shown["device_code"]
        )
        return answer

    refusals = []
    for _ in range(2):
        with pytest.raises(OAuthError) as refused:
            poll()
        refusals.append(refused.value.error)
    assert refusals == ["authorization_pending", "slow_down"]

    ada.open(path_of(shown["verification_uri"]))
    ada.press("Log in", username="ada", password=ada.password)
    ada.press("Continue", code=shown["user_code"])
    assert ada.press("Continue").h1 == "Connected apps"
    assert "id_token" in poll()
    assert client.get(told["userinfo_endpoint"]).json()["email"] == "ada@example.org"


def test_the_flask_app_of_the_guide_logs_in_and_out(site: LiveSite, ada: Owner) -> None:
    """docs/how-to/connect-an-app.md, as it is written there."""
    here = {"https://login.example.org": site.url("desktop", "")}
    wiki: dict[str, Any] = {"__name__": "wiki"}
    exec(follow(site.app, "Flask", "python", replaced=here), wiki)
    browser = wiki["app"].test_client()
    assert "Log in" in browser.get("/", base_url="https://wiki.example.org").text

    ada.open(path_of(browser.get("/log-in", base_url="https://wiki.example.org").location))
    ada.press("Log in", username="ada", password=ada.password)
    ada.press("Continue")
    assert browser.get(target_of(ada)).location == "/"
    assert "Hello, ada." in browser.get("/", base_url="https://wiki.example.org").text

    page = ada.open(path_of(browser.get("/log-out", base_url="https://wiki.example.org").location), follow=False)
    assert page.response.headers["Location"] == "https://wiki.example.org/"
    assert "Log in" in browser.get("/", base_url="https://wiki.example.org").text
    assert ada.open("/").path == "/log-in"
