"""Signing up: usernames are public, e-mail addresses never are, and the address can be given later."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import Site
from tests.doubles import CheapHasher, RecordingMail
from tests.people import PASSWORD, Owner
from webapp.domain.ports import Refused

NEW = {"name": "Ada Lovelace", "username": "ada", "password": PASSWORD}


def test_the_page_has_three_labelled_fields(ada: Owner) -> None:
    page = ada.open("/sign-up")
    assert page.h1 == "Create your account"
    assert page.title == "Create your account - Nightlatch"
    for label in ("Name", "Username", "Password"):
        page.field(label)
    assert page.field("Password")["type"] == "password"
    assert "Show password" in page.buttons


def test_the_address_can_be_given_later_and_the_home_page_reminds(ada: Owner) -> None:
    page = ada.sign_up(confirm_email=False)
    assert (page.path, page.h1) == ("/sign-up/email", "Confirm your email")
    page = ada.follow("Not now")
    assert page.h1 == "Welcome, Ada Lovelace"
    assert page.says("Right now, only your password protects this account.")
    page = ada.follow("Confirm your email")
    assert (page.path, page.h1) == ("/settings/account/email", "Confirm your email")
    ada.press("Save", email=ada.email)
    page = ada.press("Verify", code=ada.site.emailed_code(ada.email))
    assert page.receipts == ["Your email address is confirmed."]
    assert page.says(ada.email)


def test_a_confirmed_address_ends_the_reminders(ada: Owner) -> None:
    ada.sign_up()
    assert ada.open("/sign-up/email").path == "/"
    assert ada.open("/sign-up/email-code").path == "/"
    assert ada.post("/sign-up/email-code", code="123456").path == "/"


def test_no_code_is_asked_for_before_one_was_sent(ada: Owner) -> None:
    ada.sign_up(confirm_email=False)
    assert ada.open("/sign-up/email-code").path == "/sign-up/email"


def test_a_taken_username_is_a_422_that_keeps_what_was_typed(ada: Owner, site: Site) -> None:
    Owner(site).sign_up()
    ada.open("/sign-up")
    page = ada.press("Sign up", **{**NEW, "username": "@ADA"})
    assert page.status == 422
    assert page.problems == ["That username is taken. Try another."]
    assert page.title == "Error: Create your account - Nightlatch"
    username = page.field("Username")
    assert username["aria-invalid"] == "true"
    assert username["value"] == "@ADA"
    assert page.field("Name")["value"] == "Ada Lovelace"
    assert not page.field("Password").get("value")
    error = page.soup.find(id=str(username["aria-describedby"]).split()[-1])
    assert error is not None
    assert "That username is taken." in error.get_text()
    assert page.link("That username is taken. Try another.") == f"#{username['id']}"


@pytest.mark.parametrize(
    ("field", "typed", "says"),
    [
        ("name", " ", "Enter a name with up to 60 characters."),
        ("name", "A" * 61, "Enter a name with up to 60 characters."),
        ("name", "Ada\u202eecalevoL", "Enter a name with up to 60 characters."),
        ("name", "", "Enter your name."),
        ("username", "a", "Use 2 to 30 letters"),
        ("username", "a" * 31, "Use 2 to 30 letters"),
        ("username", "ada@example.org", "Use 2 to 30 letters"),
        ("username", ".ada", "Use 2 to 30 letters"),
        ("username", "аdа", "Use 2 to 30 letters"),  # Cyrillic a
        ("username", "", "Choose a username."),
        ("password", "too short", "Use at least 15 characters."),
        ("password", "x" * 257, "Use 256 characters or fewer."),
        ("password", "aaaaaaaaaaaaaaaa", "That password is too common"),
        ("password", "Ada Lovelace ada", "That password is too close to your name"),
        ("password", "", "Choose a password."),
    ],
)
def test_an_invalid_value_is_reported_beside_its_field(site: Site, field: str, typed: str, says: str) -> None:
    ada = Owner(site)
    ada.open("/sign-up")
    page = ada.press("Sign up", **{**NEW, field: typed})
    assert page.status == 422
    assert any(problem.startswith(says) for problem in page.problems)
    assert ada.cookie("session") is None


def test_the_address_of_another_user_gets_the_same_page_and_notifies_its_owner(ada: Owner, site: Site) -> None:
    Owner(site, "grace").sign_up()
    ada.sign_up(confirm_email=False)
    theirs = ada.press("Next", email="grace@example.org")
    assert (theirs.status, theirs.path, theirs.h1) == (200, "/sign-up/email-code", "Check your email")
    mail = site.emails("grace@example.org")[0]
    assert mail.subject == "Someone tried to use your email address on Nightlatch"
    assert "nothing changed" in mail.text
    assert "@ada" not in mail.text
    page = ada.press("Verify", code="123456")
    assert page.status == 422
    assert page.problems == ["Wrong code. Check it and try again."]
    other = ada.open("/sign-up/email")
    assert other.field("Email address")["value"] == "grace@example.org"


def test_of_two_accounts_that_claim_an_address_the_first_to_confirm_gets_it(ada: Owner, site: Site) -> None:
    eve = Owner(site, "eve")
    for person in (ada, eve):
        person.sign_up(confirm_email=False)
        person.press("Next", email="shared@example.org")
    codes = [mail.subject[:6] for mail in site.emails("shared@example.org")]
    assert eve.press("Verify", code=codes[0]).h1 == "Welcome, Ada Lovelace"
    page = ada.press("Verify", code=codes[1])
    assert page.status == 422
    assert page.problems == ["Wrong code. Check it and try again."]


def test_the_email_with_the_code_begins_with_it_and_has_it_alone_on_a_line(ada: Owner, site: Site) -> None:
    ada.sign_up(confirm_email=False)
    page = ada.press("Next", email=" Ada.L@EXAMPLE.org ")
    assert page.says("Ada.L@example.org")
    mail = site.emails("Ada.L@example.org")[0]
    code = mail.subject[:6]
    assert mail.subject == f"{code} is your Nightlatch code"
    assert code in mail.text.splitlines()


def test_an_address_that_no_mail_server_accepts_is_reported_beside_its_field(ada: Owner) -> None:
    ada.sign_up(confirm_email=False)
    page = ada.press("Next", email="ada at example.org")
    assert page.status == 422
    assert page.problems == ["Enter a valid email address, like name@example.com."]
    assert page.field("Email address")["value"] == "ada at example.org"


def test_a_code_can_be_sent_again_after_a_minute_and_replaces_the_earlier_one(ada: Owner, site: Site) -> None:
    ada.sign_up(confirm_email=False)
    page = ada.press("Next", email=ada.email)
    first = site.emailed_code(ada.email)
    assert page.says("You can request a new code in 60 seconds.")
    site.clock.pass_(20)
    page = ada.press("Resend code")
    assert page.status == 429
    assert page.response.headers["Retry-After"] == "40"
    assert page.problems == ["We just sent a code. You can request another in 40 seconds."]
    assert site.emailed_code(ada.email) == first
    site.clock.pass_(40)
    page = ada.press("Resend code")
    assert (page.status, page.h1) == (200, "Check your email")
    second = site.emailed_code(ada.email)
    assert second != first
    page = ada.press("Verify", code=first)
    assert page.problems == ["That code is from an earlier message. Use the latest one."]
    assert ada.press("Verify", code=second).h1 == "Welcome, Ada Lovelace"


def test_another_address_needs_no_wait_and_gets_the_valid_code(ada: Owner, site: Site) -> None:
    ada.sign_up(confirm_email=False)
    ada.press("Next", email="typo@example.org")
    ada.follow("Use a different email address")
    page = ada.press("Next", email=ada.email)
    assert page.says(ada.email)
    assert ada.press("Verify", code=site.emailed_code(ada.email)).h1 == "Welcome, Ada Lovelace"


def test_codes_are_accepted_in_any_spelling_and_malformed_ones_are_refused(ada: Owner, site: Site) -> None:
    ada.sign_up(confirm_email=False)
    ada.press("Next", email=ada.email)
    page = ada.press("Verify", code="12 34")
    assert page.problems == ["Enter the complete code."]
    assert ada.press("Verify", code="").problems == ["Enter the confirmation code."]
    code = site.emailed_code(ada.email)
    page = ada.press("Verify", code=f" {code[:3]} - {code[3:]} ".translate(str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹")))
    assert page.h1 == "Welcome, Ada Lovelace"


def test_after_five_wrong_codes_the_right_one_is_refused_for_an_hour(ada: Owner, site: Site) -> None:
    ada.sign_up(confirm_email=False)
    ada.press("Next", email=ada.email)
    code = site.emailed_code(ada.email)
    wrong = "000000" if code != "000000" else "111111"
    said = [ada.press("Verify", code=wrong).problems[0] for _ in range(5)]
    assert said[2].endswith("You have 2 attempts left.")
    assert said[3].endswith("You have 1 attempt left.")
    page = ada.press("Verify", code=code)
    assert page.status == 429
    assert page.response.headers["Retry-After"] == "3600"
    site.clock.pass_(61)
    assert ada.press("Resend code").status == 429
    site.clock.pass_(3600 - 61 - 1)
    ada.open("/sign-up/email-code")
    assert ada.press("Verify", code=code).status == 429


def test_a_code_expires_after_an_hour(ada: Owner, site: Site) -> None:
    ada.sign_up(confirm_email=False)
    ada.press("Next", email=ada.email)
    code = site.emailed_code(ada.email)
    site.clock.pass_(1800)
    ada.open("/sign-up/email-code")
    site.clock.pass_(1800)
    page = ada.press("Verify", code=code)
    assert (page.path, page.h1) == ("/step-up/password", "Enter your password")
    assert page.problems == ["That code has expired. Request a new one."]
    assert ada.press("Verify", password=ada.password).path == "/sign-up/email"


def test_requests_for_codes_are_limited(ada: Owner, site: Site) -> None:
    ada.sign_up(confirm_email=False)
    page = ada.open("/sign-up/email")
    sent = 0
    while page.status == 200:
        ada.open("/sign-up/email")
        page = ada.press("Next", email=f"ada{sent}@example.org")
        sent += page.status == 200
    assert page.status == 429
    assert int(page.response.headers["Retry-After"]) > 0
    assert sent == site.services.settings.policy.email_sends.most


def test_without_a_session_the_page_leads_to_log_in_and_back(ada: Owner) -> None:
    page = ada.open("/sign-up/email")
    assert page.path == "/log-in"
    assert page.soup.find("input", attrs={"name": "next"})["value"] == "/sign-up/email"


def test_adding_a_first_address_requires_a_fresh_session(ada: Owner, site: Site) -> None:
    ada.sign_up(confirm_email=False)
    site.clock.pass_(660)
    page = ada.press("Next", email=ada.email)
    assert page.h1 == "Enter your password"
    assert not site.emails(ada.email)
    page = ada.press("Verify", password=ada.password)
    assert (page.path, page.h1) == ("/sign-up/email-code", "Check your email")
    assert site.emails(ada.email)


def test_the_page_polls_until_the_message_was_sent(ada: Owner, site: Site) -> None:
    ada.sign_up(confirm_email=False)
    page = ada.press("Next", email=ada.email)
    assert page.receipts == ["An email with a code is on its way."]
    waiting = str(page.soup.find(attrs={"data-hx-get": True})["data-hx-get"])
    assert ada.send("GET", waiting).status == 204
    site.emails()
    assert ada.send("GET", waiting).status == 200
    assert ada.open("/sign-up/email-code").receipts == []
    assert ada.send("GET", "/delivery/forged").status == 404


class TestSiteWhoseMailServerRefuses:
    @pytest.fixture
    def overrides(self) -> dict[str, Any]:
        return {"hasher": CheapHasher(), "mail": RecordingMail(Refused("550 5.1.1"))}

    def test_a_message_that_failed_is_reported_and_another_address_is_offered(self, ada: Owner, site: Site) -> None:
        ada.sign_up(confirm_email=False)
        page = ada.press("Next", email=ada.email)
        assert page.status == 200  # without waiting for the mail server
        waiting = str(page.soup.find(attrs={"data-hx-get": True})["data-hx-get"])
        site.services.delivery.deliver_due()
        trouble = "We can't e-mail you now. Try again later, or use a different address."
        assert ada.send("GET", waiting).says(trouble)
        page = ada.open("/sign-up/email-code")
        assert page.receipts == [trouble]
        assert "Resend code" in page.buttons
        assert "Use a different email address" in page.links
