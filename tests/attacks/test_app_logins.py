"""Attacks on the log-in to apps (RFC 9700, OAuth 2.0 Security Best Current Practice), each in a test named after it."""

from __future__ import annotations

import json
import time
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from threading import Event
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import delete, event, insert, select, update

from tests.attacks.races import Racers
from tests.attacks.tools import account_id, cookies_of, count
from tests.conftest import Site
from tests.guarded_host import GuardedHost
from tests.people import Owner, Person
from tests.relying_party import BACK, PUBLIC, VERIFIER, WEB, RelyingParty, answer_of, challenge_of, json_of, target_of
from webapp.domain.origin import NO_BROWSER
from webapp.domain.refusals import NotFound
from webapp.models.app_logins import AppAuthorization, AuthorizationRequest, SessionApp
from webapp.models.names import SiteKey
from webapp.models.registered_apps import KEY, AppGroup, RegisteredApp
from webapp.models.sessions import Session
from webapp.services.openid.steps import ID_TOKEN
from webapp.services.openid.subjects import NAME

EVIL = "https://evil.example"
AT_ONCE = 6


@pytest.fixture
def wiki(site: Site) -> RelyingParty:
    return RelyingParty(site)


@pytest.fixture
def other(site: Site) -> RelyingParty:
    """Another app, which an attacker runs."""
    return RelyingParty(site, name="Other", redirect_uris=(f"{EVIL}/back",))


def error_of(page: Any) -> str:
    return str(json_of(page)["error"])


def change(site: Site, **values: Any) -> None:
    """The operator changes every app."""
    with site.services.db.write() as tx:
        tx.execute(update(RegisteredApp).values(values))


def prove(person: Owner) -> Any:
    """Step-up with the password, and with a second factor where that is asked."""
    page = person.press("Verify", password=person.password)
    return person.press("Verify", code=person.next_code()) if page.h1 == "Enter your code" else page


def by_form(app: RelyingParty, **changes: str) -> Any:
    """A request as the form of another site sends it, without a session."""
    form = {"response_type": "code", "client_id": app.client_id, "redirect_uri": BACK, "scope": "openid", **changes}
    return app.server.send("POST", "/oauth/authorize", data=form, follow=False)


# -- Redirect addresses (section 4.1, and 4.11 open redirectors) --------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        None,
        "",
        EVIL,
        f"{BACK}/",
        f"{BACK}?x=1",
        f"{BACK}#x",
        BACK.replace("https", "http"),
        BACK.upper(),
        f"{BACK}/../evil",
        f"{BACK}%2e",
        "https://app.example@evil.example/back",
        "https://app.example.evil.example/back",
        "https://app.example:443/back",
        "//app.example/back",
        "/back",
        "javascript:alert(1)",
        f"{BACK}\n",
        f"{BACK}\\@evil.example",
        "\ud83d",
    ],
)
def test_nothing_is_sent_to_an_address_that_is_not_registered(
    ada: Owner, wiki: RelyingParty, address: str | None
) -> None:
    given = address.encode("utf-8", "surrogatepass").decode("utf-8", "replace") if address else address
    for asked in ({}, {"response_type": "token"}, {"prompt": "none"}, {"scope": "nothing"}):
        page = ada.open(wiki.address(redirect_uri=given, **asked), follow=False)
        assert page.status == 400
        assert page.h1 == "This login request can't be completed"
        assert page.says("Error ID: ")
        assert "Location" not in page.response.headers
        assert "Refresh" not in page.response.headers


def test_another_apps_address_is_refused(ada: Owner, wiki: RelyingParty, other: RelyingParty) -> None:
    assert ada.open(wiki.address(redirect_uri=f"{EVIL}/back"), follow=False).status == 400


@pytest.mark.parametrize("client_id", [None, "", "unknown", "a" * 5000, "\0", "%"])
def test_an_unknown_app_gets_a_page(ada: Owner, wiki: RelyingParty, client_id: str | None) -> None:
    page = ada.open(wiki.address(client_id=client_id), follow=False)
    assert page.status == 400
    assert "Location" not in page.response.headers


def test_the_way_to_an_app_leads_to_no_other_site_after_sign_up(site: Site, wiki: RelyingParty) -> None:
    stranger, bob = Person(site.app), Owner(site, "bob")
    waiting = wiki.send(stranger).response.request.args["next"]
    bob.open(f"/log-in?next={quote(f'//evil.example{waiting}')}")
    bob.open("/sign-up")
    bob.press("Sign up", name="Bob", username="bob", password=bob.password)
    bob.press("Next", email=bob.email)
    page = bob.press("Verify", code=site.emailed_code(bob.email))
    assert (page.status, page.path) == (200, "/")


def test_a_repeated_address_or_app_gets_a_page_and_other_repetitions_an_error(ada: Owner, wiki: RelyingParty) -> None:
    for more in (f"&redirect_uri={quote(BACK, safe='')}", f"&client_id={wiki.client_id}"):
        assert ada.open(wiki.address() + more, follow=False).status == 400
    for more in ("&scope=openid", "&state=other", "&code_challenge=x", "&nonce=y"):
        ada.open(wiki.address() + more, follow=False)
        assert answer_of(ada)["error"] == "invalid_request", more


@pytest.mark.parametrize(
    "address",
    ["http://127.0.0.1:0x50/back", "http://127.0.0.1:1/other", "http://127.0.0.1.evil.example/back",
     "http://127.0.0.1:1@evil.example/back", "http://localhost/back", "http://[::1]/back", "https://127.0.0.1:1/back",
     "http://127.0.0.1:65536/back", "http://127.0.0.1:99999/back", "http://127.0.0.1:0/back"],
)  # fmt: skip
def test_only_the_port_of_a_loopback_address_is_free(site: Site, ada: Owner, address: str) -> None:
    phone = RelyingParty(site, PUBLIC, redirect_uris=("http://127.0.0.1/back",))
    for prompt in (None, "none"):
        assert ada.open(phone.address(redirect_uri=address, prompt=prompt), follow=False).status == 400
    for port in ("", ":1", ":00080", ":65535"):
        phone.send(ada.other_browser(), redirect_uri=f"http://127.0.0.1{port}/back", prompt="none")
    web = RelyingParty(site, WEB, redirect_uris=("http://127.0.0.1/back",))
    assert ada.open(web.address(redirect_uri="http://127.0.0.1:4000/back"), follow=False).status == 400


@pytest.mark.parametrize(
    "address",
    ["http://localhost/back", "https://localhost:8443/back", "http://LOCALHOST:3000/back", "http://wiki.localhost/back",
     "http://127.0.0.1/back", "http://127.1.2.3:3000/back", "http://[::1]/back", "com.example.app:/back"],
)  # fmt: skip
def test_another_app_on_the_device_gets_no_code_without_a_question(site: Site, ada: Owner, address: str) -> None:
    """RFC 8252 section 8.6: every app on the device can use such an address."""
    phone = RelyingParty(site, PUBLIC, trusted=True, redirect_uris=(address,))
    for _ in range(2):
        assert phone.send(ada, redirect_uri=address).h1 == "Log in to Wiki"
        ada.press("Continue")
        assert answer_of(ada)["code"]
    page = ada.open(phone.address(redirect_uri=address, prompt="none"), follow=False)
    assert "error=consent_required" in page.response.headers["Location"]


