"""Cancel on the way to an app leads back to it (RFC 6749 section 4.1.2.1), or to where the user came from."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from tests.conftest import Site
from tests.guarded_host import GuardedHost, refresh_of
from tests.people import ANDROID, DESKTOP, Owner
from tests.relying_party import ISSUER, RelyingParty, Television, answer_of
from webapp.models.registered_apps import KEY, TWO_FACTOR
from webapp.models.sessions import Session


@pytest.fixture(params=[DESKTOP, ANDROID])
def ada(request: pytest.FixtureRequest, site: Site) -> Owner:
    """Logged in, without a second factor."""
    return Owner.signed_up(site, layout=request.param)


@pytest.fixture
def enrolled(ada: Owner, site: Site) -> Owner:
    ada.turn_on_app()
    ada.press("Got it")
    site.clock.pass_(30)
    return ada


@pytest.fixture
def wiki(site: Site) -> RelyingParty:
    return RelyingParty(site, trusted=True)


def is_denied(person: Owner) -> bool:
    page, answer = person.page, answer_of(person)
    assert page is not None
    assert page.h1 == "Going back to Wiki"
    return (answer["error"], answer["state"], answer["iss"]) == ("access_denied", "a state", ISSUER)


def test_step_up_at_the_password(ada: Owner, wiki: RelyingParty) -> None:
    wiki.send(ada, prompt="login")
    ada.press("Cancel")
    assert is_denied(ada)
    assert ada.open("/settings").h1 == "Settings and privacy", "the session stays"
    wiki.send(ada)
    assert "code" in answer_of(ada), "the next request is not canceled"


def test_step_up_at_the_second_factor(enrolled: Owner, wiki: RelyingParty, site: Site) -> None:
    site.clock.pass_(600)
    wiki.send(enrolled, prompt="login")
    enrolled.press("Verify", password=enrolled.password)
    enrolled.follow("Choose a different two-factor authentication method")
    enrolled.press("Cancel")
    assert is_denied(enrolled)


def test_a_script_loads_the_whole_page(enrolled: Owner, wiki: RelyingParty) -> None:
    page = wiki.send(enrolled, prompt="login")
    address = page.response.request.full_path
    enrolled.htmx = True
    enrolled.open(address)
    page = enrolled.post(address, follow=False, cancel="1")
    assert page.response.headers["HX-Redirect"].startswith("/oauth/consent?id=")


def test_an_old_form_cancels_nothing(ada: Owner, wiki: RelyingParty) -> None:
    page = wiki.send(ada, prompt="login")
    page = ada.send("POST", page.response.request.full_path, data={"csrf_token": "old", "cancel": "1"})
    assert page.h1 == "Enter your password"
    ada.press("Verify", password=ada.password)
    assert "code" in answer_of(ada)


def test_the_log_in_at_the_second_factor(enrolled: Owner, wiki: RelyingParty) -> None:
    other = enrolled.other_browser()
    wiki.send(other)
    assert other.press("Log in", username="ada", password=enrolled.password).h1 == "Enter your code"
    other.follow("Choose a different two-factor authentication method")
    other.press("Cancel login")
    assert is_denied(other)
    assert other.open("/settings").h1 == "Log in"
    assert enrolled.open("/settings").h1 == "Settings and privacy"


def test_a_request_is_canceled_for_every_account(ada: Owner, wiki: RelyingParty) -> None:
    """Who logs in next in this browser does not go on with it."""
    address = wiki.send(ada, prompt="consent").response.request.full_path
    token = ada.token()
    other = ada.other_browser()
    other.open(address)
    other.press("Log in", username="ada", password=ada.password)
    ada.send("POST", address, data={"csrf_token": token, "cancel": "1"})
    assert is_denied(ada)
    assert other.press("Continue").status == 400


def test_a_request_that_is_too_old_is_not_answered(ada: Owner, wiki: RelyingParty, site: Site) -> None:
    address = wiki.send(ada, prompt="login").response.request.full_path
    site.clock.pass_(1800)
    ada.open(address)
    site.clock.pass_(1800)
    page = ada.press("Cancel")
    assert (page.status, page.h1) == (400, "This login request can't be completed")
    assert ada.open("/settings").status == 200


def test_wrong_codes_do_not_lose_the_request(enrolled: Owner, wiki: RelyingParty) -> None:
    other = enrolled.other_browser()
    wiki.send(other)
    other.press("Log in", username="ada", password=enrolled.password)
    for _ in range(5):
        page = other.press("Verify", code="000000")
    assert page.h1 == "Log in"
    other.press("Log in", password=enrolled.password)
    enrolled.site.clock.pass_(300)
    other.press("Verify", code=other.next_code())
    assert "code" in answer_of(other)


@pytest.mark.parametrize(("proof", "needed"), [(KEY, "a security key"), (TWO_FACTOR, "two-factor authentication")])
def test_an_enrollment(ada: Owner, site: Site, proof: str, needed: str) -> None:
    wiki = RelyingParty(site, proof=proof, trusted=True)
    wiki.send(ada)
    ada.follow("Get started")
    if proof == TWO_FACTOR:
        ada.press("Authentication app")
    page = ada.follow("Cancel")
    assert page.h1 == f"Wiki needs {needed}", "the page that the enrollment was begun from"
    ada.press("Cancel")
    assert is_denied(ada)
    ada.turn_on_app()
    assert ada.press("Got it").path == "/settings/security/two-factor", "it leads to the app no longer"


# -- Guarded hosts and devices -----------------------------------------------------------------------


def test_a_guarded_host_is_left_for_its_first_page(enrolled: Owner, site: Site) -> None:
    host = GuardedHost(site, rules=("two-factor /admin",))
    with site.services.db.write() as tx:
        tx.execute(update(Session).values(proofs='{"password": 1}', second_factor_at=None))
    host.enter(enrolled)
    assert host.ask(enrolled, "/admin").h1 == "Enter your code"
    enrolled.follow("Choose a different two-factor authentication method")
    assert enrolled.press("Cancel").h1 == "Going back to Wiki"
    assert refresh_of(enrolled) == "http://wiki.localhost/"
    assert host.lets_in(enrolled)


def test_so_is_one_that_needs_an_enrollment(ada: Owner, site: Site) -> None:
    host = GuardedHost(site, rules=("key /admin",))
    assert host.ask(ada, "/admin").h1 == "Wiki needs a security key"
    ada.press("Cancel")
    assert refresh_of(ada) == "http://wiki.localhost/"


@pytest.mark.parametrize("rules", [("deny /",), ("key /admin", "key /")])
def test_a_first_page_that_is_closed_or_asks_for_more_is_not_led_to(
    ada: Owner, site: Site, rules: tuple[str, ...]
) -> None:
    host = GuardedHost(site, rules=("key /admin", *rules))
    host.ask(ada, "/admin")
    page = ada.press("Cancel")
    assert (page.path, page.h1) == ("/", "Welcome, Ada Lovelace")


def test_a_log_in_to_a_host_that_is_canceled_begins_again(enrolled: Owner, site: Site) -> None:
    host, other = GuardedHost(site), enrolled.other_browser()
    host.ask(other)
    other.press("Log in", username="ada", password=enrolled.password)
    other.follow("Choose a different two-factor authentication method")
    assert other.press("Cancel login").h1 == "Log in"
    other.press("Log in", username="ada", password=enrolled.password)
    other.press("Verify", code=other.next_code())
    assert host.go_back(other) == "http://wiki.localhost/"
    assert other.open("/hosts/log-in?id=unknown&canceled=1").status == 400


def test_without_a_session_nobody_is_led_to_a_host(ada: Owner, site: Site) -> None:
    other = ada.other_browser()
    page = GuardedHost(site).ask(other)
    address = page.response.request.args["next"]
    assert other.open(f"{address}&canceled=1").h1 == "Log in"


def test_who_logged_out_meanwhile_is_asked_to_log_in(ada: Owner, site: Site) -> None:
    path = GuardedHost(site, rules=("key /admin",)).ask(ada, "/admin").response.request.full_path
    ada.log_out()
    ada.open("/log-in")
    page = ada.post(path, cancel="1")
    assert (page.status, page.h1) == (200, "Log in")


def test_a_first_page_that_asks_for_the_same_is_not_led_to(ada: Owner, site: Site) -> None:
    host = GuardedHost(site, max_age=60)
    site.clock.pass_(61)
    assert host.ask(ada).h1 == "Enter your password"
    assert ada.press("Cancel").h1 == "Welcome, Ada Lovelace"


def test_a_device_is_told_when_a_step_up_is_canceled(ada: Owner, site: Site) -> None:
    films = Television(site, max_age=60)
    site.clock.pass_(120)
    ada.open("/device")
    assert ada.press("Continue", code=films.show()["user_code"]).h1 == "Enter your password"
    assert ada.press("Cancel").says("The device wasn't connected.")
    assert films.poll()["error"] == "access_denied"


def test_who_cancels_after_the_code_of_a_device_has_expired_is_told(ada: Owner, site: Site) -> None:
    films = Television(site, max_age=60)
    site.clock.pass_(120)
    ada.open("/device")
    ada.press("Continue", code=films.show()["user_code"])
    site.clock.pass_(601)
    page = ada.press("Cancel")
    assert page.h1 == "Connect a device"
    assert page.says("That code has expired. Request a new one.")


def test_a_device_is_told_when_an_enrollment_is_canceled(ada: Owner, site: Site) -> None:
    films = Television(site, proof=KEY)
    ada.open("/device")
    ada.press("Continue", code=films.show()["user_code"])
    assert ada.press("Cancel").says("The device wasn't connected.")
    assert films.poll()["error"] == "access_denied"
