"""Attacks on the ways in which apps prove themselves, each in a test named after it: client assertions (RFC 7523), DPoP
(RFC 9449) and pushed requests (RFC 9126); RFC 9700, RFC 8725 and what was once wrong in libraries for JWT.
"""

from __future__ import annotations

import hmac
import json
import time
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from joserfc.jwk import ECKey, RSAKey

from tests import keyed_app
from tests.attacks.races import Racers
from tests.attacks.tools import count
from tests.conftest import Site
from tests.keyed_app import JWKS, KEY, OTHER, RSA, TYPE, KeyedApp, proof
from tests.people import Owner, Person
from tests.relying_party import ISSUER, PUBLIC, RelyingParty, answer_of, arrive, json_of


@pytest.fixture
def bank(site: Site) -> KeyedApp:
    return KeyedApp(site, name="Bank")


def error_of(page: Any) -> str:
    return str(json_of(page)["error"])


def asked_with(app: KeyedApp, **form: str) -> Any:
    """A request that a proved app may make, and that changes nothing."""
    return app.call("/oauth/introspect", proved=False, token="unknown", **form)


def with_assertion(app: KeyedApp, assertion: str) -> Any:
    return asked_with(app, **app.proved(assertion))


def encoded(part: Any) -> str:
    return keyed_app.encoded(json.dumps(part).encode())


def signed_by_hmac(app: KeyedApp, secret: bytes, algorithm: str = "HS256") -> str:
    """By hand: joserfc does not take a public key for it."""
    text = f"{encoded({'alg': algorithm, 'kid': 'two'})}.{encoded(app.claims())}"
    return f"{text}.{keyed_app.encoded(hmac.digest(secret, text.encode(), algorithm.replace('HS', 'sha')))}"


# -- Client assertions: algorithm confusion (RFC 8725 section 2.1, CVE-2016-10555, CVE-2022-39174) -------


@pytest.mark.parametrize("algorithm", ["ES256", "RS256", "PS256"])
def test_an_app_proves_itself_by_its_key_everywhere(site: Site, ada: Owner, bank: KeyedApp, algorithm: str) -> None:
    def fresh() -> dict[str, str]:
        return bank.proved(bank.assertion(KEY if algorithm == "ES256" else RSA, {"alg": algorithm}))

    page = bank.exchange(bank.code(ada, scope="openid offline_access"), **fresh())
    tokens = json_of(page)
    assert json_of(asked_with(bank, **fresh())) == {"active": False}
    assert json_of(bank.call("/oauth/introspect", token=tokens["access_token"], **fresh()))["active"] is True
    assert bank.call("/oauth/revoke", token=tokens["refresh_token"], **fresh()).status == 200
    assert error_of(bank.refresh(tokens["refresh_token"], **fresh())) == "invalid_grant"


@pytest.mark.parametrize("name", ["none", "None", "NONE", "nOnE", "", None, 1, ["ES256"]])
def test_an_unsigned_assertion_is_refused(bank: KeyedApp, name: Any) -> None:
    for signature in ("", "AA"):
        page = with_assertion(bank, f"{encoded({'alg': name, 'kid': 'one'})}.{encoded(bank.claims())}.{signature}")
        assert (page.status, error_of(page)) == (401, "invalid_client")


@pytest.mark.parametrize("form", ["pem", "der", "json"])
def test_a_public_key_is_no_secret_of_a_hmac(bank: KeyedApp, form: str) -> None:
    secret = {
        "pem": RSA.as_pem(private=False),
        "der": RSA.as_der(private=False),
        "json": json.dumps(RSA.as_dict(private=False)).encode(),
    }[form]
    assert error_of(with_assertion(bank, signed_by_hmac(bank, secret))) == "invalid_client"


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_a_secret_signs_no_assertion(site: Site, algorithm: str) -> None:
    """client_secret_jwt is not offered: the site stores no secret by which it could be verified."""
    app = KeyedApp(site, jwks=None)
    assert app.secret is not None
    assert error_of(with_assertion(app, signed_by_hmac(app, app.secret.encode(), algorithm))) == "invalid_client"


@pytest.mark.parametrize("algorithm", ["ES384", "ES512", "EdDSA", "RS384", "PS512"])
def test_only_listed_algorithms_are_used(bank: KeyedApp, algorithm: str) -> None:
    page = with_assertion(bank, bank.assertion(header={"alg": algorithm}))
    assert "algorithm" in json_of(page)["error_description"]


def test_a_key_is_used_with_its_own_algorithm_only(site: Site) -> None:
    app = KeyedApp(site, jwks={"keys": [{**RSA.as_dict(private=False), "alg": "RS256"}]})
    assert error_of(with_assertion(app, app.assertion(RSA, {"alg": "PS256"}))) == "invalid_client"
    assert with_assertion(app, app.assertion(RSA, {"alg": "RS256"})).status == 200


def test_a_key_for_encryption_signs_nothing(site: Site) -> None:
    app = KeyedApp(site, jwks={"keys": [{**RSA.as_dict(private=False), "use": "enc"}]})
    assert error_of(with_assertion(app, app.assertion(RSA, {"alg": "RS256"}))) == "invalid_client"


