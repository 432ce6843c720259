"""The modules of the OpenID Foundation's plan "Basic OP" (oidcc-basic-certification-test-plan), one test for each.

A test has the name of its module, which says what a server must do; `modules.tsv` lists them.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from joserfc import jws

from tests.conftest import Site
from tests.people import Owner
from tests.relying_party import BACK, ISSUER, RelyingParty, answer_of, challenge_of, json_of, unsigned

NO_PKCE: dict[str, str | None] = {"code_challenge": None, "code_challenge_method": None}


def identity(app: RelyingParty, person: Owner, **changes: str | None) -> dict[str, Any]:
    return app.read(app.tokens(person, **changes)["id_token"])


def told(app: RelyingParty, person: Owner, **changes: str | None) -> dict[str, Any]:
    return json_of(app.userinfo(app.tokens(person, **changes)["access_token"]))


def test_oidcc_server(ada: Owner, plain: RelyingParty, site: Site) -> None:
    plain.send(ada, **NO_PKCE)
    answer = answer_of(ada)
    assert answer.keys() == {"code", "state", "iss"}
    assert answer["state"] == "a state"
    page = plain.call("/oauth/token", grant_type="authorization_code", code=answer["code"], redirect_uri=BACK)
    assert page.response.headers["Cache-Control"] == "no-store"
    tokens = json_of(page)
    assert tokens["token_type"] == "Bearer"
    assert tokens["expires_in"] == 600
    claims = plain.read(tokens["id_token"])
    assert {"iss", "sub", "aud", "exp", "iat"} <= claims.keys()
    assert (claims["iss"], claims["aud"], claims["nonce"]) == (ISSUER, plain.client_id, "a nonce")
    assert claims["iat"] <= site.clock.now() < claims["exp"]
    assert 0 < len(claims["sub"]) <= 255, "at most 255 ASCII characters"
    assert claims["sub"].isascii()
    assert json_of(plain.userinfo(tokens["access_token"]))["sub"] == claims["sub"]


def test_oidcc_response_type_missing(ada: Owner, wiki: RelyingParty) -> None:
    wiki.send(ada, response_type=None)
    assert answer_of(ada)["error"] == "invalid_request"


def test_oidcc_idtoken_signature(ada: Owner, wiki: RelyingParty) -> None:
    token = wiki.tokens(ada)["id_token"]
    header = jws.extract_compact(token.encode()).headers()
    assert header["alg"] == "RS256"
    keys = json_of(wiki.server.open("/oauth/keys"))["keys"]
    assert [key["kid"] for key in keys].count(header["kid"]) == 1, "the header names one of the published keys"
    assert wiki.read(token)


def test_oidcc_idtoken_unsigned(ada: Owner, wiki: RelyingParty) -> None:
    """A server that does not support the algorithm "none" says so; the module is then skipped."""
    assert (
        "none"
        not in json_of(wiki.server.open("/.well-known/openid-configuration"))["id_token_signing_alg_values_supported"]
    )


def test_oidcc_userinfo_get(ada: Owner, wiki: RelyingParty) -> None:
    page = wiki.userinfo(wiki.tokens(ada)["access_token"])
    assert page.response.mimetype == "application/json"
    assert json_of(page).keys() == {"sub"}


def test_oidcc_userinfo_post_header(ada: Owner, wiki: RelyingParty) -> None:
    token = wiki.tokens(ada)["access_token"]
    page = wiki.call("/oauth/userinfo", authorization=f"Bearer {token}", proved=False)
    assert page.status == 200
    assert "sub" in json_of(page)


def test_oidcc_userinfo_post_body(ada: Owner, wiki: RelyingParty) -> None:
    """RFC 6750 section 2.2 leaves a token in the body to the server, and the module then ends with a warning: it would
    be in logs of requests."""
    page = wiki.call("/oauth/userinfo", access_token=wiki.tokens(ada)["access_token"], proved=False)
    assert page.status == 401


def test_oidcc_ensure_request_without_nonce_succeeds_for_code_flow(ada: Owner, wiki: RelyingParty) -> None:
    assert "nonce" not in identity(wiki, ada, nonce=None)


def test_oidcc_scope_profile(ada: Owner, wiki: RelyingParty) -> None:
    profile = told(wiki, ada, scope="openid profile")
    assert profile["name"] == "Ada Lovelace"
    assert profile["preferred_username"] == "ada"
    assert isinstance(profile["updated_at"], int)
    assert "email" not in profile


def test_oidcc_scope_email(ada: Owner, wiki: RelyingParty) -> None:
    profile = told(wiki, ada, scope="openid email")
    assert profile["email"] == ada.email
    assert profile["email_verified"] is True


def test_oidcc_scope_address(ada: Owner, wiki: RelyingParty) -> None:
    """No account has an address; the scope is ignored (OpenID Connect Core 1.0 section 3.1.2.1)."""
    assert told(wiki, ada, scope="openid address").keys() == {"sub"}


def test_oidcc_scope_phone(ada: Owner, wiki: RelyingParty) -> None:
    """An account without a phone number has no claim of it."""
    assert told(wiki, ada, scope="openid phone").keys() == {"sub"}
    ada.turn_on_texts()
    profile = told(wiki, ada, scope="openid phone")
    assert profile["phone_number"].startswith("+")
    assert profile["phone_number_verified"] is True


def test_oidcc_scope_all(ada: Owner, wiki: RelyingParty) -> None:
    profile = told(wiki, ada, scope="openid profile email address phone")
    assert {"sub", "name", "email"} <= profile.keys()


def test_oidcc_alternate_happy_flow(ada: Owner, wiki: RelyingParty) -> None:
    """Other orders of parameters and scopes."""
    path, _, query = wiki.address(scope="email profile openid").partition("?")
    ada.open(f"{path}?{'&'.join(reversed(query.split('&')))}", follow=False)
    page = wiki.exchange(answer_of(ada)["code"])
    assert {"sub", "name", "email"} <= json_of(wiki.userinfo(json_of(page)["access_token"])).keys()


def test_oidcc_display_page(ada: Owner, wiki: RelyingParty) -> None:
    assert wiki.code(ada, display="page")


def test_oidcc_display_popup(ada: Owner, wiki: RelyingParty) -> None:
    assert wiki.code(ada, display="popup")


def test_oidcc_prompt_login(ada: Owner, wiki: RelyingParty, site: Site) -> None:
    first = identity(wiki, ada)
    site.clock.pass_(30)
    assert wiki.send(ada, prompt="login").h1 == "Enter your password"
    ada.press("Verify", password=ada.password)
    second = wiki.read(json_of(wiki.exchange(answer_of(ada)["code"]))["id_token"])
    assert second["sub"] == first["sub"]
    assert second["auth_time"] == first["auth_time"] + 30


def test_oidcc_prompt_none_not_logged_in(ada: Owner, wiki: RelyingParty) -> None:
    browser = ada.other_browser()
    wiki.send(browser, prompt="none")
    answer = answer_of(browser)
    assert (answer["error"], answer["state"]) == ("login_required", "a state")


def test_oidcc_prompt_none_logged_in(ada: Owner, wiki: RelyingParty) -> None:
    first = identity(wiki, ada)
    second = identity(wiki, ada, prompt="none")
    assert [first[name] for name in ("sub", "auth_time")] == [second[name] for name in ("sub", "auth_time")]


def test_oidcc_max_age_1(ada: Owner, wiki: RelyingParty, site: Site) -> None:
    first = identity(wiki, ada)
    site.clock.pass_(2)
    assert wiki.send(ada, max_age="1").h1 == "Enter your password"
    ada.press("Verify", password=ada.password)
    second = wiki.read(json_of(wiki.exchange(answer_of(ada)["code"]))["id_token"])
    assert second["sub"] == first["sub"]
    assert second["auth_time"] == first["auth_time"] + 2


def test_oidcc_max_age_10000(ada: Owner, wiki: RelyingParty, site: Site) -> None:
    first = identity(wiki, ada)
    site.clock.pass_(2)
    second = identity(wiki, ada, max_age="10000")
    assert second["auth_time"] == first["auth_time"]


def test_oidcc_ensure_request_with_unknown_parameter_succeeds(ada: Owner, wiki: RelyingParty) -> None:
    assert wiki.code(ada, extra="foobar")


def test_oidcc_id_token_hint(ada: Owner, wiki: RelyingParty) -> None:
    token = wiki.tokens(ada)["id_token"]
    first, second = wiki.read(token), identity(wiki, ada, prompt="none", id_token_hint=token)
    assert [first[name] for name in ("sub", "auth_time")] == [second[name] for name in ("sub", "auth_time")]


def test_oidcc_login_hint(ada: Owner, wiki: RelyingParty) -> None:
    browser = ada.other_browser()
    page = wiki.send(browser, login_hint="ada")
    assert page.h1 == "Log in"
    browser.press("Log in", username="ada", password=ada.password)
    assert "code" in answer_of(browser)


def test_oidcc_ui_locales(ada: Owner, wiki: RelyingParty) -> None:
    assert wiki.code(ada, ui_locales="se")


def test_oidcc_claims_locales(ada: Owner, wiki: RelyingParty) -> None:
    assert wiki.code(ada, claims_locales="se")


def test_oidcc_ensure_request_with_acr_values_succeeds(ada: Owner, wiki: RelyingParty) -> None:
    assert identity(wiki, ada, acr_values="1 2")["acr"] == "https://refeds.org/profile/sfa"


def test_oidcc_codereuse(ada: Owner, wiki: RelyingParty) -> None:
    code = wiki.code(ada)
    assert wiki.exchange(code).status == 200
    assert json_of(wiki.exchange(code))["error"] == "invalid_grant"


def test_oidcc_codereuse_30seconds(ada: Owner, wiki: RelyingParty, site: Site) -> None:
    """The access token that the code gave should end too (RFC 6749 section 4.1.2)."""
    code = wiki.code(ada)
    token = json_of(wiki.exchange(code))["access_token"]
    site.clock.pass_(30)
    assert json_of(wiki.exchange(code))["error"] == "invalid_grant"
    assert wiki.userinfo(token).status == 401


def test_oidcc_ensure_registered_redirect_uri(ada: Owner, wiki: RelyingParty) -> None:
    page = wiki.send(ada, redirect_uri=f"{BACK}/other")
    assert page.status == 400
    assert page.h1 == "This login request can't be completed"


def test_oidcc_ensure_post_request_succeeds(ada: Owner, wiki: RelyingParty) -> None:
    asked = {
        "response_type": "code",
        "client_id": wiki.client_id,
        "redirect_uri": BACK,
        "scope": "openid",
        "code_challenge": challenge_of("v" * 43),
        "code_challenge_method": "S256",
    }
    ada.send("POST", "/oauth/authorize", data=asked, headers={"Origin": "https://app.example"}, follow=False)
    assert "code" in answer_of(ada)


def test_oidcc_server_client_secret_post(ada: Owner, wiki: RelyingParty) -> None:
    form = {"grant_type": "authorization_code", "code": wiki.code(ada), "redirect_uri": BACK}
    proof = {"client_id": wiki.client_id, "client_secret": str(wiki.secret)}
    verifier = {"code_verifier": "correct-horse-battery-staple-correct-horse-battery"}
    page = wiki.call("/oauth/token", proved=False, **form, **proof, **verifier)
    assert page.status == 200


def test_oidcc_request_uri_unsigned_supported_correctly_or_rejected_as_unsupported(
    ada: Owner, wiki: RelyingParty
) -> None:
    wiki.send(ada, request_uri="https://app.example/request.jwt")
    assert answer_of(ada)["error"] == "request_uri_not_supported"


def test_oidcc_unsigned_request_object_supported_correctly_or_rejected_as_unsupported(
    ada: Owner, wiki: RelyingParty
) -> None:
    wiki.send(ada, request=unsigned({"state": "other"}))
    answer = answer_of(ada)
    assert (answer["error"], answer["state"]) == ("request_not_supported", "a state")


def test_oidcc_ensure_request_object_with_redirect_uri(ada: Owner, wiki: RelyingParty) -> None:
    """An address in a request object is never followed."""
    page = wiki.send(ada, request=unsigned({"state": "other"}), redirect_uri="https://other.example/back")
    assert page.status == 400


@pytest.mark.parametrize("member", ["userinfo", "id_token"])
def test_oidcc_claims_essential(ada: Owner, wiki: RelyingParty, member: str) -> None:
    tokens = wiki.tokens(ada, claims=json.dumps({member: {"name": {"essential": True}}}))
    found = {"userinfo": json_of(wiki.userinfo(tokens["access_token"])), "id_token": wiki.read(tokens["id_token"])}
    assert found[member]["name"] == "Ada Lovelace"


def test_oidcc_refresh_token(ada: Owner, wiki: RelyingParty, site: Site) -> None:
    tokens = wiki.tokens(ada, scope="openid offline_access")
    first = wiki.read(tokens["id_token"])
    site.clock.pass_(5)
    again = json_of(wiki.refresh(tokens["refresh_token"]))
    second = wiki.read(again["id_token"])
    for name in ("iss", "sub", "aud", "auth_time"):
        assert second[name] == first[name], "OpenID Connect Core 1.0 section 12.2"
    assert second["iat"] == first["iat"] + 5
    assert again["access_token"] != tokens["access_token"]
    other = RelyingParty(site, name="Other")
    assert json_of(other.refresh(again["refresh_token"]))["error"] == "invalid_grant"


def test_oidcc_ensure_request_with_valid_pkce_succeeds(ada: Owner, plain: RelyingParty) -> None:
    code = plain.code(ada)
    assert plain.exchange(code).status == 200