# -- What a request costs -------------------------------------------------------------------------------


def test_an_installed_app_is_never_shown_as_a_host(site: Site, ada: Owner) -> None:
    """What follows a private scheme is up to the app: it is no host, and may look like one."""
    address = "com.example.films://bank.example/back"
    films = RelyingParty(site, PUBLIC, "Films", redirect_uris=(address,))
    for person, h1 in ((ada.other_browser(), "Log in"), (ada, "Log in to Films")):
        page = films.send(person, redirect_uri=address)
        assert page.h1 == h1
        assert page.says("You then go back to com.example.films:")
        assert not page.says("bank.example")


def test_a_request_of_many_names_costs_no_seconds(site: Site, wiki: RelyingParty) -> None:
    names = [(f"{number:x}", "") for number in range(17_000)]
    given = [("client_id", wiki.client_id), ("redirect_uri", BACK), *names, *names[:1]]
    service, since = site.services.openid.authorizations, time.process_time()
    app, reply = service.addressed(given)
    assert (app.client_id, reply.address) == (wiki.client_id, BACK)
    assert time.process_time() - since < 1


def test_what_is_stored_of_a_request_is_bounded(site: Site, ada: Owner, wiki: RelyingParty) -> None:
    stranger = ada.other_browser(address="198.51.100.90")
    more = "".join(f"&name{number}=value" for number in range(200))
    assert wiki.send(stranger, login_hint="ada").h1 == "Log in"
    stranger.open(wiki.address() + more, follow=False)
    assert by_form(wiki, other="x" * 5000).status == 303
    with site.services.db.read() as tx:
        in_order = select(AuthorizationRequest.parameters).order_by(AuthorizationRequest.id)
        stored = [{name for name, _ in pairs} for pairs in tx.scalars(in_order)]
    asked = {"response_type", "client_id", "redirect_uri", "scope"}
    whole = asked | {"state", "nonce", "code_challenge", "code_challenge_method"}
    assert stored == [whole | {"login_hint"}, whole, asked]
    for long in ({"acr_values": "x" * 8001}, {"state": "x" * 4000, "id_token_hint": "y" * 4000}):
        page = stranger.open(wiki.address(**long), follow=False)
        assert (page.status, page.h1) == (400, "This login request can't be completed")
        assert by_form(wiki, **long).status == 400
    assert count(site, "SELECT count(*) FROM authorization_requests") == 3


def test_strangers_cannot_store_requests_without_end(site: Site, ada: Owner, wiki: RelyingParty) -> None:
    stranger = ada.other_browser(address=wiki.server.address)
    for _ in range(299):
        assert by_form(wiki).status == 303
    assert wiki.send(stranger).h1 == "Log in"
    for path in ("/oauth/authorize", "/oauth/log-out"):  # a person sees a page, not the answer to a program
        page = by_form(wiki) if path == "/oauth/authorize" else wiki.server.send("POST", path, follow=False)
        assert (page.status, page.h1) == (429, "Too many attempts")
        assert page.says("Error ID: ")
        assert int(page.response.headers["Retry-After"]) > 0
    page = stranger.open(wiki.address(), follow=False)
    assert (page.status, page.path) == (429, "/oauth/authorize")
    assert count(site, "SELECT count(*) FROM authorization_requests") == 300
    ada.address = wiki.server.address
    assert wiki.send(ada).h1 == "Log in to Wiki", "who has a session is not kept out"
    stranger.address = "203.0.113.5"
    assert wiki.send(stranger).h1 == "Log in"
    site.clock.pass_(3600)
    assert by_form(wiki).status == 303


@pytest.mark.parametrize("prompt", [" none", "none ", "none none"])
def test_a_silent_request_with_spaces_stores_nothing(site: Site, ada: Owner, wiki: RelyingParty, prompt: str) -> None:
    stranger = ada.other_browser()
    wiki.send(stranger, prompt=prompt)
    assert answer_of(stranger)["error"] == "login_required"
    assert count(site, "SELECT count(*) FROM authorization_requests") == 0


@pytest.mark.parametrize("path", ["token", "revoke", "introspect", "par", "device", "userinfo"])
def test_a_program_gets_an_error_of_the_protocol_for_a_request_that_is_refused_unread(
    site: Site, wiki: RelyingParty, path: str
) -> None:
    """RFC 6749 section 5.2: an app shows or logs what it can read, and a page is not that."""
    address, headers = f"/oauth/{path}", {"Content-Type": "application/x-www-form-urlencoded"}
    refusals = site.services.operators.refusals
    for body, status in ((b"a=%ff", 400), (b"a=%00", 400), (b"a=\xff", 400), (b"a=" + b"x" * 3_000_000, 413)):
        page = wiki.server.send("POST", address, data=body, headers=headers, follow=False)
        assert (page.status, error_of(page)) == (status, "invalid_request")
        assert refusals.explain(json_of(page)["error_id"])
        assert page.response.headers["Cache-Control"] == "no-store"
    floods = site.app.extensions["floods"]
    for _ in range(site.services.settings.policy.flood.most):
        floods.count(wiki.server.address)
    page = wiki.server.send("POST", address, data=b"a=b", headers=headers, follow=False)
    assert (page.status, error_of(page)) == (429, "temporarily_unavailable")
    with pytest.raises(NotFound):  # the log has it: what a flood sends fills no table
        refusals.explain(json_of(page)["error_id"])
    assert int(page.response.headers["Retry-After"]) > 0
    for page in (by_form(wiki), wiki.server.send("POST", "/oauth/log-out", follow=False)):
        assert (page.status, page.h1) == (429, "Too many attempts"), "a person sees a page"


@pytest.mark.parametrize("path", ["token", "revoke", "introspect", "device"])
def test_a_missing_encryption_key_is_told_in_the_same_way(site: Site, wiki: RelyingParty, path: str) -> None:
    with site.services.db.write() as tx:
        tx.execute(insert(SiteKey).values(name=NAME, sealed="none.AAAA"))
    page = wiki.call(f"/oauth/{path}", token="x", grant_type="authorization_code", code="x")
    assert (page.status, error_of(page)) == (503, "temporarily_unavailable")
    assert json_of(page)["error_id"]
    assert page.response.headers["Retry-After"] == "60"


