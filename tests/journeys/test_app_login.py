"""People log in to apps: log-in, step-up, consent, enrollment, and the way back."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import pytest
from sqlalchemy import update

from tests.attacks.tools import account_id, user_of
from tests.conftest import Site
from tests.people import ANDROID, DESKTOP, Owner, Page, Person
from tests.relying_party import BACK, ISSUER, PUBLIC, RelyingParty, answer_of, json_of, target_of
from webapp.domain.origin import NO_BROWSER
from webapp.models.accounts import Account
from webapp.models.registered_apps import KEY, TWO_FACTOR

SFA, MFA = "https://refeds.org/profile/sfa", "https://refeds.org/profile/mfa"


@pytest.fixture(params=[DESKTOP, ANDROID])
def ada(request: pytest.FixtureRequest, site: Site) -> Owner:
    """Logged in, without a second factor."""
    return Owner.signed_up(site, layout=request.param)


@pytest.fixture
def wiki(site: Site) -> RelyingParty:
    return RelyingParty(site)


def test_consent_says_what_the_app_learns_and_is_remembered(ada: Owner, wiki: RelyingParty) -> None:
    page = wiki.send(ada, scope="openid email")
    assert page.h1 == "Log in to Wiki"
    assert page.says("You're logged in here as Ada Lovelace")
    assert page.says("Your email address")
    assert not page.says("Your phone number")
    assert page.says("app.example")
    ada.press("Continue")
    answer = answer_of(ada)
    assert answer["state"] == "a state"
    assert answer["iss"] == ISSUER
    assert wiki.exchange(answer["code"]).status == 200
    assert set(answer) == {"code", "state", "iss"}
    wiki.send(ada, scope="openid email")
    assert "code" in answer_of(ada), "it is not asked twice"
    assert wiki.send(ada, scope="openid email phone").h1 == "Log in to Wiki", "more is asked again"


def test_no_request_makes_the_cookie_of_the_login_page_too_long_for_browsers(site: Site, wiki: RelyingParty) -> None:
    """They keep 4096 bytes of a cookie (RFC 6265bis section 5.6), and without it no form is taken."""
    bob, unlike = Owner(site, "bob"), Random(1)
    hint = "".join(chr(unlike.randrange(0x4E00, 0x9FFF)) for _ in range(2000))
    page = wiki.send(bob, login_hint=hint)
    pages = [page, bob.open(f"{page.response.request.full_path}{quote('&pad=' + unlike.randbytes(3000).hex())}")]
    for page in pages:
        assert page.h1 == "Log in"
        assert all(len(cookie) < 4096 for cookie in page.response.headers.getlist("Set-Cookie"))


def test_consent_to_something_else_keeps_what_was_agreed_before(ada: Owner, wiki: RelyingParty) -> None:
    wiki.code(ada, scope="openid email")
    wiki.code(ada, scope="openid profile")
    wiki.send(ada, scope="openid email profile")
    assert "code" in answer_of(ada), "each was agreed"


def test_cancel_tells_the_app(ada: Owner, wiki: RelyingParty) -> None:
    wiki.send(ada)
    page = ada.press("Cancel")
    assert page.h1 == "Going back to Wiki"
    answer = answer_of(ada)
    assert (answer["error"], answer["state"], answer["iss"]) == ("access_denied", "a state", ISSUER)
    assert re.fullmatch("[0-9a-f]{16}", answer["error_id"])


def test_only_the_app_of_a_log_in_is_said_to_be_used(site: Site, ada: Owner, wiki: RelyingParty) -> None:
    other = RelyingParty(site, name="Other")
    wiki.tokens(ada)
    apps = site.services.operators.apps
    assert apps.named(wiki.client_id).app.used_at == site.clock.now()
    assert apps.named(other.client_id).app.used_at is None


def test_back_to_a_request_that_was_answered_says_so(ada: Owner, wiki: RelyingParty) -> None:
    asked = wiki.send(ada).response.request.full_path
    ada.press("Continue")
    page = ada.open(asked)
    assert (page.status, page.h1) == (400, "This login request can't be completed")
    assert page.says("It has expired or was already used. Open the app again.")


def test_a_log_in_that_an_app_interrupted_goes_on_after_it(ada: Owner, wiki: RelyingParty) -> None:
    other = ada.other_browser()
    page = wiki.send(other, login_hint="ada", state="x" * 1500)
    assert page.h1 == "Log in"
    assert page.field("Username")["value"] == "ada"
    page = other.press("Log in", password=ada.password)
    assert page.h1 == "Log in to Wiki"
    other.press("Continue")
    assert answer_of(other)["state"] == "x" * 1500


def test_a_new_password_on_the_way_to_an_app_leads_on_to_it(site: Site, ada: Owner, wiki: RelyingParty) -> None:
    other = ada.other_browser()
    wiki.send(other)
    other.follow("Forgot password?")
    assert other.follow("Back to login").says("You then go back to app.example")
    other.follow("Forgot password?")
    page = other.press("Send link", email=ada.email)
    assert "form-action 'self';" in page.response.headers["Content-Security-Policy"]
    other.open(site.emailed_path(ada.email, "/reset-password/"))
    page = other.press("Save password", password="quiet tractors hum")
    assert (page.path, page.says("You then go back to app.example")) == ("/log-in", True)
    assert other.press("Log in", username="ada", password="quiet tractors hum").h1 == "Log in to Wiki"
    other.press("Continue")
    assert "code" in answer_of(other)


def test_a_new_password_leads_home_when_the_app_waits_no_longer(site: Site, ada: Owner, wiki: RelyingParty) -> None:
    other = ada.other_browser()
    wiki.send(other)
    other.open("/forgot-password")
    other.press("Send link", email=ada.email)
    site.clock.pass_(site.services.settings.policy.authorization_request_seconds + 1)
    other.open("/forgot-password")
    other.press("Send link", email=ada.email)
    other.open(site.emailed_path(ada.email, "/reset-password/"))
    assert not other.press("Save password", password="quiet tractors hum").says("You then go back to")
    assert other.press("Log in", username="ada", password="quiet tractors hum").h1 == "Welcome, Ada Lovelace"


def test_a_log_in_without_an_app_forgets_the_app_before(site: Site, ada: Owner, wiki: RelyingParty) -> None:
    other = ada.other_browser()
    wiki.send(other)
    other.open("/log-in")
    other.follow("Forgot password?")
    other.press("Send link", email=ada.email)
    other.open(site.emailed_path(ada.email, "/reset-password/"))
    assert not other.press("Save password", password="quiet tractors hum").says("You then go back to")


def test_a_challenge_that_ran_out_on_the_way_to_an_app_leads_on_to_it(
    site: Site, ada: Owner, wiki: RelyingParty
) -> None:
    ada.turn_on_app()
    other = ada.other_browser()
    wiki.send(other)
    assert other.press("Log in", username="ada", password=ada.password).h1 == "Enter your code"
    site.clock.pass_(site.services.settings.policy.pending_login_seconds + 1)
    page = other.press("Verify", code=ada.next_code())
    assert (page.path, page.says("You then go back to app.example")) == ("/log-in", True)
    other.press("Log in", username="ada", password=ada.password)
    assert other.press("Verify", code=ada.next_code()).h1 == "Log in to Wiki"


def test_an_account_that_is_created_on_the_way_to_an_app_leads_on_to_it(site: Site, wiki: RelyingParty) -> None:
    bob = Owner(site, "bob")
    wiki.send(bob)
    bob.follow("Create an account")
    bob.press("Sign up", name="Bob", username="bob", password="quiet tractors hum")
    bob.press("Next", email="bob@example.org")
    assert bob.press("Verify", code=site.emailed_code("bob@example.org")).h1 == "Log in to Wiki"


def test_a_trusted_app_asks_nobody_and_the_page_after_the_log_in_leads_on(site: Site, ada: Owner) -> None:
    wiki = RelyingParty(site, trusted=True)
    wiki.send(ada)
    assert ada.page.status == 303, "an answer to the app's own request is a redirect"
    assert wiki.exchange(answer_of(ada)["code"]).status == 200
    other = ada.other_browser()
    wiki.send(other)
    page = other.press("Log in", username="ada", password=ada.password)
    assert page.h1 == "Going back to Wiki"
    assert "code" in answer_of(other)


def test_pages_that_lead_to_an_app_name_it_in_their_headers(ada: Owner, wiki: RelyingParty) -> None:
    other = ada.other_browser()
    for page in (wiki.send(other), wiki.send(ada)):
        policy = page.response.headers["Content-Security-Policy"]
        assert "form-action 'self' https://app.example;" in policy
        assert page.response.headers["Cross-Origin-Opener-Policy"] == "unsafe-none"
    page = ada.open("/settings")
    assert "form-action 'self';" in page.response.headers["Content-Security-Policy"]
    assert page.response.headers["Cross-Origin-Opener-Policy"] == "same-origin"


def test_form_post_is_a_page_with_a_form(site: Site, ada: Owner) -> None:
    wiki = RelyingParty(site, trusted=True)
    page = wiki.send(ada, response_mode="form_post", state='"><b>')
    form, _ = page.form_of("Continue")
    assert form.get("action") == BACK
    sent = {field.get("name"): field.get("value") for field in form.iter("input")}
    assert set(sent) == {"code", "state", "iss"}
    assert sent["state"] == '"><b>'
    assert "form-action 'self' https://app.example;" in page.response.headers["Content-Security-Policy"]


def test_a_request_may_come_as_a_post_of_another_site(ada: Owner, wiki: RelyingParty) -> None:
    asked = dict(parse_qsl(urlsplit(wiki.address()).query))
    headers = {"Origin": "https://app.example", "Sec-Fetch-Site": "cross-site"}
    host = "nightlatch.localhost:5000"
    ada.send("POST", "/oauth/authorize", data=asked, headers=headers, follow=False, host=host)
    assert ada.page.status == 303
    page = ada.open(ada.page.response.headers["Location"])
    assert page.h1 == "Log in to Wiki"
    ada.press("Continue")
    assert "code" in answer_of(ada)


# -- How the account was proved ----------------------------------------------------------------------


def test_the_id_token_tells_the_truth_about_a_password(ada: Owner, wiki: RelyingParty, site: Site) -> None:
    tokens = wiki.tokens(ada)
    claims = wiki.read(tokens["id_token"])
    now = site.clock.now()
    assert claims["iss"] == ISSUER
    assert claims["aud"] == wiki.client_id
    assert (claims["iat"], claims["exp"], claims["auth_time"]) == (now, now + 600, now)
    assert (claims["nonce"], claims["acr"], claims["amr"]) == ("a nonce", SFA, ["pwd"])
    assert set(claims) == {*("iss", "sub", "aud", "iat", "exp", "auth_time", "nonce", "acr", "amr", "sid", "at_hash")}


def test_the_access_token_is_that_of_rfc_9068(ada: Owner, wiki: RelyingParty) -> None:
    claims = wiki.read(wiki.tokens(ada)["access_token"])
    assert claims["client_id"] == claims["aud"] == wiki.client_id
    assert claims["scope"] == "openid"
    assert {"jti", "exp", "iat", "sub", "iss", "auth_time", "acr", "amr"} <= set(claims)


def test_a_second_factor_is_asked_for_where_the_app_demands_one(ada: Owner, site: Site) -> None:
    bank = RelyingParty(site, name="Bank", proof=TWO_FACTOR, trusted=True)
    page = bank.send(ada)
    assert page.h1 == "Bank needs two-factor authentication"
    ada.turn_on_app()
    page = ada.press("Got it")
    assert page.h1 == "Going back to Bank"
    claims = bank.read(json_of(bank.exchange(answer_of(ada)["code"]))["id_token"])
    assert (claims["acr"], claims["amr"]) == (MFA, ["pwd", "otp", "mfa"])


def test_a_remembered_browser_steps_up_for_a_second_factor_and_not_for_more(ada: Owner, site: Site) -> None:
    bank = RelyingParty(site, name="Bank", proof=TWO_FACTOR, trusted=True)
    ada.turn_on_app()
    ada.press("Got it")
    ada.log_in_again()
    ada.press("Verify", code=ada.next_code(), remember="y")
    assert ada.log_in_again().h1 == "Welcome, Ada Lovelace"
    wiki = RelyingParty(site, trusted=True)
    claims = wiki.read(wiki.tokens(ada)["id_token"])
    assert (claims["acr"], claims["amr"]) == (SFA, ["pwd"]), "the browser spared the factor"
    page = bank.send(ada)
    assert page.h1 == "Enter your code"
    page = ada.press("Verify", code=ada.next_code())
    assert page.h1 == "Going back to Bank"


def test_a_key_is_asked_for_where_the_app_demands_one(site: Site) -> None:
    ada = Owner.signed_up(site)
    vault = RelyingParty(site, name="Vault", proof=KEY, trusted=True)
    assert vault.send(ada).h1 == "Vault needs a security key"
    assert ada.follow("Get started").h1 == "Security key"
    page = ada.press("Start")
    ada.press("Use security key", credential=ada.new_key().create(page.options()))
    ada.press("Save", name="Blue key")
    page = ada.press("Got it")
    assert page.h1 == "Going back to Vault"
    claims = vault.read(json_of(vault.exchange(answer_of(ada)["code"]))["id_token"])
    assert claims["acr"] == "phr"
    assert set(claims["amr"]) & {"hwk", "swk"}
    assert {"pwd", "user", "mfa"} <= set(claims["amr"])


def test_prompt_login_and_max_age_step_up_once(ada: Owner, site: Site) -> None:
    wiki = RelyingParty(site, trusted=True)
    for asked in ({"prompt": "login"}, {"max_age": "0"}):
        page = wiki.send(ada, **asked)
        assert page.h1 == "Enter your password"
        page = ada.press("Verify", password=ada.password)
        assert page.h1 == "Going back to Wiki"
    site.clock.pass_(100)
    wiki.send(ada, max_age="200")
    assert "code" in answer_of(ada)
    page = wiki.send(ada, max_age="60")
    assert page.h1 == "Enter your password"
    ada.press("Verify", password=ada.password)
    claims = wiki.read(json_of(wiki.exchange(answer_of(ada)["code"]))["id_token"])
    assert claims["auth_time"] == site.clock.now()


def test_step_up_asks_for_both_factors_again(ada: Owner, site: Site) -> None:
    wiki = RelyingParty(site, trusted=True)
    ada.turn_on_app()
    ada.press("Got it")
    site.clock.pass_(300)
    assert wiki.send(ada, prompt="login").h1 == "Enter your password"
    page = ada.press("Verify", password=ada.password)
    assert page.h1 == "Enter your code", "a factor that was proved five minutes ago is not new"
    page = ada.press("Verify", code=ada.next_code())
    assert page.h1 == "Going back to Wiki"


def test_acr_values_are_reached_where_the_account_can_and_else_told_as_they_are(ada: Owner, site: Site) -> None:
    wiki = RelyingParty(site, trusted=True)
    assert wiki.read(wiki.tokens(ada, acr_values=MFA)["id_token"])["acr"] == SFA
    ada.turn_on_app()
    ada.press("Got it")
    assert wiki.read(wiki.tokens(ada, acr_values=f"phr {SFA}")["id_token"])["acr"] == SFA, "the first that holds"


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"scope": "openid"}, "consent_required"),
        ({"max_age": "0"}, "login_required"),
        ({"claims": "x"}, "invalid_request"),
    ],
)
def test_prompt_none_never_shows_a_page(ada: Owner, wiki: RelyingParty, asked: dict[str, str], error: str) -> None:
    wiki.send(ada, prompt="none", **asked)
    answer = answer_of(ada)
    assert ada.page.status == 303
    assert (answer["error"], answer["state"], answer["iss"]) == (error, "a state", ISSUER)


def test_prompt_none_without_a_session(ada: Owner, wiki: RelyingParty) -> None:
    other = ada.other_browser()
    wiki.send(other, prompt="none")
    assert answer_of(other)["error"] == "login_required"


def test_prompt_consent_asks_again_and_select_account_offers_another(ada: Owner, wiki: RelyingParty) -> None:
    wiki.code(ada)
    assert wiki.send(ada, prompt="consent").h1 == "Log in to Wiki"
    assert "Not you?" not in ada.page.buttons
    wiki.send(ada, prompt="select_account")
    page = ada.press("Not you?")
    assert page.h1 == "Log in"
    page = ada.press("Log in", username="ada", password=ada.password)
    assert page.h1 == "Log in to Wiki"
    ada.press("Continue")
    assert "code" in answer_of(ada)


# -- Who may -----------------------------------------------------------------------------------------


def test_who_may_not_use_the_app_is_told_so(site: Site) -> None:
    bob = Owner.signed_up(site, "bob", confirm_email=False)
    wiki = RelyingParty(site)
    page = wiki.send(bob)
    assert (page.status, page.h1) == (403, "You can't use Wiki")
    assert page.says("Only people with a confirmed email address can use this app.")
    ada = Owner.signed_up(site)
    assert page.says("You're logged in here as")
    page = bob.press("Not you?")
    assert (page.h1, page.says("You then go back to app.example")) == ("Log in", True)
    assert bob.press("Log in", username="ada", password=ada.password).h1 == "Log in to Wiki"


def test_an_app_of_groups_is_open_to_their_members_and_tells_only_those(ada: Owner, site: Site) -> None:
    groups = site.services.operators.groups
    for name in ("editors", "staff"):
        groups.create(name)
    wiki = RelyingParty(site, groups=("editors",))
    page = wiki.send(ada, scope="openid groups")
    assert (page.status, page.h1) == (403, "You can't use Wiki")
    wiki.send(ada, prompt="none")
    assert answer_of(ada)["error"] == "access_denied"
    for name in ("editors", "staff"):
        groups.add(name, "ada")
    tokens = wiki.tokens(ada, scope="openid groups")
    assert json_of(wiki.userinfo(tokens["access_token"]))["groups"] == ["editors"]
    groups.remove("editors", "ada")
    assert wiki.userinfo(tokens["access_token"]).status == 401
    assert json_of(wiki.refresh(tokens["refresh_token"]))["error"] == "invalid_grant"


# -- What the app learns -------------------------------------------------------------------------------


def test_userinfo_tells_what_the_scopes_give(ada: Owner, wiki: RelyingParty, site: Site) -> None:
    tokens = wiki.tokens(ada, scope="openid profile email phone groups")
    told = json_of(wiki.userinfo(tokens["access_token"]))
    subject = wiki.read(tokens["id_token"])["sub"]
    assert told == {
        "sub": subject,
        "name": "Ada Lovelace",
        "preferred_username": "ada",
        "locale": "en",
        "updated_at": site.clock.now(),
        "email": "ada@example.org",
        "email_verified": True,
        "groups": [],
    }
    tokens = wiki.tokens(ada, scope="openid", claims='{"id_token": {"email": null}, "userinfo": {"name": null}}')
    assert wiki.read(tokens["id_token"])["email"] == "ada@example.org"
    assert set(json_of(wiki.userinfo(tokens["access_token"]))) == {"sub", "name"}


def test_a_phone_number_whose_key_is_missing_is_left_out(ada: Owner, wiki: RelyingParty, site: Site) -> None:
    ada.turn_on_texts()
    assert "phone_number" in json_of(wiki.userinfo(wiki.tokens(ada, scope="openid phone")["access_token"]))
    with site.services.db.write() as tx:
        tx.execute(update(Account).values(phone_number="none.AAAA"))
    tokens = wiki.tokens(ada, scope="openid phone")
    assert json_of(wiki.userinfo(tokens["access_token"])).keys() == {"sub"}


def test_subjects_differ_by_sector_unless_they_are_public(ada: Owner, wiki: RelyingParty, site: Site) -> None:
    of = {}
    for name, options in {
        "same": {},
        "other": {"redirect_uris": (BACK, "https://elsewhere.example/back"), "sector": "elsewhere.example"},
        "public": {"subject_type": "public"},
        "public too": {"subject_type": "public", "sector": "elsewhere.example"},
    }.items():
        app = RelyingParty(site, trusted=True, name=name, **options)
        of[name] = app.read(app.tokens(ada)["id_token"])["sub"]
    mine = wiki.read(wiki.tokens(ada)["id_token"])["sub"]
    assert mine == of["same"]
    assert len({mine, of["other"], of["public"]}) == 3
    assert of["public"] == of["public too"]


# -- Tokens ------------------------------------------------------------------------------------------


def test_a_refresh_token_is_replaced_at_each_use(ada: Owner, wiki: RelyingParty) -> None:
    tokens = wiki.tokens(ada, scope="openid email")
    fresh = json_of(wiki.refresh(tokens["refresh_token"], scope="openid"))
    assert fresh["scope"] == "openid"
    assert fresh["refresh_token"] != tokens["refresh_token"]
    assert "nonce" not in wiki.read(fresh["id_token"])
    first, second = (wiki.read(one["id_token"]) for one in (tokens, fresh))
    assert [first[name] for name in ("sub", "auth_time", "sid", "aud")] == [
        second[name] for name in ("sub", "auth_time", "sid", "aud")
    ]
    assert json_of(wiki.refresh(fresh["refresh_token"], scope="openid phone"))["error"] == "invalid_scope"


def test_without_offline_access_tokens_end_with_the_session(ada: Owner, wiki: RelyingParty, site: Site) -> None:
    tokens, kept = wiki.tokens(ada), wiki.tokens(ada, scope="openid offline_access")
    site.clock.pass_(90 * 60)
    assert json_of(wiki.refresh(tokens["refresh_token"]))["error"] == "invalid_grant"
    assert "access_token" in json_of(wiki.refresh(kept["refresh_token"])), "the session merely expired"


def test_a_change_of_the_factors_ends_offline_access(ada: Owner, wiki: RelyingParty, site: Site) -> None:
    """The first factor, a further one, one that goes, and one that comes back."""

    def still_works(change: Callable[[], object]) -> bool:
        kept = wiki.tokens(ada, scope="openid offline_access")["refresh_token"]
        change()
        return wiki.refresh(kept).status == 200

    assert not still_works(ada.turn_on_app)
    ada.press("Got it")
    assert not still_works(ada.turn_on_texts)
    assert still_works(lambda: ada.open("/settings"))
    user = user_of(site, ada)
    method = site.services.methods.named("text-message")
    factors = site.services.second_factors
    assert not still_works(lambda: factors.turn_off(user, method, NO_BROWSER))
    later = user_of(site, ada)
    assert not still_works(lambda: factors.turn_back_on(later, method, NO_BROWSER))


def test_a_new_password_ends_what_was_given_elsewhere_and_to_stay_but_not_what_this_session_gave(
    ada: Owner, wiki: RelyingParty
) -> None:
    elsewhere = ada.log_in_elsewhere()
    given = wiki.tokens(ada), wiki.tokens(elsewhere), wiki.tokens(ada, scope="openid offline_access")
    ada.post("/settings/account/password", password="seven brass wheels turning")
    assert [wiki.refresh(tokens["refresh_token"]).status for tokens in given] == [200, 400, 400]


def test_log_out_ends_offline_access(ada: Owner, wiki: RelyingParty, site: Site) -> None:
    kept = wiki.tokens(ada, scope="openid offline_access")
    ada.log_out()
    assert wiki.userinfo(kept["access_token"]).status == 401
    site.clock.pass_(2 * 86400)
    site.services.maintenance.purge()
    assert json_of(wiki.refresh(kept["refresh_token"]))["error"] == "invalid_grant"


def test_a_log_in_after_a_session_has_expired_leaves_offline_access(ada: Owner, wiki: RelyingParty, site: Site) -> None:
    kept = wiki.tokens(ada, scope="openid offline_access")["refresh_token"]
    site.clock.pass_(3601)
    assert ada.open("/settings").h1 == "Log in"
    ada.log_in()
    assert ada.page is not None
    assert ada.page.h1 != "Log in"
    page = wiki.refresh(kept)
    assert page.status == 200, "the browser has the cookie of the expired session until the log-in"
    site.clock.pass_(2 * 86400)
    site.services.maintenance.purge()
    assert wiki.refresh(json_of(page)["refresh_token"]).status == 200


def test_revocation_and_introspection(ada: Owner, wiki: RelyingParty, site: Site) -> None:
    tokens = wiki.tokens(ada)
    told = json_of(wiki.call("/oauth/introspect", token=tokens["access_token"]))
    assert (told["active"], told["client_id"], told["scope"]) == (True, wiki.client_id, "openid")
    told = json_of(wiki.call("/oauth/introspect", token=tokens["refresh_token"], token_type_hint="access_token"))
    assert (told["active"], told["token_type"]) == (True, "refresh_token")
    told = json_of(wiki.call("/oauth/introspect", token=tokens["refresh_token"], token_type_hint="pct"))
    assert told["active"], "a hint that is not known is ignored (RFC 7009 section 2.2, RFC 7662 section 2.1)"
    page = wiki.call("/oauth/revoke", token=tokens["refresh_token"], token_type_hint="pct")
    assert page.status == 200
    for token in (tokens["access_token"], tokens["refresh_token"], "unknown"):
        assert json_of(wiki.call("/oauth/introspect", token=token)) == {"active": False}
    assert wiki.userinfo(tokens["access_token"]).status == 401
    assert wiki.call("/oauth/revoke", token="unknown").status == 200


def test_the_address_of_an_installed_app_is_sent_as_it_is_registered(site: Site, ada: Owner) -> None:
    back, bye = "com.example.wiki:///back", "com.example.wiki:///bye"
    wiki = RelyingParty(site, PUBLIC, redirect_uris=(back,), post_logout_redirect_uris=(bye,))
    ada.open(wiki.address(redirect_uri=back, prompt="none"), follow=False)
    assert target_of(ada).startswith(f"{back}?error=consent_required&")
    ada.open(wiki.address(redirect_uri=back, response_mode="form_post"), follow=False)
    assert target_of(ada).startswith(f"{back}?error=invalid_request&"), "no form goes to an installed app"
    ada.log_out()
    ada.open(f"/oauth/log-out?client_id={wiki.client_id}&post_logout_redirect_uri={bye}", follow=False)
    assert target_of(ada) == bye


def test_no_form_goes_to_an_ipv6_address_which_no_policy_can_name(site: Site, ada: Owner) -> None:
    """Chromium sends no form to a source that it cannot read: a button that does nothing, in place of an error."""
    here = "http://[::1]:3000/back"
    wiki = RelyingParty(site, trusted=True, redirect_uris=(here, "http://127.0.0.1:3000/back"))
    wiki.send(ada, redirect_uri=here, response_mode="form_post")
    assert answer_of(ada)["error"] == "invalid_request"
    assert wiki.send(ada, redirect_uri=here, prompt="none").status == 303
    wiki.send(ada, redirect_uri="http://127.0.0.1:3000/back", response_mode="form_post")
    assert ada.page is not None
    assert "http://127.0.0.1:3000" in ada.page.response.headers["Content-Security-Policy"]


def test_the_origin_of_a_redirect_address_is_compared_as_browsers_write_it(site: Site) -> None:
    """RFC 6454 section 6.2: lower case, and no port that is the scheme's own."""
    app = RelyingParty(site, PUBLIC, redirect_uris=("https://Spa.example:443/back", "com.example.spa:/back"))
    for origin, is_readable in (("https://spa.example", True), ("https://spa.example:8443", False)):
        page = app.server.open("/oauth/keys", headers={"Origin": origin})
        assert page.response.headers.get("Access-Control-Allow-Origin") == (origin if is_readable else None)