@pytest.mark.parametrize("jwk", [
    {"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "two"}, {"kty": "RSA", "kid": "two"},
    RSAKey.generate_key(4104, {"kid": "two"}).as_dict(private=False),
    {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "kid": "two"},
])  # fmt: skip
def test_a_weak_or_malformed_key_of_the_app_verifies_nothing(site: Site, jwk: dict[str, Any]) -> None:
    app = KeyedApp(site, jwks={"keys": [jwk]})
    algorithm = "ES256" if jwk["kty"] == "EC" else "RS256"
    page = with_assertion(app, f"{encoded({'alg': algorithm, 'kid': 'two'})}.{encoded(app.claims())}.AAAA")
    assert (page.status, error_of(page)) == (401, "invalid_client")


# -- Headers (RFC 7515 section 4.1.11, RFC 8725 section 3.10; Authlib GHSA-9ggr-2464-2j32) ----------------


@pytest.mark.parametrize("header", [
    {"crit": ["exp"], "exp": 1}, {"crit": []}, {"crit": ["b64"], "b64": False}, {"b64": False}, {"b64": True},
    {"crit": ["kid"]}, {"crit": "alg"},
])  # fmt: skip
def test_an_extension_that_must_be_understood_is_refused(bank: KeyedApp, header: dict[str, Any]) -> None:
    page = with_assertion(bank, bank.assertion(header=header))
    assert error_of(page) in ("invalid_client", "invalid_request")


@pytest.mark.parametrize("name", ["jwk", "jku", "x5u", "x5c"])
def test_a_key_in_the_header_is_not_trusted(bank: KeyedApp, name: str) -> None:
    """CVE-2018-0114: the attacker's key comes with what it signed."""
    brought = {"jwk": OTHER.as_dict(private=False), "x5c": ["AAAA"]}.get(name, "https://evil.example/keys")
    for kid in ("one", None):
        forged = bank.assertion(OTHER, {name: brought, "kid": kid})
        assert error_of(with_assertion(bank, forged)) == "invalid_client"


@pytest.mark.parametrize("kid", ["", "../one", "three", 1, ["one"], {"a": 1}, "\0", "' OR 1=1 --"])
def test_a_name_of_no_key_is_refused(bank: KeyedApp, kid: Any) -> None:
    assert error_of(with_assertion(bank, bank.assertion(header={"kid": kid}))) == "invalid_client"


def test_one_of_several_keys_must_be_named(site: Site) -> None:
    second = ECKey.generate_key("P-256", {"kid": "three"})
    app = KeyedApp(site, jwks={"keys": [*JWKS["keys"], second.as_dict(private=False)]})
    assert error_of(with_assertion(app, app.assertion(KEY, {"kid": None}))) == "invalid_client"
    assert with_assertion(app, app.assertion(RSA, {"alg": "RS256", "kid": None})).status == 200, "the only RSA key"


def test_keys_for_other_purposes_make_no_header_ambiguous(site: Site) -> None:
    """An app may publish a key for encryption, and one for another algorithm, beside the one that signs."""
    signs = {**RSA.as_dict(private=False), "alg": "RS256", "use": "sig"}
    others = [RSAKey.generate_key(2048).as_dict(private=False) for _ in range(2)]
    keys = [{**others[0], "use": "enc", "alg": "RS256"}, {**others[1], "alg": "PS256"}, signs]
    app = KeyedApp(site, jwks={"keys": keys})
    assert with_assertion(app, app.assertion(RSA, {"alg": "RS256", "kid": None})).status == 200


@pytest.mark.parametrize("kind", ["at+jwt", "dpop+jwt", "logout+jwt", "", 1])
def test_a_token_of_another_kind_is_no_assertion(bank: KeyedApp, kind: Any) -> None:
    """Cross-JWT confusion (RFC 8725 section 2.8)."""
    page = with_assertion(bank, bank.assertion(header={"typ": kind}))
    assert "typ" in json_of(page)["error_description"]
    for known in ("JWT", "jwt", "client-authentication+jwt"):
        assert with_assertion(bank, bank.assertion(header={"typ": known})).status == 200


@pytest.mark.parametrize("text", [
    "", ".", "..", "a.b", "a.b.c", "....", "é.è.ê", "\ud7ff", "e30.e30.AA", f"{encoded([])}.{encoded({})}.AA",
    f"{encoded({'alg': 'ES256'})}.{encoded([])}.AA", f"{encoded({'alg': 'ES256'})}.{'A' * 50_000}.AA",
    f"{encoded({'alg': 'ES256', 'pad': 'a' * 5000})}.{encoded({'sub': 'x'})}.AA",
    f"{encoded({'alg': 'ES256'})}.{encoded({'sub': 1})}.AA",
    f"{encoded({'alg': 'ES256'})}.{encoded({'sub': chr(0)})}.AA",
    f"{encoded({'alg': 'ES256'})}.{encoded({'sub': chr(0xd800)})}.AA", "[" * 9000,
])  # fmt: skip
def test_what_is_no_assertion_is_refused(bank: KeyedApp, text: str) -> None:
    page = with_assertion(bank, text or "x")
    assert page.status in (400, 401)
    assert error_of(page) in ("invalid_request", "invalid_client")


# -- Claims: another server, another app, no end (RFC 7523 section 3, CVE-2025-27370) --------------------


@pytest.mark.parametrize("audience", [
    None, "", "https://other.example", f"{ISSUER}/", f"{ISSUER}/oauth/authorize", f"{ISSUER}/oauth/revoke",
    [ISSUER], [ISSUER, "https://evil.example"], {"a": ISSUER}, 1,
])  # fmt: skip
def test_an_assertion_for_another_server_is_refused(bank: KeyedApp, audience: Any) -> None:
    """Audience injection: the value is one text, so that it cannot be meant for two servers."""
    assert error_of(with_assertion(bank, bank.assertion(aud=audience))) == "invalid_client"


def test_the_audience_is_the_issuer_or_the_address_that_was_called(bank: KeyedApp) -> None:
    for path in ("", "/oauth/token", "/oauth/introspect"):
        assert with_assertion(bank, bank.assertion(aud=f"{ISSUER}{path}")).status == 200


@pytest.mark.parametrize("change", [
    {"iss": None}, {"sub": "other"}, {"iss": "other"}, {"iss": ["x"]}, {"exp": None}, {"jti": None}, {"jti": ""},
    {"jti": 1}, {"jti": ["a"]}, {"exp": "soon"}, {"exp": True}, {"exp": float("inf")}, {"exp": float("nan")},
    {"iat": "now"}, {"nbf": float("nan")},
])  # fmt: skip
def test_an_assertion_without_what_binds_it_is_refused(bank: KeyedApp, change: dict[str, Any]) -> None:
    page = asked_with(bank, **{**bank.proved(bank.assertion(**change)), "client_id": bank.client_id})
    assert error_of(page) in ("invalid_client", "invalid_request")


@pytest.mark.parametrize(
    ("name", "ahead", "status"),
    [("exp", 0, 401), ("exp", 1, 200), ("exp", 600, 200), ("exp", 601, 401), ("exp", 3600, 401), ("iat", 60, 200),
     ("iat", 61, 401), ("nbf", 60, 200), ("nbf", 61, 401), ("iat", -3600, 200)],
)  # fmt: skip
def test_an_assertion_lives_for_minutes(site: Site, bank: KeyedApp, name: str, ahead: int, status: int) -> None:
    assert with_assertion(bank, bank.assertion(**{name: site.clock.now() + ahead})).status == status


def test_another_apps_key_proves_nothing(site: Site, bank: KeyedApp) -> None:
    evil = KeyedApp(site, name="Evil", jwks={"keys": [OTHER.as_dict(private=False)]})
    assert with_assertion(evil, evil.assertion(OTHER)).status == 200
    forged = evil.assertion(OTHER, iss=bank.client_id, sub=bank.client_id)
    assert error_of(with_assertion(bank, forged)) == "invalid_client"
    mixed = {**evil.proved(evil.assertion(OTHER)), "client_id": bank.client_id}
    assert error_of(asked_with(evil, **mixed)) == "invalid_request"


# -- Downgrade and two proofs at once (RFC 6749 section 2.3) ----------------------------------------------


def test_an_app_with_keys_may_not_use_a_secret(site: Site, ada: Owner) -> None:
    """Its earlier secret is dead from the moment at which it has keys."""
    app = RelyingParty(site)
    code = app.code(ada)
    apps = site.services.operators.apps
    apps.change(app.client_id, replace(apps.named(app.client_id).options, jwks=JWKS))
    assert app.secret is not None
    for page in (app.exchange(code), app.call("/oauth/token", proved=False, client_id=app.client_id,
                 client_secret=app.secret, grant_type="authorization_code", code=code)):  # fmt: skip
        assert error_of(page) == "invalid_client"
    assert error_of(app.call("/oauth/token", proved=False, client_id=app.client_id, code=code,
                    grant_type="authorization_code")) == "invalid_client"  # fmt: skip


def test_an_app_with_a_secret_has_no_other_proof(site: Site) -> None:
    app = KeyedApp(site, jwks=None)
    assert error_of(with_assertion(app, app.assertion())) == "invalid_client"
    public = RelyingParty(site, PUBLIC)
    forged = app.assertion(iss=public.client_id, sub=public.client_id)
    page = public.call("/oauth/revoke", token="x", client_assertion_type=TYPE, client_assertion=forged)
    assert error_of(page) == "invalid_client"


def test_a_client_that_proves_itself_twice_is_refused(bank: KeyedApp) -> None:
    for more in ({"client_secret": "x"}, {"client_assertion_type": "x"}, {"client_id": "other"}):
        assert error_of(asked_with(bank, **{**bank.proved(), **more})) == "invalid_request"
    page = bank.call("/oauth/introspect", token="x", authorization="Basic YTpi")
    assert error_of(page) == "invalid_request"
    assert error_of(asked_with(bank, client_assertion=bank.assertion())) == "invalid_request"
    assert error_of(asked_with(bank, client_assertion_type=TYPE)) == "invalid_request"


def test_wrong_assertions_are_limited(site: Site, bank: KeyedApp) -> None:
    for _ in range(10):
        assert with_assertion(bank, bank.assertion(OTHER)).status == 401
    assert with_assertion(bank, bank.assertion(OTHER)).status == 429
    assert with_assertion(bank, bank.assertion()).status == 200, "a right one is not refused for others' failures"


# -- Replay (RFC 7523 section 3) --------------------------------------------------------------------------


def test_an_assertion_is_used_once(site: Site, bank: KeyedApp) -> None:
    assertion = bank.assertion(exp=site.clock.now() + 600)
    assert with_assertion(bank, assertion).status == 200
    for path in ("introspect", "revoke", "token"):
        page = bank.call(f"/oauth/{path}", token="x", grant_type="refresh_token", refresh_token="x",
                         **bank.proved(assertion))  # fmt: skip
        assert error_of(page) == "invalid_client"
    site.clock.pass_(599)
    site.services.maintenance.purge()
    assert error_of(with_assertion(bank, assertion)) == "invalid_client"
    site.clock.pass_(1)
    site.services.maintenance.purge()
    assert error_of(with_assertion(bank, assertion)) == "invalid_client"
    site.clock.pass_(1)
    site.services.maintenance.purge()
    assert count(site, "SELECT count(*) FROM used_proofs") == 0
    assert error_of(with_assertion(bank, assertion)) == "invalid_client", "it has expired"


def test_two_apps_may_draw_the_same_jti(site: Site, bank: KeyedApp) -> None:
    other = KeyedApp(site, name="Other")
    for app in (bank, other):
        assert with_assertion(app, app.assertion(jti="1")).status == 200
    assert error_of(with_assertion(bank, bank.assertion(jti="1"))) == "invalid_client"


def test_a_jti_of_any_characters_is_used_once(bank: KeyedApp) -> None:
    for jti in ("\ud800", "\0", "a" * 20_000, "é\n"):
        assert with_assertion(bank, bank.assertion(jti=jti)).status == 200
        assert error_of(with_assertion(bank, bank.assertion(jti=jti))) == "invalid_client"


def test_one_assertion_at_two_requests_counts_once(
    site: Site, ada: Owner, bank: KeyedApp, racers: Racers, environ: dict[str, str]
) -> None:
    """Each request has a refresh token of its own, so that nothing but the assertion is in common."""
    tokens = [bank.tokens(ada, scope="openid offline_access")["refresh_token"] for _ in range(4)]
    assertion = bank.assertion()
    requests = [
        {
            "path": "/oauth/token",
            "cookies": {},
            "address": f"198.51.100.{number}",
            "data": {"grant_type": "refresh_token", "refresh_token": token, **bank.proved(assertion)},
        }
        for number, token in enumerate(tokens)
    ]
    answers = racers.race(site, environ, requests)
    assert sorted(answer["status"] for answer in answers)[0] == 200
    assert [answer["status"] for answer in answers].count(200) == 1
    assert count(site, "SELECT count(*) FROM refresh_tokens WHERE used_at IS NOT NULL") == 1


# -- DPoP: a stolen token is worth nothing without the key (RFC 9449 section 2, RFC 9700 section 4.10.1) ---

TOKEN, USERINFO = "/oauth/token", "/oauth/userinfo"
OFFLINE = {"scope": "openid offline_access"}


@pytest.fixture
def phone(site: Site) -> RelyingParty:
    """A public app."""
    return RelyingParty(site, PUBLIC, name="Phone")


@pytest.fixture
def wiki(site: Site) -> RelyingParty:
    """A web application with a secret."""
    return RelyingParty(site, name="Wiki")


def bound(site: Site, app: RelyingParty, ada: Owner, key: Any = KEY, **asked: str) -> dict[str, Any]:
    """Tokens that are bound to the key."""
    code = app.code(ada, **{**OFFLINE, **asked})
    page = app.exchange(code, dpop=proof(site, "POST", TOKEN, key))
    assert page.status == 200, page.text[:300]
    return json_of(page)


def told(site: Site, app: RelyingParty, token: str, key: Any = KEY, **changes: Any) -> Any:
    """What userinfo answers to a bound token with a proof."""
    return app.userinfo(token, "DPoP", proof(site, "GET", USERINFO, key, **{"token": token, **changes}))


def test_tokens_are_bound_to_the_key(site: Site, ada: Owner, wiki: RelyingParty) -> None:
    tokens = bound(site, wiki, ada)
    assert tokens["token_type"] == "DPoP"
    assert wiki.read(tokens["access_token"])["cnf"] == {"jkt": KEY.thumbprint()}
    assert told(site, wiki, tokens["access_token"]).status == 200
    shown = json_of(wiki.call("/oauth/introspect", token=tokens["access_token"]))
    assert (shown["token_type"], shown["cnf"]) == ("DPoP", {"jkt": KEY.thumbprint()})
    plain = wiki.tokens(ada)
    assert json_of(wiki.call("/oauth/introspect", token=plain["access_token"]))["token_type"] == "Bearer"
    assert "cnf" not in wiki.read(plain["access_token"])


@pytest.mark.parametrize("algorithm", ["RS256", "PS256"])
def test_a_key_of_each_listed_algorithm_binds(site: Site, ada: Owner, phone: RelyingParty, algorithm: str) -> None:
    page = phone.exchange(phone.code(ada), dpop=proof(site, "POST", TOKEN, RSA, header={"alg": algorithm}))
    assert phone.read(json_of(page)["access_token"])["cnf"] == {"jkt": RSA.thumbprint()}


def test_a_stolen_token_is_refused_as_bearer(site: Site, ada: Owner, phone: RelyingParty) -> None:
    """Downgrade (RFC 9449 section 7.2)."""
    token = bound(site, phone, ada)["access_token"]
    for page in (phone.userinfo(token), phone.userinfo(token, "bearer", proof(site, "GET", USERINFO, token=token))):
        assert page.status == 401
        challenge = page.response.headers["WWW-Authenticate"]
        assert challenge.startswith('DPoP error="invalid_token"')
        assert 'algs="RS256 ES256 PS256"' in challenge


def test_a_stolen_token_is_refused_with_another_key(site: Site, ada: Owner, phone: RelyingParty) -> None:
    token = bound(site, phone, ada)["access_token"]
    assert error_of(told(site, phone, token, OTHER)) == "invalid_token"


def test_a_bearer_token_is_not_taken_as_bound(site: Site, ada: Owner, phone: RelyingParty) -> None:
    token = phone.tokens(ada)["access_token"]
    assert error_of(told(site, phone, token)) == "invalid_token"
    assert phone.userinfo(token).status == 200


def test_a_stolen_refresh_token_of_a_public_app_needs_its_key(site: Site, ada: Owner, phone: RelyingParty) -> None:
    """RFC 9449 section 5, RFC 9700 section 4.14.2."""
    stolen = bound(site, phone, ada)["refresh_token"]
    assert error_of(phone.refresh(stolen)) == "invalid_dpop_proof"
    assert error_of(phone.refresh(stolen, dpop=proof(site, "POST", TOKEN, OTHER))) == "invalid_grant"
    page = phone.refresh(stolen, dpop=proof(site, "POST", TOKEN))
    assert page.status == 200, "who tried without the key did not use it up"
    fresh = json_of(page)
    assert phone.read(fresh["access_token"])["cnf"] == {"jkt": KEY.thumbprint()}
    assert error_of(phone.refresh(fresh["refresh_token"])) == "invalid_dpop_proof"


def test_a_refresh_token_of_a_public_app_is_bound_from_its_first_proof_on(
    site: Site, ada: Owner, phone: RelyingParty
) -> None:
    token = phone.tokens(ada, **OFFLINE)["refresh_token"]
    token = json_of(phone.refresh(token))["refresh_token"]
    token = json_of(phone.refresh(token, dpop=proof(site, "POST", TOKEN)))["refresh_token"]
    assert error_of(phone.refresh(token)) == "invalid_dpop_proof"
    assert phone.refresh(token, dpop=proof(site, "POST", TOKEN)).status == 200


def test_a_web_app_may_change_its_key(site: Site, ada: Owner, wiki: RelyingParty) -> None:
    """Its refresh tokens are bound to its secret."""
    token = bound(site, wiki, ada, dpop_jkt=KEY.thumbprint())["refresh_token"]
    page = wiki.refresh(token, dpop=proof(site, "POST", TOKEN, OTHER))
    assert wiki.read(json_of(page)["access_token"])["cnf"] == {"jkt": OTHER.thumbprint()}
    assert json_of(wiki.refresh(json_of(page)["refresh_token"]))["token_type"] == "Bearer"


def test_a_stolen_code_needs_the_key_that_the_app_named(site: Site, ada: Owner, wiki: RelyingParty) -> None:
    """Code injection (RFC 9700 section 4.5, RFC 9449 section 10)."""
    code = wiki.code(ada, dpop_jkt=KEY.thumbprint())
    assert error_of(wiki.exchange(code)) == "invalid_dpop_proof"
    assert error_of(wiki.exchange(code, dpop=proof(site, "POST", TOKEN, OTHER))) == "invalid_grant"
    assert wiki.exchange(code, dpop=proof(site, "POST", TOKEN)).status == 200


@pytest.mark.parametrize("thumbprint", ["x", "a" * 42, "a" * 44, "+" * 43, "a" * 43 + "\n"])
def test_a_malformed_thumbprint_is_refused(ada: Owner, wiki: RelyingParty, thumbprint: str) -> None:
    wiki.send(ada, dpop_jkt=thumbprint)
    assert answer_of(ada)["error"] == "invalid_request"


def test_an_app_that_must_bind_gets_no_bearer_token(site: Site, ada: Owner, phone: RelyingParty) -> None:
    before = phone.tokens(ada, **OFFLINE)
    apps = site.services.operators.apps
    apps.change(phone.client_id, replace(apps.named(phone.client_id).options, dpop_demanded=True))
    code = phone.code(ada)
    assert error_of(phone.exchange(code)) == "invalid_dpop_proof"
    assert error_of(phone.refresh(before["refresh_token"])) == "invalid_dpop_proof"
    page = phone.userinfo(before["access_token"])
    assert page.response.headers["WWW-Authenticate"].startswith("DPoP ")
    assert error_of(page) == "invalid_token"
    assert phone.exchange(code, dpop=proof(site, "POST", TOKEN)).status == 200
    assert phone.refresh(before["refresh_token"], dpop=proof(site, "POST", TOKEN)).status == 200


# -- The proof itself (RFC 9449 sections 4.3 and 11) ------------------------------------------------------

WRONG: list[dict[str, Any]] = [
    {"jti": None}, {"jti": ""}, {"jti": 1}, {"htm": None}, {"htm": "GET"}, {"htm": "post"}, {"htm": ["POST"]},
    {"htu": None}, {"htu": ""}, {"htu": 1}, {"htu": [f"{ISSUER}/oauth/token"]}, {"htu": "/oauth/token"},
    {"htu": f"{ISSUER}/oauth/revoke"}, {"htu": f"{ISSUER}/oauth/token/"}, {"htu": f"{ISSUER}/OAUTH/token"},
    {"htu": "https://evil.example/oauth/token"}, {"htu": f"{ISSUER.replace('http', 'https')}/oauth/token"},
    {"htu": f"{ISSUER}@evil.example/oauth/token"}, {"htu": f"http://x@{ISSUER[7:]}/oauth/token"},
    {"htu": f"{ISSUER}:99999/oauth/token"}, {"htu": "http://["}, {"htu": f"{ISSUER}//oauth/token"},
    {"htu": f"{ISSUER}/x/../oauth/token"}, {"htu": f"{ISSUER}/oauth%2Ftoken"}, {"iat": None}, {"iat": "now"},
    {"iat": 0}, {"iat": 1e300}, {"iat": float("nan")}, {"iat": float("inf")}, {"iat": True},
]  # fmt: skip


@pytest.mark.parametrize("change", WRONG)
def test_a_proof_for_another_request_is_refused(
    site: Site, ada: Owner, phone: RelyingParty, change: dict[str, Any]
) -> None:
    page = phone.exchange("a code", dpop=proof(site, "POST", TOKEN, **change))
    assert (page.status, error_of(page)) == (400, "invalid_dpop_proof")


@pytest.mark.parametrize("address", [
    f"{ISSUER}/oauth/token?x=1", f"{ISSUER}/oauth/token#x", f"{ISSUER.upper().replace('HTTP', 'http')}/oauth/token",
    f"{ISSUER}/oauth/%74oken", f"HTTP{ISSUER[4:]}/oauth/token",
])  # fmt: skip
def test_the_same_address_may_be_written_in_another_way(
    site: Site, ada: Owner, phone: RelyingParty, address: str
) -> None:
    assert phone.exchange(phone.code(ada), dpop=proof(site, "POST", TOKEN, htu=address)).status == 200


@pytest.mark.parametrize(("aside", "status"), [(-61, 400), (-60, 200), (60, 200), (61, 400)])
def test_a_proof_is_of_now(site: Site, ada: Owner, phone: RelyingParty, aside: int, status: int) -> None:
    """Proofs that were made ahead (RFC 9449 section 11.2)."""
    dpop = proof(site, "POST", TOKEN, iat=site.clock.now() + aside)
    assert phone.exchange(phone.code(ada), dpop=dpop).status == status


PRIVATE = KEY.as_dict(private=True)
PRIME = int(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B"
    "302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7EDEE386BFB5A899FA5AE9F24117C4B1FE6"
    "49286651ECE65381FFFFFFFFFFFFFFFF",
    16,
)
"""Of 1024 bits (RFC 2409 section 6.2)."""


@pytest.mark.parametrize("header", [
    {"typ": "JWT"}, {"typ": None}, {"typ": "dpop"}, {"alg": "none"}, {"alg": "HS256"}, {"alg": "ES384"}, {"alg": 1},
    {"jwk": None}, {"jwk": "x"}, {"jwk": {}}, {"jwk": []}, {"jwk": {"kty": "oct", "k": "AAAA"}}, {"jwk": PRIVATE},
    {"jwk": {**KEY.as_dict(private=False), "x": 1}}, {"jwk": OTHER.as_dict(private=False)},
    {"jwk": {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}}, {"jwk": {"kty": "EC"}},
    {"jwk": ECKey.generate_key("P-384").as_dict(private=False)}, {"jwk": RSA.as_dict(private=False)},
    {"jwk": {"kty": ["EC"]}}, {"crit": ["jwk"]}, {"b64": False},
])  # fmt: skip
def test_a_proof_with_another_header_is_refused(
    site: Site, ada: Owner, phone: RelyingParty, header: dict[str, Any]
) -> None:
    page = phone.exchange("a code", dpop=proof(site, "POST", TOKEN, header=header))
    assert (page.status, error_of(page)) == (400, "invalid_dpop_proof")


def test_a_private_key_in_a_proof_costs_a_stranger_nothing(site: Site) -> None:
    eve, exponent = Person(site.app), pow(65537, -1, PRIME - 1)  # it fits, and no number of two primes does
    numbers = {name: keyed_app.encoded(number.to_bytes(128)) for name, number in (("n", PRIME), ("d", exponent))}
    header = {"alg": "RS256", "jwk": {"kty": "RSA", "e": "AQAB", **numbers}}
    text = f"{encoded({'typ': 'dpop+jwt', **header})}.{encoded({})}.AAAA"
    began = time.thread_time()
    page = eve.open("/oauth/userinfo", headers={"Authorization": "DPoP a.token", "DPoP": text})
    assert time.thread_time() - began < 1, "work, not waiting: the machine may be busy"
    assert (page.status, error_of(page)) == (401, "invalid_dpop_proof")
    assert "The key is a private one." in page.text


def test_the_key_of_a_proof_is_no_secret_of_a_hmac(site: Site, phone: RelyingParty) -> None:
    public = RSA.as_dict(private=False)
    claims = {"jti": "1", "htm": "POST", "htu": f"{ISSUER}{TOKEN}", "iat": site.clock.now()}
    text = f"{encoded({'typ': 'dpop+jwt', 'alg': 'HS256', 'jwk': public})}.{encoded(claims)}"
    forged = f"{text}.{keyed_app.encoded(hmac.digest(RSA.as_pem(private=False), text.encode(), 'sha256'))}"
    assert error_of(phone.exchange("a code", dpop=forged)) == "invalid_dpop_proof"


@pytest.mark.parametrize("text", ["", "a.b.c", "é", "x" * 9000, f"{encoded([])}.{encoded({})}.AA"])
def test_what_is_no_proof_is_refused(ada: Owner, phone: RelyingParty, text: str) -> None:
    assert error_of(phone.exchange("a code", dpop=text)) == "invalid_dpop_proof"
    token = phone.tokens(ada)["access_token"]
    assert error_of(phone.userinfo(token, "DPoP", text)) == "invalid_dpop_proof"


def test_two_proofs_are_refused(site: Site, ada: Owner, phone: RelyingParty) -> None:
    two = ", ".join(proof(site, "POST", TOKEN) for _ in range(2))
    assert error_of(phone.exchange("a code", dpop=two)) == "invalid_dpop_proof"


@pytest.mark.parametrize("change", [
    {"ath": None}, {"ath": "A" * 43}, {"ath": ""}, {"ath": 1}, {"htm": "POST"}, {"htu": f"{ISSUER}/oauth/token"},
    {"iat": 0},
])  # fmt: skip
def test_a_proof_belongs_to_its_token(site: Site, ada: Owner, phone: RelyingParty, change: dict[str, Any]) -> None:
    """A proof that was taken from another request (RFC 9449 section 11.9)."""
    token = bound(site, phone, ada)["access_token"]
    page = told(site, phone, token, **change)
    assert (page.status, error_of(page)) == (401, "invalid_dpop_proof")
    assert page.response.headers["WWW-Authenticate"].startswith('DPoP error="invalid_dpop_proof"')
    assert error_of(phone.userinfo(token, "DPoP")) == "invalid_dpop_proof", "and none is none"


def test_a_dead_or_another_servers_token_writes_no_row(site: Site, ada: Owner, phone: RelyingParty) -> None:
    before = count(site, "SELECT count(*) FROM used_proofs")
    for token in ("x", "a.b.c", ""):
        assert told(site, phone, token).status == 401
    assert error_of(phone.exchange("a code", dpop=proof(site, "POST", TOKEN))) == "invalid_grant"
    assert count(site, "SELECT count(*) FROM used_proofs") == before


def test_a_proof_is_used_once(site: Site, ada: Owner, phone: RelyingParty) -> None:
    """Replay (RFC 9449 section 11.1)."""
    first, second = phone.code(ada), phone.code(ada)
    dpop = proof(site, "POST", TOKEN)
    token = json_of(phone.exchange(first, dpop=dpop))["access_token"]
    assert error_of(phone.exchange(second, dpop=dpop)) == "invalid_dpop_proof"
    assert phone.exchange(second, dpop=proof(site, "POST", TOKEN)).status == 200, "it did not use up the code"
    once = proof(site, "GET", USERINFO, token=token)
    assert phone.userinfo(token, "DPoP", once).status == 200
    assert error_of(phone.userinfo(token, "DPoP", once)) == "invalid_dpop_proof"
    site.clock.pass_(299)
    site.services.maintenance.purge()
    assert count(site, "SELECT count(*) FROM used_proofs") == 3
    site.clock.pass_(1)
    site.services.maintenance.purge()
    assert count(site, "SELECT count(*) FROM used_proofs") == 0


def test_one_proof_at_two_requests_counts_once(
    site: Site, ada: Owner, phone: RelyingParty, racers: Racers, environ: dict[str, str]
) -> None:
    tokens = [bound(site, phone, ada)["refresh_token"] for _ in range(4)]
    dpop = proof(site, "POST", TOKEN)
    requests = [
        {
            "path": TOKEN,
            "cookies": {},
            "headers": {"DPoP": dpop},
            "address": f"198.51.100.{number}",
            "data": {"grant_type": "refresh_token", "refresh_token": token, "client_id": phone.client_id},
        }
        for number, token in enumerate(tokens)
    ]
    answers = racers.race(site, environ, requests)
    assert sorted(answer["status"] for answer in answers) == [200, 400, 400, 400]
    assert count(site, "SELECT count(*) FROM refresh_tokens WHERE used_at IS NOT NULL") == 1


def test_a_bound_exchange_by_assertion_takes_eight_statements_at_most(site: Site, ada: Owner, bank: KeyedApp) -> None:
    bank.tokens(ada)
    code = bank.code(ada)
    given, dpop = bank.proved(), proof(site, "POST", TOKEN)
    site.statements.clear()
    assert bank.exchange(code, dpop=dpop, **given).status == 200
    counted = [one for one in site.statements if one.startswith(("SELECT", "INSERT", "UPDATE", "DELETE"))]
    assert len(counted) <= 7, [one[:70] for one in counted]


# -- Pushed requests (RFC 9126): mix-up, injection and tampering in the browser (RFC 9700 sections 4.4, 4.5) --

PAR, AUTHORIZE = "/oauth/par", "/oauth/authorize"


def parameters_of(app: RelyingParty, **changes: str | None) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(app.address(**changes)).query))


