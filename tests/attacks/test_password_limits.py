"""Attackers who guess passwords from many places, or who only want to keep an owner out."""

from __future__ import annotations

import pytest

from tests.attacks.tools import count
from tests.conftest import Site
from tests.people import Owner, Person


class TestBehindAProxy:
    @pytest.fixture
    def environ(self, environ: dict[str, str]) -> dict[str, str]:
        return {**environ, "NIGHTLATCH_TRUSTED_PROXIES": "1"}

    def test_another_port_of_a_client_is_no_new_address(self, site: Site) -> None:
        eve = Person(site.app, address="127.0.0.1")
        token = eve.token()
        statuses = []
        for attempt in range(35):
            fields = {"csrf_token": token, "username": f"user{attempt}", "password": "wrong enough words"}
            forwarded = {"X-Forwarded-For": f"198.51.100.7, 203.0.113.51:{40000 + attempt}"}
            statuses.append(eve.send("POST", "/log-in", data=fields, headers=forwarded, follow=False).status)
        assert statuses == [422] * 30 + [429] * 5

    def test_the_owner_reads_an_address_without_its_port(self, site: Site, ada: Owner) -> None:
        other = ada.other_browser()
        other.open("/log-in", headers={"X-Forwarded-For": "203.0.113.51:40001"})
        fields = {"csrf_token": other.token(), "username": "ada", "password": ada.password}
        forwarded = {"X-Forwarded-For": "[2001:db8::51]:40001"}
        other.send("POST", "/log-in", data=fields, headers=forwarded, follow=False)
        assert count(site, "SELECT count(*) FROM pending_logins WHERE address = '2001:db8::51'") == 1


# -- The name that is typed ------------------------------------------------------------------------


@pytest.mark.parametrize("typed", ["@ada", "＠Ada", " @ADA "])
def test_a_username_may_be_typed_with_its_at_sign(site: Site, ada: Owner, typed: str) -> None:
    other = ada.other_browser()
    other.open("/log-in")
    assert other.press("Log in", username=typed, password=ada.password).h1 == "Enter your code"