# -- Log-out, and the page of apps ----------------------------------------------------------------------


def test_an_app_that_took_part_logs_its_user_out(ada: Owner, site: Site) -> None:
    wiki = RelyingParty(site, post_logout_redirect_uris=("https://app.example/bye",))
    hint = wiki.tokens(ada)["id_token"]
    site.clock.pass_(700)  # an expired token counts
    ada.open(
        f"/oauth/log-out?id_token_hint={hint}&post_logout_redirect_uri=https://app.example/bye&state=x", follow=False
    )
    assert target_of(ada) == "https://app.example/bye?state=x"
    assert ada.open("/settings").h1 == "Log in"


def test_after_a_form_of_the_app_a_page_leads_back(ada: Owner, site: Site) -> None:
    wiki = RelyingParty(site, post_logout_redirect_uris=("https://app.example/bye",))
    hint = wiki.tokens(ada)["id_token"]
    form = {"id_token_hint": hint, "post_logout_redirect_uri": "https://app.example/bye", "state": "x"}
    ada.send("POST", "/oauth/log-out", data=form, host="nightlatch.localhost:5000", headers={"Origin": "null"})
    assert ada.page is not None
    assert ada.page.status == 200, "a POST must not end in a redirect to an app"
    assert target_of(ada) == "https://app.example/bye?state=x"
    assert ada.open("/settings").h1 == "Log in"