def push(app: RelyingParty, dpop: str | None = None, **changes: str | None) -> Any:
    return app.call(PAR, dpop=dpop, **parameters_of(app, **changes))


def pushed(app: RelyingParty, **changes: str | None) -> str:
    page = push(app, **changes)
    assert (page.status, json_of(page)["expires_in"]) == (201, 60)
    assert page.response.headers["Cache-Control"] == "no-store"
    return str(json_of(page)["request_uri"])


def leading(app: RelyingParty, uri: str, **more: str) -> str:
    return f"{AUTHORIZE}?{urlencode({'client_id': app.client_id, 'request_uri': uri, **more})}"


def is_unanswerable(page: Any) -> bool:
    said = page.status == 400 and page.h1 == "This login request can't be completed"
    return said and "Location" not in page.response.headers and "Refresh" not in page.response.headers


@pytest.mark.parametrize("kind", ["bank", "wiki", "phone"])
def test_a_pushed_request_logs_in(site: Site, ada: Owner, request: pytest.FixtureRequest, kind: str) -> None:
    app: RelyingParty = request.getfixturevalue(kind)
    ada.open(leading(app, pushed(app, state="pushed")), follow=False)
    arrive(ada)
    ada.press("Continue")
    answer = answer_of(ada)
    assert answer["state"] == "pushed"
    assert app.exchange(answer["code"]).status == 200


