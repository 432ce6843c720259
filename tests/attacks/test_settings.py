"""Stolen sessions, forged requests from other sites, and objects of other users."""

from __future__ import annotations

import re
from typing import Any

import pytest
from bs4 import BeautifulSoup

from tests.attacks.tools import (
    NOTED,
    account_id,
    cookies_of,
    everything,
    forged_token,
    give,
    is_in,
    live_sessions,
    old_token,
    replace_app,
    routes,
    stale,
    thief_of,
    wrong,
)
from tests.conftest import Site, one_database
from tests.people import ANDROID, Owner
from webapp.services.links import PATHS

S1 = "/settings/security/two-factor"
METHOD = f"{S1}/authentication-app"
NEW = "a much longer new password"

SENSITIVE = (
    (S1, {"method": "authentication-app"}),
    (f"{METHOD}/turn-off", {}),
    (f"{METHOD}/turn-off?again=1", {}),
    (f"{METHOD}/turn-back-on", {}),
    (f"{S1}/backup-code", {}),
    (f"{S1}/temporary-password", {}),
    (f"{METHOD}/overview", {}),
    (f"{METHOD}/password", {"password": "a wrong password"}),
    (f"{METHOD}/email", {"email": "thief@example.org"}),
    (f"{METHOD}/email-code", {"code": "123456"}),
    (f"{METHOD}/link", {}),
    (f"{METHOD}/link", {"start-over": "1"}),
    (f"{METHOD}/code", {"code": "123456"}),
    (f"{METHOD}/code", {"start-over": "1"}),
    ("/settings/account/password", {"password": NEW}),
    ("/settings/account/email", {"email": "thief@example.org"}),
    ("/settings/account/email/code", {"code": "123456"}),
    ("/sign-up/email", {"email": "thief@example.org"}),
    ("/sign-up/email-code", {"code": "123456"}),
)
MINE = ("accounts", "factors", "links", "codes", "remembered_browsers", "temporary_passwords", "app_sessions")
"""Tables that only a fresh session may change."""


def mine(site: Site) -> dict[str, Any]:
    now = everything(site, but=set())
    return {name: now[name] for name in MINE}


# -- Step-up ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["desktop", "android", "iphone"])
def test_a_stolen_session_changes_nothing_without_step_up(site: Site, ada: Owner, layout: str) -> None:
    browser = ada.log_in_elsewhere(layout=layout)
    browser.press("Verify", code=ada.next_code())
    thief = thief_of(stale(browser))
    before = mine(site)
    for path, fields in SENSITIVE:
        page = thief.post(path, follow=False, **fields)
        target = page.response.headers.get("Location", "")
        assert page.status in (303, 422), f"{path} answered {page.status}"
        assert not re.search(r"[A-Z2-7]{32}", page.text)
        if page.status == 303 and path in (f"{S1}/backup-code", "/settings/account/password", f"{METHOD}/link"):
            assert re.search(r"/step-up/|/overview|/password", target), f"{path} led to {target}"
    assert mine(site) == before


def test_a_stolen_session_cannot_set_the_attackers_address_on_an_account_without_one(site: Site) -> None:
    bob = Owner.signed_up(site, "bob", confirm_email=False)
    thief = thief_of(stale(bob))
    for path in ("/sign-up/email", f"{METHOD}/email", "/settings/account/email"):
        thief.post(path, email="thief@example.org")
    assert site.emails("thief@example.org") == []
    bob.open(S1)
    bob.press("Authentication app")
    bob.press("Start")
    bob.press("Verify", password=bob.password)
    assert bob.page.h1 == "Confirm your email"
    thief = bob.log_in_elsewhere()
    thief = thief_of(stale(thief))
    assert thief.open(f"{METHOD}/email").path == f"{METHOD}/overview", "what the owner began is not the thief's"
    thief.post(f"{METHOD}/email", email="thief@example.org")
    assert site.emails("thief@example.org") == []


