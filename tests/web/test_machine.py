"""URLs that are requested by programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Site
from tests.people import ANDROID, HOST, Owner, Person
from webapp import create_app
from webapp.settings import Settings


def test_health_is_answered_under_any_host_name_and_no_other_page_is(site: Site) -> None:
    machine = Person(site.app)
    for host in (HOST, "10.0.0.7:8000", "balancer"):
        page = machine.send("GET", "/healthz", host=host)
        assert (page.status, page.text) == (200, "ok\n")
        page = machine.send("GET", "/readyz", host=host)
        assert page.status == 200
        assert page.response.get_json() == {"database": True}
    assert machine.send("GET", "/metrics", host="balancer").status == 400
    assert machine.send("GET", "/healthz/", host="balancer").status == 400


@pytest.mark.parametrize("path", ["/readyz", "/.well-known/openid-configuration"])
def test_json_loads_nothing_and_is_not_framed(site: Site, path: str) -> None:
    headers = Person(site.app).open(path).response.headers
    assert headers["Content-Type"] == "application/json"
    assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("url", ["sqlite:////nowhere/site.sqlite3", "postgresql+psycopg://nobody@127.0.0.1:1/none"])
def test_a_site_without_its_database_is_healthy_but_not_ready(url: str, tmp_path: Path) -> None:
    machine = Person(create_app(Settings.read({"NIGHTLATCH_DATABASE_URL": url}, tmp_path)))
    assert machine.open("/healthz").status == 200
    page = machine.open("/readyz")
    assert page.status == 503
    assert page.response.get_json() == {"database": False}
    page = machine.open("/status")
    assert page.status == 503
    assert page.says("Having problems")
    page = machine.open("/help/two-factor-authentication")
    assert page.status == 200, "the help needs no database"
    assert page.says("No apps log in to this site with a password alone.")


def test_the_status_page_says_when_messages_are_late(site: Site) -> None:
    reader = Person(site.app)
    assert reader.open("/status").says("Messages Work")
    ada = Owner.signed_up(site, confirm_email=False)
    ada.press("Next", email=ada.email)
    assert reader.open("/status").says("Messages Work")
    site.clock.pass_(61)
    assert reader.open("/status").says("Messages Delayed")
    site.emails()
    assert reader.open("/status").says("Messages Work")


@pytest.mark.parametrize(("address", "status"), [("127.0.0.1", 200), ("::1", 200), ("192.0.2.1", 404), ("what", 404)])
def test_metrics_are_served_to_loopback_only(site: Site, address: str, status: int) -> None:
    page = Person(site.app, address=address).open("/metrics")
    assert page.status == status
    if status == 200:
        assert page.response.headers["Content-Type"].startswith("text/plain")
        assert "# HELP" in page.text


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded"])
def test_a_request_forwarded_by_an_untrusted_local_proxy_is_not_from_loopback(site: Site, header: str) -> None:
    page = Person(site.app, address="127.0.0.1").send("GET", "/metrics", headers={header: "for=203.0.113.9"})
    assert page.status == 404


class TestSiteBehindOneProxy:
    @pytest.fixture
    def environ(self, environ: dict[str, str]) -> dict[str, str]:
        return {**environ, "NIGHTLATCH_TRUSTED_PROXIES": "1"}

    @pytest.mark.parametrize(("client", "status"), [("203.0.113.9", 404), ("127.0.0.1", 200)])
    def test_metrics_are_served_to_clients_on_loopback_only(self, site: Site, client: str, status: int) -> None:
        options = {"headers": {"X-Forwarded-For": client}}
        assert Person(site.app, address="127.0.0.1").send("GET", "/metrics", **options).status == status


class TestSiteWithMetricsToken:
    @pytest.fixture
    def environ(self, environ: dict[str, str]) -> dict[str, str]:
        return {**environ, "NIGHTLATCH_METRICS_TOKEN": "let me scrape"}

    @pytest.mark.parametrize(
        ("authorization", "status"),
        [("Bearer let me scrape", 200), ("Bearer let me", 404), ("", 404), ("Bearer é", 404)],
    )
    def test_metrics_are_served_to_bearers_of_the_token(self, site: Site, authorization: str, status: int) -> None:
        page = Person(site.app).send("GET", "/metrics", headers={"Authorization": authorization})
        assert page.status == status

    def test_who_has_the_token_may_name_any_host_as_prometheus_does(self, site: Site) -> None:
        for token, status in (("Bearer let me scrape", 200), ("Bearer let me", 400)):
            headers = {"Authorization": token}
            for address in ("127.0.0.1", "192.0.2.1"):
                page = Person(site.app, address=address).send("GET", "/metrics", host="10.0.0.1:8000", headers=headers)
                assert page.status == status


def test_a_password_manager_finds_the_page_to_change_a_password(site: Site) -> None:
    page = Person(site.app).send("GET", "/.well-known/change-password", follow=False)
    assert (page.status, page.response.headers["Location"]) == (302, "/settings/account/password")


@pytest.mark.parametrize("layout", ["desktop", ANDROID])
def test_an_unknown_well_known_path_is_not_found_and_never_redirected(site: Site, layout: str) -> None:
    page = Person(site.app, layout).send("GET", "/.well-known/something-else", host=HOST, follow=False)
    assert page.status == 404


def test_the_outbox_shows_what_a_development_site_would_have_sent(site: Site) -> None:
    ada = Owner(site)
    assert ada.open("/outbox").says("Nothing yet.")
    ada.sign_up()
    page = ada.open("/outbox")
    assert page.h1 == "Outbox"
    assert page.says("is your Nightlatch code")
    assert page.says(ada.email)
    assert page.says("2027-01-15 08:00:00 UTC")
    assert "Outbox" in page.links


class TestSiteWithMailServer:
    @pytest.fixture
    def environ(self, environ: dict[str, str]) -> dict[str, str]:
        return {**environ, "NIGHTLATCH_MAIL_URL": "smtp://127.0.0.1:1"}

    def test_there_is_no_outbox_page(self, site: Site) -> None:
        reader = Person(site.app)
        assert reader.open("/outbox").status == 404
        assert "Outbox" not in reader.open("/about").links


# -- Trusted proxies -------------------------------------------------------------------------------


def addresses(site: Site, forwarded: list[str]) -> set[str]:
    """The networks whose password attempts are counted, read from the rate limit buckets."""
    headers: Any = [("X-Forwarded-For", value) for value in forwarded]
    with site.app.test_request_context("/", headers=headers, environ_overrides={"REMOTE_ADDR": "192.0.2.1"}):
        from webapp.web import current

        return {current.client_address()}


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        ("0", [], "192.0.2.1"),
        ("0", ["203.0.113.5"], "192.0.2.1"),
        ("1", ["203.0.113.5"], "203.0.113.5"),
        ("1", ["1.1.1.1, 203.0.113.5"], "203.0.113.5"),
        ("1", ["1.1.1.1", "203.0.113.5"], "203.0.113.5"),
        ("1", [], "192.0.2.1"),
        ("2", ["1.1.1.1, 203.0.113.5, 10.0.0.1"], "203.0.113.5"),
        ("2", ["203.0.113.5"], "192.0.2.1"),
        ("1", [" , 203.0.113.5 ,"], "203.0.113.5"),
        ("1", ["203.0.113.5:40001"], "203.0.113.5"),
        ("1", ["x" * 500], "192.0.2.1"),
    ],
)
def test_a_forwarded_address_is_accepted_from_trusted_proxies_only(
    request: pytest.FixtureRequest, environ: dict[str, str], proxies: str, forwarded: list[str], address: str
) -> None:
    environ["NIGHTLATCH_TRUSTED_PROXIES"] = proxies
    site = request.getfixturevalue("site")
    assert addresses(site, forwarded) == {address}


def test_a_forwarded_host_is_never_accepted(site: Site) -> None:
    ada = Owner.signed_up(site)
    ada.send("GET", "/forgot-password")
    token = ada.token()
    headers = {"X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}
    ada.send("POST", "/forgot-password", data={"csrf_token": token, "email": ada.email}, headers=headers)
    assert "evil.example" not in site.emails(ada.email)[0].text
    assert site.emailed_path(ada.email, "/reset-password/")