def test_a_token_that_a_form_sent_is_in_no_address(ada: Owner, site: Site) -> None:
    wiki = RelyingParty(site, post_logout_redirect_uris=("https://app.example/bye",))
    form = {"id_token_hint": wiki.tokens(ada)["id_token"], "post_logout_redirect_uri": "https://app.example/bye"}
    page = wiki.server.send("POST", "/oauth/log-out", data=form, follow=False)
    to = page.response.headers["Location"]
    assert re.fullmatch(r"/oauth/log-out\?stored=[0-9a-f]{64}", to)
    grace = Owner.signed_up(site, "grace")
    grace.open(to)
    assert grace.page.h1 == "Log out?"
    assert press_in_main(grace).h1 == "Going back to Wiki"
    ada.open(to, follow=False)
    assert "stored=" in ada.page.response.headers["Location"]
    assert target_of(ada) == "https://app.example/bye"
    site.clock.pass_(3601)
    assert ada.open(to).h1 == "Logout"
    assert site.services.maintenance.purge()["log_out_requests"] == 1


def test_a_request_for_log_out_that_is_too_long_is_not_stored(ada: Owner, site: Site) -> None:
    wiki = RelyingParty(site)
    page = wiki.server.send("POST", "/oauth/log-out", data={"state": "x" * 8000, "other": "y"}, follow=False)
    assert (page.status, page.h1) == (400, "Logout")
    page = wiki.server.open("/oauth/logged-out?stored=unknown", follow=False)
    assert (page.status, page.h1) == (400, "Logout")
    assert wiki.server.send("POST", "/oauth/log-out", data={"other": "y" * 9000}, follow=False).status == 303


