"""Attackers who want to learn who has an account, with which e-mail address and which factors; and open redirects."""

from __future__ import annotations

import re

import pytest

from tests.attacks.tools import count, is_in
from tests.conftest import Site, one_database
from tests.doubles import CheapHasher
from tests.people import Owner, Page, Person
from webapp.web.guards import local_path

BASE = "http://nightlatch.localhost:5000"
ELSEWHERE = (
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "\t//evil.example",
    "https://evil.example",
    "http:evil.example",
    "https:/evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "@evil.example",
    "nightlatch.localhost:5000@evil.example",
    "//nightlatch.localhost:5000@evil.example",
    "evil.example",
    "/\u2028/evil.example",
    "\u2044\u2044evil.example",
    "/\u202e/evil.example",
    "／／evil.example",
    "/ /evil.example",
    "",
)


def said(page: Page) -> tuple[int, str, str, str | None]:
    """What an attacker can compare: the page without the names that they typed and without the CSRF token."""
    text = re.sub(r'value="[^"]*"', "", page.text)
    headers = {k: v for k, v in page.response.headers.items() if k not in ("Set-Cookie", "Content-Length")}
    return page.status, text, str(sorted(headers.items())), page.response.headers.get("Retry-After")


def attempt_log_in(site: Site, name: str, password: str, address: str = "198.51.100.1") -> Page:
    stranger = Person(site.app, address=address)
    stranger.open("/log-in")
    return stranger.press("Log in", username=name, password=password)


# -- Log-in ----------------------------------------------------------------------------------------


def test_known_and_unknown_names_get_the_same_page_and_cost_the_same(
    site: Site, ada: Owner, hasher: CheapHasher
) -> None:
    Owner(site, "bob").sign_up()
    names = ("nobody", "bob", "ada", "ada@example.org", "nobody@example.org", "ＡＤＡ", "ada\u200b", "a" * 300)
    for password in ("a wrong password", "ABCD-EFGH-IJKL-MNOP", "x" * 5000):
        pages, hashes = set(), set()
        for name in names:
            before = len(hasher.verified)
            site.clock.pass_(3600)
            pages.add(said(attempt_log_in(site, name, password)))
            hashes.add(len(hasher.verified) - before)
        assert len(pages) == 1, password
        assert hashes == {1}, password


def test_locked_accounts_and_unknown_names_get_the_same_wait(site: Site, ada: Owner, hasher: CheapHasher) -> None:
    ends = []
    for number, name in enumerate(("ada", "nobody", "nobody@example.org")):
        story = []
        for attempt in range(12):
            before = len(hasher.verified)
            page = attempt_log_in(site, name, "a wrong password", f"198.51.{number}.{attempt}")
            story.append((said(page), len(hasher.verified) - before))
        ends.append(story)
    assert ends[0] == ends[1] == ends[2]
    assert ends[0][11][0][0] == 429


@pytest.mark.parametrize(("locked", "probed"), [("ada", "ada@example.org"), ("ada@example.org", "ada")])
def test_a_lock_does_not_tell_which_address_belongs_to_which_user(
    site: Site, ada: Owner, hasher: CheapHasher, locked: str, probed: str
) -> None:
    for attempt in range(10):
        assert attempt_log_in(site, locked, "a wrong password", f"198.51.100.{attempt}").status == 422
    assert attempt_log_in(site, locked, "a wrong password", "198.51.100.20").status == 429
    stories = []
    for number, name in enumerate((probed, "nobody@example.org")):
        before, story = len(hasher.verified), []
        for attempt in range(12):
            story.append(said(attempt_log_in(site, name, "a wrong password", f"203.0.{number}.{attempt}")))
        stories.append((story, len(hasher.verified) - before))
    assert stories[0] == stories[1]
    assert attempt_log_in(site, probed, ada.password, "198.51.100.30").h1 == "Enter your code", "names wait apart"


def test_factors_and_hints_are_shown_only_after_the_right_password(site: Site, ada: Owner) -> None:
    page = attempt_log_in(site, "ada", "a wrong password")
    for word in ("code", "app", "factor", "example.org", "Lovelace"):
        assert word not in page.soup.find("main").get_text(" ").lower(), word
    for path in ("/log-in/verify", "/log-in/methods", "/log-in/backup-code"):
        assert Person(site.app).open(path).path == "/log-in"
    assert attempt_log_in(site, "ada", ada.password).h1 == "Enter your code"


# -- E-mail addresses ------------------------------------------------------------------------------


