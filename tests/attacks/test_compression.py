"""Compression that would tell an eavesdropper a secret by the length of a page (BREACH)."""

from __future__ import annotations

import gzip
import re
from typing import Any

import pytest

from tests.attacks.test_login_requests import waits, with_phone
from tests.attacks.tools import DOMAIN, routes, wrong
from tests.conftest import Site
from tests.people import ANDROID, DESKTOP, Owner, Page, Person
from webapp.web.compression import PAGES

GZIP = {"Accept-Encoding": "gzip, deflate, br"}
TOKEN = re.compile(rb'name="csrf_token" value="([^"]+)"')
PUBLIC = ["/log-in", "/sign-up", "/forgot-password", "/help/two-factor-authentication", "/help/cannot-log-in",
          "/about", "/terms", "/privacy", "/status"]  # fmt: skip


def asked(person: Person, path: str, method: str = "GET", encodings: str = "gzip, deflate, br", **options: Any) -> Page:
    return person.send(method, path, headers={"Accept-Encoding": encodings}, **options)


def is_compressed(page: Page) -> bool:
    return page.response.headers.get("Content-Encoding") == "gzip"


@pytest.mark.parametrize("layout", [DESKTOP, ANDROID])
@pytest.mark.parametrize("path", PUBLIC)
def test_public_pages_are_compressed_for_a_browser_without_a_session(site: Site, path: str, layout: str) -> None:
    plain = Person(site.app, layout).send("GET", path)
    page = asked(Person(site.app, layout), path)
    headers = page.response.headers
    assert is_compressed(page)
    assert int(headers["Content-Length"]) == len(page.response.data) < len(plain.response.data) / 2
    assert {"Accept-Encoding", "Cookie"} <= set(page.response.vary) & set(plain.response.vary)
    assert "Content-Encoding" not in plain.response.headers
    assert not {"ETag", "Last-Modified"} & set(headers.keys())
    assert headers["Cache-Control"] == "no-store"
    assert TOKEN.sub(b"", gzip.decompress(page.response.data)) == TOKEN.sub(b"", plain.response.data)


def test_a_token_never_appears_twice_and_each_of_them_is_valid(site: Site) -> None:
    """No bytes of a secret come again, at the same second or later: there is nothing to guess by."""
    eve, tokens = Person(site.app), list[bytes]()
    for _ in range(6):
        found = set(TOKEN.findall(gzip.decompress(asked(eve, "/log-in").response.data)))
        assert len(found) == 1, "one mask for a page: its forms compress to one token"
        tokens += found
    pieces = [{token[at : at + 12] for at in range(len(token) - 11)} for token in tokens]
    assert not any(one & other for place, one in enumerate(pieces) for other in pieces[place + 1 :])
    for token in tokens:
        page = eve.send("POST", "/cookie-notice", data={"csrf_token": token.decode()}, follow=False)
        assert any(cookie.startswith("cookies-seen=") for cookie in page.response.headers.getlist("Set-Cookie"))


@pytest.mark.parametrize("change", ["cut", "bit", "plain", "other"])
def test_a_token_that_was_changed_is_refused(site: Site, change: str) -> None:
    eve = Person(site.app)
    token = eve.token()
    with eve.client.session_transaction(base_url=f"http://{eve.host}") as session:
        secret = session["csrf_token"]
    other = {
        "cut": token[:-4],
        "bit": ("B" if token[0] != "B" else "C") + token[1:],
        "plain": secret,
        "other": Person(site.app).token(),
    }[change]
    page = eve.send("POST", "/cookie-notice", data={"csrf_token": other})
    assert page.problems == ["This page was out of date. Nothing was changed. Try again."]
    assert eve.cookie("cookies-seen") is None