def test_a_log_out_without_a_token_is_asked_for(ada: Owner, site: Site) -> None:
    wiki = RelyingParty(site, post_logout_redirect_uris=("https://app.example/bye",))
    asked = f"/oauth/log-out?client_id={wiki.client_id}&post_logout_redirect_uri=https://app.example/bye"
    page = ada.open(asked)
    assert page.h1 == "Log out?"
    assert ada.press("Stay logged in").h1 == "Welcome, Ada Lovelace"
    ada.open(asked)
    page = press_in_main(ada)
    assert page.h1 == "Going back to Wiki"
    assert target_of(ada) == "https://app.example/bye"
    assert ada.open("/settings").h1 == "Log in"


def test_an_address_that_is_not_the_apps_leaves_the_user_a_way_to_log_out(ada: Owner, wiki: RelyingParty) -> None:
    asked = f"/oauth/log-out?client_id={wiki.client_id}&post_logout_redirect_uri=https://evil.example/"
    page = ada.open(asked)
    assert (page.status, page.h1) == (400, "Log out?")
    assert page.link("Log out") == "/oauth/log-out"
    page = ada.other_browser().open(asked)
    assert (page.h1, "Log out" in page.links) == ("Logout", False)


def press_in_main(person: Owner) -> Page:
    """The first button of the page itself: the menu has one of the same name."""
    assert person.page is not None
    return person.post(person.page.tree.xpath("//main//form/@action")[0])


