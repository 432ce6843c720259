""" "Not you?", from a notice and from a receipt: it lists what it will do, does it, and lists what it did."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.conftest import Site
from tests.people import ANDROID, DESKTOP, OTHERS_LOGGED_OUT, PHONE, TWO_FACTOR, Owner

NEW = "seven brass wheels turning"
APP = f"{TWO_FACTOR}/authentication-app"
HERE = "/settings/security/not-you"
HOUR, DAY = 3600, 86400


def effects(owner: Owner) -> list[str]:
    assert owner.page is not None
    return [" ".join(li.get_text(" ", strip=True).split()) for li in owner.page.soup.select(".effects li")]


def is_in(owner: Owner) -> bool:
    return owner.open("/settings").path == "/settings"


def emails_with(site: Site, owner: Owner, part: str) -> int:
    return sum(part in mail.text for mail in site.emails(owner.email))


@pytest.fixture
def notice(enrolled: Owner, site: Site) -> str:
    """The path in the e-mail that said that the app was turned on."""
    return site.emailed_path(enrolled.email, "/not-you/")


# -- From a notice ---------------------------------------------------------------------------------


def test_not_you_lists_its_actions_ends_every_session_and_sends_a_link(
    enrolled: Owner, site: Site, notice: str
) -> None:
    ada = enrolled
    elsewhere = ada.log_in_elsewhere(layout=ANDROID if ada.layout == DESKTOP else DESKTOP)
    elsewhere.press("Verify", code=ada.next_code(), remember="y")
    pending = ada.log_in_elsewhere()
    reader = ada.other_browser()
    for _ in range(2):
        page = reader.open(notice)
        assert (page.status, page.h1) == (200, "Wasn't you?")
    assert page.says("@ada")
    assert effects(reader) == [
        "All devices will be logged out.",
        "Remembered browsers will be forgotten and asked for your second step again.",
        "Logins and method setups in progress will be canceled.",
        "We'll email a password reset link to a...@example.org .",
    ]
    assert is_in(ada)
    page = reader.press("Log out all devices")
    assert (page.status, page.h1) == (200, "All devices are logged out")
    assert len(effects(reader)) == 4
    assert page.says("until January 15, 2027, 9:00 AM UTC")
    assert not is_in(ada)
    assert not is_in(elsewhere)
    assert pending.post("/log-in/verify", code=ada.next_code()).path == "/log-in"
    assert elsewhere.log_in().h1 == "Enter your code"
    assert site.emails(ada.email)[0].subject.startswith(
        "All devices were logged out using a link from a security email"
    )
    reader.open(site.emailed_path(ada.email, "/reset-password/"))
    assert reader.press("Save password", password=NEW).path == "/log-in"
    assert reader.open(notice).says("That link has expired or was already used.")


def test_pressing_the_button_answers_with_a_redirect_and_the_page_can_be_reloaded(ada: Owner, site: Site) -> None:
    ada.sign_up()
    notice = site.emailed_path(ada.email, "/not-you/")
    reader = ada.other_browser()
    page = reader.post(notice, follow=False)
    assert page.status == (200 if reader.htmx else 303)
    for _ in range(2):
        assert reader.open(notice).h1 == "All devices are logged out"
    assert emails_with(site, ada, "/reset-password/") == 1


def test_pressing_the_button_again_does_nothing_more(ada: Owner, site: Site) -> None:
    ada.sign_up()
    notice = site.emailed_path(ada.email, "/not-you/")
    reader, tab = ada.other_browser(), ada.other_browser()
    reader.open(notice)
    tab.open(notice)
    reader.press("Log out all devices")
    ada.log_in()
    assert tab.press("Log out all devices").h1 == "All devices are logged out"
    assert is_in(ada)
    assert emails_with(site, ada, "/reset-password/") == 1


def test_after_an_hour_the_page_says_that_the_password_link_expired(ada: Owner, site: Site) -> None:
    ada.sign_up()
    notice = site.emailed_path(ada.email, "/not-you/")
    reader = ada.other_browser()
    reader.open(notice)
    reader.press("Log out all devices")
    site.clock.pass_(HOUR)
    assert reader.open(notice).says("That link has expired or was already used.")
    assert reader.follow("Get a new link").h1 == "Forgot password?"
    site.clock.pass_(DAY)
    site.services.maintenance.purge()
    assert reader.open(notice).status == 404


def test_after_seven_days_the_page_says_what_still_helps(ada: Owner, site: Site) -> None:
    ada.sign_up()
    notice = site.emailed_path(ada.email, "/not-you/")
    reader = ada.other_browser()
    site.clock.pass_(7 * DAY - 1)
    assert reader.open(notice).h1 == "Wasn't you?"
    site.clock.pass_(1)
    page = reader.press("Log out all devices")
    assert (page.status, page.h1) == (404, "This link no longer works")
    assert page.says("resetting your password logs out every device")
    assert reader.follow("Get a new link").h1 == "Forgot password?"


def test_an_expired_page_does_nothing(ada: Owner, site: Site) -> None:
    ada.sign_up()
    notice = site.emailed_path(ada.email, "/not-you/")
    reader = ada.other_browser()
    reader.open(notice)
    page = reader.send("POST", notice, data={"csrf_token": "old"})
    assert (page.status, page.problems) == (422, ["This page was out of date. Nothing was changed. Try again."])
    assert is_in(ada)


def test_a_page_sent_without_cookies_does_nothing_and_says_why(ada: Owner, site: Site) -> None:
    ada.sign_up()
    notice = site.emailed_path(ada.email, "/not-you/")
    page = ada.other_browser().send("POST", notice, data={"csrf_token": "old"})
    assert page.status == 422
    assert page.problems == [
        "This site needs cookies, and your browser sent none. Allow cookies for this site, then try again."
    ]
    assert is_in(ada)


def test_the_link_is_sent_even_when_the_daily_limit_of_links_is_reached(ada: Owner, site: Site) -> None:
    ada.sign_up()
    notice = site.emailed_path(ada.email, "/not-you/")
    eve = ada.other_browser()
    for _ in range(6):
        eve.open("/forgot-password")
        eve.press("Send link", email=ada.email)
    before = emails_with(site, ada, "/reset-password/")
    reader = ada.other_browser()
    reader.open(notice)
    reader.press("Log out all devices")
    assert emails_with(site, ada, "/reset-password/") == before + 1
    reader.open(site.emailed_path(ada.email, "/reset-password/"))
    assert reader.press("Save password", password=NEW).path == "/log-in"


def test_a_notice_to_a_former_address_ends_sessions_and_sends_no_link(ada: Owner, site: Site) -> None:
    ada.sign_up()
    notice = site.emailed_path(ada.email, "/not-you/")
    ada.open("/settings/account/email")
    ada.press("Save", email="thief@example.net")
    ada.press("Verify", code=site.emailed_code("thief@example.net"))
    reader = ada.other_browser()
    page = reader.open(notice)
    assert page.says("This account's email address has changed since, so we can't send a reset link to this one.")
    page = reader.press("Log out all devices")
    assert len(effects(reader)) == 3
    assert page.says("undo it from there")
    assert "Get a new link" not in page.links
    assert not is_in(ada)
    assert emails_with(site, ada, "/reset-password/") == 0
    assert all("/reset-password/" not in mail.text for mail in site.emails("thief@example.net"))


def setup_key(owner: Owner) -> str:
    """That of the enrollment which the owner begins or goes on with."""
    owner.open(TWO_FACTOR)
    page = owner.press("Authentication app")
    if page.path.endswith("/overview"):
        page = owner.press("Got it" if owner.layout == "iphone" else "Start")
    return page.setup_key


def test_an_unfinished_enrollment_is_deleted(ada: Owner, site: Site) -> None:
    ada.sign_up()
    notice = site.emailed_path(ada.email, "/not-you/")
    known_to_the_thief = setup_key(ada)
    reader = ada.other_browser()
    reader.open(notice)
    reader.press("Log out all devices")
    ada.log_in()
    assert setup_key(ada) != known_to_the_thief


def test_an_enrollment_of_this_session_is_deleted_and_those_of_others_are_not(ada: Owner, site: Site) -> None:
    ada.sign_up()
    grace = Owner.signed_up(site, "grace", layout=ada.layout)
    known_to_the_thief, of_another = setup_key(ada), setup_key(grace)
    ada.open(HERE)
    ada.press("Log out all other devices")
    assert setup_key(ada) != known_to_the_thief
    assert setup_key(grace) == of_another


# -- With a session --------------------------------------------------------------------------------


def test_an_owner_with_a_session_stays_logged_in_and_chooses_a_new_password(
    enrolled: Owner, site: Site, notice: str
) -> None:
    ada = enrolled
    thief = ada.log_in_elsewhere()
    thief.press("Verify", code=ada.next_code())
    ada.open(notice)
    assert effects(ada)[0] == "All your other devices will be logged out. This one stays logged in."
    assert effects(ada)[-1] == "You'll choose a new password next."
    page = ada.press("Log out all other devices")
    assert (page.path, page.h1) == ("/settings/account/password", "Change your password")
    assert page.receipts == [
        "All your other devices were logged out, and remembered browsers were forgotten.",
        "Now choose a new password.",
    ]
    assert not is_in(thief)
    assert emails_with(site, ada, "/reset-password/") == 0
    ada.open("/settings/account/password")
    assert ada.press("Save", password=NEW).path == "/settings/account"
    assert ada.other_browser().open(notice).h1 == "Wasn't you?", "the mail is still of use elsewhere"


def test_an_owner_with_a_stale_session_steps_up_before_the_new_password(
    enrolled: Owner, site: Site, notice: str
) -> None:
    ada = enrolled
    site.clock.pass_(660)
    ada.open(notice)
    page = ada.press("Log out all other devices")
    assert page.h1 == "Enter your password"
    assert page.receipts[-1] == "Now choose a new password."
    ada.press("Verify", password=ada.password)
    assert ada.press("Verify", code=ada.next_code()).h1 == "Change your password"


def test_a_logged_in_user_who_opens_the_notice_of_another_account_keeps_their_session(ada: Owner, site: Site) -> None:
    ada.sign_up()
    notice = site.emailed_path(ada.email, "/not-you/")
    grace = Owner.signed_up(site, "grace", layout=ada.layout, htmx=ada.htmx)
    assert grace.open(notice).says("@ada")
    assert grace.press("Log out all devices").h1 == "All devices are logged out"
    assert is_in(grace)
    assert not is_in(ada)


def test_the_page_in_the_settings_requires_a_session(ada: Owner, site: Site) -> None:
    ada.sign_up()
    ada.log_out()
    assert ada.open(HERE).path == "/log-in"
    page = ada.press("Log in", username=ada.username, password=ada.password)
    assert (page.path, page.h1) == (HERE, "Wasn't you?")


def test_without_an_address_it_works_and_mentions_no_email(ada: Owner, site: Site) -> None:
    ada.sign_up(confirm_email=False)
    other = ada.log_in_elsewhere()
    ada.open(HERE)
    ada.press("Log out all other devices")
    assert not is_in(other)
    ada.open("/settings/account/password")
    page = ada.press("Save", password=NEW)
    assert page.receipts == ["Password changed. All your other devices were logged out."]
    assert site.emails() == []


# -- Receipts --------------------------------------------------------------------------------------


def _password(ada: Owner) -> None:
    ada.open("/settings/account/password")
    ada.press("Save", password=NEW)


def _email(ada: Owner) -> None:
    ada.open("/settings/account/email")
    ada.press("Save", email="countess@example.org")
    ada.press("Verify", code=ada.site.emailed_code("countess@example.org"))


def _phone(ada: Owner) -> None:
    ada.open("/settings/account/phone")
    ada.press("Save", phone=PHONE)
    ada.press("Verify", code=ada.site.texted_code(PHONE))


def _off(ada: Owner) -> None:
    ada.open(f"{APP}/turn-off")
    ada.press("Turn off")
    if ada.layout != DESKTOP:
        ada.press("Turn off")


def _on_again(ada: Owner) -> None:
    _off(ada)
    ada.press("Turn back on")


def _replaced(ada: Owner) -> None:
    ada.site.clock.pass_(30)
    ada.turn_on_texts()


@pytest.mark.parametrize("change", [_password, _email, _phone, _off, _on_again, _replaced])
def test_every_receipt_of_a_change_offers_not_you(enrolled: Owner, change: Callable[[Owner], None]) -> None:
    change(enrolled)
    assert enrolled.page is not None
    assert len([told for told in enrolled.page.receipts if told != OTHERS_LOGGED_OUT]) == 1
    assert enrolled.page.asks_not_you
    assert enrolled.follow("Not you?").path == HERE


def test_other_receipts_do_not_offer_not_you(enrolled: Owner) -> None:
    page = enrolled.log_out()
    assert page.receipts == ["You've been logged out."]
    assert not page.asks_not_you
