"""The modules of the OpenID Foundation's plan "Back-Channel Logout OP", one test for each, named alike."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from tests.adapters.app_server import AppServer
from tests.conftest import Site
from tests.people import Owner
from tests.relying_party import ToldParty, json_of, target_of

BYE = "https://app.example/bye"


@pytest.fixture
def told(site: Site) -> Iterator[ToldParty]:
    with AppServer() as server:
        yield ToldParty(site, server, trusted=True, post_logout_redirect_uris=(BYE,))


def test_oidcc_backchannel_logout_discovery_endpoint_verification(told: ToldParty) -> None:
    found = json_of(told.server.open("/.well-known/openid-configuration"))
    assert found["backchannel_logout_supported"] is True
    assert found["backchannel_logout_session_supported"] is True


def test_oidcc_backchannel_rp_initiated_logout(ada: Owner, told: ToldParty) -> None:
    """The app that asks for log-out is told too."""
    hint = told.tokens(ada)["id_token"]
    asked = {"id_token_hint": hint, "post_logout_redirect_uri": BYE, "state": "x"}
    ada.open(f"/oauth/log-out?{urlencode(asked)}", follow=False)
    assert target_of(ada) == f"{BYE}?state=x"
    (claims,) = told.told()
    identity = told.read(hint)
    assert (claims["sub"], claims["sid"]) == (identity["sub"], identity["sid"])
    told.send(ada, prompt="none")
    assert "error=login_required" in target_of(ada)