# -- What is refused as a whole --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"response_type": '"><script>'}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"response_mode": "web_message"}, "invalid_request"),
        ({"scope": None}, "invalid_scope"),
        ({"scope": "everything"}, "invalid_scope"),
        ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"prompt": "create"}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"max_age": "1e9"}, "invalid_request"),
        ({"max_age": "\u0661"}, "invalid_request"),
        ({"claims": "[]"}, "invalid_request"),
        ({"claims": '{"id_token": 1}'}, "invalid_request"),
        ({"claims": '{"userinfo": {"name": 1}}'}, "invalid_request"),
        ({"claims": "[" * 1500}, "invalid_request"),
        ({"claims": '{"id_token": {"name": {"value": NaN}}}'}, "invalid_request"),
        ({"claims": '{"userinfo": {"name": {"value": 1e999}}}'}, "invalid_request"),
        ({"claims": '{"id_token": {"acr": {"essential": true, "value": 5}}}'}, "invalid_request"),
        ({"claims": '{"id_token": {"acr": {"essential": true, "values": {"phr": 1}}}}'}, "invalid_request"),
        ({"nonce": "n" * 2001}, "invalid_request"),
        ({"request": "e30.e30."}, "request_not_supported"),
        ({"request_uri": f"{EVIL}/request"}, "request_uri_not_supported"),
        ({"registration": "{}"}, "registration_not_supported"),
        ({"resource": f"{EVIL}/"}, "invalid_target"),
        ({"id_token_hint": "a.b.c"}, "invalid_request"),
    ],
)
def test_what_is_not_supported_is_refused_at_the_app(
    ada: Owner, wiki: RelyingParty, asked: dict[str, str | None], error: str
) -> None:
    """Implicit and hybrid flows (section 2.1.2), PKCE downgrade (4.8), unsigned request objects."""
    wiki.send(ada, **asked)
    answer = answer_of(ada)
    assert answer["error"] == error
    assert answer["state"] == "a state"
    assert answer["iss"] == "http://nightlatch.localhost:5000", "mix-up (section 4.4): every answer names its issuer"
    assert answer["error_id"]


def test_a_password_grant_is_refused(ada: Owner, wiki: RelyingParty) -> None:
    """Section 2.4."""
    for kind in ("password", "client_credentials", "implicit", '"\\', "x" * 500):
        page = wiki.call("/oauth/token", grant_type=kind, username="ada", password=ada.password)
        assert (page.status, error_of(page)) == (400, "unsupported_grant_type")
    assert error_of(wiki.call("/oauth/token")) == "invalid_request"
    assert error_of(wiki.call("/oauth/token", grant_type="", code="x")) == "invalid_request"
    form = {"grant_type": "refresh_token", "refresh_token": "x"}
    assert error_of(wiki.call("/oauth/token", proved=False, client_id="unknown", **form)) == "invalid_client"
    repeated = {"data": {**form, "scope": ["openid", "email"]}, "follow": False}
    assert error_of(wiki.server.send("POST", "/oauth/token", **repeated)) == "invalid_request"


# -- Codes (sections 4.5 injection, 4.8 PKCE downgrade, 4.2.4 replay) ------------------------------------


def test_a_code_is_bound_to_its_app(ada: Owner, wiki: RelyingParty, other: RelyingParty) -> None:
    code = wiki.code(ada)
    assert error_of(other.exchange(code)) == "invalid_grant"
    assert wiki.exchange(code).status == 200, "another app cannot use it up"


@pytest.mark.parametrize(
    "changes",
    [
        {"redirect_uri": f"{EVIL}/back"},
        {"redirect_uri": ""},
        {"code_verifier": "x" * 43},
        {"code_verifier": VERIFIER[:42]},
    ],
)
def test_a_code_is_bound_to_its_address_and_challenge(ada: Owner, wiki: RelyingParty, changes: dict[str, str]) -> None:
    code = wiki.code(ada)
    page = wiki.exchange(code, **changes)
    assert page.status == 400
    assert error_of(page) in ("invalid_grant", "invalid_request")
    assert wiki.exchange(code).status == 200


def test_pkce_cannot_be_left_out_or_added_at_the_token_request(site: Site, ada: Owner) -> None:
    wiki = RelyingParty(site, pkce_demanded=False)
    code = wiki.code(ada)
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK}
    assert wiki.call("/oauth/token", **form).status == 400
    code = wiki.code(ada, code_challenge=None, code_challenge_method=None)
    assert wiki.exchange(code).status == 400, "a verifier without a challenge (section 4.8.2)"
    assert wiki.call("/oauth/token", **{**form, "code": code}).status == 200


def test_the_challenge_itself_is_no_verifier(ada: Owner, wiki: RelyingParty) -> None:
    assert wiki.exchange(wiki.code(ada), code_verifier=challenge_of(VERIFIER)).status == 400


def test_a_code_lives_for_a_minute(site: Site, ada: Owner, wiki: RelyingParty) -> None:
    code = wiki.code(ada)
    site.clock.pass_(60)
    assert error_of(wiki.exchange(code)) == "invalid_grant"


def test_a_code_that_is_used_twice_ends_what_it_gave(ada: Owner, wiki: RelyingParty) -> None:
    code = wiki.code(ada)
    tokens = json_of(wiki.exchange(code))
    assert error_of(wiki.exchange(code)) == "invalid_grant"
    assert wiki.userinfo(tokens["access_token"]).status == 401
    assert error_of(wiki.refresh(tokens["refresh_token"])) == "invalid_grant"


def test_a_code_of_a_session_that_ended_is_refused(ada: Owner, wiki: RelyingParty) -> None:
    code = wiki.code(ada)
    ada.log_out()
    assert error_of(wiki.exchange(code)) == "invalid_grant"


def test_a_scope_that_was_taken_from_the_app_is_in_no_further_token(site: Site, ada: Owner) -> None:
    wiki = RelyingParty(site, trusted=True)
    code, tokens = wiki.code(ada, scope="openid email"), wiki.tokens(ada, scope="openid email")
    change(site, scopes=["openid"])
    for fresh in (json_of(wiki.exchange(code)), json_of(wiki.refresh(tokens["refresh_token"]))):
        assert (fresh["scope"], wiki.read(fresh["access_token"])["scope"]) == ("openid", "openid")
        told = json_of(wiki.call("/oauth/introspect", token=fresh["refresh_token"]))
        assert (told["active"], told["scope"]) == (True, "openid")


def test_without_its_scope_offline_access_ends_with_the_session(site: Site, ada: Owner) -> None:
    wiki = RelyingParty(site, trusted=True)
    kept, taken = (wiki.tokens(ada, scope="openid offline_access")["refresh_token"] for _ in range(2))
    site.clock.pass_(3601)
    assert wiki.refresh(kept).status == 200, "the session is idle, and its user did not log out"
    change(site, scopes=["openid"])
    assert error_of(wiki.refresh(taken)) == "invalid_grant"


def test_a_resource_that_was_taken_from_the_app_gets_no_further_token(site: Site, ada: Owner) -> None:
    wiki = RelyingParty(site, trusted=True, resources=("https://api.example",))
    tokens = wiki.tokens(ada, resource="https://api.example")
    change(site, resources=[])
    assert not json_of(wiki.call("/oauth/introspect", token=tokens["access_token"]))["active"]
    assert error_of(wiki.refresh(tokens["refresh_token"])) == "invalid_grant"


