"""Modules of the plan "FAPI 2.0 Security Profile Final" about PAR, DPoP and private_key_jwt, one test for each."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from tests.conftest import Site
from tests.keyed_app import KEY, OTHER, RSA, KeyedApp, proof
from tests.people import Owner, Page
from tests.relying_party import BACK, ISSUER, RelyingParty, answer_of, arrive, json_of, unsigned

AUTHORIZE, TOKEN, USERINFO, PAR = "/oauth/authorize", "/oauth/token", "/oauth/userinfo", "/oauth/par"
CANNOT = "This login request can't be completed"


@pytest.fixture
def bank(site: Site) -> KeyedApp:
    """Proves itself by private_key_jwt, and gets bound tokens only."""
    return KeyedApp(site, name="Bank", trusted=True, dpop_demanded=True)


def parameters(app: RelyingParty, **changes: str | None) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(app.address(**changes)).query))


def push(app: RelyingParty, dpop: str | None = None, **changes: str | None) -> Page:
    return app.call(PAR, dpop=dpop, **parameters(app, **changes))


def pushed(app: RelyingParty, dpop: str | None = None, **changes: str | None) -> str:
    page = push(app, dpop, **changes)
    assert page.status == 201, page.text
    return str(json_of(page)["request_uri"])


def lead(app: RelyingParty, person: Owner, uri: str, **more: str) -> Page:
    person.open(f"{AUTHORIZE}?{urlencode({'client_id': app.client_id, 'request_uri': uri, **more})}", follow=False)
    return arrive(person)


def code(app: RelyingParty, person: Owner, dpop: str | None = None, **changes: str | None) -> str:
    lead(app, person, pushed(app, dpop, **changes))
    return answer_of(person)["code"]


def proved(site: Site, key: Any = KEY, **changes: Any) -> str:
    return proof(site, "POST", TOKEN, key, **changes)


def tokens(site: Site, app: RelyingParty, person: Owner) -> dict[str, Any]:
    page = app.call(TOKEN, dpop=proved(site), **exchange_of(code(app, person)))
    assert page.status == 200, page.text
    return json_of(page)


def exchange_of(given: str) -> dict[str, str]:
    verifier = "correct-horse-battery-staple-correct-horse-battery"
    return {"grant_type": "authorization_code", "code": given, "redirect_uri": BACK, "code_verifier": verifier}


def error(page: Page) -> tuple[int, str]:
    return page.status, str(json_of(page)["error"])


def is_refused(page: Page) -> bool:
    return (page.status, page.h1) == (400, CANNOT)


# -- The whole ---------------------------------------------------------------------------------------------------


def test_fapi2_discovery_end_point_verification(bank: KeyedApp) -> None:
    told = json_of(bank.server.open("/.well-known/openid-configuration"))
    assert told["pushed_authorization_request_endpoint"] == f"{ISSUER}{PAR}"
    assert "ES256" in told["dpop_signing_alg_values_supported"]
    assert "none" not in told["dpop_signing_alg_values_supported"]
    assert "private_key_jwt" in told["token_endpoint_auth_methods_supported"]
    assert "ES256" in told["token_endpoint_auth_signing_alg_values_supported"]
    assert told["authorization_response_iss_parameter_supported"] is True
    assert told["code_challenge_methods_supported"] == ["S256"]


def test_fapi2_happy_flow(site: Site, ada: Owner, bank: KeyedApp) -> None:
    given = tokens(site, bank, ada)
    assert given["token_type"] == "DPoP"
    assert bank.read(given["id_token"])["nonce"] == "a nonce"
    shown = proof(site, "GET", USERINFO, token=given["access_token"])
    assert bank.userinfo(given["access_token"], "DPoP", shown).status == 200


# -- Pushed requests ---------------------------------------------------------------------------------------------


def test_fapi2_ensure_unsigned_authorization_request_without_using_par_fails(ada: Owner, bank: KeyedApp) -> None:
    """FAPI takes pushed requests only. Nightlatch takes both from every app, so the module does not apply: what is
    not pushed is checked as strictly, and still needs the DPoP proof for a token."""
    bank.send(ada)
    page = bank.call(TOKEN, **exchange_of(answer_of(ada)["code"]))
    assert page.status == 400


def test_fapi2_par_ensure_reused_request_uri_prior_to_auth_completion_succeeds(ada: Owner, bank: KeyedApp) -> None:
    """Opening the address twice before the log-in is "should" in FAPI. Here it works once (RFC 9126 section 7.3), and
    the stored request goes on in the browser that opened it."""
    browser, uri = ada.other_browser(), pushed(bank)
    assert lead(bank, browser, uri).h1 == "Log in"
    browser.press("Log in", username="ada", password=ada.password)
    assert "code" in answer_of(browser)


def test_fapi2_par_attempt_reuse_request_uri(ada: Owner, bank: KeyedApp) -> None:
    uri = pushed(bank)
    lead(bank, ada, uri)
    assert "code" in answer_of(ada)
    assert is_refused(lead(bank, ada, uri))


def test_fapi2_par_attempt_to_use_expired_request_uri(site: Site, ada: Owner, bank: KeyedApp) -> None:
    uri = pushed(bank)
    site.clock.pass_(60)
    assert is_refused(lead(bank, ada, uri))


def test_fapi2_par_attempt_to_use_request_uri_for_different_client(ada: Owner, bank: KeyedApp, site: Site) -> None:
    other = KeyedApp(site, name="Other", trusted=True)
    assert is_refused(lead(other, ada, pushed(bank)))


def test_fapi2_par_authorization_request_containing_request_uri_form_param(bank: KeyedApp) -> None:
    asked = {**parameters(bank), "request_uri": "urn:ietf:params:oauth:request_uri:x"}
    assert error(bank.call(PAR, **asked)) == (400, "invalid_request")


def test_fapi2_par_authorization_request_containing_request_uri(bank: KeyedApp) -> None:
    """In a request object, which is refused as a whole."""
    assert error(push(bank, request=unsigned({}))) == (400, "request_not_supported")


def test_fapi2_par_attempt_invalid_http_method(bank: KeyedApp) -> None:
    assert bank.server.open(PAR, follow=False).status == 405
    assert bank.server.send("PUT", PAR, follow=False).status in {400, 405}


def test_fapi2_par_ensure_pkce_required(bank: KeyedApp) -> None:
    assert error(push(bank, code_challenge=None, code_challenge_method=None)) == (400, "invalid_request")


def test_fapi2_par_plain_pkce_rejected(bank: KeyedApp) -> None:
    assert error(push(bank, code_challenge_method="plain")) == (400, "invalid_request")


def test_fapi2_par_without_duplicate_parameters(ada: Owner, bank: KeyedApp) -> None:
    """The browser brings client id and request address only."""
    assert code(bank, ada)


# -- private_key_jwt ---------------------------------------------------------------------------------------------


def refused_assertion(app: KeyedApp, assertion: str, path: str = TOKEN) -> bool:
    form = exchange_of("x") if path == TOKEN else parameters(app)
    page = app.call(path, proved=False, **app.proved(assertion), **form)
    return error(page) == (401, "invalid_client")


def test_fapi2_ensure_signed_client_assertion_with_rs256_fails(bank: KeyedApp) -> None:
    """FAPI forbids RS256; OpenID Connect Core demands it of servers. Here an assertion needs the algorithm of its key,
    so a key for ES256 never goes with RS256."""
    assert refused_assertion(bank, bank.assertion(RSA, {"alg": "RS256", "kid": KEY.kid}))


def test_fapi2_ensure_client_assertion_in_token_endpoint(site: Site, ada: Owner, bank: KeyedApp) -> None:
    page = bank.call(TOKEN, proved=False, client_id=bank.client_id, dpop=proved(site), **exchange_of(code(bank, ada)))
    assert error(page) == (401, "invalid_client")


def test_fapi2_ensure_client_assertion_with_exp_is_5_minutes_in_past_fails(site: Site, bank: KeyedApp) -> None:
    assert refused_assertion(bank, bank.assertion(exp=site.clock.now() - 300))


def test_fapi2_ensure_client_assertion_with_wrong_aud_fails(bank: KeyedApp) -> None:
    assert refused_assertion(bank, bank.assertion(aud="https://other.example"))


def test_fapi2_ensure_client_assertion_with_no_sub_fails(bank: KeyedApp) -> None:
    """The client is found by the claim, so without it there is none, and the request is malformed."""
    page = bank.call(TOKEN, proved=False, **bank.proved(bank.assertion(sub=None)), **exchange_of("x"))
    assert error(page) == (400, "invalid_request")


def test_fapi2_par_ensure_jwt_client_assertions_nbf_8_seconds_in_the_future_is_accepted(
    site: Site, bank: KeyedApp
) -> None:
    now = site.clock.now()
    assertion = bank.assertion(nbf=now + 8, iat=now + 8)
    assert bank.call(PAR, proved=False, **bank.proved(assertion), **parameters(bank)).status == 201


def test_fapi2_par_ensure_jwt_client_assertions_nbf_over_60_seconds_in_the_future_fails(
    site: Site, bank: KeyedApp
) -> None:
    assert refused_assertion(bank, bank.assertion(nbf=site.clock.now() + 70), PAR)


def test_fapi2_par_test_array_as_audience_fails(bank: KeyedApp) -> None:
    assert refused_assertion(bank, bank.assertion(aud=[ISSUER, "https://other.example"]), PAR)


def test_fapi2_par_test_par_endpoint_url_as_audience_fails(bank: KeyedApp) -> None:
    """FAPI takes the issuer only. RFC 9126 section 2 lets the called address stand for it, and so does Nightlatch;
    another address of the same server does not."""
    assert refused_assertion(bank, bank.assertion(aud=f"{ISSUER}{PAR}"), TOKEN)


def test_fapi2_par_test_token_endpoint_url_as_audience_fails(bank: KeyedApp) -> None:
    assert refused_assertion(bank, bank.assertion(aud=f"{ISSUER}{USERINFO}"), PAR)


# -- DPoP --------------------------------------------------------------------------------------------------------


def test_fapi2_check_dpop_proof_nbf_exp(site: Site, ada: Owner, bank: KeyedApp) -> None:
    """Claims beside those of RFC 9449 do no harm while they hold."""
    now = site.clock.now()
    page = bank.call(TOKEN, dpop=proved(site, nbf=now - 5, exp=now + 60), **exchange_of(code(bank, ada)))
    assert page.status == 200


def test_fapi2_ensure_dpopproof_with_iat_10seconds_before_succeeds(site: Site, ada: Owner, bank: KeyedApp) -> None:
    dpop = proved(site, iat=site.clock.now() - 10)
    assert bank.call(TOKEN, dpop=dpop, **exchange_of(code(bank, ada))).status == 200


def test_fapi2_ensure_dpopproof_with_iat_10seconds_after_succeeds(site: Site, ada: Owner, bank: KeyedApp) -> None:
    dpop = proved(site, iat=site.clock.now() + 10)
    assert bank.call(TOKEN, dpop=dpop, **exchange_of(code(bank, ada))).status == 200


def test_fapi2_ensure_mismatched_dpop_jkt_fails(site: Site, bank: KeyedApp) -> None:
    """The proof of the pushed request has another key than its dpop_jkt."""
    page = push(bank, proof(site, "POST", PAR), dpop_jkt=OTHER.thumbprint())
    assert error(page) == (400, "invalid_request")


def test_fapi2_ensure_token_endpoint_fails_with_mismatched_dpop_proof_jkt(
    site: Site, ada: Owner, bank: KeyedApp
) -> None:
    given = code(bank, ada, proof(site, "POST", PAR))
    page = bank.call(TOKEN, dpop=proved(site, OTHER), **exchange_of(given))
    assert page.status == 400


def test_fapi2_ensure_token_endpoint_fails_with_mismatched_dpop_jkt(site: Site, ada: Owner, bank: KeyedApp) -> None:
    given = code(bank, ada, dpop_jkt=KEY.thumbprint())
    page = bank.call(TOKEN, dpop=proved(site, OTHER), **exchange_of(given))
    assert page.status == 400


def test_fapi2_ensure_dpopproof_at_par_endpoint_binding_success(site: Site, ada: Owner, bank: KeyedApp) -> None:
    given = code(bank, ada, proof(site, "POST", PAR))
    assert bank.call(TOKEN, dpop=proved(site), **exchange_of(given)).status == 200


def test_fapi2_ensure_dpop_auth_code_binding_success(site: Site, ada: Owner, bank: KeyedApp) -> None:
    given = code(bank, ada, dpop_jkt=KEY.thumbprint())
    assert bank.call(TOKEN, dpop=proved(site), **exchange_of(given)).status == 200


def test_fapi2_ensure_holder_of_key_required(ada: Owner, bank: KeyedApp) -> None:
    assert bank.call(TOKEN, **exchange_of(code(bank, ada))).status == 400


@pytest.mark.parametrize(
    "wrong",
    [
        {"htm": "POST"},
        {"htu": "https://other.example/oauth/userinfo"},
        {"jti": None},
        {"iat": None},
        {"ath": "x"},
        {"token": None},
        {"header": {"typ": "JWT"}},
        {"header": {"alg": "none"}},
    ],
    ids=str,
)
def test_fapi2_dpop_negative_tests(site: Site, ada: Owner, bank: KeyedApp, wrong: dict[str, Any]) -> None:
    token = tokens(site, bank, ada)["access_token"]
    shown = proof(site, "GET", USERINFO, **{"token": token, **wrong})
    assert bank.userinfo(token, "DPoP", shown).status == 401
    assert bank.userinfo(token, "Bearer").status == 401