def test_no_page_is_compressed_in_a_session(site: Site, ada: Owner) -> None:
    ada.client.delete_cookie("form", domain=ada.host.split(":")[0])  # which has what the log-in left
    for route in routes(site):
        if "GET" in route.methods and route.layout == DESKTOP and route.page != "assets.static":
            page = asked(ada, route.path, follow=False)
            assert "Content-Encoding" not in page.response.headers, route.page


def test_no_page_is_compressed_while_a_login_waits_for_its_second_factor(ada: Owner) -> None:
    ada.log_in_again()
    for path in (*PUBLIC, "/log-in/verify"):
        assert not is_compressed(asked(ada, path, follow=False))


def test_no_page_of_an_approving_phone_is_compressed(site: Site) -> None:
    """Logged out too, it shows the login requests that wait, with the account and the device."""
    phone = with_phone(site)
    waits(phone)
    page = asked(phone, "/log-in")
    assert page.says("Someone is logging in")
    assert not is_compressed(page)


def test_a_page_that_says_something_about_the_browser_is_not_compressed(site: Site, ada: Owner) -> None:
    """A receipt, or anything else that another page left in the form session."""
    ada.log_out()
    assert is_compressed(asked(ada, "/log-in"))
    with ada.client.session_transaction(base_url=f"http://{ada.host}") as session:
        session["_flashes"] = [("receipt", "Your email address has been restored.")]
    page = asked(ada, "/log-in")
    assert (page.receipts, is_compressed(page)) == (["Your email address has been restored."], False)
    ada.log_in()
    for _ in range(5):
        ada.open("/log-in/verify")
        ada.send("POST", "/log-in/verify", data={"csrf_token": ada.token(), "code": wrong(ada.code())}, follow=False)
    ada.client.delete_cookie("login", domain=DOMAIN)
    page = asked(ada, "/log-in")
    assert (page.field("Username")["value"], is_compressed(page)) == ("ada", False)
    with ada.client.session_transaction(base_url=f"http://{ada.host}") as session:
        session["reset-sent-to"] = ada.email
    assert not is_compressed(asked(ada, "/forgot-password"))


def test_no_answer_to_a_form_is_compressed(site: Site) -> None:
    """It repeats what was typed, which may be another site's guess."""
    eve = Person(site.app)
    fields = {"csrf_token": eve.token(), "username": "ada", "password": "x"}
    page = asked(eve, "/log-in", "POST", data=fields)
    assert (page.status, is_compressed(page)) == (422, False)


def test_only_listed_pages_are_compressed(site: Site) -> None:
    for route in routes(site):
        if "GET" in route.methods and route.layout == DESKTOP and route.page not in (*PAGES, "assets.static"):
            page = asked(Person(site.app), route.path, follow=False)
            assert "Content-Encoding" not in page.response.headers, route.page


@pytest.mark.parametrize(
    ("encodings", "compressed"),
    [("gzip", True), ("br, *", True), ("gzip;q=0", False), ("gzip;q=0, *", False), ("identity", False), ("br", False)],
)
def test_the_browser_says_whether_it_can_read_it(site: Site, encodings: str, compressed: bool) -> None:
    assert is_compressed(asked(Person(site.app), "/log-in", encodings=encodings)) == compressed


def test_head_has_the_headers_of_get_and_no_body(site: Site) -> None:
    head, get = (asked(Person(site.app), "/about", method) for method in ("HEAD", "GET"))
    assert head.response.data == b""
    assert is_compressed(head)
    assert abs(int(head.response.headers["Content-Length"]) - len(get.response.data)) < 40, "masks differ in length"


def test_a_condition_of_the_browser_never_makes_an_empty_answer(site: Site) -> None:
    """There is nothing to compare: each answer has a new token, and so no validator."""
    conditions = {"If-None-Match": "*", "If-Modified-Since": "Thu, 01 Jan 2099 00:00:00 GMT", **GZIP}
    page = Person(site.app).send("GET", "/log-in", headers=conditions)
    assert (page.status, is_compressed(page)) == (200, True)