def test_a_stale_session_does_not_see_the_secret_of_a_draft_of_another_session(site: Site) -> None:
    bob = Owner.signed_up(site, "bob")
    other = bob.log_in_elsewhere()
    thief = thief_of(stale(other))
    bob.log_in_again()
    bob.open(S1)
    bob.press("Authentication app")
    secret = bob.press("Start").setup_key
    for path in (METHOD, f"{METHOD}/link", f"{METHOD}/code"):
        page = thief.open(path)
        assert page.path == f"{METHOD}/overview", path
        assert secret not in page.text
    thief.post(f"{METHOD}/link", **{"start-over": "1"})
    thief.post(f"{METHOD}/code", **{"start-over": "1"})
    assert bob.open(f"{METHOD}/link").setup_key == secret


def test_what_another_log_in_began_is_never_finished_by_the_owner(site: Site) -> None:
    """Otherwise an attacker's key, or a secret that an attacker saw, would become a factor of the owner."""
    bob = Owner.signed_up(site, "bob")
    thief = bob.log_in_elsewhere(address="203.0.113.9")
    key = thief.new_key()
    thief.open(f"{S1}/security-key/overview")
    thief.press("Start")
    assert thief.press("Use security key", credential=key.create(thief.page.options())).h1 == "Name your key"
    thief.open(f"{METHOD}/overview")
    secret = thief.press("Start").setup_key
    owner = bob.log_in_elsewhere()
    assert owner.open(f"{S1}/security-key").path == f"{S1}/security-key/overview"
    owner.open(f"{METHOD}/overview")
    assert owner.press("Start").setup_key != secret
    thief.open(f"{METHOD}/overview")
    thief.press("Start")
    assert owner.post("/settings/account/password", password=NEW).status == 200
    assert [draft["session_id"] for draft in everything(site)["drafts"]] == [], "what others had begun is gone"


def test_what_an_attacker_asked_for_is_not_done_by_the_owners_proof(site: Site, ada: Owner) -> None:
    thief = thief_of(stale(ada))
    for path, fields in ((f"{METHOD}/turn-off", {}), ("/settings/account/password", {"password": NEW})):
        assert thief.post(path, **fields).h1 == "Enter your password"
        ada.open(path)
        ada.press("Verify", password=ada.password)
        ada.press("Verify", code=ada.next_code())
        assert ada.page.status == 200
        assert len(site.services.accounts.factors(site.services.accounts.named("ada"))) == 1
        assert ada.other_browser().log_in().h1 == "Enter your code", "the password is the old one"
        thief = thief_of(stale(ada))


def test_what_the_owner_asked_for_is_done_once(site: Site, ada: Owner) -> None:
    stale(ada).open(METHOD)
    ada.post("/settings/account/password", password=NEW)
    ada.press("Verify", password=ada.password)
    ada.press("Verify", code=ada.next_code())
    assert ada.page.receipts[0].startswith("Password changed")
    before = everything(site)["activity"]
    stale(ada).open("/settings/account/password")
    ada.press("Verify", password=NEW)
    ada.press("Verify", code=ada.next_code())
    done = {row[3] for row in everything(site)["activity"] if row not in before}
    assert done == {"stepped-up"}


def test_step_up_asks_for_the_password_and_then_the_second_factor(site: Site, ada: Owner) -> None:
    stale(ada)
    assert ada.open("/step-up/verify?next=/settings/account/password").h1 == "Enter your password"
    assert ada.post("/step-up/verify?next=/settings/account/password", code=ada.code()).h1 == "Enter your password"
    assert ada.post("/step-up/backup-code", code=ada.kept_code).h1 == "Enter your password"
    ada.open("/settings/account/password")
    assert ada.press("Verify", password=ada.password).h1 == "Enter your code"
    assert ada.open("/settings/account/password").h1 == "Enter your code"
    site.clock.pass_(600)
    assert ada.post("/step-up/verify?next=/settings", code=ada.code()).h1 == "Enter your password", (
        "proved too long ago"
    )