def test_a_browser_that_logs_in_first_comes_back_to_the_pushed_request(
    site: Site, ada: Owner, wiki: RelyingParty
) -> None:
    stranger = ada.other_browser()
    stranger.open(leading(wiki, pushed(wiki)), follow=False)
    assert arrive(stranger).h1 == "Log in"
    phone = ada.other_browser()
    form = {"client_id": wiki.client_id, "request_uri": pushed(wiki)}
    assert phone.send("POST", AUTHORIZE, data=form, follow=False).status == 303
    assert arrive(phone).h1 == "Log in"


def test_the_address_of_a_pushed_request_works_once(site: Site, ada: Owner, wiki: RelyingParty) -> None:
    uri = pushed(wiki)
    assert not is_unanswerable(ada.open(leading(wiki, uri), follow=False))
    assert is_unanswerable(ada.open(leading(wiki, uri), follow=False))
    form = {"client_id": wiki.client_id, "request_uri": uri}
    assert is_unanswerable(ada.send("POST", AUTHORIZE, data=form, follow=False))


@pytest.mark.parametrize(("after", "works"), [(59, True), (60, False)])
def test_a_pushed_request_lives_for_a_minute(
    site: Site, ada: Owner, wiki: RelyingParty, after: int, works: bool
) -> None:
    uri, _ = pushed(wiki), pushed(wiki)
    site.clock.pass_(after)
    assert is_unanswerable(ada.open(leading(wiki, uri), follow=False)) is not works
    site.services.maintenance.purge()
    assert count(site, "SELECT count(*) FROM pushed_requests WHERE used_at IS NULL") == works