def test_log_out_without_anything_and_by_post(ada: Owner, site: Site) -> None:
    ada.send(
        "POST", "/oauth/log-out", data={}, host="nightlatch.localhost:5000", headers={"Origin": "https://x.example"}
    )
    assert ada.page.h1 == "Log out?"
    assert press_in_main(ada).receipts == ["You've been logged out."]
    assert ada.open("/oauth/log-out").h1 == "Log in"


def test_connected_apps_are_listed_and_disconnected(ada: Owner, wiki: RelyingParty, site: Site) -> None:
    page = ada.open("/settings/security/apps")
    assert page.h1 == "Connected apps"
    assert page.says("You haven't logged in to any app")
    tokens = wiki.tokens(ada, scope="openid email offline_access")
    site.clock.pass_(700)
    page = ada.open("/settings/security/apps")
    assert page.says("Wiki")
    assert page.says("Your email address")
    assert ada.press("Disconnect Wiki").h1 == "Enter your password"
    page = ada.press("Verify", password=ada.password)
    assert (page.receipts, page.asks_not_you) == (["Wiki is disconnected."], True)
    assert site.emails(ada.email)[0].subject == "You disconnected the app Wiki (Nightlatch)"
    assert json_of(wiki.refresh(tokens["refresh_token"]))["error"] == "invalid_grant"
    assert wiki.send(ada).h1 == "Log in to Wiki", "the consent is forgotten"
    assert ada.open("/settings/security/activity").says("You disconnected the app Wiki.")


