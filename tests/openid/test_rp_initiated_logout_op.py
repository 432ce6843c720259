"""The modules of the OpenID Foundation's plan "RP-Initiated Logout OP", one test for each, named alike."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from urllib.parse import urlencode

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.conftest import Site
from tests.people import Owner, Page
from tests.relying_party import RelyingParty, json_of, target_of

BYE = "https://app.example/bye"
CANNOT = "Log out?"


@pytest.fixture
def wiki(site: Site) -> RelyingParty:
    return RelyingParty(site, trusted=True, post_logout_redirect_uris=(BYE,))


@pytest.fixture
def hint(ada: Owner, wiki: RelyingParty) -> str:
    return str(wiki.tokens(ada)["id_token"])


def log_out(person: Owner, **asked: str) -> Page:
    return person.open(f"/oauth/log-out?{urlencode(asked)}", follow=False)


def is_logged_in(person: Owner) -> bool:
    return person.open("/settings").h1 != "Log in"


def test_oidcc_rp_initiated_logout_discovery_endpoint_verification(wiki: RelyingParty) -> None:
    told = json_of(wiki.server.open("/.well-known/openid-configuration"))
    assert told["end_session_endpoint"] == f"{told['issuer']}/oauth/log-out"


def test_oidcc_rp_initiated_logout(ada: Owner, hint: str, wiki: RelyingParty) -> None:
    log_out(ada, id_token_hint=hint, post_logout_redirect_uri=BYE, state="x")
    assert target_of(ada) == f"{BYE}?state=x"
    wiki.send(ada, prompt="none")
    assert "error=login_required" in target_of(ada)


def test_oidcc_rp_initiated_logout_bad_post_logout_redirect_uri(ada: Owner, hint: str) -> None:
    page = log_out(ada, id_token_hint=hint, post_logout_redirect_uri="https://other.example/", state="x")
    assert (page.status, page.h1) == (400, CANNOT)
    assert is_logged_in(ada)


def test_oidcc_rp_initiated_logout_modified_id_token_hint(ada: Owner, hint: str) -> None:
    """The hint says that its algorithm is "none"."""
    header = urlsafe_b64encode(json.dumps({"alg": "none"}).encode()).rstrip(b"=").decode()
    modified = f"{header}.{hint.split('.')[1]}."
    page = log_out(ada, id_token_hint=modified, post_logout_redirect_uri=BYE, state="x")
    assert (page.status, page.h1) == (400, CANNOT)
    assert is_logged_in(ada)


def test_oidcc_rp_initiated_logout_no_id_token_hint(ada: Owner, hint: str) -> None:
    page = log_out(ada, post_logout_redirect_uri=BYE, state="x")
    assert (page.status, page.h1) == (400, CANNOT)
    assert is_logged_in(ada)


def test_oidcc_rp_initiated_logout_no_params(ada: Owner, hint: str) -> None:
    page = log_out(ada)
    assert page.h1 == "Log out?"
    ada.post(page.tree.xpath("//main//form/@action")[0])
    assert not is_logged_in(ada)


def test_oidcc_rp_initiated_logout_no_post_logout_redirect_uri(ada: Owner, hint: str) -> None:
    log_out(ada, id_token_hint=hint, state="x")
    assert not is_logged_in(ada)


def test_oidcc_rp_initiated_logout_no_state(ada: Owner, hint: str) -> None:
    log_out(ada, id_token_hint=hint, post_logout_redirect_uri=BYE)
    assert target_of(ada) == BYE


def test_oidcc_rp_initiated_logout_only_state(ada: Owner, hint: str) -> None:
    page = log_out(ada, state="x")
    assert page.h1 == "Log out?"
    ada.post(page.tree.xpath("//main//form/@action")[0])
    assert not is_logged_in(ada)


def test_oidcc_rp_initiated_logout_query_added_to_post_logout_redirect_uri(ada: Owner, hint: str) -> None:
    page = log_out(ada, id_token_hint=hint, post_logout_redirect_uri=f"{BYE}?foo=bar")
    assert (page.status, page.h1) == (400, CANNOT)


def test_oidcc_rp_initiated_logout_bad_id_token_hint(ada: Owner, hint: str, wiki: RelyingParty) -> None:
    """Signed by another key."""
    forged = jwt.encode({"alg": "RS256"}, wiki.read(hint), RSAKey.generate_key(2048), algorithms=["RS256"])
    page = log_out(ada, id_token_hint=forged, post_logout_redirect_uri=BYE, state="x")
    assert (page.status, page.h1) == (400, CANNOT)
    assert is_logged_in(ada)
