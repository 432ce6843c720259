"""Modules of the OpenID Foundation's plan "FAPI 2.0 Security Profile Final", one test for each, named alike.

Those about PAR, DPoP and private_key_jwt are in `modules.tsv` too. Not there: those about request objects, which are
refused here (`test_basic_op.py`), and those of national profiles.
"""

from __future__ import annotations

import json

import pytest

from tests.conftest import Site
from tests.people import Owner
from tests.relying_party import BACK, RelyingParty, answer_of, json_of


def error_of(app: RelyingParty, person: Owner, **changes: str | None) -> str:
    app.send(person, **changes)
    return answer_of(person)["error"]


def test_fapi2_user_rejects_authentication(ada: Owner, site: Site) -> None:
    asking = RelyingParty(site)
    asking.send(ada)
    ada.press("Cancel")
    answer = answer_of(ada)
    assert (answer["error"], answer["state"]) == ("access_denied", "a state")


def test_fapi2_ensure_authorization_request_without_state_success(ada: Owner, wiki: RelyingParty) -> None:
    wiki.send(ada, state=None)
    answer = answer_of(ada)
    assert "state" not in answer
    assert wiki.exchange(answer["code"]).status == 200


def test_fapi2_ensure_authorization_request_without_nonce_success(ada: Owner, wiki: RelyingParty) -> None:
    assert "nonce" not in wiki.read(wiki.tokens(ada, nonce=None)["id_token"])


@pytest.mark.parametrize("length", [64, 384])
def test_fapi2_ensure_authorization_request_with_64_char_nonce_success(
    ada: Owner, wiki: RelyingParty, length: int
) -> None:
    assert wiki.read(wiki.tokens(ada, nonce="n" * length)["id_token"])["nonce"] == "n" * length


def test_fapi2_ensure_authorization_request_with_long_nonce(ada: Owner, wiki: RelyingParty) -> None:
    """Either the ID token has it whole, or the request is refused."""
    assert error_of(wiki, ada, nonce="n" * 2001) == "invalid_request"


def test_fapi2_ensure_authorization_request_with_long_state(ada: Owner, wiki: RelyingParty) -> None:
    wiki.send(ada, state="s" * 384)
    assert answer_of(ada)["state"] == "s" * 384


def test_fapi2_ensure_other_scope_order_succeeds(ada: Owner, wiki: RelyingParty) -> None:
    assert wiki.tokens(ada, scope="email openid")["id_token"]


def test_fapi2_test_claims_parameter_identity_claims(ada: Owner, wiki: RelyingParty) -> None:
    claims = json.dumps({"id_token": {"email": None}, "userinfo": {"name": None}})
    tokens = wiki.tokens(ada, claims=claims)
    assert wiki.read(tokens["id_token"])["email"] == ada.email
    assert json_of(wiki.userinfo(tokens["access_token"]))["name"] == "Ada Lovelace"


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "bEaReR"])
def test_fapi2_access_token_type_header_case_sensitivity(ada: Owner, wiki: RelyingParty, scheme: str) -> None:
    token = wiki.tokens(ada)["access_token"]
    assert wiki.server.open("/oauth/userinfo", headers={"Authorization": f"{scheme} {token}"}).status == 200


def test_fapi2_ensure_registered_redirect_uri(ada: Owner, wiki: RelyingParty) -> None:
    assert wiki.send(ada, redirect_uri=f"{BACK}?x=y").status == 400


def test_fapi2_ensure_redirect_uri_in_authorization_request(ada: Owner, wiki: RelyingParty) -> None:
    assert wiki.send(ada, redirect_uri=None).status == 400


def test_fapi2_ensure_response_type_code_idtoken_fails(ada: Owner, wiki: RelyingParty) -> None:
    assert error_of(wiki, ada, response_type="code id_token") == "unsupported_response_type"


def test_fapi2_ensure_response_type_token_fails(ada: Owner, wiki: RelyingParty) -> None:
    assert error_of(wiki, ada, response_type="token") == "unsupported_response_type"


def test_fapi2_ensure_authorization_code_is_bound_to_client(ada: Owner, wiki: RelyingParty, site: Site) -> None:
    other = RelyingParty(site, name="Other", trusted=True)
    assert json_of(other.exchange(wiki.code(ada)))["error"] == "invalid_grant"


def test_fapi2_attempt_reuse_authorization_code_after_one_second(ada: Owner, wiki: RelyingParty, site: Site) -> None:
    code = wiki.code(ada)
    assert wiki.exchange(code).status == 200
    site.clock.pass_(1)
    assert json_of(wiki.exchange(code))["error"] == "invalid_grant"


def test_fapi2_ensure_token_endpoint_fails_with_expired_auth_code(ada: Owner, wiki: RelyingParty, site: Site) -> None:
    code = wiki.code(ada)
    site.clock.pass_(60)
    assert json_of(wiki.exchange(code))["error"] == "invalid_grant"


def test_fapi2_ensure_client_id_in_token_endpoint(ada: Owner, wiki: RelyingParty) -> None:
    """A client that is not named at all is refused."""
    page = wiki.call("/oauth/token", proved=False, grant_type="authorization_code", code=wiki.code(ada))
    assert (page.status, json_of(page)["error"]) == (401, "invalid_client")


def test_fapi2_refresh_token(ada: Owner, wiki: RelyingParty, site: Site) -> None:
    token = wiki.tokens(ada, scope="openid offline_access")["refresh_token"]
    other = RelyingParty(site, name="Other")
    assert json_of(other.refresh(token))["error"] == "invalid_grant", "it is bound to its client"
    assert wiki.refresh(token).status == 200


def test_fapi2_test_essential_acr_sca_claim(ada: Owner, wiki: RelyingParty) -> None:
    """A class that no account can prove here (OpenID Connect Core 1.0 section 5.5.1.1)."""
    claims = json.dumps({"id_token": {"acr": {"essential": True, "value": "urn:example:sca"}}})
    assert error_of(wiki, ada, claims=claims) == "unmet_authentication_requirements"


def test_fapi2_ensure_pkce_code_verifier_required(ada: Owner, wiki: RelyingParty) -> None:
    page = wiki.call("/oauth/token", grant_type="authorization_code", code=wiki.code(ada), redirect_uri=BACK)
    assert page.status == 400
    assert json_of(page)["error"] in {"invalid_grant", "invalid_request"}


def test_fapi2_incorrect_pkce_code_verifier_rejected(ada: Owner, wiki: RelyingParty) -> None:
    page = wiki.exchange(wiki.code(ada), code_verifier="w" * 43)
    assert (page.status, json_of(page)["error"]) == (400, "invalid_grant")