def test_forgot_password_answers_every_address_alike(site: Site, ada: Owner) -> None:
    Owner(site, "bob").sign_up(confirm_email=False)
    pages = set()
    for address in ("ada@example.org", "none@example.org", "bob@example.org", "ADA@example.org"):
        reader = Person(site.app)
        reader.open("/forgot-password")
        page = reader.press("Send link", email=address)
        status, text, headers, _ = said(page)
        pages.add((status, text.replace(address, "..."), headers))
    assert len(pages) == 1


def test_forgot_password_costs_the_same_for_every_address(site: Site, ada: Owner) -> None:
    """Without an account, an e-mail is stored too and then rolled back, so that the time reveals nothing."""
    work = []
    for address in ("ada@example.org", "none@example.org"):
        reader = Person(site.app)
        reader.open("/forgot-password")
        site.statements.clear()
        reader.press("Send link", email=address)
        verbs = [" ".join(s.split()[:3]) for s in site.statements]
        work.append([v for v in verbs if "links" not in v and not v.startswith(("SAVEPOINT", "ROLLBACK"))])
    assert work[0] == work[1]
    assert "INSERT INTO messages" in work[0]
    assert site.emails("none@example.org") == []
    assert count(site, "SELECT count(*) FROM messages WHERE account_id IS NULL") == 0


def test_an_address_of_another_user_gets_the_same_pages_at_sign_up(site: Site, ada: Owner) -> None:
    stories = []
    for username, address in (("bob", "ada@example.org"), ("eve", "free@example.org")):
        new = Owner(site, username)
        new.email = address
        new.sign_up(confirm_email=False)
        story = [new.press("Next", email=address)]
        story += [new.press("Verify", code="000000") for _ in range(6)]
        site.clock.pass_(60)
        story.append(new.press("Resend code"))
        stories.append([(p.status, p.h1, p.problems, p.receipts) for p in story])
    assert stories[0] == stories[1]
    subject = site.emails("ada@example.org")[0].subject
    assert subject == "Someone tried to use your email address on Nightlatch", "no code goes to the owner"


def test_the_code_of_another_users_address_is_never_accepted(site: Site, ada: Owner) -> None:
    bob = Owner.signed_up(site, "bob", confirm_email=False)
    bob.press("Next", email="ada@example.org")
    digests = count(site, "SELECT count(*) FROM codes WHERE voided_at IS NULL AND used_at IS NULL")
    assert digests == 1
    assert bob.press("Verify", code="123456").status == 422
    assert site.services.accounts.named("bob").email is None
    assert site.services.accounts.named("ada").email == "ada@example.org"


# -- Open redirects --------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ELSEWHERE, ids=repr)
def test_next_does_not_redirect_to_another_site(target: str) -> None:
    assert local_path(target) is None


@one_database
def test_next_stays_on_this_site_on_every_log_in_page(site: Site, ada: Owner) -> None:
    for target in (t for t in ELSEWHERE if t):
        for htmx in (False, True):
            eve = ada.other_browser(htmx=htmx)
            page = eve.post("/log-in", follow=False, username="ada", password=ada.password, next=target)
            assert leads_here(page), target
            page = eve.post("/log-in/verify", follow=False, code=ada.next_code())
            assert leads_here(page), target
            assert is_in(eve)
            for path in ("/log-in", "/step-up/password", "/site/desktop", "/site/mobile"):
                assert leads_here(eve.send("GET", path, query_string={"next": target}, follow=False)), (path, target)
            for path in ("/language", "/cookie-notice"):
                assert leads_here(eve.post(path, follow=False, language="en", next=target)), (path, target)
            if not htmx:
                page = eve.send(
                    "GET", "/", headers={"Sec-CH-UA-Mobile": "?1"}, query_string={"next": target}, follow=False
                )
                assert leads_here(page), target


def test_a_path_that_begins_with_two_slashes_does_not_redirect_to_another_site(site: Site, ada: Owner) -> None:
    for path in ("//evil.example", "//evil.example/settings", "///evil.example", "/\\evil.example", "/settings//"):
        for headers in ({}, {"HX-Request": "true"}, {"Sec-CH-UA-Mobile": "?1"}):
            environ = {"PATH_INFO": path}
            page = Page(ada.client.get("/", base_url=BASE, headers=headers, environ_overrides=environ))
            assert leads_here(page), path
            for form in page.soup.find_all("form"):
                assert not re.match(r"/[/\\]", str(form["action"])), path


def leads_here(page: Page) -> bool:
    """Resolves the target as a browser does."""
    for name in ("Location", "HX-Redirect", "HX-Location", "HX-Push-Url"):
        target = page.response.headers.get(name)
        if target is None:
            continue
        here = re.match(r"http://(mobile\.)?nightlatch\.localhost:5000(/|$)", target)
        if not here and not re.match(r"/(?![/\\])[!-~]*$", target):
            return False
        if re.match(r"http://[^/]*//", target):
            return False
    return page.status < 500
