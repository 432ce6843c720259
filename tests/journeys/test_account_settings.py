"""Changing the password and the e-mail address, and what the owner can do about a change by an attacker."""

from __future__ import annotations

import re

import pytest

from tests.conftest import Site
from tests.people import DESKTOP, PHONE, TWO_FACTOR, Owner

NEW = "seven brass wheels turning"
OTHER_PHONE = "+447400987656"  # ends as PHONE does


def test_the_settings_link_to_every_page_in_each_layout(ada: Owner, grace: Owner) -> None:
    for owner in (ada, grace):
        owner.sign_up()
        page = owner.open("/settings")
        assert page.h1 == "Settings and privacy"
        between = ["Security and account access"] if owner.layout == DESKTOP else ["Account"]
        for name in (*between, "Security", "Two-factor authentication"):
            page = owner.follow(name)
            assert page.h1 == name
        assert page.path == TWO_FACTOR
        for name in ("Account", "Privacy", "Language", "Display"):
            owner.open("/settings")
            assert owner.follow(name).h1 == name
        titles = {owner.open(f"/settings{path}").title for path in ("", "/account", "/privacy", "/language")}
        assert len(titles) == 4


def test_a_new_password_ends_every_other_session_and_keeps_this_one(ada: Owner, site: Site) -> None:
    ada.sign_up()
    elsewhere = ada.log_in_elsewhere()
    ada.open("/settings/account/password")
    page = ada.press("Save", password=NEW)
    assert page.path == "/settings/account"
    assert elsewhere.open("/").path == "/log-in"
    assert ada.open("/").h1 == "Welcome, Ada Lovelace"
    assert site.emails(ada.email)[0].subject == "Your password was changed (Nightlatch)"
    assert elsewhere.log_in().status == 422
    assert elsewhere.log_in(NEW).h1 == "Welcome, Ada Lovelace"


def test_an_invalid_new_password_changes_nothing(ada: Owner) -> None:
    ada.sign_up()
    ada.open("/settings/account/password")
    page = ada.press("Save", password="short")
    assert (page.status, page.problems) == (422, ["Use at least 15 characters."])
    assert not page.field("New password").get("value")
    assert ada.other_browser().log_in().h1 == "Welcome, Ada Lovelace"


def change_email(ada: Owner, to: str) -> None:
    ada.open("/settings/account/email")
    page = ada.press("Save", email=to)
    assert page.h1 == "Check your email"
    page = ada.press("Verify", code=ada.site.emailed_code(to))
    assert page.receipts == ["Your email address is confirmed."]
    assert page.says(to)


def test_going_back_and_giving_the_same_address_or_number_goes_on_to_its_code(ada: Owner, site: Site) -> None:
    ada.sign_up()
    for field, typed in (("email", "countess@example.org"), ("phone", PHONE)):
        for _ in range(2):
            ada.open(f"/settings/account/{field}")
            assert ada.press("Save", **{field: typed}).path == f"/settings/account/{field}/code"
    assert len(site.emails("countess@example.org")) == 1
    ada.press("Verify", code=site.texted_code(PHONE))
    assert ada.open("/settings/account").says("...56")
    assert len(site.texts(PHONE)) == 1


def test_too_soon_for_a_number_with_the_same_last_digits_is_no_code_for_it(ada: Owner, site: Site) -> None:
    """Another account has just had it texted."""
    alike = f"{PHONE[:-3]}9{PHONE[-2:]}"
    bob = Owner(site, "bob")
    for owner, number in ((bob, alike), (ada, PHONE)):
        owner.sign_up()
        owner.open("/settings/account/phone")
        assert owner.press("Save", phone=number).says("Enter the code from our text to ...56.")
    ada.open("/settings/account/phone")
    assert ada.press("Save", phone=alike).status == 429
    assert len(site.texts(alike)) == 1


