"""The help page says what to do when something goes wrong, first, and only what is true of this site."""

from __future__ import annotations

from typing import Any

import pytest
from bs4 import Tag

from tests.conftest import Site
from tests.doubles import CheapHasher
from tests.people import ANDROID, DESKTOP, IPHONE, Page, Person
from webapp.adapters.embedded import NoTexts
from webapp.policy import HOUR, MINUTE, Policy

HELP = "/help/two-factor-authentication"
PROBLEMS = ["I lost my phone", "No code arrives", "My code is wrong", "New phone"]


def headings(page: Page) -> list[str]:
    return [h2.get_text(strip=True) for h2 in page.soup.select(".prose h2")]


def section(page: Page, name: str) -> str:
    found = page.soup.find(id=name)
    assert isinstance(found, Tag)
    assert isinstance(found.parent, Tag)
    return found.parent.get_text(" ", strip=True)


@pytest.mark.parametrize("layout", [DESKTOP, ANDROID, IPHONE])
def test_problems_come_first_and_the_contents_lead_to_every_section(site: Site, layout: str) -> None:
    page = Person(site.app, layout).open(HELP)
    assert headings(page)[:4] == PROBLEMS
    contents = page.soup.find("nav", attrs={"aria-labelledby": "contents"})
    links = {a.get_text(strip=True): str(a["href"]) for a in contents.find_all("a")}
    assert list(links) == headings(page)
    assert ("Login requests" if layout == DESKTOP else "Login requests on this phone") in links
    for title, href in links.items():
        assert page.soup.find(id=href.removeprefix("#")).get_text(strip=True) == title


class TestSiteWithoutTexts:
    @pytest.fixture
    def overrides(self) -> dict[str, Any]:
        return {"hasher": CheapHasher(), "texts": NoTexts()}

    def test_a_method_that_this_site_does_not_offer_is_not_spoken_of(self, site: Site) -> None:
        page = Person(site.app).open(HELP)
        for name in ("no-code", "wrong-code", "new-phone"):
            assert "Text message" not in section(page, name)
            assert "Authentication app" in section(page, name)


def test_the_numbers_on_the_page_are_those_of_the_policy(site: Site) -> None:
    page, policy = Person(site.app).open(HELP), Policy()
    for name, sentence, holds in (
        ("no-code", "works for an hour", policy.email_code_seconds == HOUR),
        ("no-code", "up to three codes for each login", policy.text_sends_challenge == 3),
        ("no-code", "Wait a minute", policy.resend_after == MINUTE),
        ("no-code", "Requests last five minutes", policy.request_seconds == 5 * MINUTE),
        ("wrong-code", "works for ten minutes", policy.text_code_seconds == 10 * MINUTE),
        ("wrong-code", "After five wrong codes", policy.challenge_attempts == 5),
    ):
        assert sentence in section(page, name)
        assert holds, sentence