def test_a_pushed_request_belongs_to_its_app(site: Site, ada: Owner, wiki: RelyingParty, phone: RelyingParty) -> None:
    """Another app's address in the same browser (RFC 9126 section 7.2); and it does not use the request up."""
    uri = pushed(wiki)
    assert is_unanswerable(ada.open(leading(phone, uri), follow=False))
    assert is_unanswerable(ada.open(f"{AUTHORIZE}?{urlencode({'request_uri': uri})}", follow=False))
    assert not is_unanswerable(ada.open(leading(wiki, uri), follow=False))


@pytest.mark.parametrize("more", [
    {"scope": "openid email"}, {"redirect_uri": "https://evil.example/"}, {"state": "other"}, {"nonce": "other"},
    {"prompt": "none"}, {"code_challenge": "a" * 43}, {"login_hint": "eve"}, {"dpop_jkt": "a" * 43}, {"request": "x"},
    {"resource": "https://evil.example"}, {"response_mode": "form_post"},
])  # fmt: skip
def test_the_browser_changes_nothing_of_a_pushed_request(
    site: Site, ada: Owner, wiki: RelyingParty, more: dict[str, str]
) -> None:
    uri = pushed(wiki)
    assert is_unanswerable(ada.open(leading(wiki, uri, **more), follow=False))
    assert not is_unanswerable(ada.open(leading(wiki, uri, **parameters_of(wiki), unknown="x"), follow=False))