# -- Cross-site requests ---------------------------------------------------------------------------


def forms(site: Site, layout: str) -> list[str]:
    return sorted({r.path for r in routes(site) if "POST" in r.methods and r.layout == layout})


FIELDS = {
    "username": "eve",
    "name": "Eve",
    "password": NEW,
    "email": "eve@example.org",
    "code": "123456",
    "method": "authentication-app",
    "language": "en",
    "next": "/",
}


@one_database
@pytest.mark.parametrize("layout", ["desktop", "android"])
def test_every_form_demands_its_csrf_token_and_its_own_site(site: Site, ada: Owner, layout: str) -> None:
    browser = ada.log_in_elsewhere(layout=layout)
    browser.press("Verify", code=ada.next_code())
    right, before = browser.token(), everything(site, but=set())
    own = f"http://{browser.host}"
    other = "http://nightlatch.localhost:5000" if layout == "android" else "http://mobile.nightlatch.localhost:5000"
    elsewhere: tuple[dict[str, str], ...] = (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": other},
        {"Origin": own.replace("http:", "https:")},
        {"Origin": f"{own}.evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "nonsense"},
        {"Origin": own, "Sec-Fetch-Site": "cross-site"},
    )
    paths = forms(site, layout)
    assert len(paths) > 20
    for path in paths:
        assert browser.send("POST", path, data=FIELDS, follow=False).status == 400, path
        assert browser.send("POST", path, data={**FIELDS, "csrf_token": ""}, follow=False).status == 400, path
        headers = {"X-CSRFToken": right}
        assert browser.send("POST", path, data=FIELDS, headers=headers, follow=False).status == 400, path
        for headers in elsewhere:
            page = browser.send("POST", path, data={**FIELDS, "csrf_token": right}, headers=headers, follow=False)
            assert page.status == 403, (path, headers)
    assert everything(site, but=set()) == before
    assert is_in(browser)


@one_database
@pytest.mark.parametrize("kind", ["forged", "expired", "another browser's"])
def test_an_invalid_csrf_token_changes_nothing(site: Site, ada: Owner, kind: str) -> None:
    token = {
        "forged": lambda: forged_token(ada),
        "expired": lambda: old_token(site, ada),
        "another browser's": lambda: ada.other_browser().token(),
    }[kind]()
    noted = NOTED | {"kept_acts"} if kind == "expired" else NOTED  # what was typed is shown again after step-up
    for fresh in (True, False):
        before = everything(site, but=noted)
        for path in forms(site, "desktop"):
            if path == "/log-out":
                continue
            page = ada.send("POST", path, data={**FIELDS, "csrf_token": token}, follow=False)
            assert page.status in (200, 303, 400, 404, 422), (path, page.status)
            assert "language=" not in str(page.response.headers)
        ada.send("POST", "/log-out", data={"csrf_token": token}, follow=False)
        assert everything(site, but=noted) == before, fresh
        assert is_in(ada)
        stale(ada)
        ada.open("/settings")


def test_an_expired_page_says_so_and_keeps_what_was_typed(site: Site, ada: Owner) -> None:
    eve = ada.other_browser()
    eve.open("/log-in")
    page = eve.send("POST", "/log-in", data={"csrf_token": old_token(site, eve), "username": "ada", "password": "x"})
    assert page.status == 422
    assert page.problems == ["This page was out of date. Nothing was changed. Try again."]
    assert page.field("Username")["value"] == "ada"
    assert not page.field("Password").get("value")


@one_database
def test_get_changes_nothing(site: Site, ada: Owner) -> None:
    before = everything(site, but=NOTED)
    token = ada.token()
    for route in routes(site):
        if route.layout == "desktop" and "POST" in route.methods:
            query = "&".join(f"{k}={v}" for k, v in {**FIELDS, "csrf_token": token}.items() if k != "method")
            method = "GET" if "GET" in route.methods else "HEAD"
            page = ada.send(method, f"{route.path}?{query}", follow=False)
            assert page.status < 500
            for verb in ("PUT", "DELETE", "PATCH"):
                assert ada.send(verb, route.path, data={"csrf_token": token}, follow=False).status == 405
    assert everything(site, but=NOTED) == before
    assert is_in(ada)


# -- Objects of other users -------------------------------------------------------------------------


def test_a_message_of_another_account_is_answered_like_one_that_never_existed(site: Site, ada: Owner) -> None:
    missing = ada.open("/delivery/nonsense")
    theirs = ada.open("/delivery/MQ.AAAAAAAAAAAAAAAAAAAAAAAAAAA")
    assert (missing.status, missing.h1) == (theirs.status, theirs.h1) == (404, "Page not found")


def test_a_link_serves_one_purpose_only(site: Site, ada: Owner) -> None:
    ada.open("/forgot-password")
    ada.press("Send link", email=ada.email)
    reset = site.emailed_path(ada.email, "/reset-password/")
    token = reset.rpartition("/")[2]
    for purpose, path in PATHS.items():
        expected = 200 if purpose == "reset" else 404
        assert ada.open(f"{path}{token}").status == expected
    assert ada.open(f"/reset-password/{token[:-1]}").status == 404
    assert ada.open(f"/reset-password/{token.upper()}").status == 404


def test_an_unproved_factor_cannot_log_in_and_an_abandoned_replacement_keeps_the_old_one(
    site: Site, ada: Owner
) -> None:
    old, new = ada.secret, replace_app(ada)
    assert new != old
    ada.press("Next")
    stranger = ada.log_in_elsewhere()
    stranger.secret = new
    assert stranger.press("Verify", code=stranger.code()).status == 422
    ada.press("Verify", code=wrong(ada.code()))
    site.clock.pass_(31 * 60)
    stranger.log_in()
    stranger.secret = old
    assert stranger.press("Verify", code=stranger.code()).h1 == "Welcome, Ada Lovelace"


def test_a_first_factor_that_was_never_proved_is_not_asked_for(site: Site) -> None:
    bob = Owner.signed_up(site, "bob")
    bob.open(S1)
    bob.press("Authentication app")
    bob.press("Start")
    bob.press("Next")
    assert bob.other_browser().log_in().h1 == "Welcome, Ada Lovelace"


@one_database
def test_after_enrollment_no_page_shows_the_secret_or_the_backup_code(site: Site) -> None:
    bob = Owner.signed_up(site, "bob")
    bob.turn_on_app()
    bob.press("Got it")
    secrets = [bob.secret, bob.kept_code, bob.kept_code.replace("-", ""), " ".join(re.findall("....", bob.secret))]
    phone = bob.other_browser(layout=ANDROID)
    phone.log_in_whole()
    for browser in (bob, phone):
        for route in routes(site):
            if "GET" in route.methods and route.page != "assets.static":
                page = browser.open(route.path)
                text = page.soup.get_text(" ", strip=True)
                assert not any(s in page.text or s in text for s in secrets), route
        for path, fields in SENSITIVE:
            if "start-over" not in fields and path != S1 and "turn-off" not in path:
                assert not any(s in browser.post(path, **fields).text for s in secrets), path


def test_the_backup_code_is_shown_to_the_log_in_that_made_it_for_thirty_minutes_and_to_no_other(site: Site) -> None:
    bob = Owner.signed_up(site, "bob")
    bob.turn_on_app()
    assert bob.kept_code in bob.open(f"{METHOD}/done").text
    other = bob.other_browser()
    other.log_in_whole()  # which waits 30 seconds for the next code
    assert bob.kept_code not in other.open(f"{METHOD}/done").text
    site.clock.pass_(1769)
    assert bob.kept_code in bob.open(f"{METHOD}/done").text
    assert bob.kept_code not in other.open(f"{METHOD}/done").text
    site.clock.pass_(1)
    assert bob.kept_code not in bob.open(f"{METHOD}/done").text


def test_a_factor_that_was_turned_off_proves_nothing_and_can_be_turned_back_on_for_ten_minutes(
    site: Site, ada: Owner
) -> None:
    ada.post(f"{METHOD}/turn-off")
    stranger = ada.other_browser()
    assert stranger.log_in().h1 == "Welcome, Ada Lovelace"
    ada.post(f"{METHOD}/turn-back-on")
    assert not is_in(stranger), "what logged in with the password alone is out again"
    ada.post(f"{METHOD}/turn-off")
    site.clock.pass_(600)
    ada.open("/settings/account/password")
    ada.press("Verify", password=ada.password)
    ada.post(f"{METHOD}/turn-back-on")
    assert ada.page.problems
    assert ada.other_browser().log_in().h1 == "Welcome, Ada Lovelace"


def test_cookies_of_one_host_are_no_session_on_the_other(site: Site, ada: Owner) -> None:
    phone = ada.other_browser(layout=ANDROID)
    for cookie in ada.client._cookies.values():
        assert cookie.domain == "nightlatch.localhost"
        assert cookie.origin_only, f"{cookie.key} is for every host below"
    assert not is_in(phone)
    give(phone, **{name: value for name, value in cookies_of(ada).items() if name != "session"})
    assert not is_in(phone)
    assert live_sessions(site) == 1
    assert account_id(site) > 0


# -- Framing, inline code and caching --------------------------------------------------------------


FILES = ("assets.static", "web_app.manifest")


@one_database
def test_every_page_forbids_framing_inline_code_and_caching(site: Site, ada: Owner) -> None:
    checked = 0
    for route in routes(site):
        if "GET" not in route.methods or route.page in FILES or route.layout != "desktop":
            continue
        page = ada.open(route.path)
        headers, policy = page.response.headers, page.response.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in policy
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["Cross-Origin-Opener-Policy"] == headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert headers["Cache-Control"] == "no-store", route
        assert_nothing_inline(page.soup, route.path)
        checked += 1
    assert checked > 25


@one_database
def test_public_pages_and_error_pages_have_no_inline_code_either(site: Site, ada: Owner) -> None:
    for browser in (ada.other_browser(), ada.other_browser(layout=ANDROID), ada.other_browser(htmx=True)):
        browser.log_in()
        for path in ("/log-in/verify", "/log-in/methods", "/log-in/backup-code", "/sign-up", "/nothing", "/log-in"):
            page = browser.open(path)
            assert_nothing_inline(page.soup, path)
            assert page.response.headers["Cache-Control"] == "no-store"
        page = browser.send("POST", "/log-in", data={})
        assert page.status == 400
        assert_nothing_inline(page.soup, "400")
        page = browser.open("/", host="evil.example")
        assert page.status == 400
        assert_nothing_inline(page.soup, "unknown host")


def assert_nothing_inline(soup: BeautifulSoup, path: str) -> None:
    assert not soup.find_all("style"), path
    for tag in soup.find_all(True):
        if tag.name == "script":
            assert tag.get("src"), path
            assert not tag.get_text(strip=True), path
        for name, value in tag.attrs.items():
            assert name != "style", f"{path}: {tag}"
            assert not name.startswith("on"), f"{path}: {tag}"
            assert not str(value).strip().lower().startswith("javascript:"), f"{path}: {tag}"
            if name in ("src", "href", "action") and tag.name in ("script", "link", "img", "form"):
                assert not str(value).startswith(("//", "data:")), f"{path}: {tag}"


def test_an_attackers_wrong_passwords_at_step_up_do_not_count_for_the_owner(site: Site, ada: Owner) -> None:
    other = ada.log_in_elsewhere()
    other.press("Verify", code=ada.next_code())
    thief = thief_of(stale(other))
    for _ in range(11):
        thief.post("/step-up/password", password="a wrong password")
    assert thief.page is not None
    assert thief.page.status == 429
    ada.open("/settings/account/password")
    assert ada.press("Verify", password=ada.password).h1 == "Enter your code"
