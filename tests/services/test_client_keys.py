"""Keys of apps that are fetched from an address of the app, which a real server on loopback answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from joserfc.jwk import ECKey

from tests.adapters.app_server import AppServer
from tests.conftest import Site
from tests.keyed_app import JWKS, KEY, RSA, KeyedApp
from tests.relying_party import json_of
from webapp.services.openid.client_keys import ProofRefused, matching

LOOPBACK = ("127.0.0.0/8",)
NEW = ECKey.generate_key("P-256", {"kid": "new", "use": "sig"})


@pytest.fixture
def server() -> Iterator[AppServer]:
    with AppServer() as server:
        yield server


@pytest.fixture
def app(site: Site, server: AppServer) -> KeyedApp:
    return KeyedApp(site, jwks=None, jwks_uri=server.url, private_addresses=LOOPBACK)


def answer(server: AppServer, *keys: Any, status: int = 200) -> None:
    server.answers.append((status, json.dumps({"keys": [key.as_dict(private=False) for key in keys]}).encode()))


def asked(app: KeyedApp, key: Any = KEY, **header: Any) -> Any:
    assertion = app.assertion(key, {"alg": "ES256" if isinstance(key, ECKey) else "RS256", **header})
    return app.call("/oauth/introspect", proved=False, token="unknown", **app.proved(assertion))


def test_an_app_with_an_address_of_keys_has_no_secret(app: KeyedApp) -> None:
    assert app.secret is None


def test_keys_are_fetched_and_kept_for_five_minutes(site: Site, server: AppServer, app: KeyedApp) -> None:
    answer(server, KEY, RSA)
    assert [asked(app, key).status for key in (KEY, RSA, KEY)] == [200, 200, 200]
    assert [taken.verb for taken in server.taken] == ["GET"]
    site.clock.pass_(299)
    assert asked(app).status == 200
    site.clock.pass_(1)
    answer(server, RSA)
    assert asked(app, RSA).status == 200
    assert len(server.taken) == 2
    assert asked(app).status == 401, "the app ended this key"


def test_a_new_key_is_fetched_at_most_once_a_minute(site: Site, server: AppServer, app: KeyedApp) -> None:
    answer(server, KEY)
    assert asked(app).status == 200
    assert asked(app, NEW).status == 401
    assert len(server.taken) == 1, "it was fetched in this minute"
    site.clock.pass_(60)
    answer(server, KEY, NEW)
    assert asked(app, NEW).status == 200
    for _ in range(3):
        assert asked(app, kid="unknown").status == 401
    assert len(server.taken) == 2
    site.clock.pass_(60)
    server.answers.append((500, b""))
    assert asked(app, kid="unknown").status == 401
    assert len(server.taken) == 3
    assert asked(app).status == 200, "what was fetched two minutes ago is still kept"


@pytest.mark.parametrize(
    ("status", "body"),
    [(500, json.dumps(JWKS).encode()), (404, b""), (302, b"https://evil.example/"), (200, b""), (200, b"{"),
     (200, b"[]"), (200, b"{}"), (200, b'{"keys": {}}'), (200, b"\xff"), (200, b"[" * 60_000),
     (200, json.dumps({**JWKS, "pad": "x" * 70_000}).encode())],
)  # fmt: skip
def test_what_is_no_set_of_keys_proves_nothing_and_is_not_asked_for_again_at_once(
    site: Site, server: AppServer, app: KeyedApp, status: int, body: bytes
) -> None:
    server.answers.append((status, body))
    for _ in range(12):  # it is not the app's failure, so it is not counted as one
        page = asked(app)
        assert (page.status, json_of(page)["error"]) == (401, "invalid_client")
        assert "could not be fetched" in json_of(page)["error_description"]
    assert len(server.taken) == 1
    site.clock.pass_(60)
    answer(server, KEY)
    assert asked(app).status == 200


def test_of_two_keys_that_match_the_header_must_name_one() -> None:
    keys = {"keys": [key.as_dict(private=False) for key in (KEY, NEW)]}
    assert matching(keys, {"alg": "ES256", "kid": "new"}) == keys["keys"][1]
    with pytest.raises(ProofRefused, match="Several"):
        matching(keys, {"alg": "ES256"})


def test_old_keys_are_not_used_when_the_address_does_not_answer(site: Site, server: AppServer, app: KeyedApp) -> None:
    answer(server, KEY)
    assert asked(app).status == 200
    site.clock.pass_(300)
    server.answers.append((503, b""))
    assert asked(app).status == 401


def test_a_private_key_in_the_set_verifies_nothing(server: AppServer, app: KeyedApp) -> None:
    body = {"keys": [KEY.as_dict(private=True), None, "x", {"kty": ["EC"]}]}
    server.answers.append((200, json.dumps(body).encode()))
    page = asked(app)
    assert page.status == 401
    assert "private" in json_of(page)["error_description"]


def test_a_private_address_is_not_called(site: Site, server: AppServer) -> None:
    """Server-side request forgery: the rules are those of log-out addresses."""
    app = KeyedApp(site, jwks=None, jwks_uri=server.url)
    assert asked(app).status == 401
    assert server.taken == []


def test_another_address_is_another_set(site: Site, server: AppServer, app: KeyedApp) -> None:
    answer(server, KEY)
    assert asked(app).status == 200
    apps = site.services.operators.apps
    apps.change(app.client_id, replace(apps.named(app.client_id).options, jwks_uri=f"{server.url}/other"))
    answer(server, NEW)
    assert asked(app).status == 401
    assert asked(app, NEW).status == 200


def test_the_first_requests_at_once_fetch_once(site: Site, server: AppServer, app: KeyedApp) -> None:
    answer(server, KEY)
    given = [app.assertion() for _ in range(4)]
    openid = site.services.openid
    client = openid.clients.client(app.client_id)
    assert client is not None
    with ThreadPoolExecutor(4) as pool:
        verified = pool.map(
            lambda one: openid.endpoints.client_proofs.assertions.verified(client.app, one, (openid.issuer,)), given
        )
        assert len({use.proof_hash for use in verified}) == 4
    assert len(server.taken) == 1
