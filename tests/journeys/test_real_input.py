"""What real people, apps and proxies send to sign-up, log-in and the pages after them."""

from __future__ import annotations

import re

import pytest

from tests.conftest import Site
from tests.people import ANDROID, DESKTOP, PASSWORD, TWO_FACTOR, Owner, Person
from webapp.domain.refusals import EmailMalformed
from webapp.services.email_addresses import normalize
from webapp.settings import ROOT

TEMPLATES, MESSAGES = ROOT / "templates", ("email", "sms")
ALI = "\u0639\u0644\u06cc\u200c\u0631\u0636\u0627 \u0631\u0636\u0627\u06cc\u06cc"


def test_a_name_with_a_joiner_signs_up_and_stays_unchanged(site: Site) -> None:
    ali = Owner(site, "ali")
    ali.open("/sign-up")
    page = ali.press("Sign up", name=ALI, username="\u200bali", password=PASSWORD)
    assert page.h1 == "Confirm your email"
    assert ali.open("/").h1 == f"Welcome, {ALI}"


def test_a_username_with_its_at_sign_logs_in(site: Site) -> None:
    ada = Owner(site)
    ada.open("/sign-up")
    ada.press("Sign up", name="Ada", username="@ada", password=PASSWORD)
    ada.log_out()
    ada.username = "@ada"
    assert ada.log_in().h1 == "Welcome, Ada"


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("user@office.local", "user@office.local"),
        ("user@corp.internal", "user@corp.internal"),
        ("user@site.test", "user@site.test"),
        ("user@nas.home.arpa", "user@nas.home.arpa"),
        ("user@localhost", "user@localhost"),
        ("\u200buser@example.org\u2060", "user@example.org"),
        ("\uff55ser\uff20example.org", "user@example.org"),
        ("a..b.@docomo.example.jp", "a..b.@docomo.example.jp"),
        (".a@Docomo.example.jp", ".a@docomo.example.jp"),
    ],
)
def test_addresses_of_closed_networks_with_invisible_marks_and_with_odd_dots_are_accepted(
    typed: str, address: str
) -> None:
    assert normalize(typed) == address


@pytest.mark.parametrize(
    "typed",
    [
        "user@office",
        "user@example.org" + "\u200b" * 300,
        "..@example.org",
        "a..b c@example.org",
        "user@x.invalid",
        "user@x.onion",
        "user@1.in-addr.arpa",
        "user",
        "@",
    ],
)
def test_addresses_that_cannot_get_mail_are_refused(typed: str) -> None:
    with pytest.raises(EmailMalformed):
        normalize(typed)


def test_an_address_of_a_closed_network_is_confirmed(site: Site) -> None:
    ada = Owner.signed_up(site, confirm_email=False)
    assert ada.press("Next", email="\u200buser@office.local").h1 == "Check your email"
    assert ada.press("Verify", code=site.emailed_code("user@office.local")).path == "/"


def test_a_host_in_capitals_is_the_same_host_and_a_foreign_one_is_refused(site: Site) -> None:
    reader = Person(site.app)
    assert reader.send("GET", "/log-in", host="NIGHTLATCH.Localhost:5000").h1 == "Log in"
    page = reader.send("GET", "/log-in", host="MOBILE.nightlatch.localhost:5000")
    assert page.status == 200
    assert "mobile.css" in page.text
    assert reader.send("GET", "/log-in", host="EVIL.example").status == 400


def test_without_any_cookie_the_log_in_page_says_that_cookies_are_needed(site: Site) -> None:
    ada = Owner.signed_up(site)
    fields = {"csrf_token": ada.token(), "username": "ada", "password": PASSWORD}
    stranger = Person(site.app)
    page = stranger.send("POST", "/log-in", data=fields)
    sentence = "This site needs cookies, and your browser sent none. Allow cookies for this site, then try again."
    assert (page.status, page.problems) == (422, [sentence])


@pytest.mark.parametrize("layout", [DESKTOP, ANDROID])
def test_the_navigation_holds_log_out_and_on_phones_profile(site: Site, layout: str) -> None:
    ada = Owner.signed_up(site, layout=layout)
    page = ada.open("/")
    navigation = page.soup.find("nav", attrs={"aria-label": "Main"})
    assert navigation is not None
    names = [button.get_text(" ", strip=True) for button in navigation.find_all("button")]
    assert {"Log out", "More" if layout == DESKTOP else "Profile"} <= set(names)


@pytest.mark.parametrize("layout", [DESKTOP, ANDROID])
def test_what_is_shown_to_be_kept_is_not_translated(site: Site, layout: str) -> None:
    ada = Owner.signed_up(site, layout=layout)
    pages = [ada.open("/"), ada.turn_on_app()]
    ada.press("Got it")
    ada.open(f"{TWO_FACTOR}/temporary-password")
    pages.append(ada.press("Generate temporary password"))
    ada.open(f"{TWO_FACTOR}/authentication-app/overview")
    pages.append(ada.press("Start"))
    found = [part for page in pages for part in page.soup.select(".secret, .who bdi, .card dd bdi")]
    assert len(found) >= 7
    for part in found:
        assert part.find(attrs={"translate": "no"}) or part.get("translate") == "no", part
    pages = [ada.open("/"), ada.open("/settings/account")]
    named = [text for page in pages for text in page.soup.find_all(string=re.compile("@ada|ada@"))]
    assert len(named) >= 5
    for text in named:
        assert text.find_parent(attrs={"translate": "no"}), text


def test_no_template_lets_a_translator_change_a_username_address_or_number() -> None:
    """`<bdi dir="ltr">` surrounds what is the same in every language, and a sentence cannot mark part of itself."""
    pages = [
        path for folder in sorted(TEMPLATES.iterdir()) if folder.name not in MESSAGES for path in folder.rglob("*")
    ]
    assert len(pages) > 60
    for path in pages:
        text = path.read_text() if path.suffix == ".html" else ""
        marked = re.findall(r"<bdi\b[^>]*>", text)
        assert all('translate="no"' in tag for tag in marked if 'dir="ltr"' in tag), path.name
        assert not re.search(r"%\((username|address|email)\)s", text), path.name
