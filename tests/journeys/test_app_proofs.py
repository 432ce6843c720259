"""What apps ask of a log-in and are told about it: keys, other methods, hints, and demands that change."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import update

from tests.attacks.tools import account_id
from tests.conftest import Site
from tests.people import ANDROID, PHONE, Owner
from tests.relying_party import BACK, RelyingParty, answer_of, json_of
from webapp.domain.language import ENGLISH
from webapp.models.accounts import Account
from webapp.models.factors import Factor
from webapp.models.registered_apps import KEY, TWO_FACTOR, RegisteredApp
from webapp.models.sessions import Session
from webapp.services.openid.requests import Unanswerable

SFA, MFA = "https://refeds.org/profile/sfa", "https://refeds.org/profile/mfa"
RESOURCE = "https://api.example/"


@pytest.fixture
def ada(site: Site) -> Owner:
    return Owner.signed_up(site)


@pytest.fixture
def wiki(site: Site) -> RelyingParty:
    return RelyingParty(site, trusted=True)


def told(app: RelyingParty, person: Owner, **asked: str) -> dict[str, Any]:
    return app.read(app.tokens(person, **asked)["id_token"])


def change(site: Site, **values: Any) -> None:
    """The operator changes every app."""
    with site.services.db.write() as tx:
        tx.execute(update(RegisteredApp).values(values))


def test_a_passkey_is_two_factors_and_no_password(site: Site, ada: Owner, wiki: RelyingParty) -> None:
    ada.turn_on_key()
    ada.press("Got it")
    key = ada.key
    assert key is not None
    other = ada.other_browser()
    other.open("/log-in")
    options = json_of(other.post("/log-in/passkey/options"))
    other.open("/log-in")
    assert other.press("Log in with a passkey", credential=key.get(options)).h1 == "Welcome, Ada Lovelace"
    claims = told(wiki, other)
    assert claims["acr"] == "phr"
    assert set(claims["amr"]) <= {"hwk", "swk", "user", "mfa"}
    assert "mfa" in claims["amr"]
    assert told(wiki, other, acr_values=MFA)["acr"] == MFA


def test_a_texted_code_is_told_as_sms(site: Site, ada: Owner, wiki: RelyingParty) -> None:
    ada.turn_on_texts(PHONE)
    ada.press("Got it")
    claims = told(wiki, ada)
    assert (claims["acr"], claims["amr"]) == (MFA, ["pwd", "sms", "mfa"])
    tokens = wiki.tokens(ada, scope="openid phone")
    profile = json_of(wiki.userinfo(tokens["access_token"]))
    assert (profile["phone_number"], profile["phone_number_verified"]) == (PHONE, True)


def test_an_approval_on_a_phone_is_told_as_mca(site: Site, wiki: RelyingParty) -> None:
    ada = Owner.signed_up(site, layout=ANDROID)
    ada.turn_on_requests()
    ada.press("Got it")
    assert told(wiki, ada)["amr"] == ["pwd", "mca", "mfa"]


def test_a_backup_code_is_told_as_otp(site: Site, ada: Owner, wiki: RelyingParty) -> None:
    ada.turn_on_app()
    ada.press("Got it")
    ada.log_in_again()
    ada.open("/log-in/backup-code")
    ada.press("Verify", code=ada.kept_code)
    assert told(wiki, ada)["amr"] == ["pwd", "otp", "mfa"]


def test_a_session_of_an_earlier_version_tells_of_the_password_only(site: Site, ada: Owner, wiki: RelyingParty) -> None:
    with site.services.db.write() as tx:
        tx.execute(update(Session).values(proofs="{}"))
    assert told(wiki, ada)["amr"] == ["pwd"]


def test_a_key_is_asked_for_by_itself(site: Site, ada: Owner) -> None:
    vault = RelyingParty(site, name="Vault", proof=KEY, trusted=True)
    ada.turn_on_key()
    ada.press("Got it")
    ada.turn_on_app()
    ada.log_in_again()
    ada.open("/log-in/verify?method=authentication-app")
    ada.press("Verify", code=ada.next_code())
    vault.send(ada)
    page = ada.use_key()
    assert page.h1 == "Going back to Vault"
    site.clock.pass_(300)
    assert vault.send(ada, max_age="100").h1 == "Enter your password"
    ada.press("Verify", password=ada.password)
    page = ada.use_key()
    assert page.h1 == "Going back to Vault"


def test_acr_values_step_up_where_the_account_can(site: Site, ada: Owner, wiki: RelyingParty) -> None:
    ada.turn_on_app()
    ada.press("Got it")
    with site.services.db.write() as tx:
        tx.execute(update(Session).values(proofs='{"password": 1}', second_factor_at=None))
    page = wiki.send(ada, acr_values=MFA)
    assert page.h1 == "Enter your code"
    assert ada.press("Verify", code=ada.next_code()).h1 == "Going back to Wiki"
    claims = wiki.read(json_of(wiki.exchange(answer_of(ada)["code"]))["id_token"])
    assert claims["acr"] == MFA


@pytest.mark.parametrize(
    ("values", "heading"),
    [(["phr"], "Wiki needs a security key"), (["phr", MFA], "Wiki needs two-factor authentication")],
)
def test_only_an_essential_claim_leads_to_an_enrollment(
    ada: Owner, wiki: RelyingParty, values: list[str], heading: str
) -> None:
    asked = {"id_token": {"acr": {"essential": True, "values": values}}}
    assert wiki.send(ada, claims=json.dumps(asked)).h1 == heading
    wiki.send(ada, claims=json.dumps(asked), prompt="none")
    assert answer_of(ada)["error"] == "interaction_required"
    asked["id_token"]["acr"]["essential"] = False
    assert told(wiki, ada, claims=json.dumps(asked))["acr"] == SFA


def test_a_class_that_nobody_can_prove(ada: Owner, wiki: RelyingParty) -> None:
    asked = {"id_token": {"acr": {"essential": True, "value": "gold"}}}
    wiki.send(ada, claims=json.dumps(asked))
    assert answer_of(ada)["error"] == "unmet_authentication_requirements"


def test_the_hinted_account_must_be_the_one_that_is_logged_in(site: Site, ada: Owner, wiki: RelyingParty) -> None:
    hint = wiki.tokens(ada)["id_token"]
    subject = wiki.read(hint)["sub"]
    wiki.send(ada, id_token_hint=hint, prompt="none")
    assert "code" in answer_of(ada)
    wiki.send(ada, claims=json.dumps({"id_token": {"sub": {"value": subject}}}))
    assert "code" in answer_of(ada)
    wiki.send(ada, claims=json.dumps({"id_token": {"sub": {"value": "another"}}}))
    assert answer_of(ada)["error"] == "login_required"
    other = RelyingParty(site, name="Other", trusted=True)
    other.send(ada, id_token_hint=hint)
    assert answer_of(ada)["error"] == "invalid_request"


def test_userinfo_says_when_the_demand_of_the_app_is_no_longer_met(site: Site, ada: Owner, wiki: RelyingParty) -> None:
    """RFC 9470 section 3."""
    token = wiki.tokens(ada)["access_token"]
    site.clock.pass_(100)
    for demand, named in (
        ({"max_age": 60}, 'max_age="60"'),
        ({"max_age": None, "proof": TWO_FACTOR}, f'acr_values="{MFA}"'),
        ({"proof": KEY}, 'acr_values="phr"'),
    ):
        change(site, **demand)
        page = wiki.userinfo(token)
        assert page.status == 401
        challenge = page.response.headers["WWW-Authenticate"]
        assert 'error="insufficient_user_authentication"' in challenge
        assert named in challenge
    change(site, proof="password", max_age=100)
    assert wiki.userinfo(token).status == 200


def test_a_maximum_age_of_nothing_asks_at_each_log_in_and_not_at_each_use_of_a_token(site: Site, ada: Owner) -> None:
    wiki = RelyingParty(site, trusted=True, max_age=0)
    wiki.send(ada)
    ada.press("Verify", password=ada.password)
    tokens = json_of(wiki.exchange(answer_of(ada)["code"]))
    site.clock.pass_(5)
    assert wiki.userinfo(tokens["access_token"]).status == 200
    assert wiki.send(ada).h1 == "Enter your password"


def test_a_token_request_names_no_other_resource_than_the_login(site: Site, ada: Owner) -> None:
    """RFC 8707 section 2.2: a token for another server than was asked for is of no use."""
    wiki = RelyingParty(site, trusted=True, resources=(RESOURCE, "https://other.example"))
    for asked, named, right in (
        (RESOURCE, "https://other.example", RESOURCE),
        (None, RESOURCE, ""),
    ):
        code = wiki.code(ada, resource=asked)
        assert json_of(wiki.exchange(code, resource=named))["error"] == "invalid_target"
        page = wiki.exchange(code, resource=right)
        assert page.status == 200, "the code was not used up"
        token = json_of(page)["refresh_token"]
        assert json_of(wiki.refresh(token, resource=named))["error"] == "invalid_target"
        assert wiki.refresh(token, resource=right).status == 200


def test_a_token_for_a_resource_opens_nothing_here(site: Site, ada: Owner) -> None:
    wiki = RelyingParty(site, trusted=True, resources=(RESOURCE,))
    token = wiki.tokens(ada, resource=RESOURCE)["access_token"]
    assert wiki.read(token)["aud"] == RESOURCE
    assert wiki.userinfo(token).status == 401
    page = wiki.server.open("/oauth/userinfo", follow=False)
    assert (page.status, page.response.headers["WWW-Authenticate"]) == (401, 'Bearer, DPoP algs="RS256 ES256 PS256"')
    page = wiki.server.open("/oauth/userinfo", headers={"Authorization": "Basic x"}, follow=False)
    assert page.status == 401


def test_es256_where_the_app_asks_for_it(site: Site, ada: Owner) -> None:
    wiki = RelyingParty(site, trusted=True, signing_algorithm="ES256")
    assert told(wiki, ada)["aud"] == wiki.client_id


def test_an_app_that_was_changed_meanwhile(site: Site, ada: Owner) -> None:
    wiki = RelyingParty(site)
    page = wiki.send(ada)
    address = page.response.request.full_path
    change(site, redirect_uris=["https://app.example/elsewhere"])
    page = ada.press("Continue")
    assert (page.status, page.h1) == (400, "This login request can't be completed")
    change(site, redirect_uris=[BACK], scopes=["email"])
    page = ada.open(address)
    assert answer_of(ada)["error"] == "invalid_scope"


def test_a_request_waits_for_an_hour(site: Site, ada: Owner) -> None:
    wiki = RelyingParty(site)
    address = wiki.send(ada).response.request.full_path
    site.clock.pass_(3599)
    assert ada.open(address).h1 == "Log in to Wiki"
    site.clock.pass_(1)
    assert ada.open(address).status == 400


def test_a_page_that_a_log_in_leads_to_may_have_expired(site: Site, ada: Owner) -> None:
    page = ada.other_browser().open("/log-in?next=/oauth/consent%3Fid%3Dunknown")
    assert "form-action 'self';" in page.response.headers["Content-Security-Policy"]


def test_a_script_is_led_to_the_whole_page(site: Site, ada: Owner) -> None:
    wiki = RelyingParty(site)
    address = wiki.send(ada).response.request.full_path
    ada.htmx = True
    page = ada.open(address, follow=False)
    assert page.response.headers["HX-Redirect"] == address


def test_an_old_form_is_shown_again_and_a_lost_session_logs_in_again(site: Site, ada: Owner) -> None:
    wiki = RelyingParty(site)
    address = wiki.send(ada).response.request.full_path
    page = ada.send("POST", address, data={"csrf_token": "old"})
    assert page.h1 == "Log in to Wiki"
    token = ada.token()
    ada.client.delete_cookie("session", domain="nightlatch.localhost")
    page = ada.send("POST", address, data={"csrf_token": token})
    assert page.h1 == "Log in"
    assert ada.press("Log in", username="ada", password=ada.password).h1 == "Log in to Wiki"
    page = ada.open("/oauth/log-out")
    page = ada.send("POST", "/oauth/log-out/confirm", data={"csrf_token": "old"}, follow=False)
    assert page.h1 == "Log out?"
    assert ada.open("/oauth/logged-out", follow=False).status == 303


def test_only_apps_of_the_account_are_disconnected(site: Site, ada: Owner, wiki: RelyingParty) -> None:
    for client_id in ("unknown", wiki.client_id):
        assert ada.post("/settings/security/apps", disconnect=client_id).status == 404


@pytest.mark.parametrize("asked", ["xx en", "xx en-GB fr", "EN"])
def test_the_language_that_the_app_asks_for(site: Site, asked: str) -> None:
    """A tag is looked up as those of a browser are (RFC 4647 section 3.4)."""
    person = Owner(site)
    wiki = RelyingParty(site)
    wiki.send(person, ui_locales=asked)
    assert person.page is not None
    assert person.page.response.request.args["lang"] == ENGLISH.code


def test_two_requests_at_the_same_time_are_answered_once(site: Site, ada: Owner) -> None:
    wiki = RelyingParty(site)
    address = wiki.send(ada).response.request.full_path
    service = site.services.openid.authorizations
    waiting = service.find(address.partition("id=")[2])
    ada.press("Continue")
    with pytest.raises(Unanswerable):
        service.cancel(waiting)


def test_a_locked_account_is_told_that_it_may_not(site: Site, ada: Owner, wiki: RelyingParty) -> None:
    service = site.services.openid
    with site.services.db.write() as tx:
        tx.execute(update(Account).where(Account.id == account_id(site)).values(locked_at=1))
        account = tx.objects.get_one(Account, account_id(site))
        assert not service.clients.may_use(tx, wiki.app, account)


@pytest.mark.parametrize("proof", [TWO_FACTOR, KEY])
def test_a_method_that_was_turned_off_since_is_enrolled_and_not_asked_for_again(
    site: Site, ada: Owner, proof: str
) -> None:
    app = RelyingParty(site, trusted=True, proof=proof, max_age=300)
    ada.turn_on_key()
    ada.press("Got it")
    with site.services.db.write() as tx:
        tx.execute(update(Factor).values(turned_off_at=site.clock.now()))
    site.clock.pass_(400)
    page = app.send(ada)
    needed = "a security key" if proof == KEY else "two-factor authentication"
    assert page.h1 == f"Wiki needs {needed}"


def test_a_factor_that_was_turned_off_leaves_no_age_behind(site: Site, ada: Owner, wiki: RelyingParty) -> None:
    """The password is new, and the second factor cannot be proved again."""
    ada.turn_on_app()
    ada.press("Got it")
    with site.services.db.write() as tx:
        tx.execute(update(Factor).values(turned_off_at=site.clock.now()))
    change(site, max_age=300)
    site.clock.pass_(400)
    assert wiki.send(ada).h1 == "Enter your password"
    ada.press("Verify", password=ada.password)
    assert told(wiki, ada)["auth_time"] == site.clock.now()


def test_who_is_in_no_group_of_an_app_is_not_sent_to_confirm_an_address(site: Site, ada: Owner) -> None:
    site.services.operators.groups.create("staff")
    app = RelyingParty(site, groups=("staff",))
    with site.services.db.write() as tx:
        tx.execute(update(Account).values(email=None))
    page = app.send(ada)
    assert page.status == 403
    assert page.says("ask the people who run this site")