def test_a_repeated_or_guessed_address_is_refused(site: Site, ada: Owner, wiki: RelyingParty) -> None:
    uri = pushed(wiki)
    for to in (f"{leading(wiki, uri)}&request_uri={uri}", f"{leading(wiki, uri)}&client_id=x",
               leading(wiki, "urn:ietf:params:oauth:request_uri:"), leading(wiki, f"{uri}0"),
               leading(wiki, uri.upper()),
               leading(wiki, "https://evil.example/request")):  # fmt: skip
        assert is_unanswerable(ada.open(to, follow=False)), to
    ada.open(f"{wiki.address()}&request_uri=https://evil.example/request", follow=False)
    assert answer_of(ada)["error"] == "request_uri_not_supported", "nothing is fetched from an address in a request"


@pytest.mark.parametrize(("changes", "error"), [
    ({"redirect_uri": "https://evil.example/back"}, "invalid_request"), ({"redirect_uri": None}, "invalid_request"),
    ({"response_type": "token"}, "unsupported_response_type"), ({"scope": "nothing"}, "invalid_scope"),
    ({"code_challenge_method": "plain"}, "invalid_request"), ({"request": "x"}, "request_not_supported"),
    ({"request_uri": "urn:ietf:params:oauth:request_uri:x"}, "invalid_request"), ({"dpop_jkt": "x"}, "invalid_request"),
    ({"resource": "https://evil.example"}, "invalid_target"), ({"prompt": "none login"}, "invalid_request"),
])  # fmt: skip
def test_a_wrong_request_is_refused_when_it_is_pushed(
    site: Site, wiki: RelyingParty, changes: dict[str, str | None], error: str
) -> None:
    page = push(wiki, **changes)
    assert (page.status, error_of(page)) == (400, error)
    assert json_of(page)["error_id"]
    assert count(site, "SELECT count(*) FROM pushed_requests") == 0


