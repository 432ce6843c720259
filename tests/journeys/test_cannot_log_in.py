"""A way on from every page before login: what to do about a loss, whom to ask, and who is logging in."""

from __future__ import annotations

from typing import NoReturn

import pytest

from tests.conftest import Site
from tests.people import Owner, Person
from webapp.domain.refusals import DatabaseUnavailable
from webapp.services.login.login import Login

HERE = "/help/cannot-log-in"
LOST = (
    "Your password",
    "Your phone or its number",
    "Your authentication app",
    "Your security key or passkey",
    "Your email account",
    "All of them",
)


@pytest.mark.parametrize("path", ["/log-in", "/forgot-password", "/help/two-factor-authentication"])
def test_pages_before_login_lead_to_what_to_do_about_a_loss(site: Site, path: str) -> None:
    assert Person(site.app).open(path).link("Can't log in?") == HERE


def test_so_do_the_pages_of_a_pending_login(returning: Owner) -> None:
    page = returning.log_in()
    for path in (page.path, "/log-in/methods", "/log-in/backup-code"):
        assert returning.open(path).link("Can't log in?") == HERE, path


def test_the_page_says_what_to_do_about_each_thing_that_can_be_lost(site: Site) -> None:
    page = Person(site.app).open(HERE)
    assert (page.status, page.h1, page.title) == (200, "Can't log in?", "Can't log in? - Nightlatch")
    assert tuple(h2.get_text(strip=True) for h2 in page.soup.find_all("h2")) == LOST
    assert page.link("Reset your password") == "/forgot-password"
    assert not page.says("You can reach them here:")


class TestWithSupport:
    @pytest.fixture
    def environ(self, environ: dict[str, str]) -> dict[str, str]:
        return {**environ, "NIGHTLATCH_SUPPORT": "help@example.org"}

    def test_the_page_names_the_contact_of_the_operator(self, site: Site) -> None:
        assert Person(site.app).open(HERE).link("help@example.org") == "mailto:help@example.org"

    def test_it_stands_where_people_are_stuck(self, returning: Owner) -> None:
        returning.log_in()
        for path in ("/log-in/methods", "/log-in/backup-code"):
            page = returning.open(path)
            assert (page.path, page.link("help@example.org")) == (path, "mailto:help@example.org")
            assert page.says(
                "only the people who run this site can help you. You can reach them here: help@example.org"
            )
        for path in ("/forgot-password", "/help/two-factor-authentication"):
            assert returning.open(path).link("help@example.org") == "mailto:help@example.org", path
        for path in ("/reset-password/0000", "/not-you/0000", "/log-in/here/0000"):
            page = returning.open(path)
            assert (page.status, page.link("help@example.org")) == (404, "mailto:help@example.org")

    def test_it_stands_on_the_pages_of_a_mailed_link(self, enrolled: Owner, site: Site) -> None:
        enrolled.client.delete_cookie("session", domain=enrolled.host.split(":")[0])
        page = enrolled.open(site.emailed_path(enrolled.email, "/not-you/"))
        assert page.link("help@example.org") == "mailto:help@example.org"
        assert enrolled.press("Log out all devices").links.count("help@example.org") == 1
        enrolled.open("/forgot-password")
        page = enrolled.press("Send link", email=enrolled.email)
        assert page.link("help@example.org") == "mailto:help@example.org"
        page = enrolled.open(site.emailed_path(enrolled.email, "/reset-password/"))
        assert (page.h1, page.link("help@example.org")) == ("Choose a new password", "mailto:help@example.org")

    def test_it_stands_on_the_page_of_a_limit(self, ada: Owner) -> None:
        ada.open("/log-in")
        for _ in range(11):
            page = ada.press("Log in", username="nobody", password="a wrong password")
        assert (page.status, page.link("help@example.org")) == (429, "mailto:help@example.org")


def test_the_pages_of_a_pending_login_say_whose_it_is(returning: Owner) -> None:
    page = returning.log_in()
    for path in (page.path, "/log-in/methods", "/log-in/backup-code"):
        page = returning.open(path)
        assert page.says("Logging in as ada"), path
        assert page.link("Not you?") == "/log-in", path


@pytest.mark.parametrize("path", [HERE, "/forgot-password"])
def test_back_to_login_leads_to_the_pending_login(returning: Owner, site: Site, path: str) -> None:
    returning.log_in()
    page = returning.open(path)
    page = returning.open(page.link("Back to login"))
    assert (page.path, page.h1) == ("/log-in/verify", "Enter your code")
    assert page.says("Logging in as ada")
    site.clock.pass_(601)
    assert returning.open(path).link("Back to login") == "/log-in", "the pending login has expired"


def test_the_help_needs_no_database(returning: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    def claim(login: Login, token: str | None) -> NoReturn:
        raise DatabaseUnavailable(5)

    returning.log_in()
    monkeypatch.setattr(Login, "claim", claim)
    assert returning.open(HERE).link("Back to login") == "/log-in"


def test_without_a_pending_login_it_leads_to_the_login_page(site: Site) -> None:
    assert Person(site.app).open(HERE).link("Back to login") == "/log-in"


def test_at_step_up_nothing_says_that_someone_logs_in(enrolled: Owner, site: Site) -> None:
    site.clock.pass_(601)
    enrolled.open("/step-up/password?next=/settings")
    page = enrolled.press("Verify", password=enrolled.password)
    assert page.path == "/step-up/verify"
    assert not page.says("Logging in as")
    assert "Can't log in?" not in page.links


def test_after_five_wrong_codes_the_login_page_knows_the_username_once(returning: Owner) -> None:
    returning.log_in()
    for _ in range(5):
        page = returning.press("Verify", code="000000")
    assert (page.path, page.field("Username")["value"]) == ("/log-in", "ada")
    assert not returning.open("/log-in").field("Username").get("value")


def test_after_a_reset_the_login_page_knows_the_username(site: Site) -> None:
    ada = Owner.signed_up(site)
    ada.log_out()
    ada.open("/forgot-password")
    ada.press("Send link", email=ada.email)
    ada.open(site.emailed_path(ada.email, "/reset-password/"))
    page = ada.press("Save password", password="seven brass wheels turning")
    assert (page.path, page.field("Username")["value"]) == ("/log-in", "ada")
