"""Pages about the site: each says more than a sentence, says what is true, and describes itself to search engines."""

from __future__ import annotations

import pytest

from tests.conftest import Site
from tests.people import ANDROID, DESKTOP, Owner, Page, Person
from webapp.policy import MINUTE, Policy

PUBLIC = ["/log-in", "/sign-up", "/forgot-password", "/help/two-factor-authentication", "/help/cannot-log-in",
          "/about", "/terms", "/privacy", "/status"]  # fmt: skip


def description(page: Page) -> str:
    (found,) = page.soup.find_all("meta", attrs={"name": "description"})
    return str(found["content"])


@pytest.mark.parametrize("layout", [DESKTOP, ANDROID])
def test_each_public_page_has_a_title_and_a_description_of_its_own(site: Site, layout: str) -> None:
    pages = [Person(site.app, layout).open(path) for path in PUBLIC]
    assert len({page.title for page in pages}) == len(PUBLIC)
    found = [description(page) for page in pages]
    assert len(set(found)) == len(PUBLIC)
    assert all(40 <= len(words) <= 160 and "Nightlatch" in words and words.endswith(".") for words in found), found


def test_the_pages_of_an_account_share_a_description_that_says_nothing_about_it(ada: Owner) -> None:
    ada.sign_up()
    ada.htmx = False
    assert description(ada.open("/settings")) == "Your account on Nightlatch, and what protects it."


def paragraphs(page: Page) -> list[str]:
    return [tag.get_text(" ", strip=True) for tag in page.soup.select("main p, main li, main dl > div")]


@pytest.mark.parametrize("path", ["/about", "/terms", "/status", "/privacy"])
def test_no_page_about_the_site_is_a_single_sentence(site: Site, path: str) -> None:
    page = Person(site.app).open(path)
    assert sum(sentence.count(".") for sentence in paragraphs(page)) >= 3
    assert page.soup.select("main a") or path == "/privacy"


def test_the_page_about_languages_says_when_there_is_only_one(ada: Owner) -> None:
    ada.sign_up()
    page = ada.open("/settings/language")
    assert page.says("English is the only language of this site so far.")
    assert "Save" not in page.buttons


def test_no_settings_page_is_a_single_row(ada: Owner) -> None:
    ada.sign_up()
    assert len(ada.open("/settings/security-and-account-access").soup.select(".rows li")) >= 3


@pytest.mark.parametrize(
    ("layout", "parent", "path"),
    [
        (DESKTOP, "Security and account access", "/settings/security-and-account-access"),
        (ANDROID, "Account", "/settings/account"),
    ],
)
def test_security_leads_back_to_the_list_that_it_stands_in(site: Site, layout: str, parent: str, path: str) -> None:
    ada = Owner.signed_up(site, layout=layout)
    ada.open("/settings")
    ada.follow(parent)
    assert ada.follow("Security").path == "/settings/security"
    assert ada.follow(f"Back to {parent}").path == path


def test_about_names_the_methods_that_this_site_offers(site: Site) -> None:
    page = Person(site.app).open("/about")
    offered = [str(method.general_title) for method in site.services.methods if method.is_offered]
    assert all(page.says(title) for title in offered)
    assert page.says("Anyone can create one.")


class TestSiteWithSignUpClosed:
    @pytest.fixture
    def environ(self, environ: dict[str, str]) -> dict[str, str]:
        return {**environ, "NIGHTLATCH_SIGN_UP": "closed", "NIGHTLATCH_SUPPORT": "help@example.org"}

    def test_about_says_whom_to_ask(self, site: Site) -> None:
        page = Person(site.app).open("/about")
        assert not page.says("Anyone can create one.")
        assert page.says("the people who run this site")
        assert page.link("help@example.org") == "mailto:help@example.org"


def test_the_status_page_says_what_is_so_and_when_it_was_checked(ada: Owner, site: Site) -> None:
    page = ada.open("/status")
    assert page.says("Everything is working.")
    assert page.says("No code or email has been waiting to be sent for more than a minute.")
    assert Policy().retry_after[0] == MINUTE
    assert page.soup.select_one("dl time")["datetime"] == "2027-01-15T08:00:00Z"
    ada.sign_up(confirm_email=False)
    ada.press("Next", email=ada.email)
    site.clock.pass_(2 * MINUTE)
    page = ada.open("/status")
    assert page.says("Not everything is working right now.")
    assert page.says("Codes and emails may arrive late. Wait for one before you request another.")
    site.emails()
    assert ada.open("/status").says("Everything is working.")
