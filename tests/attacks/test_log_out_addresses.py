"""Attacks by the log-out address of an app, and by log-out tokens, each in a test named after it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from tests.adapters.app_server import DRIP, ENDLESS, SILENT, AppServer
from tests.conftest import Site
from tests.people import Owner
from tests.relying_party import RelyingParty, ToldParty, json_of
from webapp.adapters.server_requests import HttpRequests
from webapp.bootstrap import adapters
from webapp.domain.ports import LogOut
from webapp.models.messages import Message
from webapp.services.openid.signing_keys import SigningKeys

PRIVATE = "the app's server is at a private address that NIGHTLATCH_PRIVATE_ADDRESSES does not have"
REBOUND: list[str] = []
"""What `names.example` resolves to: the first address, which is taken away."""


def resolve(name: str, _port: int) -> list[str]:
    return [REBOUND.pop(0)] if name == "names.example" else [name]


@pytest.fixture
def overrides() -> dict[str, Any]:
    return {"servers": HttpRequests([], 1, 1000, resolve=resolve)}


@pytest.fixture
def server() -> Iterator[AppServer]:
    with AppServer() as server:
        yield server


@pytest.fixture
def ada(site: Site) -> Owner:
    return Owner.signed_up(site)


def outcome(site: Site) -> tuple[str, str | None]:
    """What became of the last log-out, after one round of the worker."""
    site.services.delivery.deliver_due()
    with site.services.db.read() as tx:
        last = select(Message.state, Message.complaint).where(Message.channel == "log-out").order_by(Message.id.desc())
        state, complaint = tx.execute(last.limit(1)).one()
    return state, complaint


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:{port}/",
        "https://127.0.0.1:{port}/",
        "https://[::1]:{port}/",
        "https://[::ffff:127.0.0.1]:{port}/",
        "https://10.1.2.3/",
        "https://100.64.0.1/",
        "https://169.254.169.254/latest/meta-data/",
        "https://[fd00:ec2::254]/",
        "https://0.0.0.0:{port}/",
        "https://224.0.0.1/",
    ],
)
def test_ssrf_by_the_log_out_address(site: Site, ada: Owner, server: AppServer, address: str) -> None:
    """Keycloak CVE-2020-10770 and its like: the site must not call what is inside its network."""
    wiki = RelyingParty(site, backchannel_logout_uri=address.format(port=server.port))
    wiki.tokens(ada)
    ada.log_out()
    assert outcome(site) == ("failed", PRIVATE)
    assert server.taken == []


def test_dns_rebinding(site: Site, ada: Owner, server: AppServer) -> None:
    """The name is public when the app is registered, and inside when it is called; or differs between two questions."""
    wiki = RelyingParty(site, backchannel_logout_uri=f"https://names.example:{server.port}/")
    REBOUND[:] = ["127.0.0.1", "93.184.216.34"]
    wiki.tokens(ada)
    ada.log_out()
    assert outcome(site) == ("failed", PRIVATE)
    assert REBOUND == ["93.184.216.34"], "it is resolved once"
    assert server.taken == []


def test_a_network_of_one_app_does_not_serve_another(site: Site, ada: Owner, server: AppServer) -> None:
    wiki, other = ToldParty(site, server), RelyingParty(site, name="Other", backchannel_logout_uri=server.url)
    for app in (wiki, other):
        app.tokens(ada)
    ada.log_out()
    outcome(site)
    assert len(server.taken) == 1
    assert wiki.judged(server.taken[0].form["logout_token"])


def test_a_redirect_is_not_followed(site: Site, ada: Owner, server: AppServer) -> None:
    with AppServer() as inside:
        server.answers.append((307, inside.url.encode()))
        ToldParty(site, server).tokens(ada)
        ada.log_out()
        assert outcome(site) == ("owed", "the app did not take the log-out: HTTP 307")
        assert inside.taken == []


def test_an_answer_of_unlimited_size(site: Site, ada: Owner, server: AppServer) -> None:
    server.answers.append((200, ENDLESS))
    ToldParty(site, server).tokens(ada)
    ada.log_out()
    assert outcome(site)[0] == "sent"


@pytest.mark.parametrize("body", [SILENT, DRIP])
def test_a_slow_server_does_not_hold_up_messages_to_people(
    site: Site, ada: Owner, server: AppServer, body: bytes
) -> None:
    server.answers.append((200, body))
    ToldParty(site, server).tokens(ada)
    ada.log_out()
    started = time.monotonic()
    assert outcome(site) == ("owed", "the app's server took longer than 1 s")
    assert time.monotonic() - started < 4


def log_out_token(site: Site, app: RelyingParty, identity: dict[str, Any]) -> str:
    told = LogOut(app.client_id, "", (), app.app.signing_algorithm, identity["sub"], identity["sid"])
    return site.services.openid.back_channel.token(told)


def test_a_log_out_token_is_no_id_token(site: Site, ada: Owner) -> None:
    """Who gets one must not use it as a hint or to log in (RFC 8725 section 3.11)."""
    wiki = RelyingParty(site, trusted=True)
    token = log_out_token(site, wiki, wiki.read(wiki.tokens(ada)["id_token"]))
    assert ada.open(f"/oauth/log-out?id_token_hint={token}").status == 400
    assert wiki.userinfo(token).status == 401
    assert json_of(wiki.call("/oauth/introspect", token=token)) == {"active": False}
    assert "error=invalid_request" in wiki.send(ada, id_token_hint=token, prompt="none").response.headers["Location"]


def test_an_unsigned_log_out_token_is_never_sent(site: Site, ada: Owner, server: AppServer) -> None:
    """The app can tell a forged one: each has a signature of the algorithm of the app, by a published key."""
    for algorithm in ("RS256", "ES256"):
        wiki = ToldParty(site, server, signing_algorithm=algorithm)
        wiki.read_until = len(server.taken)
        browser = ada.other_browser()
        browser.log_in_whole()
        wiki.tokens(browser)
        browser.log_out()
        assert len(wiki.told()) == 1


def test_a_token_of_a_withdrawn_key_is_refused_everywhere(site: Site, ada: Owner) -> None:
    wiki = RelyingParty(site, trusted=True)
    tokens = wiki.tokens(ada)
    assert wiki.userinfo(tokens["access_token"]).status == 200
    SigningKeys(site.services.core).rotate(withdraw=True)
    assert wiki.userinfo(tokens["access_token"]).status == 401
    assert json_of(wiki.call("/oauth/introspect", token=tokens["access_token"])) == {"active": False}
    assert ada.open(f"/oauth/log-out?id_token_hint={tokens['id_token']}").status == 400
    again = json_of(wiki.refresh(tokens["refresh_token"]))
    assert wiki.userinfo(again["access_token"]).status == 200


def test_the_networks_of_the_settings_are_used(site: Site, server: AppServer) -> None:
    settings = replace(site.services.settings, private_addresses=("127.0.0.0/8",))
    assert adapters(settings).servers.get(server.url, []).status == 204
