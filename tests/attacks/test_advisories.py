"""Attacks of RFC 9700 and of the advisories of other software, named after them; advisories.tsv has the test of each.

Most are beside others of their kind in the modules that are named there.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.attacks.tools import cookies_of
from tests.conftest import Site
from tests.guarded_host import GuardedHost, code_in, refresh_of
from tests.people import HOST, Owner, Page
from tests.relying_party import BACK, PUBLIC, RelyingParty, answer_of, arrive, json_of, unsigned
from webapp.domain.app_refusals import AddressRefused
from webapp.services.operators import AppOptions

HERE = Path(__file__).parent
EVIL = "https://evil.example"
PROXIES = ("nginx", "caddy", "traefik", "envoy")
AFTER = "https://app.example/after"


@pytest.fixture
def wiki(site: Site) -> RelyingParty:
    return RelyingParty(site, post_logout_redirect_uris=(AFTER,))


def test_every_attack_of_the_list_has_its_test() -> None:
    rows = [line.split("\t") for line in (HERE / "advisories.tsv").read_text().splitlines() if line[:1] != "#"]
    missing = []
    for source, attack, test in rows:
        path, _, name = test.partition("::")
        if not re.search(rf"^def {name}\(", (HERE.parent / path).read_text(), re.MULTILINE):
            missing.append((source, attack))
    assert missing == []
    of_rfc = [int(source.rpartition(".")[2]) for source, *_ in rows if source.startswith("RFC 9700")]
    assert of_rfc == [*range(1, 18)], "each section of RFC 9700 section 4"


# -- RFC 9700 ----------------------------------------------------------------------------------------------


def test_rfc_9700_4_2_no_page_tells_another_site_its_address(ada: Owner, wiki: RelyingParty) -> None:
    """The address of a page may have a handle, and that of the app has a code."""
    wiki.send(ada)
    pages = [ada.page]
    pages.append(ada.press("Continue"))
    for page in pages:
        assert page is not None
        assert page.response.headers["Referrer-Policy"] == "same-origin"
        assert "no-store" in page.response.headers["Cache-Control"]
        loaded = re.findall(r'(?:src|action)="([^"]*)"|<link[^>]* href="([^"]*)"', page.text)
        assert not [one for one in loaded if "//" in "".join(one)], "nothing of another site is loaded"


def test_rfc_9700_4_3_a_token_in_an_address_opens_nothing(ada: Owner, wiki: RelyingParty) -> None:
    token = wiki.tokens(ada)["access_token"]
    assert wiki.userinfo(token).status == 200
    assert wiki.server.open(f"/oauth/userinfo?access_token={token}", follow=False).status == 401
    sent = wiki.server.send("POST", "/oauth/userinfo", data={"access_token": token}, follow=False)
    assert sent.status == 401


def test_rfc_9700_4_4_every_answer_names_its_issuer(ada: Owner, wiki: RelyingParty) -> None:
    """RFC 9207: the app knows of which server a code or an error is."""
    metadata = json_of(wiki.server.open("/.well-known/openid-configuration"))
    assert metadata["authorization_response_iss_parameter_supported"] is True
    wiki.send(ada)
    ada.press("Continue")
    answers = [answer_of(ada)]
    for changes in ({"prompt": "none", "scope": "openid profile"}, {"response_type": "token"}, {"request": "x"}):
        wiki.send(ada, **changes)
        answers.append(answer_of(ada))
    assert [("code" in answer, "error" in answer) for answer in answers] == [(True, False), *[(False, True)] * 3]
    assert {answer["iss"] for answer in answers} == {metadata["issuer"]}


def test_rfc_9700_4_7_a_form_of_another_site_agrees_to_nothing(ada: Owner, wiki: RelyingParty) -> None:
    page = wiki.send(ada)
    for headers in ({}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": EVIL}):
        response = ada.client.post(
            page.response.request.full_path, base_url=f"http://{HOST}", headers=headers, data={"csrf_token": "x"}
        )
        assert "code=" not in str(response.headers) + response.get_data(as_text=True)
    assert "Continue" in wiki.send(ada).buttons, "it still has to be asked"


@pytest.mark.parametrize(
    "address", [EVIL, f"{AFTER}/", f"{AFTER}?x", "//evil.example", f"{AFTER}\\@evil.example", BACK]
)
def test_rfc_9700_4_11_a_log_out_leads_nowhere_else(ada: Owner, wiki: RelyingParty, address: str) -> None:
    asked = urlencode({"client_id": wiki.client_id, "post_logout_redirect_uri": address})
    page = ada.open(f"/oauth/log-out?{asked}", follow=False)
    assert page.status == 400
    assert page.h1 == "Log out?"
    assert page.says("Something in the app's request isn't right, so we can't send you back to it.")
    assert "Location" not in page.response.headers
    assert "Refresh" not in page.response.headers


def test_rfc_9700_4_12_no_form_is_sent_on_to_an_app(ada: Owner, wiki: RelyingParty) -> None:
    """With 307 a browser would send password or consent again, to the app."""
    ada.log_out()
    wiki.send(ada)
    for fields in (
        {"username": ada.username, "password": ada.password},
        {"code": ada.next_code()},
        {},  # the consent
    ):
        page = arrive(ada)
        sent = ada.send(
            "POST", page.response.request.full_path, data={"csrf_token": ada.token(), **fields}, follow=False
        )
        assert sent.status == 303
        assert sent.response.headers["Location"].startswith("/"), "to a page of this site"
    assert answer_of(ada)["code"]


def test_rfc_9700_4_15_an_app_gets_no_token_for_itself(ada: Owner, wiki: RelyingParty) -> None:
    """The subject of a token is always a person, who has no name that an app can choose."""
    refused = wiki.call("/oauth/token", grant_type="client_credentials", scope="openid")
    assert (refused.status, json_of(refused)["error"]) == (400, "unsupported_grant_type")
    claims = wiki.read(wiki.tokens(ada)["access_token"])
    assert re.fullmatch("[0-9a-f]{64}", claims["sub"])
    assert claims["sub"] != claims["client_id"] == wiki.client_id


def test_rfc_9700_4_16_no_page_of_a_log_in_is_framed(ada: Owner, wiki: RelyingParty) -> None:
    host = GuardedHost(wiki.site)
    pages = [wiki.send(ada), ada.press("Continue"), ada.open("/device"), ada.open("/oauth/log-out")]
    pages += [ada.open(f"{host.url}/.nightlatch/log-out"), ada.open("/oauth/authorize?client_id=x")]
    ada.log_out()
    pages.append(wiki.send(ada))
    for page in pages:
        policy = page.response.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in policy, page.path


@pytest.mark.parametrize("mode", ["web_message", "fragment", "jwt", "form_post.jwt", "cookie"])
def test_rfc_9700_4_17_no_answer_is_a_message_to_a_window(ada: Owner, wiki: RelyingParty, mode: str) -> None:
    wiki.send(ada, response_mode=mode)
    assert answer_of(ada)["error"] == "invalid_request"


# -- Authlib -----------------------------------------------------------------------------------------------


def half(token: str) -> str:
    return urlsafe_b64encode(sha256(token.encode()).digest()[:16]).rstrip(b"=").decode()


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_authlib_hash_binding_an_id_token_is_bound_to_its_access_token(site: Site, ada: Owner, algorithm: str) -> None:
    """Of the first answer and of each refreshed one: an app that compares never finds it missing."""
    wiki = RelyingParty(site, signing_algorithm=algorithm)
    first = wiki.tokens(ada)
    second = json_of(wiki.refresh(first["refresh_token"]))
    for tokens in (first, second):
        assert wiki.read(tokens["id_token"])["at_hash"] == half(tokens["access_token"])
    assert first["access_token"] != second["access_token"]


def test_authlib_nonce_is_that_of_its_own_request_and_of_no_refresh(ada: Owner, wiki: RelyingParty) -> None:
    first, second = (wiki.tokens(ada, nonce=nonce) for nonce in ("one", "two"))
    assert [wiki.read(tokens["id_token"])["nonce"] for tokens in (first, second)] == ["one", "two"]
    assert "nonce" not in wiki.read(wiki.tokens(ada, nonce=None)["id_token"])
    refreshed = json_of(wiki.refresh(first["refresh_token"], nonce="three"))
    assert "nonce" not in wiki.read(refreshed["id_token"])


def test_authlib_raw_scope_is_never_given_as_it_was_sent(site: Site, ada: Owner) -> None:
    wiki = RelyingParty(site, scopes=("openid", "email"))
    tokens = wiki.tokens(ada, scope="admin openid email openid \x0b*")
    assert tokens["scope"] == "openid email" == wiki.read(tokens["access_token"])["scope"]
    for scope in ("openid email profile", "openid groups", "admin"):
        refused = wiki.refresh(tokens["refresh_token"], scope=scope)
        assert (refused.status, json_of(refused)["error"]) == (400, "invalid_scope"), scope
    narrowed = json_of(wiki.refresh(tokens["refresh_token"], scope="openid"))
    assert narrowed["scope"] == "openid" == wiki.read(narrowed["access_token"])["scope"]
    code = wiki.code(ada, scope="openid")
    assert json_of(wiki.exchange(code, scope="openid email"))["scope"] == "openid"
    wiki.send(ada, scope="openid groups")
    assert answer_of(ada)["error"] == "invalid_scope"


@pytest.mark.parametrize(
    "wrong", [{"response_type": "x"}, {"response_type": None}, {"scope": "x"}, {"prompt": "none"}, {"request": "x"}]
)
def test_authlib_unvalidated_redirect_of_an_error(ada: Owner, wiki: RelyingParty, wrong: dict[str, str]) -> None:
    """An error is not sent to an address that was not compared, whichever error is found first."""
    for changes in ({"redirect_uri": EVIL}, {"client_id": "x", "redirect_uri": EVIL}, {"redirect_uri": None}):
        page = ada.open(wiki.address(**{**wrong, **changes}), follow=False)
        assert page.status == 400
        assert "Location" not in page.response.headers
        assert "Refresh" not in page.response.headers
        assert not re.search(r'(?:href|action)="https://evil', page.text)


# -- Keycloak ----------------------------------------------------------------------------------------------


def test_keycloak_session_fixation_by_a_request_that_another_browser_began(
    ada: Owner, mallory: Owner, wiki: RelyingParty
) -> None:
    """Mallory begins a login to an app, agrees, and has Ada go on with it."""
    begun = wiki.send(mallory)
    at = begun.response.request.full_path
    mallory.send("POST", at, data={"csrf_token": mallory.token()}, follow=False)
    page = ada.open(at)
    assert "Continue" in page.buttons, "what Mallory agreed to is no answer of Ada"
    assert ada.username in page.text
    assert "code=" not in page.text
    before = cookies_of(ada)
    ada.log_out()
    ada.open(at)
    ada.log_in_whole()
    after = cookies_of(ada)
    assert after["session"] != before["session"], "and a log-in on the way makes a new session"


def test_keycloak_an_unsigned_token_logs_nobody_out(ada: Owner, wiki: RelyingParty) -> None:
    tokens = wiki.tokens(ada)
    claims = wiki.read(tokens["id_token"])
    for hint in (unsigned(claims), f"{tokens['id_token'].rpartition('.')[0]}.", tokens["access_token"]):
        asked = urlencode({"id_token_hint": hint, "post_logout_redirect_uri": AFTER})
        page = ada.open(f"/oauth/log-out?{asked}", follow=False)
        assert page.status == 400
        assert ada.open("/", follow=False).status == 200, "she is still logged in"


def test_keycloak_the_next_person_of_a_browser_gets_nothing_of_the_last_one(
    site: Site, ada: Owner, mallory: Owner, wiki: RelyingParty
) -> None:
    host = GuardedHost(site, "notes.localhost", "Notes")
    host.enter(ada)
    theirs = wiki.tokens(ada)
    pending = wiki.send(ada, prompt="consent").response.request.full_path
    ada.log_out()
    mallory.client = ada.client  # the same browser
    mallory.log_in_whole()
    assert not host.lets_in(mallory), "Ada's session at the host ended with hers of the site"
    host.enter(mallory)
    assert host.check(mallory).response.headers["Remote-User"] == mallory.username
    own = wiki.tokens(mallory)
    subjects = [wiki.read(tokens["id_token"])["sub"] for tokens in (theirs, own)]
    assert subjects[0] != subjects[1]
    assert wiki.userinfo(theirs["access_token"]).status == 401
    assert wiki.refresh(theirs["refresh_token"]).status == 400
    assert mallory.username in mallory.open(pending).text, "a page that Ada left open asks Mallory"


@pytest.mark.parametrize(
    "address", ["https://*.example/back", "https://app.example/*", "*", "https://app.example/back*"]
)
def test_keycloak_wildcards_are_neither_registered_nor_matched(
    site: Site, ada: Owner, wiki: RelyingParty, address: str
) -> None:
    for options in ({"redirect_uris": (address,)}, {"post_logout_redirect_uris": (address,), "redirect_uris": (BACK,)}):
        with pytest.raises(AddressRefused):
            site.services.operators.apps.create(PUBLIC, AppOptions("Star", **options))
    assert ada.open(wiki.address(redirect_uri=address), follow=False).status == 400


# -- oauth2-proxy ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("agent", ["GoogleHC/1.0", "kube-probe/1.29", "ELB-HealthChecker/2.0", "Prometheus/2"])
@pytest.mark.parametrize("proxy", PROXIES)
def test_oauth2_proxy_a_health_check_user_agent_opens_nothing(ada: Owner, site: Site, proxy: str, agent: str) -> None:
    host, stranger = GuardedHost(site, rules=("deny /closed",)), ada.other_browser()
    for path in ("/", "/ping", "/ready", "/healthz", "/robots.txt", "/closed/ping"):
        page = host.check(stranger, path, proxy, headers={"User-Agent": agent, "Accept": "*/*"})
        assert page.status in (303, 401, 403)
        assert "Remote-User" not in page.response.headers


@pytest.mark.parametrize("email", ["root@evil.example@company.example", "a@b@c", "@company.example", "a@[b@c]"])
def test_oauth2_proxy_an_address_with_two_ats_is_no_address(site: Site, ada: Owner, email: str) -> None:
    """Its domain would be another one to each reader. No access here is by domain: groups have names of accounts."""
    command = ["accounts", "create", "--username", "root", "--email", email, "--name", "Root", "--email-confirmed"]
    made = site.app.test_cli_runner().invoke(args=command, input=f"{ada.password} of root\n")
    assert made.exit_code != 0
    stranger = ada.other_browser()
    stranger.open("/sign-up")
    fields = {"name": "Root", "username": "root", "email": email, "password": f"{ada.password} of root"}
    page = stranger.post("/sign-up", **fields)
    assert page.status == 422
    assert "root" not in site.app.test_cli_runner().invoke(args=["accounts", "list"]).output


@pytest.mark.parametrize(
    "path", ["/\\evil.example", "/\t/evil.example", "/%09/evil.example", "//evil.example", "/%5cevil"]
)
@pytest.mark.parametrize("proxy", PROXIES[:-1])
def test_oauth2_proxy_backslash_and_tab_redirects_stay_at_the_host(
    ada: Owner, site: Site, proxy: str, path: str
) -> None:
    """Envoy refuses a request line with a tab (RFC 9112 section 3); `test_guarded_proxies.py` sends it the others."""
    host = GuardedHost(site)
    host.follow(ada, host.check(ada, path, proxy).response.headers["Location"])
    to = host.back(ada, code_in(refresh_of(ada))).response.headers["Location"]
    assert to.startswith(f"{host.url}/"), "host and scheme are written in front of what was asked for"


# -- authentik ---------------------------------------------------------------------------------------------


def test_authentik_an_empty_post_skips_no_stage(site: Site, ada: Owner, wiki: RelyingParty) -> None:
    """CVE-2022-46145 and its like: each page is sent its form without a field, and without the answer."""

    def skips(page: Page, path: str) -> bool:
        for fields in ({}, {"csrf_token": page.csrf_tokens[0]}):
            response = ada.client.post(path, base_url=f"http://{HOST}", data=fields)
            if response.status_code not in (200, 303, 400, 403, 422) or "?code=" in response.get_data(as_text=True):
                return True
        return False

    ada.log_out()
    at = wiki.send(ada).response.request.full_path
    assert not skips(ada.page, at)
    assert ada.open("/settings/security", follow=False).status == 303, "the password was not skipped"
    ada.open("/log-in")
    ada.log_in()
    at = "/log-in/verify"
    assert not skips(ada.open(at), at)
    assert ada.open("/settings/security", follow=False).status == 303, "nor the second factor"
    host, approved = GuardedHost(site, proof="key"), "/hosts/log-in"
    ada.open("/log-in")
    ada.log_in_whole()
    page = host.ask(ada)
    assert not skips(page, f"{approved}?{page.response.request.query_string.decode()}")
    assert not host.lets_in(ada), "nor the key that the host asks for"
    page = ada.open("/device")
    assert not skips(page, "/device")
    assert ada.page.status in (200, 422)


ODD = (
    "",
    ",",
    "unknown",
    "127.0.0.1\\r\\nX: y",
    "::1%eth0",
    "256.1.1.1",
    "1.2.3.4:99999",
    "[::1",
    '"a"',
    ", ".join("a" * 200),
)


@pytest.mark.parametrize("proxy", PROXIES)
def test_authentik_an_odd_x_forwarded_for_changes_nothing(ada: Owner, site: Site, proxy: str) -> None:
    host, stranger = GuardedHost(site, rules=("public /open",)), ada.other_browser()
    host.enter(ada)
    for value in ODD:
        headers: dict[str, Any] = {"X-Forwarded-For": value}
        assert not host.lets_in(stranger, proxy=proxy, headers=headers), value
        assert host.lets_in(stranger, "/open", proxy=proxy, headers=headers), value
        assert host.lets_in(ada, proxy=proxy, headers=headers), value
        assert stranger.open("/oauth/authorize?client_id=x", headers=headers).status == 400