def test_a_locked_account_gets_nothing(ada: Owner, wiki: RelyingParty, site: Site) -> None:
    tokens = wiki.tokens(ada, scope="openid offline_access")
    with site.services.db.write() as tx:
        tx.execute(update(Account).where(Account.id == account_id(site)).values(locked_at=site.clock.now()))
    assert wiki.userinfo(tokens["access_token"]).status == 401
    assert json_of(wiki.refresh(tokens["refresh_token"]))["error"] == "invalid_grant"


# -- Machines ------------------------------------------------------------------------------------------


def test_discovery(site: Site, wiki: RelyingParty) -> None:
    from authlib.oauth2.rfc8414 import AuthorizationServerMetadata

    told = json_of(wiki.server.open("/.well-known/openid-configuration"))
    assert told == json_of(wiki.server.open("/.well-known/oauth-authorization-server"))
    assert told["pushed_authorization_request_endpoint"] == f"{told['issuer']}/oauth/par"
    assert told["dpop_signing_alg_values_supported"] == ["RS256", "ES256", "PS256"]
    assert told["token_endpoint_auth_methods_supported"][0] == "private_key_jwt"
    assert told["issuer"] == ISSUER
    secure = {
        name: value.replace("http:", "https:") if isinstance(value, str) else value for name, value in told.items()
    }
    AuthorizationServerMetadata(secure).validate()
    assert wiki.server.page.response.headers["Cache-Control"] == "public, max-age=3600"