def test_a_long_request_is_not_stored(site: Site, wiki: RelyingParty) -> None:
    assert push(wiki, state="a" * 8000).status == 413


def test_only_the_app_itself_pushes(site: Site, wiki: RelyingParty, bank: KeyedApp, phone: RelyingParty) -> None:
    for app in (wiki, bank):
        assert error_of(app.call(PAR, proved=False, **parameters_of(app))) == "invalid_client"
        assert error_of(app.call(PAR, proved=False, **{**parameters_of(app), "client_secret": "x"})) == "invalid_client"
    assert error_of(wiki.call(PAR, **parameters_of(phone))) == "invalid_request", "two apps are named"
    assert bank.call(PAR, **parameters_of(bank), **bank.proved(bank.assertion(aud=f"{ISSUER}{PAR}"))).status == 201
    stored = count(site, "SELECT count(*) FROM pushed_requests WHERE CAST(parameters AS TEXT) LIKE '%assertion%'")
    assert stored == 0, "its proof is not kept"
    assert wiki.server.open(PAR, follow=False).status == 405


def test_a_stranger_does_not_fill_the_table(site: Site, phone: RelyingParty) -> None:
    for _ in range(300):
        assert push(phone).status == 201
    page = push(phone)
    assert (page.status, error_of(page)) == (429, "temporarily_unavailable")
    assert page.response.headers["Retry-After"]


