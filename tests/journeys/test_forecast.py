"""The lock-out forecast on the home page: what it says in each state of an account, and that it is true."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from tests.conftest import Site, one_database
from tests.people import ANDROID, DESKTOP, IPHONE, PHONE, TWO_FACTOR, Owner, Page
from webapp.models.accounts import Account

OUT = "Nothing. You would be locked out"
NO_RESET = "Resetting your password would no longer work"
LINK = "A link sent to ada@example.org"
ASK = "Nothing. Only the people who run this site could let you in again"

pytestmark = one_database


def forecast(page: Page) -> dict[str, list[str]]:
    """The lines of each row, by what is lost."""
    table = page.soup.find("table", class_="forecast")
    assert table is not None
    heading = page.soup.find(id=table["aria-labelledby"])
    assert (heading.name, heading.get_text(strip=True)) == ("h2", "If you lose something")
    assert [th.get_text(strip=True) for th in table.select("thead th")] == ["If you lose", "You can still log in with"]
    return {
        row.find("th").get_text(strip=True): [" ".join(p.get_text().split()) for p in row.select("td p")]
        for row in table.select("tbody tr")
    }


@pytest.mark.parametrize(("layout", "htmx"), [(DESKTOP, False), (ANDROID, True), (IPHONE, False)])
def test_a_new_account_has_its_password_and_its_email(site: Site, layout: str, htmx: bool) -> None:
    ada = Owner.signed_up(site, layout=layout, htmx=htmx)
    assert forecast(ada.open("/")) == {
        "Your password": [LINK],
        "Your email account": ["Your password", NO_RESET],
    }


def test_without_a_confirmed_address_a_lost_password_locks_out(site: Site) -> None:
    ada = Owner.signed_up(site, confirm_email=False)
    page = ada.open("/")
    assert forecast(page) == {"Your password": [OUT, "Confirm your email"]}
    assert ada.follow("Confirm your email").path == "/settings/account/email"


def test_a_phone_alone_is_one_way_in(site: Site) -> None:
    ada = Owner.signed_up(site)
    ada.turn_on_app()
    lose_backup_code(site)
    page = ada.open("/")
    assert forecast(page) == {
        "Your phone": [OUT, "Get a backup code"],
        "Your password": [f"{LINK}, then your authentication app"],
        "Your email account": ["Your password, then your authentication app", NO_RESET],
    }
    assert page.link("Get a backup code") == f"{TWO_FACTOR}/backup-code"


def test_the_phone_takes_number_app_and_approvals_and_a_key_takes_itself(site: Site) -> None:
    ada = Owner.signed_up(site, layout=ANDROID)
    ada.turn_on_texts()
    ada.turn_on_app()
    ada.turn_on_requests()
    ada.turn_on_key(ada.new_key(), "Blue key")
    on_phone = "a text to ...56, your authentication app, {}a login request on Chrome on Android, or your backup code"
    with_key, without = on_phone.format("Blue key, "), on_phone.format("")
    assert forecast(ada.open("/")) == {
        "Your phone": ["Blue key or your backup code"],
        "Blue key": [f"A{without[1:]}"],
        "Your backup code": [f"A{with_key[1:].replace(', or your backup code', '').replace(', a l', ', or a l')}"],
        "Your password": [f"{LINK}, then your second factor", "Or Blue key, without a password"],
        "Your email account": ["Your password, then your second factor", NO_RESET],
        "Your phone and Blue key": ["Your backup code"],
        "All of them": [ASK],
    }


def test_of_many_keys_three_are_named(site: Site) -> None:
    """The page of an account with forty keys named sixteen hundred."""
    ada = Owner(site)
    ada.sign_up()
    for number in range(1, 7):
        ada.turn_on_key(ada.new_key(), f"Key {number}")
    rows = forecast(ada.open("/"))
    assert rows["Key 1"] == ["Key 2, Key 3, Key 4, …, or your backup code"]
    assert rows["Your password"] == [
        f"{LINK}, then your second factor",
        "Or Key 1, Key 2, Key 3, or …, without a password",
    ]
    facts = [fact.get_text() for fact in ada.open(TWO_FACTOR).soup.select(".rows p bdi")]
    assert facts[1:] == ["Key 1", "Key 2", "Key 3", "…"]


def test_a_synced_passkey_is_lost_with_no_device(site: Site) -> None:
    ada = Owner.signed_up(site)
    key = ada.new_key(transports=("internal",), backup_eligible=True, backed_up=True)
    ada.turn_on_key(key, "Keychain")
    assert forecast(ada.open("/")) == {
        "Your backup code": ["Keychain"],
        "Your password": [f"{LINK}, then your second factor", "Or Keychain, without a password"],
        "Your email account": ["Your password, then your second factor", NO_RESET],
        "All of them": ["Keychain, without a password"],
    }


@pytest.mark.parametrize(
    ("layout", "transports", "lost"),
    [
        (DESKTOP, ("internal",), ["This device"]),
        (ANDROID, ("internal",), ["Your phone"]),
        (DESKTOP, ("internal", "hybrid"), ["Your phone"]),
        (ANDROID, ("usb", "nfc"), ["This device"]),
    ],
)
def test_a_key_in_a_device_is_lost_with_that_device(
    site: Site, layout: str, transports: tuple[str, ...], lost: list[str]
) -> None:
    ada = Owner.signed_up(site, layout=layout)
    ada.turn_on_key(ada.new_key(transports=transports), "This device")
    rows = list(forecast(ada.open("/")))
    assert rows == [*lost, "Your backup code", "Your password", "Your email account", "All of them"]


def test_one_of_two_approving_phones_leaves_the_other(site: Site) -> None:
    ada = Owner.signed_up(site, layout=ANDROID)
    ada.turn_on_requests()
    other = ada.log_in_elsewhere(layout=IPHONE)
    approved = ada.answer(other.page.number if other.page else None)
    assert approved.h1 == "You approved this login"
    other.post("/log-in/waiting")
    other.turn_on_requests()
    lose_backup_code(site)
    rows = forecast(other.open("/"))
    assert list(rows) == ["Chrome on Android", "iPhone", "Your password", "Your email account",
                          "Chrome on Android and iPhone", "All of them"]  # fmt: skip
    assert rows["Chrome on Android"] == ["A login request on iPhone"]
    assert rows["iPhone"] == ["A login request on Chrome on Android"]
    assert rows["Chrome on Android and iPhone"] == [OUT, "Get a backup code"]


def test_a_text_that_stands_in_for_an_approval_is_on_the_phone_too(site: Site) -> None:
    """Its number is the account's, though the method is off."""
    ada = Owner.signed_up(site, layout=ANDROID)
    ada.turn_on_texts(PHONE)
    ada.turn_on_requests()
    ada.open(TWO_FACTOR)
    ada.press("Text message")
    ada.press("Turn off")
    rows = forecast(ada.open("/"))
    assert rows["Your phone"] == ["Your backup code"]
    assert rows["Your backup code"] == ["A text to ...56 or a login request on Chrome on Android"]


def test_many_keys_are_named_together(site: Site) -> None:
    ada = Owner.signed_up(site)
    for number in range(4):
        ada.turn_on_key(ada.new_key(), f"Key {number}")
    assert list(forecast(ada.open("/")))[-2:] == ["All your devices", "All of them"]


@pytest.mark.parametrize("layout", [DESKTOP, ANDROID])
def test_it_costs_no_statement(site: Site, layout: str) -> None:
    ada = Owner.signed_up(site, layout=layout)
    ada.turn_on_texts()
    ada.turn_on_app()
    if layout == ANDROID:
        ada.turn_on_requests()
    ada.turn_on_key(ada.new_key())
    ada.open("/")
    site.statements.clear()
    ada.open("/")
    others = [statement for statement in site.statements if "login_requests" not in statement]
    assert len(others) <= 1, "\n\n".join(site.statements)
    assert len(site.statements) - len(others) == (layout == ANDROID), "an approving phone reads what waits"


def lose_backup_code(site: Site) -> None:
    """As a restore from a backup does."""
    with site.services.db.write() as tx:
        tx.execute(update(Account).values(backup_code_hash=None))