def test_a_code_is_stored_as_a_hash(site: Site, ada: Owner, wiki: RelyingParty) -> None:
    from tests.attacks.tools import stored

    code = wiki.code(ada)
    tokens = json_of(wiki.exchange(code))
    for name, content in stored(site).items():
        for secret in (code, tokens["refresh_token"], tokens["access_token"], wiki.secret or ""):
            assert secret.encode() not in content, name


# -- Who the app is ----------------------------------------------------------------------------------------


def test_an_app_must_prove_itself(ada: Owner, wiki: RelyingParty, other: RelyingParty) -> None:
    code = wiki.code(ada)
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "code_verifier": VERIFIER}
    named = {**form, "client_id": wiki.client_id}
    attempts = [
        wiki.call("/oauth/token", proved=False, **form),
        wiki.call("/oauth/token", proved=False, **named),
        wiki.call("/oauth/token", proved=False, **named, client_secret="wrong"),
        wiki.call("/oauth/token", proved=False, **named, client_secret=""),
        wiki.call("/oauth/token", proved=False, **named, client_secret=str(other.secret)),
    ]
    for page in attempts:
        assert page.status in (400, 401)
        assert error_of(page) == "invalid_client"
    page = wiki.call("/oauth/token", proved=False, **named, client_secret=str(wiki.secret))
    assert page.status == 200


@pytest.mark.parametrize("header", ["Basic", "Basic !", "Basic /w==", "Basic YQ==", "Bearer x", "Basic \u00e9", ""])
def test_a_malformed_header_is_refused_and_no_error_of_ours(wiki: RelyingParty, header: str) -> None:
    for path in ("/oauth/token", "/oauth/revoke", "/oauth/introspect"):
        page = wiki.call(path, authorization=header, grant_type="refresh_token", refresh_token="x", token="x")
        assert page.status in (400, 401), (path, page.text)


def test_a_right_proof_in_a_malformed_header_is_refused(wiki: RelyingParty) -> None:
    proof = b64encode(f"{wiki.client_id}:{wiki.secret}".encode()).decode()
    page = wiki.call("/oauth/token", authorization=f"Basic {proof}", grant_type="refresh_token", refresh_token="x")
    assert error_of(page) == "invalid_grant"
    page = wiki.call("/oauth/token", authorization=f"Basic !{proof}", grant_type="refresh_token", refresh_token="x")
    assert error_of(page) == "invalid_request"


def test_a_guarded_host_is_no_client(site: Site, ada: Owner, wiki: RelyingParty) -> None:
    """Its secret is for its proxy only."""
    host = GuardedHost(site)
    header = f"Basic {b64encode(f'{host.app.client_id}:{host.secret}'.encode()).decode()}"
    for path in ("/oauth/token", "/oauth/revoke", "/oauth/introspect", "/oauth/device", "/oauth/par"):
        page = wiki.call(path, authorization=header, grant_type="refresh_token", refresh_token="x", token="x")
        assert error_of(page) == "invalid_client", path
    assert ada.open(f"/oauth/log-out?client_id={host.app.client_id}", follow=False).status == 400


def test_two_proofs_or_two_names_are_refused(ada: Owner, wiki: RelyingParty, other: RelyingParty) -> None:
    page = wiki.call("/oauth/token", grant_type="refresh_token", refresh_token="x", client_secret=str(wiki.secret))
    assert error_of(page) == "invalid_request"
    page = wiki.call("/oauth/token", grant_type="refresh_token", refresh_token="x", client_id=other.client_id)
    assert error_of(page) == "invalid_request"


def test_secrets_cannot_be_guessed_without_end(site: Site, wiki: RelyingParty) -> None:
    form = {"grant_type": "refresh_token", "refresh_token": "x", "client_id": wiki.client_id}
    for number in range(10):
        assert wiki.call("/oauth/token", proved=False, **form, client_secret=f"guess {number}").status in (400, 401)
    page = wiki.call("/oauth/token", proved=False, **form, client_secret="guess")
    assert page.status == 429
    assert int(page.response.headers["Retry-After"]) > 0
    assert error_of(wiki.call("/oauth/token", **form)) == "invalid_grant", "guesses of others do not keep the app out"
    wiki.server.address = "203.0.113.77"
    assert wiki.call("/oauth/token", proved=False, **form, client_secret="guess").status in (400, 401)


def test_invented_names_of_apps_make_no_new_room_for_failures(site: Site, wiki: RelyingParty) -> None:
    form = {"grant_type": "refresh_token", "refresh_token": "x", "client_secret": "guess"}
    for number in range(10):
        page = wiki.call("/oauth/token", proved=False, **form, client_id=f"{number}" * (1 + 20 * number))
        assert error_of(page) == "invalid_client"
    for name in ("another", "a" * 64, "a" * 65):
        assert wiki.call("/oauth/token", proved=False, **form, client_id=name).status == 429
    assert count(site, "SELECT count(DISTINCT bucket) FROM attempts WHERE bucket LIKE 'client:%'") == 1
    page = wiki.call("/oauth/token", proved=False, **form, client_id=wiki.client_id)
    assert error_of(page) == "invalid_client", "an app has its own room"


@pytest.mark.parametrize("which", ["name", "secret", "encoded name", "encoded secret"])
def test_a_nul_in_the_proof_of_an_app_never_reaches_the_database(site: Site, wiki: RelyingParty, which: str) -> None:
    nul = "%00" if which.startswith("encoded") else "\0"
    name = wiki.client_id + (nul if which.endswith("name") else "")
    secret = str(wiki.secret) + (nul if which.endswith("secret") else "")
    header = f"Basic {b64encode(f'{name}:{secret}'.encode()).decode()}"
    for path in ("/oauth/token", "/oauth/revoke", "/oauth/introspect"):
        page = wiki.call(path, authorization=header, grant_type="refresh_token", refresh_token="x", token="x")
        assert (page.status, error_of(page)) == (400, "invalid_request")
    assert count(site, "SELECT count(*) FROM attempts WHERE bucket LIKE 'client:%'") == 0


def test_a_busy_app_is_not_taken_for_an_attacker(
    site: Site, environ: dict[str, str], racers: Racers, ada: Owner, wiki: RelyingParty
) -> None:
    wiki.tokens(ada)
    request = token_request(wiki, grant_type="refresh_token", refresh_token="unknown")
    assert {answer["status"] for answer in racers.race(site, environ, [request] * 24)} == {400}


def test_what_is_right_is_not_counted(site: Site, ada: Owner, wiki: RelyingParty) -> None:
    for _ in range(12):
        assert error_of(wiki.refresh("unknown")) == "invalid_grant"
    assert count(site, "SELECT count(*) FROM attempts WHERE bucket LIKE 'client:%'") == 0


def test_a_web_app_cannot_pose_as_a_public_one(ada: Owner, wiki: RelyingParty) -> None:
    """Client impersonation (RFC 9700 section 4.15)."""
    code = wiki.code(ada)
    page = wiki.call(
        "/oauth/token",
        proved=False,
        grant_type="authorization_code",
        code=code,
        redirect_uri=BACK,
        code_verifier=VERIFIER,
        client_id=wiki.client_id,
    )
    assert error_of(page) == "invalid_client"


