"""Spellings of the Host header. Unknown hosts are in tests/attacks/test_recovery.py."""

from __future__ import annotations

import warnings

import pytest

from tests.conftest import Site, one_database
from tests.people import Owner, Person

pytestmark = one_database


@pytest.mark.parametrize("host", ["NIGHTLATCH.localhost:5000", "Mobile.Nightlatch.LOCALHOST:5000"])
def test_a_host_is_compared_without_regard_to_case(site: Site, host: str) -> None:
    reader = Person(site.app)
    page = reader.send("GET", "/log-in", headers={"Host": host}, follow=False)
    assert (page.status, page.h1) == (200, "Log in")
    assert host not in page.text


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_page_at_a_host_with_a_final_dot_is_redirected_to_the_plain_host(site: Site, method: str) -> None:
    headers = {"Host": "nightlatch.localhost.:5000"}
    page = Person(site.app).send(method, "/log-in?next=/settings", headers=headers, follow=False)
    assert page.status == 308
    assert page.response.headers["Location"] == "http://nightlatch.localhost:5000/log-in?next=/settings"


def test_a_form_from_a_host_with_a_final_dot_is_refused(site: Site) -> None:
    ada = Owner.signed_up(site)
    data = {"csrf_token": ada.token()}
    page = ada.send("POST", "/log-out", headers={"Host": "nightlatch.localhost.:5000"}, data=data, follow=False)
    assert (page.status, page.h1) == (400, "Bad request")
    assert "Go to the home page" in page.links, "the whole page, not the bare one"
    assert ada.open("/").h1 == "Welcome, Ada Lovelace"


@pytest.mark.parametrize("path", ["/log-in", "/settings", "/reset-password/0123", "/nowhere", "/metrics"])
def test_a_host_with_a_final_dot_gets_no_cookie_and_none_of_its_links(site: Site, path: str) -> None:
    """Cookies of that host would be another log-in, and an address of a page with it could be bookmarked."""
    ada = Owner.signed_up(site)
    page = ada.send("GET", path, headers={"Host": "mobile.nightlatch.localhost.:5000"}, follow=False)
    assert page.status == 308
    assert page.response.headers["Location"] == f"http://mobile.nightlatch.localhost:5000{path}"
    assert "Set-Cookie" not in page.response.headers
    assert ".:5000" not in page.text


@pytest.mark.parametrize(
    "host", ["nightlatch.localhost..:5000", "evil.example.", ".", ".:5000", "nightlatch.localhost."]
)
def test_a_final_dot_makes_no_other_host_known(site: Site, host: str) -> None:
    page = Person(site.app).send("GET", "/log-in", headers={"Host": host}, follow=False)
    assert page.status == 400
    assert "Location" not in page.response.headers


def test_a_form_whose_origin_has_a_final_dot_comes_from_another_site(site: Site) -> None:
    ada = Owner.signed_up(site)
    data, origin = {"csrf_token": ada.token()}, {"Origin": "http://nightlatch.localhost.:5000"}
    assert ada.send("POST", "/log-out", headers=origin, data=data, follow=False).status == 403
    assert ada.open("/").h1 == "Welcome, Ada Lovelace"


def test_a_host_with_another_port_causes_no_warning(site: Site) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        page = Person(site.app).send("GET", "/log-in", headers={"Host": "nightlatch.localhost:1"}, follow=False)
    assert page.status == 400


class TestSiteOverHttps:
    @pytest.fixture
    def environ(self, environ: dict[str, str]) -> dict[str, str]:
        return {**environ, "NIGHTLATCH_SERVER_NAME": "login.localhost", "NIGHTLATCH_PREFERRED_URL_SCHEME": "https"}

    @pytest.mark.parametrize(
        ("host", "status"), [("login.localhost", 200), ("login.localhost:443", 200), ("login.localhost:80", 400)]
    )
    def test_the_port_of_the_scheme_may_be_named_and_no_other(self, site: Site, host: str, status: int) -> None:
        assert Person(site.app).send("GET", "/log-in", headers={"Host": host}, follow=False).status == status

    @pytest.mark.parametrize("host", ["login.localhost.", "LOGIN.localhost.:443"])
    def test_a_final_dot_leads_to_the_plain_host_over_https(self, site: Site, host: str) -> None:
        page = Person(site.app).send("GET", "/log-in", headers={"Host": host}, follow=False)
        assert (page.status, page.response.headers["Location"]) == (308, "https://login.localhost/log-in")
        assert "Set-Cookie" not in page.response.headers
