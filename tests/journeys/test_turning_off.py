"""Turning a factor off: a checkbox on a computer, one press on a phone, two on an iPhone; undo for ten minutes."""

from __future__ import annotations

import pytest
from sqlalchemy import insert, update

from tests.conftest import Site
from tests.people import ANDROID, DESKTOP, IPHONE, OTHERS_LOGGED_OUT, TWO_FACTOR, Owner
from webapp.models.database import changed_one_row
from webapp.models.factors import Factor

OFF = f"{TWO_FACTOR}/authentication-app/turn-off"
layouts = pytest.mark.parametrize("layout", [DESKTOP, ANDROID, IPHONE])


def enrolled(site: Site, layout: str, another: bool = False, htmx: bool = False) -> Owner:
    """Ada with an authentication app and, with `another`, a factor of a kind that this version does not know."""
    ada = Owner.signed_up(site, layout=layout, htmx=htmx)
    ada.turn_on_app()
    ada.press("Got it")
    if another:
        give_another(site)
    return ada


def give_another(site: Site) -> None:
    values = {
        "account_id": 1,
        "method": "carrier-pigeon",
        "external_id": "",
        "sealed": "",
        "added_at": site.clock.now(),
    }
    with site.services.db.write() as tx:
        tx.execute(insert(Factor).values(values))


def is_on(ada: Owner) -> bool:
    return ada.open(TWO_FACTOR).button("Authentication app")["aria-checked"] == "true"


@layouts
@pytest.mark.parametrize("htmx", [False, True], ids=["plain", "htmx"])
def test_the_last_factor_has_a_warning_and_the_presses_of_its_layout(site: Site, layout: str, htmx: bool) -> None:
    ada = enrolled(site, layout, htmx=htmx)
    ada.open(TWO_FACTOR)
    page = ada.press("Authentication app")
    assert (page.path, page.h1) == (OFF, "Turn off two-factor authentication?")
    assert page.says("Only your password will protect your account")
    page = ada.press("Turn off")
    if layout == IPHONE:
        assert is_on(ada)
        ada.open(f"{OFF}?again=1")
        assert ada.page is not None
        assert ada.page.says("Tap Turn off again to confirm.")
        page = ada.press("Turn off")
    assert page.path == TWO_FACTOR
    assert page.receipts == ["Authentication app is now off. We sent you a confirmation email.", OTHERS_LOGGED_OUT]
    assert page.button("Authentication app")["aria-checked"] == "false"
    assert "Two-factor authentication is now off" in site.emails(ada.email)[0].subject
    assert ada.log_in_again().h1 == "Welcome, Ada Lovelace"


@layouts
def test_a_factor_that_is_not_the_last_needs_no_one_or_two_presses(site: Site, layout: str) -> None:
    ada = enrolled(site, layout, another=True)
    ada.open(TWO_FACTOR)
    page = ada.press("Authentication app")
    if layout != DESKTOP:
        assert (page.path, page.h1) == (OFF, "Turn off Authentication app?")
        assert page.says("All your other devices will be logged out.")
        assert page.says("Your other methods stay on.")
        page = ada.press("Turn off")
    if layout == IPHONE:
        assert page.says("Tap Turn off again to confirm.")
        page = ada.press("Turn off")
    assert page.receipts == ["Authentication app is now off. We sent you a confirmation email.", OTHERS_LOGGED_OUT]
    assert site.emails(ada.email)[0].subject == "Authentication app was turned off (Nightlatch)"
    assert not is_on(ada)


def test_turning_off_in_a_stale_session_asks_for_password_and_code_and_then_turns_it_off(site: Site) -> None:
    ada = enrolled(site, DESKTOP, another=True)
    ada.open(TWO_FACTOR)
    site.clock.pass_(660)
    assert ada.press("Authentication app").h1 == "Enter your password"
    page = ada.press("Verify", password=ada.password)
    assert page.h1 == "Enter your code"
    page = ada.press("Verify", code=ada.next_code())
    assert page.path == TWO_FACTOR
    assert page.receipts == ["Authentication app is now off. We sent you a confirmation email.", OTHERS_LOGGED_OUT]
    assert not is_on(ada)


@layouts
def test_only_the_checkbox_turns_it_off_and_its_name_leads_to_what_it_is(site: Site, layout: str) -> None:
    ada = enrolled(site, layout, another=True)
    added = "Added on January 15, 2027"
    page = ada.open(TWO_FACTOR)
    assert page.says(f"On · {added} · Not used yet")
    page = ada.follow("Authentication app")
    assert (page.path, page.h1) == (f"{TWO_FACTOR}/authentication-app", "Authentication app")
    assert page.title == "Authentication app - Nightlatch"
    assert page.says(f"On {added} Not used yet")
    assert page.link("Move to a new app") == f"{TWO_FACTOR}/authentication-app/overview"
    page = ada.follow("Turn off")
    assert (page.path, page.h1) == (OFF, "Turn off Authentication app?")
    assert is_on(ada)
    site.clock.pass_(86400)
    ada.log_in_whole()
    assert ada.open(TWO_FACTOR).says(f"On · {added} · Last used on January 16, 2027")