# -- Tokens --------------------------------------------------------------------------------------------


def test_a_refresh_token_used_twice_ends_the_family_and_the_owner_sees_it(ada: Owner, wiki: RelyingParty) -> None:
    """Section 4.14.2."""
    first = wiki.tokens(ada)["refresh_token"]
    second = json_of(wiki.refresh(first))
    assert error_of(wiki.refresh(first)) == "invalid_grant"
    assert error_of(wiki.refresh(first)) == "invalid_grant"
    assert error_of(wiki.refresh(second["refresh_token"])) == "invalid_grant"
    assert wiki.userinfo(second["access_token"]).status == 401
    assert ada.open("/settings/security/activity").says("one of its tokens was used twice")


def test_a_token_of_another_app_is_worth_nothing(ada: Owner, wiki: RelyingParty, other: RelyingParty) -> None:
    tokens = wiki.tokens(ada)
    assert error_of(other.refresh(tokens["refresh_token"])) == "invalid_grant"
    assert json_of(other.call("/oauth/introspect", token=tokens["access_token"])) == {"active": False}
    assert json_of(other.call("/oauth/introspect", token=tokens["refresh_token"])) == {"active": False}
    assert other.call("/oauth/revoke", token=tokens["refresh_token"]).status in (200, 400)
    assert other.call("/oauth/revoke", token=tokens["access_token"]).status in (200, 400)
    assert wiki.userinfo(tokens["access_token"]).status == 200
    assert wiki.refresh(tokens["refresh_token"]).status == 200


def test_a_refresh_token_dies_after_thirty_idle_days(site: Site, ada: Owner, wiki: RelyingParty) -> None:
    token = wiki.tokens(ada, scope="openid offline_access")["refresh_token"]
    for _ in range(3):
        site.clock.pass_(29 * 86400)
        token = json_of(wiki.refresh(token))["refresh_token"]
    site.clock.pass_(30 * 86400)
    assert error_of(wiki.refresh(token)) == "invalid_grant"


def test_a_refresh_token_that_was_used_or_is_idle_is_not_told_to_be_active(
    site: Site, ada: Owner, wiki: RelyingParty
) -> None:
    first = wiki.tokens(ada, scope="openid offline_access")["refresh_token"]
    second = json_of(wiki.refresh(first))["refresh_token"]
    assert json_of(wiki.call("/oauth/introspect", token=first)) == {"active": False}
    assert json_of(wiki.call("/oauth/introspect", token=second))["active"]
    site.clock.pass_(30 * 86400)
    assert json_of(wiki.call("/oauth/introspect", token=second)) == {"active": False}


def test_an_access_token_expires(site: Site, ada: Owner, wiki: RelyingParty) -> None:
    token = wiki.tokens(ada)["access_token"]
    site.clock.pass_(599)
    assert wiki.userinfo(token).status == 200
    site.clock.pass_(1)
    page = wiki.userinfo(token)
    assert page.status == 401
    assert page.response.headers["WWW-Authenticate"].startswith('Bearer error="invalid_token"')


def test_other_tokens_open_no_userinfo(ada: Owner, wiki: RelyingParty) -> None:
    tokens = wiki.tokens(ada)
    for token in (tokens["id_token"], tokens["refresh_token"], "", "x.y.z", tokens["access_token"][:-2]):
        assert wiki.userinfo(token).status == 401
    page = wiki.server.open(f"/oauth/userinfo?access_token={tokens['access_token']}", follow=False)
    assert page.status == 401, "a token in an address is in logs (section 4.3.2)"
    plain = wiki.tokens(ada, scope="email", nonce=None)
    assert "id_token" not in plain
    assert wiki.userinfo(plain["access_token"]).status == 403


@pytest.mark.parametrize("critical", [5, [5], [[]], {}, None, ["x"], "x"])
def test_a_header_that_is_malformed_is_refused_and_no_error_of_ours(
    ada: Owner, wiki: RelyingParty, critical: Any
) -> None:
    token = wiki.tokens(ada)["access_token"]
    first, payload, signature = token.split(".")
    header = json.loads(urlsafe_b64decode(f"{first}=="))
    first = urlsafe_b64encode(json.dumps({**header, "crit": critical}).encode()).rstrip(b"=").decode()
    forged = f"{first}.{payload}.{signature}"
    assert (wiki.userinfo(forged).status, wiki.userinfo(token).status) == (401, 200)
    assert json_of(wiki.call("/oauth/introspect", token=forged)) == {"active": False}
    wiki.send(ada, id_token_hint=forged)
    assert answer_of(ada)["error"] == "invalid_request"
    assert ada.open(f"/oauth/log-out?id_token_hint={forged}", follow=False).status == 400


def test_a_token_of_fewer_scopes_opens_no_more_of_userinfo(ada: Owner, wiki: RelyingParty) -> None:
    tokens = wiki.tokens(ada, scope="openid email profile")
    narrow = json_of(wiki.refresh(tokens["refresh_token"], scope="openid profile"))["access_token"]
    told = json_of(wiki.userinfo(narrow))
    assert ("name" in told, "email" in told) == (True, False)
    assert "email" in json_of(wiki.userinfo(tokens["access_token"]))


def test_a_scope_that_was_taken_from_the_app_gives_nothing(site: Site, ada: Owner, wiki: RelyingParty) -> None:
    claims = json.dumps({"userinfo": {"name": None, "email": None}, "id_token": {"email": None, "acr": None}})
    tokens = wiki.tokens(ada, scope="openid email", claims=claims)
    assert {"email", "name"} <= set(json_of(wiki.userinfo(tokens["access_token"])))
    change(site, scopes=["openid"])
    assert set(json_of(wiki.userinfo(tokens["access_token"]))) == {"sub"}
    fresh = json_of(wiki.refresh(tokens["refresh_token"]))
    assert "email" not in wiki.read(fresh["id_token"])
    assert set(json_of(wiki.userinfo(fresh["access_token"]))) == {"sub"}


def test_a_scope_that_the_app_is_given_later_gives_nothing_that_was_asked_before(site: Site, ada: Owner) -> None:
    """The user was not asked about it."""
    wiki = RelyingParty(site, scopes=("openid", "profile"))
    claims = {"userinfo": {"email": None, "name": None}, "id_token": {"email": {"essential": True}, "acr": None}}
    tokens = wiki.tokens(ada, claims=json.dumps(claims))
    change(site, scopes=["openid", "profile", "email"])
    assert set(json_of(wiki.userinfo(tokens["access_token"]))) == {"sub", "name"}
    fresh = json_of(wiki.refresh(tokens["refresh_token"]))
    assert "email" not in wiki.read(fresh["id_token"])
    with site.services.db.read() as tx:
        assert tx.scalar(select(AppAuthorization.claims)) == {"userinfo": {"name": None}, "id_token": {"acr": None}}