def test_a_new_address_counts_only_when_its_code_was_entered(ada: Owner, site: Site) -> None:
    ada.sign_up()
    page = ada.open("/settings/account/email")
    assert page.says(f"Your email address is {ada.email} .")
    assert page.soup.find("bdi", string=ada.email)["translate"] == "no"
    assert not page.field("Email address").get("value")
    ada.press("Save", email="countess@example.org")
    assert ada.press("Verify", code="").status == 422
    page = ada.press("Resend code")
    assert page.status == 429
    site.clock.pass_(60)
    assert ada.press("Resend code").path == "/settings/account/email/code"
    assert ada.open("/settings/account").says(ada.email)
    ada.open("/settings/account/email/code")
    ada.press("Verify", code=site.emailed_code("countess@example.org"))
    assert ada.open("/settings/account").says("countess@example.org")
    assert ada.open("/settings/account/email/code").path == "/settings/account/email"
    page = ada.post("/settings/account/email/code", code="123456")
    assert page.path == "/settings/account/email"
    assert page.problems == ["That code has expired. Request a new one."]


def test_the_former_address_is_notified_without_the_new_one_and_can_undo_the_change(ada: Owner, site: Site) -> None:
    ada.sign_up()
    change_email(ada, "countess@example.org")
    mail = site.emails(ada.email)[0]
    assert mail.subject == "Your Nightlatch email address was changed"
    assert "countess@example.org" not in mail.text
    assert "c...@example.org" in mail.text
    assert "When: January 15, 2027" in mail.text
    for body in (mail.text, mail.html):
        assert re.search(r"From: (Chrome on Linux|iPhone), IP address .*192\.0\.2\.1", body)
    path = site.emailed_path(ada.email, "/undo-email/")
    owner = ada.other_browser()
    assert owner.open(path).h1 == "Restore your email address"
    assert ada.open("/settings/account").says("countess@example.org")
    owner.open(path)
    page = owner.press("Undo the change")
    assert (page.path, page.h1) == ("/forgot-password", "Forgot password?")
    assert page.receipts == ["Your email address has been restored. Now choose a new password."]
    assert ada.open("/").path == "/log-in"
    assert owner.open(path).status == 404
    owner.log_in()
    assert owner.open("/settings/account").says("ada@example.org")


def test_an_undone_change_cannot_be_undone_from_the_other_address(ada: Owner, site: Site) -> None:
    ada.sign_up()
    change_email(ada, "eve@example.net")
    change_email(ada, "eve@example.com")
    first = site.emailed_path(ada.email, "/undo-email/")
    eves = site.emailed_path("eve@example.net", "/undo-email/")
    owner = ada.other_browser()
    owner.open(first)
    owner.press("Undo the change")
    assert Owner(site, "eve").open(eves).status == 404


def test_an_undo_link_is_valid_for_seven_days(site: Site) -> None:
    ada = Owner.signed_up(site)
    change_email(ada, "countess@example.org")
    path = site.emailed_path(ada.email, "/undo-email/")
    site.clock.pass_(7 * 86400 - 1)
    assert ada.open(path).status == 200
    site.clock.pass_(1)
    assert ada.open(path).h1 == "This link no longer works"


def test_an_address_that_now_belongs_to_another_user_is_not_restored(site: Site) -> None:
    ada, grace = Owner(site), Owner(site, "grace")
    ada.sign_up()
    change_email(ada, "countess@example.org")
    path = site.emailed_path(ada.email, "/undo-email/")
    grace.email = ada.email
    grace.sign_up()
    owner = ada.other_browser()
    owner.open(path)
    assert owner.press("Undo the change").status == 404


def test_entering_the_same_address_again_sends_no_notice(site: Site) -> None:
    ada = Owner.signed_up(site)
    change_email(ada, "ada@example.org")
    assert not [mail for mail in site.emails(ada.email) if "was changed" in mail.subject]


@pytest.mark.parametrize("is_new", [True, False], ids=["sign-up", "change"])
def test_the_same_address_sent_twice_gets_one_code_and_goes_on(site: Site, ada: Owner, is_new: bool) -> None:
    ada.sign_up(confirm_email=not is_new)
    page, button = ("/sign-up/email", "Next") if is_new else ("/settings/account/email", "Save")
    for _ in range(2):
        ada.open(page)
        answer = ada.press(button, email="countess@example.org")
        assert (answer.status, answer.h1, answer.problems) == (200, "Check your email", [])
    assert len(site.emails("countess@example.org")) == 1
    ada.open(page)
    assert ada.press(button, email="other@example.org").h1 == "Check your email", "another address gets its own code"
    assert ada.press("Verify", code=site.emailed_code("other@example.org")).status == 200
    assert site.services.accounts.named("ada").email == "other@example.org"