def test_the_page_of_a_text_message_shows_the_end_of_its_number(site: Site) -> None:
    ada = Owner.signed_up(site)
    ada.turn_on_texts()
    page = ada.press("Got it")
    assert page.says("On · To ...56 · Added on January 15, 2027")
    page = ada.follow("Text message")
    assert page.says("On To ...56 Added on January 15, 2027 Not used yet")
    assert page.link("Change phone number") == f"{TWO_FACTOR}/text-message/overview"


@layouts
def test_cancel_leaves_it_on(site: Site, layout: str) -> None:
    ada = enrolled(site, layout)
    ada.open(TWO_FACTOR)
    ada.press("Authentication app")
    assert ada.page.says("All your other devices will be logged out.")
    assert ada.follow("Cancel").button("Authentication app")["aria-checked"] == "true"


@layouts
def test_it_can_be_turned_back_on_within_ten_minutes(site: Site, layout: str) -> None:
    ada = enrolled(site, layout, another=True)
    ada.post(f"{OFF}?again=1")
    site.clock.pass_(300)
    page = ada.open(TWO_FACTOR)
    assert page.says("Authentication app is off.")
    page = ada.press("Turn back on")
    assert page.receipts == ["Authentication app is back on. We sent you a confirmation email."]
    assert is_on(ada)
    ada.log_in_again()
    assert ada.press("Verify", code=ada.next_code()).h1 == "Welcome, Ada Lovelace"


@pytest.mark.parametrize(
    ("first", "last"), [("authentication-app", "text-message"), ("text-message", "authentication-app")]
)
def test_of_two_the_one_that_was_turned_off_last_can_be_turned_back_on(site: Site, first: str, last: str) -> None:
    ada = enrolled(site, DESKTOP)
    ada.turn_on_texts()
    for slug in (first, last):
        site.clock.pass_(1)
        ada.post(f"/settings/security/two-factor/{slug}/turn-off?again=1")
    said = {"authentication-app": "Authentication app is off.", "text-message": "Text message is off."}
    page = ada.open(TWO_FACTOR)
    assert (page.says(said[last]), page.says(said[first])) == (True, False)


def test_turning_the_only_factor_back_on_ends_the_sessions_that_began_without_it(site: Site) -> None:
    ada = enrolled(site, DESKTOP)
    ada.post(OFF)
    elsewhere = ada.other_browser()
    assert elsewhere.log_in().h1 == "Welcome, Ada Lovelace"
    ada.open(TWO_FACTOR)
    ada.press("Turn back on")
    assert elsewhere.open("/").path == "/log-in"
    assert ada.open("/").h1 == "Welcome, Ada Lovelace"


def test_after_ten_minutes_it_has_to_be_enrolled_again(site: Site) -> None:
    ada = enrolled(site, DESKTOP)
    site.clock.pass_(1)
    ada.post(OFF)
    page = ada.open(TWO_FACTOR)
    assert "Turn back on" in page.buttons
    site.clock.pass_(599)
    assert "Turn back on" in ada.open(TWO_FACTOR).buttons
    site.clock.pass_(1)
    page = ada.press("Turn back on")
    if page.h1 == "Enter your password":
        page = ada.press("Verify", password=ada.password)
    assert page.problems == ["It's been off for more than ten minutes. To turn it on, set it up again."]
    assert "Turn back on" not in page.buttons
    assert not is_on(ada)


def test_a_factor_that_was_turned_off_proves_nothing(site: Site) -> None:
    ada = enrolled(site, DESKTOP)
    elsewhere = ada.log_in_elsewhere()
    ada.post(OFF)
    page = elsewhere.press("Verify", code=elsewhere.next_code())
    assert page.path == "/log-in"


def test_turning_off_a_factor_that_is_off_leads_back_to_the_list(site: Site) -> None:
    ada = Owner.signed_up(site)
    assert ada.open(OFF).path == TWO_FACTOR
    assert ada.post(OFF).path == TWO_FACTOR
    assert ada.open(f"{TWO_FACTOR}/carrier-pigeon/turn-off").status == 404


def test_the_other_sessions_are_ended(site: Site) -> None:
    ada = enrolled(site, DESKTOP, another=True)
    elsewhere = ada.other_browser()
    elsewhere.log_in_whole()
    ada.open(TWO_FACTOR)
    ada.press("Authentication app")
    assert elsewhere.open("/").path == "/log-in"


def test_an_expired_page_turns_nothing_back_on(site: Site) -> None:
    ada = enrolled(site, DESKTOP)
    ada.post(OFF)
    ada.send("POST", f"{TWO_FACTOR}/authentication-app/turn-back-on", data={"csrf_token": "old"})
    assert not is_on(ada)


def test_a_factor_of_an_unknown_kind_is_not_offered_again(site: Site) -> None:
    ada = enrolled(site, DESKTOP, another=True)
    with site.services.db.write() as tx:
        unknown = update(Factor).where(Factor.method == "carrier-pigeon")
        assert changed_one_row(tx, unknown.values(turned_off_at=site.clock.now()))
    assert "Turn back on" not in ada.open(TWO_FACTOR).buttons


def test_a_factor_that_was_just_turned_off_can_be_enrolled_anew(site: Site) -> None:
    ada = Owner.signed_up(site, layout=DESKTOP)
    ada.turn_on_app()
    ada.post(f"{TWO_FACTOR}/authentication-app/turn-off")
    assert ada.turn_on_app().h1 == "You're all set"