@pytest.mark.parametrize("change", ["password", "another browser logs all others out"])
def test_what_may_outlive_the_session_ends_with_a_change_of_password(
    ada: Owner, wiki: RelyingParty, change: str
) -> None:
    token = wiki.tokens(ada, scope="openid offline_access")["refresh_token"]
    if change == "password":
        ada.open("/settings/account/password")
        page = ada.post("/settings/account/password", password="seven brass wheels turning")
        assert page.status == 200
    else:
        other = ada.other_browser()
        other.log_in_whole()
        other.open("/settings/security/sessions")
        other.press("Log out all others")
    assert error_of(wiki.refresh(token)) == "invalid_grant"


def test_what_may_outlive_the_session_ends_with_a_further_second_factor(ada: Owner, wiki: RelyingParty) -> None:
    token = wiki.tokens(ada, scope="openid offline_access")["refresh_token"]
    ada.turn_on_key()
    assert error_of(wiki.refresh(token)) == "invalid_grant"


def test_a_stale_tab_that_kept_its_log_in_keeps_no_app_beside_log_out_all_others(
    site: Site, ada: Owner, wiki: RelyingParty
) -> None:
    """What outlives its session has no session any more once that was deleted; this session's own tokens stay."""
    thief = ada.other_browser()
    thief.log_in_whole()
    stolen = wiki.tokens(thief, scope="openid offline_access")["refresh_token"]
    site.clock.pass_(9 * 86400)
    site.services.maintenance.purge()
    assert count(site, "SELECT count(*) FROM app_authorizations WHERE session_id IS NULL") == 1
    ada.log_in_whole()
    own = wiki.tokens(ada, scope="openid offline_access")["refresh_token"]
    ada.open("/settings/security/sessions")
    ada.press("Log out all others")
    assert error_of(wiki.refresh(stolen)) == "invalid_grant"
    assert wiki.refresh(own).status == 200


@pytest.fixture
def staff(site: Site, ada: Owner, mallory: Owner) -> RelyingParty:
    """An app that is open to two groups. Ada is in one of them, mallory in both."""
    groups = site.services.operators.groups
    for name in ("staff", "board"):
        groups.create(name)
    groups.add("staff", "ada")
    groups.add("staff", "mallory")
    groups.add("board", "mallory")
    mallory.log_in_whole()
    return RelyingParty(site, name="Intranet", groups=("staff", "board"))


def test_a_membership_opens_the_apps_of_its_group_to_its_member_only(site: Site, ada: Owner, mallory: Owner) -> None:
    groups = site.services.operators.groups
    for name, member in (("staff", "mallory"), ("board", "ada")):
        groups.create(name)
        groups.add(name, member)
    intranet = RelyingParty(site, name="Intranet", groups=("staff",))
    minutes = RelyingParty(site, name="Minutes", groups=("board",))
    guarded = GuardedHost(site, groups=("staff",))
    assert (intranet.send(ada).status, ada.page.h1) == (403, "You can't use Intranet")
    assert (guarded.ask(ada).status, ada.page.h1) == (403, "You can't use Wiki")
    assert minutes.send(ada).h1 == "Log in to Minutes"


def test_who_was_removed_from_a_group_and_added_again_has_no_old_token(
    site: Site, ada: Owner, mallory: Owner, staff: RelyingParty, wiki: RelyingParty
) -> None:
    groups, offline = site.services.operators.groups, {"scope": "openid offline_access"}
    gone, kept = staff.tokens(ada, **offline), staff.tokens(mallory, **offline)
    elsewhere = wiki.tokens(ada, **offline)
    for username in ("ada", "mallory"):
        groups.remove("staff", username)
        groups.add("staff", username)
    assert error_of(staff.refresh(gone["refresh_token"])) == "invalid_grant"
    assert staff.userinfo(gone["access_token"]).status == 401
    assert staff.refresh(kept["refresh_token"]).status == 200, "mallory is in the other group"
    assert wiki.refresh(elsewhere["refresh_token"]).status == 200, "an app that is open to everyone"


def test_who_was_shut_out_of_an_app_for_a_while_has_no_old_token(
    site: Site, ada: Owner, mallory: Owner, staff: RelyingParty, wiki: RelyingParty
) -> None:
    apps, offline = site.services.operators.apps, {"scope": "openid offline_access"}
    gone, kept = staff.tokens(ada, **offline), staff.tokens(mallory, **offline)
    elsewhere = wiki.tokens(ada, **offline)
    options = apps.named(staff.client_id).options
    apps.change(staff.client_id, replace(options, groups=("board",)))
    apps.change(staff.client_id, options)
    assert error_of(staff.refresh(gone["refresh_token"])) == "invalid_grant"
    assert staff.refresh(kept["refresh_token"]).status == 200
    assert wiki.refresh(elsewhere["refresh_token"]).status == 200


def test_what_was_interrupted_when_an_app_was_closed_ends_with_the_next_purge(
    site: Site, ada: Owner, mallory: Owner, staff: RelyingParty
) -> None:
    gone, kept = (staff.tokens(one, scope="openid offline_access")["refresh_token"] for one in (ada, mallory))
    options = site.services.operators.apps.named(staff.client_id).options
    with site.services.db.write() as tx:  # as if the process was killed after the change itself
        tx.execute(delete(AppGroup).where(AppGroup.group_name != "board"))
    site.services.maintenance.purge()
    site.services.operators.apps.change(staff.client_id, options)
    assert error_of(staff.refresh(gone)) == "invalid_grant"
    assert staff.refresh(kept).status == 200


def test_an_app_that_is_opened_to_everyone_for_a_while_ends_what_it_gave_without_a_confirmed_address(
    site: Site, ada: Owner
) -> None:
    eve = Owner.signed_up(site, "eve", confirm_email=False)
    groups, apps, offline = site.services.operators.groups, site.services.operators.apps, "openid offline_access"
    groups.create("guests")
    for username in ("ada", "eve"):
        groups.add("guests", username)
    guests = RelyingParty(site, name="Guests", groups=("guests",))
    gone, kept = (guests.tokens(person, scope=offline)["refresh_token"] for person in (eve, ada))
    options = apps.named(guests.client_id).options
    apps.change(guests.client_id, replace(options, groups=()))
    apps.change(guests.client_id, options)
    assert error_of(guests.refresh(gone)) == "invalid_grant"
    assert guests.refresh(kept).status == 200


def test_the_owner_of_a_mailbox_takes_over_no_app_of_the_stranger_who_claimed_it(site: Site) -> None:
    stranger = Owner.signed_up(site, "eve", confirm_email=False)
    stranger.press("Next", email="shared@example.org")
    groups = site.services.operators.groups
    groups.create("guests")
    groups.add("guests", "eve")
    guests = RelyingParty(site, name="Guests", groups=("guests",))
    token = guests.tokens(stranger, scope="openid offline_access")["refresh_token"]
    reader = stranger.other_browser()
    reader.open("/forgot-password")
    reader.press("Send link", email="shared@example.org")
    reader.open(site.emailed_path("shared@example.org", "/reset-password/"))
    assert reader.press("Save password", password="seven brass wheels turning").path == "/log-in"
    assert error_of(guests.refresh(token)) == "invalid_grant"
    assert count(site, "SELECT count(*) FROM app_connections") == 0