def test_a_pushed_proof_binds_the_code(site: Site, ada: Owner, phone: RelyingParty) -> None:
    """RFC 9449 section 10.1."""
    dpop = proof(site, "POST", PAR)
    page = push(phone, dpop)
    assert error_of(push(phone, dpop)) == "invalid_dpop_proof"
    assert error_of(push(phone, proof(site, "POST", TOKEN))) == "invalid_dpop_proof"
    other = push(phone, proof(site, "POST", PAR), dpop_jkt=OTHER.thumbprint())
    assert error_of(other) == "invalid_request"
    ada.open(leading(phone, json_of(page)["request_uri"]), follow=False)
    arrive(ada)
    ada.press("Continue")
    code = answer_of(ada)["code"]
    assert error_of(phone.exchange(code, dpop=proof(site, "POST", TOKEN, OTHER))) == "invalid_grant"
    assert phone.exchange(code, dpop=proof(site, "POST", TOKEN)).status == 200


def test_a_request_that_was_pushed_before_the_app_was_changed_is_checked_again(
    site: Site, ada: Owner, wiki: RelyingParty
) -> None:
    uri, apps = pushed(wiki), site.services.operators.apps
    apps.change(wiki.client_id, replace(apps.named(wiki.client_id).options, redirect_uris=("https://new.example/",)))
    assert is_unanswerable(ada.open(leading(wiki, uri), follow=False))


def test_scripts_of_other_origins_push_nothing(site: Site) -> None:
    spa = RelyingParty(site, PUBLIC, name="SPA", origins=("https://spa.example",))
    for path, reads in ((PAR, False), (TOKEN, True)):
        headers = spa.server.send("OPTIONS", path, headers={"Origin": "https://spa.example"}).response.headers
        assert ("Access-Control-Allow-Origin" in headers) is reads
        assert ("DPoP" in headers.get("Access-Control-Allow-Headers", "")) is reads


def test_one_request_uri_at_two_browsers_counts_once(
    site: Site, wiki: RelyingParty, racers: Racers, environ: dict[str, str]
) -> None:
    data = {"client_id": wiki.client_id, "request_uri": pushed(wiki)}
    requests = [
        {"path": AUTHORIZE, "cookies": {}, "address": f"198.51.100.{number}", "data": data} for number in range(6)
    ]
    answers = racers.race(site, environ, requests)
    assert sorted(answer["status"] for answer in answers) == [303, 400, 400, 400, 400, 400]
    assert count(site, "SELECT count(*) FROM authorization_requests") == 1
