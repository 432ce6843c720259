"""People open applications behind a proxy: the log-in on the way, step-up, enrollment, log-out, and their list."""

from __future__ import annotations

import pytest

from tests.conftest import Site
from tests.guarded_host import GuardedHost, refresh_of
from tests.people import ANDROID, DESKTOP, Owner
from webapp.models.registered_apps import KEY, TWO_FACTOR

SESSIONS, ACTIVITY = "/settings/security/sessions", "/settings/security/activity"


@pytest.fixture(params=[DESKTOP, ANDROID])
def ada(request: pytest.FixtureRequest, site: Site) -> Owner:
    """Logged in, without a second factor."""
    return Owner.signed_up(site, layout=request.param)


@pytest.fixture
def wiki(site: Site) -> GuardedHost:
    return GuardedHost(site)


def test_a_first_request_leads_through_the_log_in_and_back(ada: Owner, wiki: GuardedHost) -> None:
    browser = ada.other_browser()
    page = wiki.ask(browser, "/page?a=b%20c")
    assert page.h1 == "Log in"
    page = browser.press("Log in", username="ada", password=ada.password)
    assert page.h1 == "Going back to Wiki"
    assert wiki.go_back(browser) == f"{wiki.url}/page?a=b%20c"
    page = wiki.check(browser)
    assert page.status == 200
    assert page.response.headers["Remote-User"] == "ada"
    assert page.response.headers["Remote-Email"] == "ada@example.org"


def test_who_is_logged_in_to_the_site_is_asked_nothing(ada: Owner, wiki: GuardedHost) -> None:
    assert wiki.ask(ada, "/page").h1 == "Going back to Wiki"
    assert wiki.go_back(ada) == f"{wiki.url}/page"
    assert wiki.lets_in(ada)


def test_a_path_that_asks_for_more_leads_to_step_up(ada: Owner, site: Site) -> None:
    wiki = GuardedHost(site, rules=("two-factor /admin",))
    ada.turn_on_app()
    ada.press("Got it")
    site.clock.pass_(30)
    browser = ada.other_browser()
    wiki.ask(browser)
    assert browser.press("Log in", username="ada", password=ada.password).h1 == "Enter your code"
    browser.press("Verify", code=browser.next_code())
    wiki.go_back(browser)
    assert wiki.lets_in(browser, "/admin/users")


def test_a_factor_that_is_missing_is_turned_on_on_the_way(ada: Owner, site: Site) -> None:
    wiki = GuardedHost(site, proof=TWO_FACTOR)
    assert wiki.ask(ada, "/page").h1 == "Wiki needs two-factor authentication"
    ada.turn_on_app()
    assert ada.press("Got it").h1 == "Going back to Wiki"
    assert wiki.go_back(ada) == f"{wiki.url}/page"
    assert wiki.lets_in(ada)


def test_a_key_is_proved_by_step_up(ada: Owner, site: Site) -> None:
    wiki = GuardedHost(site, proof=KEY)
    ada.turn_on_app()
    ada.press("Got it")
    ada.turn_on_key()
    site.clock.pass_(30)
    browser = ada.other_browser()
    wiki.ask(browser)
    browser.press("Log in", username="ada", password=ada.password)
    assert browser.press("Verify", code=browser.next_code()).h1 == "Use your security key"
    browser.use_key()
    assert wiki.go_back(browser) == f"{wiki.url}/"
    assert wiki.lets_in(browser)


def test_an_old_proof_is_given_again(ada: Owner, site: Site) -> None:
    wiki = GuardedHost(site, max_age=900)
    wiki.enter(ada)
    site.clock.pass_(901)
    assert wiki.ask(ada).h1 == "Enter your password"
    first = wiki.token(ada)
    ada.press("Verify", password=ada.password)
    wiki.go_back(ada)
    assert wiki.lets_in(ada)
    wiki.give(ada, first)
    assert not wiki.lets_in(ada), "the new session took its place"


def test_who_may_not_use_the_app_learns_its_name(ada: Owner, site: Site) -> None:
    site.services.operators.groups.create("staff")
    wiki = GuardedHost(site, groups=("staff",))
    page = wiki.ask(ada)
    assert page.status == 403
    assert page.h1 == "You can't use Wiki"
    assert page.says("You're logged in here as Ada Lovelace")
    bob = Owner.signed_up(site, "bob")
    site.services.operators.groups.add("staff", "bob")
    page = ada.press("Not you?")
    assert page.says(f"You then go back to {wiki.host}")
    page = ada.press("Log in", username="bob", password=bob.password)
    assert page.h1 == "Going back to Wiki"


def test_after_a_log_out_at_the_host_it_asks_first(ada: Owner, wiki: GuardedHost) -> None:
    wiki.enter(ada)
    page = ada.open(f"{wiki.url}/.nightlatch/log-out")
    assert page.h1 == "Log out of Wiki?"
    assert "Log out everywhere" in page.links
    page = wiki.log_out(ada)
    assert page.h1 == "Wiki"
    assert page.says("You've been logged out.")
    assert not wiki.lets_in(ada)
    page = wiki.ask(ada, "/page")
    assert page.h1 == "Log in to Wiki"
    assert page.says("You're logged in here as Ada Lovelace")
    ada.press("Continue")
    assert wiki.go_back(ada) == f"{wiki.url}/page"
    assert wiki.lets_in(ada)
    assert ada.open(ACTIVITY).says(wiki.host)


def test_another_account_may_go_on_instead(ada: Owner, wiki: GuardedHost, site: Site) -> None:
    wiki.enter(ada)
    wiki.log_out(ada)
    wiki.ask(ada)
    assert ada.press("Not you?").h1 == "Log in"


def test_sessions_lists_the_host_and_ends_it(ada: Owner, wiki: GuardedHost) -> None:
    wiki.enter(ada)
    page = ada.open(SESSIONS)
    assert page.says("Wiki (wiki.localhost)")
    ada.press(next(button for button in page.buttons if "Wiki (wiki.localhost)" in button))
    assert not ada.open(SESSIONS).says("Wiki (wiki.localhost)")
    assert not wiki.lets_in(ada)
    assert ada.open(ACTIVITY).says("Wiki (wiki.localhost)")


def test_a_log_in_that_expired_says_so(ada: Owner, wiki: GuardedHost, site: Site) -> None:
    page = wiki.check(ada)
    site.clock.pass_(601)
    page = wiki.follow(ada, page.response.headers["Location"])
    assert (page.status, page.h1) == (400, "This login request can't be completed")
    assert ada.open("/hosts/log-in?id=unknown").h1 == "This login request can't be completed"


def test_the_page_that_leads_back_names_the_host_for_its_forms(ada: Owner, wiki: GuardedHost) -> None:
    browser = ada.other_browser()
    page = wiki.ask(browser)
    assert "form-action 'self' http://wiki.localhost;" in page.response.headers["Content-Security-Policy"]
    browser.press("Log in", username="ada", password=ada.password)
    assert refresh_of(browser).startswith(f"{wiki.url}/.nightlatch/back?code=")