def test_who_disconnects_an_app_ends_nothing_of_another_person_or_app(
    site: Site, ada: Owner, mallory: Owner, wiki: RelyingParty, other: RelyingParty
) -> None:
    mallory.log_in_whole()
    gone, kept = wiki.tokens(ada)["refresh_token"], wiki.tokens(mallory)["refresh_token"]
    at_other = {"redirect_uri": f"{EVIL}/back"}
    elsewhere = json_of(other.exchange(other.code(ada, **at_other), **at_other))["refresh_token"]
    site.services.openid.connections.disconnect(site.services.accounts.named("ada"), wiki.client_id, NO_BROWSER)
    assert error_of(wiki.refresh(gone)) == "invalid_grant"
    assert wiki.refresh(kept).status == 200
    assert other.refresh(elsewhere).status == 200
    assert count(site, "SELECT count(*) FROM app_connections") == 2


def test_a_log_in_that_commits_while_the_app_is_disconnected_gives_nothing(
    site: Site, ada: Owner, wiki: RelyingParty
) -> None:
    wiki.tokens(ada)
    connections = site.services.openid.connections
    account = site.services.accounts.named("ada")
    assert "Continue" in wiki.send(ada, scope="openid offline_access").buttons
    given, go_on = Event(), Event()

    def pause(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith("INSERT INTO app_authorizations"):
            given.set()
            go_on.wait(10)

    event.listen(site.services.db.engine, "after_cursor_execute", pause)
    with ThreadPoolExecutor(2) as pool:
        granted = pool.submit(ada.press, "Continue")
        assert given.wait(10)
        disconnected = pool.submit(connections.disconnect, account, wiki.client_id, NO_BROWSER)
        wait([disconnected], 0.5)
        go_on.set()
        granted.result()
        disconnected.result()
    event.remove(site.services.db.engine, "after_cursor_execute", pause)
    assert error_of(wiki.exchange(answer_of(ada)["code"])) == "invalid_grant"
    assert count(site, "SELECT count(*) FROM app_authorizations WHERE ended_at IS NULL") == 0


# -- The pages -------------------------------------------------------------------------------------------


def test_a_request_is_answered_once(ada: Owner, wiki: RelyingParty) -> None:
    page = wiki.send(ada)
    address = page.response.request.full_path
    ada.press("Continue")
    page = ada.open(address)
    assert (page.status, page.h1) == (400, "This login request can't be completed")


@pytest.mark.parametrize("asked", [{"max_age": "60"}, {"max_age": "60", "prompt": "login"}, {"max_age": "3000"}])
def test_a_request_that_waits_does_not_outlive_its_max_age(
    site: Site, ada: Owner, wiki: RelyingParty, asked: dict[str, str]
) -> None:
    change(site, max_age=60)
    page = wiki.send(ada, **asked)
    if page.h1 == "Enter your password":
        page = prove(ada)
    assert page.h1 == "Log in to Wiki"
    site.clock.pass_(61)
    assert ada.press("Continue").h1 == "Enter your password"
    assert prove(ada).h1 == "Log in to Wiki"
    ada.press("Continue")
    tokens = json_of(wiki.exchange(answer_of(ada)["code"]))
    assert site.clock.now() - wiki.read(tokens["id_token"])["auth_time"] <= 60


@pytest.mark.parametrize("of", ["request", "app"])
def test_a_short_max_age_leaves_time_to_read_and_no_more(site: Site, ada: Owner, wiki: RelyingParty, of: str) -> None:
    """Else each Continue would come too late, and ask for the password again without end."""
    asked = {"max_age": "1"} if of == "request" else {}
    change(site, max_age=1 if of == "app" else None)
    site.clock.pass_(30)
    assert wiki.send(ada, **asked).h1 == "Enter your password"
    assert prove(ada).h1 == "Log in to Wiki"
    site.clock.pass_(61)
    assert ada.press("Continue").h1 == "Enter your password"
    assert prove(ada).h1 == "Log in to Wiki"
    site.clock.pass_(20)
    ada.press("Continue")
    tokens = json_of(wiki.exchange(answer_of(ada)["code"]))
    assert 20 <= site.clock.now() - wiki.read(tokens["id_token"])["auth_time"] <= 60, "it is told as it is"
    assert wiki.userinfo(tokens["access_token"]).status == 200
    assert wiki.send(ada, **asked).h1 == "Enter your password", "that proof is of the earlier request"


def test_an_old_proof_of_a_key_is_not_made_younger_by_another_factor(site: Site, ada: Owner) -> None:
    vault = RelyingParty(site, name="Vault", proof=KEY, max_age=600, trusted=True)
    ada.turn_on_key()
    assert vault.code(ada)
    site.clock.pass_(660)
    ada.open("/settings/account/password")
    prove(ada)
    assert vault.send(ada).h1 == "Use your security key"


def test_a_request_that_another_session_agreed_to_is_asked_again(
    site: Site, ada: Owner, mallory: Owner, wiki: RelyingParty
) -> None:
    """Consent of one person is not that of the next one in the flow."""
    page = wiki.send(mallory.other_browser())
    mallory.log_in_whole()
    page = wiki.send(mallory)
    address = page.response.request.full_path
    token = mallory.token()
    mallory.send("POST", address, data={"csrf_token": token}, follow=False)
    assert ada.open(address).h1 == "Log in to Wiki"


def test_access_that_outlives_the_session_is_asked_for_each_time(ada: Owner, wiki: RelyingParty) -> None:
    """OpenID Connect Core 1.0 section 11."""
    for _ in range(2):
        assert wiki.send(ada, scope="openid offline_access").h1 == "Log in to Wiki"
        ada.press("Continue")
        assert answer_of(ada)["code"]


def test_what_a_trusted_app_was_given_is_no_consent(site: Site, ada: Owner) -> None:
    """The operator trusts it no more."""
    wiki = RelyingParty(site, trusted=True)
    for _ in range(2):
        assert wiki.code(ada)
    change(site, trusted=False)
    assert wiki.send(ada).h1 == "Log in to Wiki"


def test_consent_cannot_be_given_by_another_site(ada: Owner, wiki: RelyingParty) -> None:
    page = wiki.send(ada)
    address = page.response.request.full_path
    assert ada.send("POST", address, data={}, follow=False).status == 400
    evil = {"Origin": EVIL, "Sec-Fetch-Site": "cross-site"}
    assert ada.send("POST", address, data={"csrf_token": ada.token()}, headers=evil, follow=False).status == 403


def test_consent_pages_cannot_be_framed(ada: Owner, wiki: RelyingParty) -> None:
    """Clickjacking (section 4.16)."""
    page = wiki.send(ada)
    assert "frame-ancestors 'none'" in page.response.headers["Content-Security-Policy"]
    assert page.response.headers["X-Frame-Options"] == "DENY"


def test_an_address_of_log_out_must_be_registered(
    site: Site, ada: Owner, wiki: RelyingParty, other: RelyingParty
) -> None:
    hint = wiki.tokens(ada)["id_token"]
    for query in (
        f"post_logout_redirect_uri={EVIL}",
        f"post_logout_redirect_uri={BACK}&client_id={wiki.client_id}",
        f"post_logout_redirect_uri={BACK}&id_token_hint={hint}",
        f"client_id={other.client_id}&id_token_hint={hint}",
        "client_id=unknown",
        "id_token_hint=a.b.c",
        "state=one&state=two",
    ):
        page = ada.open(f"/oauth/log-out?{query}", follow=False)
        assert (page.status, page.h1) == (400, "Log out?"), query
    assert ada.open("/settings").h1 != "Log in"


def test_the_next_person_of_a_browser_is_not_logged_out_by_the_last_ones_token(
    site: Site, ada: Owner, mallory: Owner, wiki: RelyingParty
) -> None:
    hint = wiki.tokens(ada)["id_token"]
    mallory.log_in_whole()
    assert mallory.open(f"/oauth/log-out?id_token_hint={hint}").h1 == "Log out?"


def test_the_token_of_another_session_of_the_same_person_logs_this_one_out_only_after_a_question(
    ada: Owner, wiki: RelyingParty
) -> None:
    hint = wiki.tokens(ada)["id_token"]
    other = ada.other_browser()
    other.log_in_whole()
    assert other.open(f"/oauth/log-out?id_token_hint={hint}").h1 == "Log out?"


def test_a_token_of_an_earlier_issuer_is_no_hint(site: Site, ada: Owner, wiki: RelyingParty) -> None:
    """The keys stay when the site moves to another host (OpenID Connect RP-Initiated Logout 1.0 section 4)."""
    keys, claims = site.services.openid.signing_keys, wiki.read(wiki.tokens(ada)["id_token"])
    claims["iss"] = "https://earlier.example"
    hint = keys.sign(keys.published(), claims, wiki.app.signing_algorithm, ID_TOKEN)
    assert ada.open(f"/oauth/log-out?id_token_hint={hint}").status == 400


def test_the_token_of_an_earlier_session_of_the_same_number_logs_nobody_out(
    site: Site, ada: Owner, mallory: Owner, wiki: RelyingParty
) -> None:
    """A number is never given again; if it were, another account's token would still not count."""
    hint = wiki.tokens(ada)["id_token"]
    mallory.log_in_whole()
    ids = {}
    with site.services.db.read() as tx:
        for name in ("ada", "mallory"):
            ids[name] = tx.scalar(select(Session.id).where(Session.account_id == account_id(site, name)))
    with site.services.db.write() as tx:
        for table in (AppAuthorization, SessionApp):
            tx.execute(update(table).values(session_id=None))
        for number, then in ((ids["ada"], 999), (ids["mallory"], ids["ada"])):
            tx.execute(update(Session).where(Session.id == number).values(id=then))
    assert mallory.open(f"/oauth/log-out?id_token_hint={hint}").h1 == "Log out?"


def test_a_log_out_without_a_session_clears_nothing_in_the_browser(site: Site, ada: Owner) -> None:
    """Any site can lead a browser there."""
    wiki = RelyingParty(site, post_logout_redirect_uris=("https://app.example/bye",))
    browser = ada.other_browser()
    assert browser.log_in().h1 == "Enter your code"
    before = cookies_of(browser)
    for query in ("", f"client_id={wiki.client_id}&post_logout_redirect_uri=https://app.example/bye"):
        page = browser.open(f"/oauth/log-out?{query}", follow=False)
        assert page.status in (302, 303)
        assert "Clear-Site-Data" not in page.response.headers
        assert cookies_of(browser) == before
    assert target_of(browser) == "https://app.example/bye"
    assert browser.open("/log-in/verify", follow=False).status in (200, 302)


def test_the_hint_of_another_person_gives_no_code(site: Site, ada: Owner, mallory: Owner) -> None:
    wiki = RelyingParty(site, trusted=True)
    hint = wiki.read(wiki.tokens(ada)["id_token"]) and wiki.tokens(ada)["id_token"]
    mallory.log_in_whole()
    wiki.send(mallory, id_token_hint=hint)
    assert answer_of(mallory)["error"] == "login_required"


def test_the_token_of_another_app_is_no_hint(site: Site, ada: Owner) -> None:
    """Of one sector, so that the subject in it is the same."""
    wiki, sister = RelyingParty(site, trusted=True), RelyingParty(site, name="Sister", trusted=True)
    hint = sister.tokens(ada)["id_token"]
    wiki.send(ada, id_token_hint=hint)
    assert answer_of(ada)["error"] == "invalid_request"
    sister.send(ada, id_token_hint=hint)
    assert answer_of(ada)["code"]


# -- Races -----------------------------------------------------------------------------------------------


def token_request(app: RelyingParty, **form: str) -> dict[str, Any]:
    data = {**form, "client_id": app.client_id, "client_secret": app.secret}
    return {"path": "/oauth/token", "cookies": {}, "data": data, "address": "198.51.100.9"}


def test_one_code_at_two_token_requests_at_once(
    site: Site, environ: dict[str, str], racers: Racers, ada: Owner, wiki: RelyingParty
) -> None:
    form = {"grant_type": "authorization_code", "redirect_uri": BACK, "code_verifier": VERIFIER}
    request = token_request(wiki, **form, code=wiki.code(ada))
    answers = racers.race(site, environ, [request] * AT_ONCE)
    assert sorted(answer["status"] for answer in answers) == [200, *[400] * (AT_ONCE - 1)]
    assert count(site, "SELECT count(*) FROM refresh_tokens") == 1
    assert count(site, "SELECT count(*) FROM app_authorizations WHERE ended_at IS NULL") == 0


def test_one_refresh_token_twice_at_once(
    site: Site, environ: dict[str, str], racers: Racers, ada: Owner, wiki: RelyingParty
) -> None:
    token = wiki.tokens(ada)["refresh_token"]
    request = token_request(wiki, grant_type="refresh_token", refresh_token=token)
    answers = racers.race(site, environ, [request] * AT_ONCE)
    assert sorted(answer["status"] for answer in answers) == [200, *[400] * (AT_ONCE - 1)]
    assert count(site, "SELECT count(*) FROM refresh_tokens WHERE used_at IS NULL") == 1
    assert count(site, "SELECT count(*) FROM app_authorizations WHERE ended_at IS NULL") == 0


def test_signing_keys_are_made_once_when_processes_start_at_the_same_time(
    site: Site, environ: dict[str, str], racers: Racers, wiki: RelyingParty
) -> None:
    request = token_request(wiki, grant_type="refresh_token", refresh_token="unknown")
    answers = racers.race(site, environ, [request] * AT_ONCE)
    assert {answer["status"] for answer in answers} == {400}
    assert count(site, "SELECT count(*) FROM signing_keys") == 2
    assert count(site, "SELECT count(*) FROM site_keys WHERE name = 'subjects'") == 1