def test_scripts_of_public_apps_may_read_answers_and_no_others(site: Site, ada: Owner) -> None:
    RelyingParty(site, PUBLIC, redirect_uris=("https://spa.example/back",), origins=("https://static.example",))
    RelyingParty(site, redirect_uris=(BACK,))
    server = Owner(site).other_browser()
    for path in ("/.well-known/openid-configuration", "/oauth/keys", "/oauth/userinfo"):
        for origin in ("https://spa.example", "https://static.example"):
            page = server.open(path, headers={"Origin": origin})
            assert page.response.headers["Access-Control-Allow-Origin"] == origin
            assert "Origin" in page.response.headers["Vary"]
        for origin in ("https://app.example", "https://evil.example", "null"):
            assert "Access-Control-Allow-Origin" not in server.open(path, headers={"Origin": origin}).response.headers
    page = server.send("OPTIONS", "/oauth/token", headers={"Origin": "https://spa.example"})
    assert "Authorization" in page.response.headers["Access-Control-Allow-Headers"]
    page = server.send("OPTIONS", "/oauth/introspect", headers={"Origin": "https://spa.example"})
    assert "Access-Control-Allow-Origin" not in page.response.headers


def test_scripts_of_public_apps_may_read_what_is_refused_before_anything_is_done(site: Site) -> None:
    """A script that may not read a 429 does not learn that it must wait."""
    RelyingParty(site, PUBLIC, redirect_uris=("https://spa.example/back",))
    script, headers = Person(site.app), {"Origin": "https://spa.example"}
    refused: dict[int, dict[str, Any]] = {400: {"data": {"code": b"\xff"}}, 413: {"data": {"code": "c" * 2_000_000}}}
    for status, sent in refused.items():
        page = script.send("POST", "/oauth/token", headers=headers, **sent)
        assert (page.status, json_of(page)["error"]) == (status, "invalid_request")
        assert page.response.headers["Access-Control-Allow-Origin"] == "https://spa.example"
    for _ in range(site.services.settings.policy.flood.most):
        script.send("POST", "/log-in")
    page = script.send("POST", "/oauth/token", headers=headers, data={"grant_type": "unknown"})
    assert (page.status, json_of(page)["error"]) == (429, "temporarily_unavailable")
    assert page.response.headers["Access-Control-Allow-Origin"] == "https://spa.example"


def test_a_code_exchange_takes_five_statements(ada: Owner, wiki: RelyingParty, site: Site) -> None:
    wiki.tokens(ada)
    code = wiki.code(ada)
    site.statements.clear()
    assert wiki.exchange(code).status == 200
    counted = [one for one in site.statements if one.startswith(("SELECT", "INSERT", "UPDATE", "DELETE"))]
    assert len(counted) <= 5, [one[:70] for one in counted]


def test_a_public_app_on_a_phone_is_asked_each_time(site: Site, ada: Owner) -> None:
    phone = RelyingParty(site, PUBLIC, trusted=True, redirect_uris=("com.example.app:/back", "http://127.0.0.1/back"))
    for address in ("com.example.app:/back", "http://127.0.0.1:49152/back"):
        for _ in range(2):
            assert phone.send(ada, redirect_uri=address).h1 == "Log in to Wiki"
        ada.press("Continue")
        assert target_of(ada).startswith(f"{address}?code=")
        tokens = phone.exchange(answer_of(ada)["code"], redirect_uri=address)
        assert tokens.status == 200, tokens.text[:300]
