"""The home page: its one sentence, what to do next, and the check-up that is drawn as a key."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from tests.conftest import Site
from tests.people import ANDROID, DESKTOP, TWO_FACTOR, Owner, Page, named
from webapp.models.accounts import Account

layouts = pytest.mark.parametrize("layout", [DESKTOP, ANDROID])


def lines(page: Page) -> dict[str, tuple[str, str | None]]:
    """Of each line of the check-up: how its part of the key is drawn, and the name of its link."""
    return {
        named(line.h3): (drawn(line.svg), named(line.a) if line.a else None) for line in page.soup.select(".cuts > li")
    }


def drawn(part: object) -> str:
    """ "cut", "next" or "blank"."""
    text = str(part)
    return next((name for name in ("next", "cut") if f'class="{name}"' in text), "blank")


def act(page: Page) -> tuple[str, str]:
    """The heading beside the key and the label of its button."""
    head = page.soup.select_one(".key-head")
    return named(head.h2), named(head.a) if head.a else ""


@layouts
def test_a_new_account_is_asked_for_its_address_then_for_a_second_factor(site: Site, layout: str) -> None:
    ada = Owner.signed_up(site, layout=layout, confirm_email=False)
    page = ada.open("/")
    assert page.says("Right now, only your password protects this account.")
    assert act(page) == ("Confirm your email address", "Confirm your email")
    assert lines(page) == {
        "Password": ("cut", "Change your password"),
        "Email address": ("next", None),
        "Two-factor authentication": ("blank", "Turn on two-factor authentication"),
        "Backup code": ("blank", None),
        "A second method": ("blank", None),
    }
    ada.open("/sign-up/email")
    ada.press("Next", email=ada.email)
    ada.press("Verify", code=site.emailed_code(ada.email))
    page = ada.open("/")
    assert act(page) == ("Add a second step", "Turn on two-factor authentication")
    assert page.soup.select_one(".key-head a .whole").get_text() == "two-factor"
    assert lines(page)["Email address"] == ("cut", "Change your email")
    assert lines(page)["Two-factor authentication"] == ("next", None)


@layouts
def test_with_one_method_a_second_one_is_next_and_with_two_devices_all_is_well(site: Site, layout: str) -> None:
    ada = Owner.signed_up(site, layout=layout)
    ada.turn_on_app()
    ada.press("Got it")
    page = ada.open("/")
    assert page.says("One thing needs your attention.")
    assert act(page) == ("You have one method", "Add another method")
    assert [drawing for drawing, _link in lines(page).values()] == ["cut", "cut", "cut", "cut", "next"]
    ada.turn_on_key(name="Blue key")
    page = ada.open("/")
    assert page.says("All well. There's nothing for you to do.")
    assert act(page) == ("Your account is well protected", "")
    assert [drawing for drawing, _link in lines(page).values()] == ["cut"] * 5
    assert page.link("Manage two-factor authentication") == TWO_FACTOR


def test_two_methods_on_one_phone_are_no_second_way_in(site: Site) -> None:
    ada = Owner.signed_up(site, layout=ANDROID)
    ada.turn_on_app()
    ada.press("Got it")
    ada.turn_on_requests()
    page = ada.open("/")
    assert lines(page)["A second method"][0] == "next", "the phone takes both away"
    assert act(page) == ("Your methods may be on one device", "Add another method")
    assert page.says("On: Authentication app and Login requests"), "on this phone or another"
    page = ada.open(TWO_FACTOR)
    assert page.says("If you lose your phone You can still log in with: Your backup code")
    assert page.says("Texts and apps are often on one phone.")
    ada.turn_on_key()
    assert not ada.open(TWO_FACTOR).says("Texts and apps are often on one phone."), "the key is a second method"


def test_without_a_backup_code_that_comes_first(site: Site) -> None:
    ada = Owner.signed_up(site)
    ada.turn_on_app()
    ada.press("Got it")
    with site.services.db.write() as tx:
        tx.execute(update(Account).values(backup_code_hash=None, backup_code_made_at=None))
    page = ada.open("/")
    assert page.says("2 things need your attention.")
    assert act(page) == ("Get a backup code", "Get a backup code")
    assert lines(page)["Backup code"] == ("next", None)
    assert lines(page)["A second method"] == ("blank", "Add another method")


@layouts
def test_log_out_and_the_menu_stand_in_the_navigation(site: Site, layout: str) -> None:
    ada = Owner.signed_up(site, layout=layout)
    navigation = ada.open("/").soup.find("nav", attrs={"aria-label": "Main"})
    buttons = [named(button) for button in navigation.find_all("button")]
    assert {"Log out", "More" if layout == DESKTOP else "Profile"} <= set(buttons)
