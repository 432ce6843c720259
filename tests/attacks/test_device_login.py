"""Attacks on log-ins of devices without a browser (RFC 8628 section 5)."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import select, update

from tests.attacks.races import Racers, request_of
from tests.attacks.tools import count, everything
from tests.conftest import Site
from tests.people import Owner
from tests.relying_party import DEVICE_CODE, WEB, RelyingParty, Television, json_of
from webapp.domain.origin import NO_BROWSER
from webapp.models.device_logins import DeviceRequest
from webapp.models.registered_apps import RegisteredApp

AT_ONCE = 6
WRONG = "BBBB-BBBB"


@pytest.fixture
def films(site: Site) -> Television:
    return Television(site)


def typed(person: Owner, code: str) -> str | None:
    person.open("/device")
    return person.press("Continue", code=code).h1


def approved(person: Owner, films: Television) -> None:
    assert typed(person, films.show()["user_code"]) == "Log in to Films"
    assert person.press("Continue").h1 == "Connected apps"


# -- Guessing --------------------------------------------------------------------------------------------


def test_five_wrong_codes_end_the_guesses_of_a_session(site: Site, ada: Owner, films: Television) -> None:
    code = films.show()["user_code"]
    for _ in range(4):
        assert typed(ada, WRONG) == "Connect a device"
        assert ada.page is not None
        assert ada.page.says("Wrong code.")
    typed(ada, WRONG)
    assert ada.page.says("Too many wrong codes. Log in again to continue.")
    site.clock.pass_(300)
    assert typed(ada, code) == "Connect a device", "the right one is refused too"
    assert films.poll()["error"] == "authorization_pending"


def test_a_right_code_counts_for_nothing_and_forgives_nothing(site: Site, ada: Owner, films: Television) -> None:
    for _ in range(4):
        typed(ada, WRONG)
    assert typed(ada, films.show()["user_code"]) == "Log in to Films"
    assert count(site, "SELECT count(*) FROM attempts WHERE bucket LIKE 'device-code-%'") == 8
    typed(ada, WRONG)
    assert typed(ada, films.show()["user_code"]) == "Connect a device"


def test_twenty_wrong_codes_an_hour_from_one_network(site: Site, ada: Owner, films: Television) -> None:
    """However many sessions they come from."""
    for number in range(5):
        site.clock.pass_(30)
        other = ada.other_browser(address=f"203.0.113.{number}")
        other.log_in_whole()
        for _ in range(5 if number < 4 else 0):
            assert typed(other, WRONG) == "Connect a device"
    assert typed(other, films.show()["user_code"]) == "Connect a device"
    assert other.page is not None
    assert other.page.says("Too many attempts.")
    assert typed(ada, films.shown["user_code"]) == "Log in to Films", "another network"


def test_a_code_is_counted_before_it_is_compared(
    site: Site, environ: dict[str, str], racers: Racers, ada: Owner, films: Television
) -> None:
    films.show()
    ada.open("/device")
    requests = [request_of(ada, "/device", number, code=WRONG) for number in range(AT_ONCE)]
    racers.race(site, environ, requests)
    assert count(site, "SELECT count(*) FROM attempts WHERE bucket LIKE 'device-code-session:%'") == 5


@pytest.mark.parametrize("change", [str.lower, lambda code: code.replace("-", " "), lambda code: code.replace("-", "")])
def test_a_code_may_be_typed_otherwise(ada: Owner, films: Television, change: Any) -> None:
    """RFC 8628 section 6.1."""
    assert typed(ada, f" {change(films.show()['user_code'])}\u200f.") == "Log in to Films"


@pytest.mark.parametrize("other", ["5", "2", "8", "0", "U", ""])
def test_look_alikes_of_other_characters_are_refused(ada: Owner, films: Television, other: str) -> None:
    """No character that is not in a code stands for one that is."""
    code = films.show()["user_code"]
    assert typed(ada, other + code[1:]) == "Connect a device"


def test_a_code_has_eight_consonants(films: Television) -> None:
    for _ in range(20):
        assert re.fullmatch("[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}", films.show()["user_code"])


def test_two_devices_with_one_code_are_both_refused(site: Site, ada: Owner, films: Television) -> None:
    films.show()
    code = films.show()["user_code"]
    with site.services.db.write() as tx:
        mac = tx.scalar(select(DeviceRequest.user_code_mac).order_by(DeviceRequest.id.desc()).limit(1))
        tx.execute(update(DeviceRequest).values(user_code_mac=mac))
    assert typed(ada, code) == "Connect a device"


# -- Remote phishing (RFC 8628 section 5.4) --------------------------------------------------------------


def test_the_page_names_where_the_request_came_from_whatever_was_agreed(site: Site, ada: Owner) -> None:
    films = Television(site, WEB, trusted=True)
    for _ in range(2):
        assert typed(ada, films.show()["user_code"]) == "Log in to Films"
        assert ada.page is not None
        assert ada.page.says("IP address 198.51.100.44")
        assert films.poll()["error"] == "authorization_pending"
        site.clock.pass_(60)
        assert "<time" in ada.open(ada.page.path).text, "how long ago it was"
        ada.press("Continue")


def test_a_link_to_a_typed_code_leads_nobody_to_a_device(
    site: Site, ada: Owner, mallory: Owner, films: Television
) -> None:
    """The attacker types the code, and sends the address of the next page."""
    assert mallory.log_in_whole().h1 == "Welcome, Ada Lovelace"
    typed(mallory, films.show()["user_code"])
    assert mallory.page is not None
    address = mallory.page.path
    assert ada.open(address).h1 == "Connect a device"
    ada.open("/settings")
    page = ada.send("POST", address, data={"csrf_token": ada.token()})
    assert page.h1 == "Connect a device"
    assert films.poll()["error"] == "authorization_pending"


def test_a_code_works_for_the_last_session_that_typed_it(site: Site, ada: Owner, films: Television) -> None:
    typed(ada, films.show()["user_code"])
    site.clock.pass_(30)
    other = ada.other_browser()
    other.log_in_whole()
    assert typed(other, films.shown["user_code"]) == "Log in to Films"
    assert ada.press("Continue").h1 == "Connect a device"
    assert films.poll()["error"] == "authorization_pending"


def test_a_form_of_another_site_approves_nothing(ada: Owner, films: Television) -> None:
    typed(ada, films.show()["user_code"])
    assert ada.page is not None
    headers = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    ada.send("POST", ada.page.path, data={"csrf_token": ada.token()}, headers=headers, follow=False)
    assert ada.page.status == 403
    assert films.poll()["error"] == "authorization_pending"


# -- What changes meanwhile ------------------------------------------------------------------------------


def test_an_answer_that_comes_second_changes_nothing(site: Site, ada: Owner, films: Television) -> None:
    typed(ada, films.show()["user_code"])
    assert ada.page is not None
    address, token = ada.page.path, ada.token()
    ada.press("Cancel")
    assert ada.send("POST", address, data={"csrf_token": token}).h1 == "Connect a device"
    assert films.poll()["error"] == "access_denied"
    assert typed(ada, films.shown["user_code"]) == "Connect a device", "a code is not typed again after a denial"


def test_who_may_no_longer_use_the_app_gets_nothing(site: Site, ada: Owner, films: Television) -> None:
    approved(ada, films)
    with site.services.db.write() as tx:
        tx.execute(update(RegisteredApp).values(limited=True))
    assert films.poll()["error"] == "access_denied"


def test_a_scope_that_was_taken_from_the_app_since_the_device_asked_is_not_given(
    site: Site, ada: Owner, films: Television
) -> None:
    films.show(scope="openid email")
    with site.services.db.write() as tx:
        tx.execute(update(RegisteredApp).values(scopes=["openid"]))
    typed(ada, films.shown["user_code"])
    ada.press("Continue")
    with site.services.db.write() as tx:
        tx.execute(update(RegisteredApp).values(scopes=["openid", "email"]))
    tokens = films.poll()
    assert tokens["scope"] == "openid"
    assert set(json_of(films.userinfo(tokens["access_token"]))) == {"sub"}, "the person was not asked about it"


def test_a_device_gets_nothing_after_its_user_logged_out(ada: Owner, films: Television) -> None:
    approved(ada, films)
    ada.open("/log-out")
    ada.press("Log out")
    assert films.poll()["error"] == "access_denied"


def test_a_disconnected_app_gets_nothing(site: Site, ada: Owner, films: Television) -> None:
    approved(ada, films)
    account = site.services.accounts.named("ada")
    site.services.openid.connections.disconnect(account, films.client_id, NO_BROWSER)
    assert films.poll()["error"] == "access_denied"


def test_a_device_of_a_deleted_account_gets_nothing_that_others_gave(site: Site, ada: Owner, films: Television) -> None:
    """SQLite gives the number of a deleted row again."""
    approved(ada, films)
    site.services.accounts.delete("ada")
    bob = Owner.signed_up(site, "bob")
    assert RelyingParty(site, trusted=True).code(bob)
    assert films.poll()["error"] == "access_denied"


# -- The device code -------------------------------------------------------------------------------------


def test_a_device_code_of_another_app(site: Site, ada: Owner, films: Television) -> None:
    approved(ada, films)
    other = Television(site)
    other.shown = films.shown
    assert other.poll()["error"] == "invalid_grant"
    assert films.poll(device_code="unknown")["error"] == "invalid_grant"
    assert "access_token" in films.poll()


def test_a_device_code_that_is_used_twice_ends_what_it_gave(ada: Owner, films: Television) -> None:
    approved(ada, films)
    tokens = films.poll()
    assert films.poll()["error"] == "invalid_grant"
    assert films.userinfo(tokens["access_token"]).status == 401
    assert json_of(films.refresh(tokens["refresh_token"]))["error"] == "invalid_grant"


def test_a_device_code_twice_at_once(
    site: Site, environ: dict[str, str], racers: Racers, ada: Owner, films: Television
) -> None:
    approved(ada, films)
    form = {"grant_type": DEVICE_CODE, "device_code": films.shown["device_code"], "client_id": films.client_id}
    request = {"path": "/oauth/token", "cookies": {}, "data": form, "address": "198.51.100.9"}
    answers = racers.race(site, environ, [request] * AT_ONCE)
    assert sorted(answer["status"] for answer in answers) == [200, *[400] * (AT_ONCE - 1)]
    assert count(site, "SELECT count(*) FROM refresh_tokens") == 1
    assert count(site, "SELECT count(*) FROM app_authorizations WHERE ended_at IS NULL") == 0


def test_a_device_is_approved_once_at_once(
    site: Site, environ: dict[str, str], racers: Racers, ada: Owner, films: Television
) -> None:
    typed(ada, films.show()["user_code"])
    assert ada.page is not None
    racers.race(site, environ, [request_of(ada, ada.page.path, number) for number in range(AT_ONCE)])
    assert count(site, "SELECT count(*) FROM app_authorizations") == 1


def test_a_web_app_proves_itself_for_a_code_and_for_a_token(site: Site, ada: Owner) -> None:
    """RFC 8628 section 3.1."""
    films = Television(site, WEB)
    named = {"client_id": films.client_id, "scope": "openid"}
    assert json_of(films.call("/oauth/device", proved=False, **named))["error"] == "invalid_client"
    approved(ada, films)
    form = {"client_id": films.client_id, "grant_type": DEVICE_CODE, "device_code": films.shown["device_code"]}
    assert json_of(films.call("/oauth/token", proved=False, **form))["error"] == "invalid_client"


def test_a_device_code_is_stored_as_a_hash_and_the_code_of_a_person_as_a_keyed_one(
    site: Site, films: Television
) -> None:
    shown = films.show()
    rows = everything(site)["device_requests"]
    assert not any(secret in str(rows) for secret in (shown["device_code"], shown["user_code"].replace("-", "")))


# -- Polling and floods ----------------------------------------------------------------------------------


def test_who_polls_faster_waits_longer(site: Site, ada: Owner, films: Television) -> None:
    """RFC 8628 section 3.5."""
    films.show()
    assert films.poll()["error"] == "authorization_pending"
    site.clock.pass_(4)
    assert films.poll()["error"] == "slow_down"
    site.clock.pass_(9)
    assert films.poll()["error"] == "slow_down", "now it is ten seconds"
    site.clock.pass_(15)
    assert films.poll()["error"] == "authorization_pending"
    typed(ada, films.shown["user_code"])
    ada.press("Continue")
    assert "access_token" in films.poll()


def test_a_poll_writes_one_row(site: Site, films: Television) -> None:
    films.show()
    films.poll()
    site.clock.pass_(5)
    site.statements.clear()
    films.poll()
    writes = [statement for statement in site.statements if statement.startswith(("INSERT", "UPDATE", "DELETE"))]
    assert len(writes) == 1
    assert writes[0].startswith("UPDATE device_requests")


def test_a_flood_of_requests_is_bounded(site: Site, films: Television) -> None:
    for _ in range(300):
        films.show()
    page = films.call("/oauth/device", scope="openid")
    assert page.status == 429
    assert int(page.response.headers["Retry-After"]) > 0
    assert count(site, "SELECT count(*) FROM device_requests") == 300