def test_an_address_sent_twice_in_an_enrollment_gets_one_code(site: Site, ada: Owner) -> None:
    ada.sign_up(confirm_email=False)
    ada.open(f"{TWO_FACTOR}/authentication-app/overview")
    ada.press(next(b for b in ("Start", "Got it") if b in ada.page.buttons))
    for _ in range(2):
        ada.open(f"{TWO_FACTOR}/authentication-app/email")
        assert ada.press("Next", email=ada.email).h1 == "Check your email"
    assert len(site.emails(ada.email)) == 1


@pytest.mark.usefixtures("gateway")
def test_the_same_number_sent_twice_gets_one_text_and_goes_on(site: Site, ada: Owner) -> None:
    ada.sign_up()
    for number in (PHONE, PHONE, OTHER_PHONE):
        ada.open("/settings/account/phone")
        page = ada.press("Save", phone=number)
        assert (page.status, page.h1, page.problems) == (200, "Check your phone", [])
    assert [text.to for text in site.texts()] == [OTHER_PHONE, PHONE]
    ada.open("/settings/account/phone")
    page = ada.press("Save", phone=PHONE)
    assert page.status == 429, "its code is void: the page must not say that it was sent"


DONE = "That's already done, maybe in another tab. Here's the current status."


@pytest.mark.usefixtures("gateway")
def test_a_code_sent_twice_is_answered_by_the_account_and_not_as_expired(site: Site, ada: Owner) -> None:
    ada.sign_up()
    ada.open("/settings/account/email")
    ada.press("Save", email="countess@example.org")
    code = site.emailed_code("countess@example.org")
    assert ada.press("Verify", code=code).receipts == ["Your email address is confirmed."]
    page = ada.post("/settings/account/email/code", code=code)
    assert (page.path, page.problems) == ("/settings/account", [DONE])
    ada.open("/settings/account/phone")
    ada.press("Save", phone=PHONE)
    code = site.texted_code(PHONE)
    assert ada.press("Verify", code=code).receipts == ["Your phone number is confirmed."]
    page = ada.post("/settings/account/phone/code", code=code)
    assert (page.path, page.problems) == ("/settings/account", [DONE])
    for kind, h1 in (("email", "Change your email"), ("phone", "Change your phone number")):
        page = ada.open(f"/settings/account/{kind}/code")
        assert (page.h1, page.problems) == (h1, [])


def test_not_you_ends_every_session_and_sends_a_link_for_a_new_password(ada: Owner, site: Site) -> None:
    ada.sign_up()
    path = site.emailed_path(ada.email, "/not-you/")
    owner = ada.other_browser()
    for _ in range(2):
        page = owner.open(path)
        assert (page.status, page.h1) == (200, "Wasn't you?")
        assert page.says("@ada")
    assert ada.open("/").h1 == "Welcome, Ada Lovelace"
    owner.open(path)
    page = owner.press("Log out all devices")
    assert page.h1 == "All devices are logged out"
    assert ada.open("/").path == "/log-in"
    reset = site.emailed_path(ada.email, "/reset-password/")
    owner.open(reset)
    assert owner.press("Save password", password=NEW).path == "/log-in"
    assert owner.open(path).h1 == "All devices are logged out"


def test_an_unknown_not_you_link_is_refused(ada: Owner) -> None:
    for path in ("/not-you/", "/undo-email/", "/reset-password/"):
        page = ada.open(path + "0" * 64)
        assert (page.status, page.h1) == (404, "This link no longer works")


def test_a_notice_says_what_happened_when_and_from_which_device_and_address(site: Site) -> None:
    ada = Owner.signed_up(site)
    ada.open("/settings/account/password")
    ada.press("Save", password=NEW)
    text = site.emails(ada.email)[0].text
    assert "Your password was changed." in text
    assert "January 15, 2027" in text
    assert "Chrome on Linux" in text
    assert "192.0.2.1" in text
    assert f"{site.services.settings.main_url}/not-you/" in text


def test_without_an_address_no_notice_is_sent(site: Site) -> None:
    ada = Owner.signed_up(site, confirm_email=False)
    ada.open("/settings/account/password")
    ada.press("Save", password=NEW)
    assert site.emails() == []
