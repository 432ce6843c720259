"""What a person who is stuck is told: what to do about each thing that can be lost, and whom to ask."""

from __future__ import annotations

import pytest

from tests.conftest import Site, one_database
from tests.people import Owner

PAGE = "/help/cannot-log-in"
CONTACT = "help@example.org"
LINK = "Can't log in?"


class TestSiteWithASupportContact:
    @pytest.fixture
    def environ(self, environ: dict[str, str]) -> dict[str, str]:
        return {**environ, "NIGHTLATCH_SUPPORT": CONTACT}

    def test_it_stands_where_people_are_stuck(self, returning: Owner) -> None:
        returning.log_in()
        for path in ("/log-in/methods", "/log-in/backup-code"):
            page = returning.open(path)
            assert (page.path, page.link(CONTACT)) == (path, f"mailto:{CONTACT}")
        for path in (PAGE, "/forgot-password", "/help/two-factor-authentication"):
            assert returning.open(path).link(CONTACT) == f"mailto:{CONTACT}", path
        for path in ("/reset-password/0000", "/not-you/0000", "/log-in/here/0000"):
            page = returning.open(path)
            assert (page.status, page.link(CONTACT)) == (404, f"mailto:{CONTACT}")

    def test_it_stands_on_the_pages_of_a_mailed_link(self, enrolled: Owner, site: Site) -> None:
        enrolled.open(site.emailed_path(enrolled.email, "/not-you/"))
        enrolled.client.delete_cookie("session", domain=enrolled.host.split(":")[0])
        page = enrolled.open(site.emailed_path(enrolled.email, "/not-you/"))
        assert page.link(CONTACT) == f"mailto:{CONTACT}"
        enrolled.open("/forgot-password")
        page = enrolled.press("Send link", email=enrolled.email)
        assert (page.link(CONTACT), page.link(LINK)) == (f"mailto:{CONTACT}", PAGE)
        page = enrolled.open(site.emailed_path(enrolled.email, "/reset-password/"))
        assert (page.h1, page.link(CONTACT)) == ("Choose a new password", f"mailto:{CONTACT}")

    @one_database
    def test_it_stands_on_the_page_of_a_limit(self, ada: Owner) -> None:
        ada.open("/log-in")
        for _ in range(11):
            page = ada.press("Log in", username="nobody", password="a wrong password")
        assert (page.status, page.link(CONTACT)) == (429, f"mailto:{CONTACT}")


def test_the_page_says_for_each_thing_what_to_do(ada: Owner) -> None:
    page = ada.open(PAGE)
    assert (page.h1, page.title) == (LINK, f"{LINK} - Nightlatch")
    assert [h2.get_text(strip=True) for h2 in page.soup.select(".prose h2")] == [
        "Your password",
        "Your phone number",
        "Your authentication app",
        "Your security key or passkey",
        "Your phone that approves logins",
        "Your backup code",
        "Your email account",
        "All of them",
    ]
    assert page.link("Reset your password") == "/forgot-password"
    assert page.says("Ask the people who run this site.")
    assert not page.soup.select(".support")


def test_it_is_linked_from_every_page_of_a_login(returning: Owner) -> None:
    for path in ("/log-in", "/forgot-password", "/help/two-factor-authentication"):
        assert returning.open(path).link(LINK) == PAGE
    returning.log_in()
    for path in ("/log-in/verify", "/log-in/methods", "/log-in/backup-code"):
        page = returning.open(path)
        assert (page.path, page.link(LINK)) == (path, PAGE)


def test_the_pages_of_a_pending_login_say_whose_it_is(returning: Owner) -> None:
    page = returning.log_in()
    assert page.says("Logging in as ada .")
    assert page.link("Not you?") == "/log-in"
    assert returning.follow("Not you?").h1 == "Log in"
