"""Signing up: usernames are public, e-mail addresses never are, and the address can be given later."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from tests.conftest import Site
from tests.doubles import CheapHasher, RecordingMail
from tests.people import PASSWORD, Owner
from webapp.domain.account_refusals import SignUpClosed, TooManySignUps, UsernameTaken
from webapp.domain.origin import Origin
from webapp.domain.ports import Refused
from webapp.models.database import Transaction
from webapp.services.usernames import Usernames

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


def test_every_error_is_told_at_once(ada: Owner, site: Site) -> None:
    Owner(site).sign_up()
    ada.open("/sign-up")
    page = ada.press("Sign up", name="", username="ada", password="too short")
    told = ["Enter your name.", "That username is taken. Try another.", "Use at least 15 characters."]
    assert (page.status, page.problems) == (422, told)
    page = ada.press("Sign up", name="A" * 61, username="a", password="aaaaaaaaaaaaaaaa")
    assert [problem.split(".")[0] for problem in page.problems] == [
        "Enter a name with up to 60 characters",
        "Use 2 to 30 letters (A to Z), numbers, dots, dashes, or underscores",
        "That password is too common and easy to guess",
    ]
    assert page.field("Username")["value"] == "a"
    assert page.field("Password")["data-minimum"] == "15", "the script tells a short one before the form is sent"


@pytest.mark.parametrize(
    ("field", "typed", "says"),
    [
        ("name", " ", "Enter a name with up to 60 characters."),
        ("name", "A" * 61, "Enter a name with up to 60 characters."),
        ("name", "\u202e\u200b", "Enter a name with up to 60 characters."),
        ("name", "", "Enter your name."),
        ("username", "a", "Use 2 to 30 letters"),
        ("username", "a" * 31, "Use 2 to 30 letters"),
        ("username", "\ufdfa" * 301, "Use 2 to 30 letters"),
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


def test_invisible_marks_are_dropped_from_the_name_and_the_username(site: Site) -> None:
    ada = Owner(site)
    ada.open("/sign-up")
    page = ada.press("Sign up", **{**NEW, "name": "Ada\u202e Lovelace\u2066", "username": "\u202eada\u200b"})
    assert page.path == "/sign-up/email"
    assert ada.follow("Not now").h1 == "Welcome, Ada Lovelace"
    assert ada.open("/settings/account").says("@ada")
    grace = Owner(site, "grace")
    grace.open("/sign-up")
    page = grace.press("Sign up", **{**NEW, "username": "a\u202eda"})
    assert page.problems == ["That username is taken. Try another."]


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
    mails = site.emails("shared@example.org")
    assert all("It expires in 60 minutes and can be used once." in mail.text for mail in mails)
    codes = [mail.subject[:6] for mail in mails]
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


def test_going_back_and_giving_the_same_address_goes_on_to_the_code_that_was_sent(ada: Owner, site: Site) -> None:
    ada.sign_up(confirm_email=False)
    ada.press("Next", email=ada.email)
    code = site.emailed_code(ada.email)
    ada.open("/sign-up/email")
    page = ada.press("Next", email=ada.email)
    assert (page.h1, page.problems, len(site.emails(ada.email))) == ("Check your email", [], 1)
    ada.open("/sign-up/email")
    page = ada.press("Next", email="countess@example.org")
    assert page.says("countess@example.org"), "another address gets its code at once"
    ada.open("/sign-up/email")
    ada.press("Next", email=ada.email)
    assert ada.press("Verify", code=code).problems == ["That code is from an earlier message. Use the latest one."]
    assert ada.press("Verify", code=site.emailed_code(ada.email)).path == "/"


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


def test_the_code_is_taken_from_an_email_that_is_pasted_whole(ada: Owner, site: Site) -> None:
    ada.sign_up(confirm_email=False)
    ada.press("Next", email=ada.email)
    pasted = site.emails(ada.email)[0].text.replace("\n", "")  # as browsers do in a field of one line
    assert ada.press("Verify", code=pasted).h1 == "Welcome, Ada Lovelace"


def test_after_five_wrong_codes_the_right_one_is_refused_for_an_hour(ada: Owner, site: Site) -> None:
    ada.sign_up(confirm_email=False)
    ada.press("Next", email=ada.email)
    code = site.emailed_code(ada.email)
    wrong = "000000" if code != "000000" else "111111"
    said = [ada.press("Verify", code=wrong).problems[0] for _ in range(5)]
    assert said[2].endswith("You have 2 attempts left.")
    assert said[3].endswith("You have 1 attempt left.")
    assert said[4] == "Too many attempts. Try again in 60 minutes.", "not to check the code and try again"
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


@pytest.mark.parametrize(
    "username", ["admin", "ADMIN", "Administrator", "root", "support", "post-master", "no.reply", "Night_latch", "www"]
)
def test_a_name_that_would_be_taken_for_the_operator_is_not_free(ada: Owner, username: str) -> None:
    ada.open("/sign-up")
    page = ada.press("Sign up", **{**NEW, "username": username})
    assert page.status == 422
    assert page.problems == ["This username is reserved. Choose another."]
    assert ada.cookie("session") is None


def test_every_mailbox_name_of_rfc_2142_is_reserved(site: Site) -> None:
    names = "info marketing sales support abuse noc security postmaster hostmaster usenet news webmaster www uucp ftp"
    assert all(site.services.usernames.is_reserved(name) for name in names.split())
    assert not site.services.usernames.is_reserved("adah")


def test_the_name_of_a_deleted_account_stays_taken_in_every_spelling(ada: Owner, site: Site) -> None:
    ada.sign_up()
    site.services.accounts.delete("ada")
    eve = Owner(site, "eve")
    for username in ("ada", "ADA", "@Ada", "\uff21\uff24\uff21"):
        eve.open("/sign-up")
        page = eve.press("Sign up", **{**NEW, "username": username})
        assert (page.status, page.problems) == (422, ["That username is taken. Try another."])
    but_hashes = re.sub(rb"'[0-9a-f]{64}'", b"", stored_rows(site, "deleted_names"))  # one may have "ada" in it
    assert b"ada" not in but_hashes


def test_the_name_of_an_account_without_a_confirmed_address_is_free_after_its_deletion(ada: Owner, site: Site) -> None:
    ada.sign_up(confirm_email=False)
    site.services.accounts.delete("ada")
    assert Owner(site).sign_up(confirm_email=False).h1 == "Confirm your email"


def test_a_name_that_is_deleted_while_its_next_owner_signs_up_stays_taken(ada: Owner, site: Site) -> None:
    """The account is there when the form is checked, and gone when the new one is inserted."""
    with site.services.db.write() as tx:
        site.services.usernames.keep_taken(tx, "grace")
    sign_up = site.services.sign_up
    unaware = replace(sign_up, usernames=UncheckedUsernames(site.services.core, "Nightlatch"))
    with pytest.raises(UsernameTaken):
        unaware.create("Grace", "grace", PASSWORD, Origin("192.0.2.1"))
    assert list(site.services.accounts.all()) == []


def test_one_network_creates_twenty_accounts_an_hour_and_a_hundred_a_day(site: Site) -> None:
    sign_up, made = site.services.sign_up, 0

    def create(address: str) -> None:
        nonlocal made
        sign_up.create("Eve", f"eve{made}", PASSWORD, Origin(address))
        made += 1

    for _ in range(5):
        for number in range(20):
            create(f"192.0.2.{number}")
        with pytest.raises(TooManySignUps):
            create("192.0.2.200")
        site.clock.pass_(3600)
    assert made == 100
    with pytest.raises(TooManySignUps) as refused:
        create("192.0.2.200")
    assert refused.value.seconds == 19 * 3600
    create("198.51.100.7")
    for number in range(20):
        create(f"2001:db8:1:{number}::1")
    with pytest.raises(TooManySignUps):
        create("2001:db8:1:ffff::1")
    create("2001:db8:2::1")


def test_a_network_that_created_many_accounts_is_told_when_to_try_again(ada: Owner, site: Site) -> None:
    for number in range(20):
        site.services.sign_up.create("Eve", f"eve{number}", PASSWORD, Origin("192.0.2.77"))
    ada.open("/sign-up")
    page = ada.press("Sign up", **NEW)
    assert page.status == 429
    assert page.problems == ["Many accounts were created from your network. Try again in 60 minutes."]
    assert page.response.headers["Retry-After"] == "3600"
    assert page.field("Username")["value"] == "ada"
    site.clock.pass_(3600)
    assert ada.press("Sign up", **NEW).h1 == "Confirm your email"


def test_a_sign_up_that_is_refused_is_not_counted(ada: Owner, site: Site) -> None:
    for _ in range(25):
        ada.open("/sign-up")
        assert ada.press("Sign up", **{**NEW, "username": "admin"}).status == 422
    assert ada.sign_up(confirm_email=False).h1 == "Confirm your email"


class UncheckedUsernames(Usernames):
    """The check before the transaction finds every name free."""

    def demand_free(self, tx: Transaction, username: str) -> None:
        """Refuses none."""


def stored_rows(site: Site, table: str) -> bytes:
    with site.services.db.engine.connect() as connection:
        rows = connection.exec_driver_sql(f"SELECT * FROM {table}").all()
    assert rows
    return repr(rows).encode()


class TestSiteThatIsClosedToSignUp:
    @pytest.fixture
    def environ(self, environ: dict[str, str]) -> dict[str, str]:
        return {**environ, "NIGHTLATCH_SIGN_UP": "closed"}

    def test_no_page_leads_to_sign_up_and_its_own_says_whom_to_ask(self, ada: Owner) -> None:
        assert "Create an account" not in ada.open("/log-in").links
        page = ada.open("/sign-up")
        assert (page.status, page.h1) == (200, "Sign-up is closed")
        assert page.says("Accounts are created by the people who run this site. Ask them for an account.")
        assert "Sign up" not in page.buttons
        assert page.link("Back to login") == "/log-in"
        assert ada.send("HEAD", "/sign-up").status == 200

    def test_the_service_refuses(self, ada: Owner, site: Site) -> None:
        page = ada.post("/sign-up", **NEW)
        assert (page.status, page.h1) == (403, "Sign-up is closed")
        assert ada.cookie("session") is None
        with pytest.raises(SignUpClosed):
            site.services.sign_up.create(**NEW, origin=Origin("192.0.2.1"))
        assert list(site.services.accounts.all()) == []

    def test_an_account_made_by_the_operator_logs_in_and_confirms_its_address(self, ada: Owner, site: Site) -> None:
        site.services.sign_up.create_by_operator("Ada Lovelace", "ada", PASSWORD, None, confirmed=False)
        assert ada.log_in().h1 == "Welcome, Ada Lovelace"
        ada.open("/sign-up/email")
        ada.press("Next", email=ada.email)
        assert ada.press("Verify", code=site.emailed_code(ada.email)).h1 == "Welcome, Ada Lovelace"


class TestSiteThatIsClosedAndHasASupportContact:
    @pytest.fixture
    def environ(self, environ: dict[str, str]) -> dict[str, str]:
        return {**environ, "NIGHTLATCH_SIGN_UP": "closed", "NIGHTLATCH_SUPPORT": "help@example.org"}

    def test_the_page_names_the_contact(self, ada: Owner) -> None:
        assert ada.open("/sign-up").link("help@example.org") == "mailto:help@example.org"


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
        trouble = "We can't email you right now. Try again later, or use a different address."
        assert ada.send("GET", waiting).says(trouble)
        page = ada.open("/sign-up/email-code")
        assert page.receipts == [trouble]
        assert "Resend code" in page.buttons
        assert "Use a different email address" in page.links
