"""Codes by email: when one goes out and when not, which one counts, and what is said when none can go."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Site
from tests.doubles import RecordingMail
from tests.methods.test_every_method import (  # noqa: F401  # they run here for this catalogue
    test_every_method_begins_with_the_common_steps_and_ends_with_done,
    test_every_method_has_its_screens_and_its_help,
    test_no_two_methods_share_a_slug,
    test_the_slug_of_every_method_fits_its_route_and_column,
)
from tests.people import DESKTOP, Owner
from tests.toys.users import MailUser
from webapp.domain.ports import Refused
from webapp.settings import ROOT

HOME = "Welcome, Ada Lovelace"
SOURCE = "Enter the six-digit code from our email to a...@example.org."
ON_ITS_WAY = "An email with a code is on its way."
FAILED = "We can't email you now. Try again later, or choose another method."
HOW_TO = ROOT / "docs" / "how-to" / "add-a-method.md"


@pytest.fixture
def box(site: Site) -> MailUser:
    """Turned on, logged out."""
    ada = Owner.signed_up(site, layout=DESKTOP)
    box = MailUser(ada)
    box.turn_on()
    ada.press("Got it")
    ada.log_out()
    return box


def codes(box: MailUser) -> list[str]:
    subjects = [mail.subject for mail in box.owner.site.emails(box.owner.email)]
    return [subject[:6] for subject in subjects if re.fullmatch(r"\d{6} is your Nightlatch log-in code", subject)]


def test_a_code_goes_out_after_a_right_password_only_and_never_by_a_get(box: MailUser) -> None:
    ada, before = box.owner, len(codes(box))
    assert ada.log_in("not my password at all").status == 422
    assert len(codes(box)) == before
    page = ada.log_in()
    assert page.says(SOURCE)
    assert len(codes(box)) == before + 1
    for path in ("/log-in/verify", "/log-in/verify?method=emailed-code", "/log-in/methods", "/log-in/verify?resend=1"):
        ada.open(path)
    assert len(codes(box)) == before + 1


def test_the_email_says_what_it_is_for_and_how_long(box: MailUser) -> None:
    box.owner.log_in()
    mail = box.owner.site.emails(box.owner.email)[0]
    assert mail.text.startswith("Hi Ada Lovelace,\n\nEnter this code to log in:\n")
    assert "It expires in 10 minutes and can be used once." in mail.text
    assert f'<p class="code" dir="ltr">{box.code()}</p>' in mail.html


def test_the_page_says_that_it_is_on_its_way_and_when_another_can_be_sent(box: MailUser) -> None:
    ada = box.owner
    page = ada.log_in()
    assert page.receipts == [ON_ITS_WAY]
    assert page.says("You can request a new code in 60 seconds.")
    page = ada.press("Resend code")
    assert (page.status, page.response.headers["Retry-After"]) == (429, "60")
    assert page.problems == ["We just sent a code. You can request another in 60 seconds."]
    first = box.code()
    assert ada.open("/log-in/verify").receipts == [], "it has gone"
    ada.site.clock.pass_(60)
    assert ada.press("Resend code").receipts == [ON_ITS_WAY]
    assert box.code() != first
    assert ada.press("Verify", code=first).problems == ["That code is from an earlier message. Use the latest one."]
    assert ada.press("Verify", code=box.code()).h1 == HOME


def test_a_code_of_another_log_in_opens_none_but_its_own(box: MailUser) -> None:
    ada = box.owner
    ada.log_in_elsewhere(address="198.51.100.7")
    of_eve = box.code()
    ada.log_in()
    assert ada.press("Verify", code=of_eve).problems == [box.replayed]
    assert ada.press("Verify", code=box.code()).h1 == HOME


def test_a_code_that_went_to_an_address_that_was_changed_since_is_void(box: MailUser) -> None:
    ada = box.owner
    ada.log_in()
    ada.press("Verify", code=box.code())
    elsewhere = ada.log_in_elsewhere()
    old = box.code()
    ada.open("/settings/account/email")
    ada.press("Save", email="countess@example.org")
    ada.press("Verify", code=ada.site.emailed_code("countess@example.org"))
    assert ada.open("/settings/account").says("countess@example.org")
    page = elsewhere.press("Verify", code=old)
    assert page.problems == ["That code has expired. Request a new one."]
    elsewhere.site.clock.pass_(60)
    page = elsewhere.press("Resend code")
    assert page.says("Enter the six-digit code from our email to c...@example.org.")
    ada.email = elsewhere.email = "countess@example.org"
    assert elsewhere.press("Verify", code=box.code()).h1 == HOME


def test_an_account_gets_ten_an_hour_and_is_told_when_the_next_can_go(box: MailUser) -> None:
    ada = box.owner
    most = ada.site.services.settings.policy.email_sends.most
    for _ in range(most - 1):  # the first one turned the method on
        ada.log_in()
    assert len(codes(box)) == most
    page = ada.log_in()
    assert page.path == "/log-in/verify"
    assert page.problems == ["We can't email you another code now. Try again in 60 minutes, or choose another method."]
    assert len(codes(box)) == most
    assert ada.press("Resend code").status == 429
    ada.site.clock.pass_(3600)
    ada.log_in()
    assert ada.press("Verify", code=box.code()).h1 == HOME


def test_a_code_is_good_for_ten_minutes_where_the_method_is_turned_on(site: Site) -> None:
    ada = Owner.signed_up(site)
    box = MailUser(ada)
    page = box.begin()
    assert (page.h1, page.path) == ("Check your email", f"{box.path}/code")
    assert page.says("Enter the code from our email to a...@example.org.")
    assert page.receipts == [ON_ITS_WAY]
    code, before = box.code(), len(codes(box))
    site.clock.pass_(600)
    assert ada.open(f"{box.path}/code").h1 == "Enter your password", "the proof is as old"
    page = ada.press("Verify", password=ada.password)
    assert (page.h1, page.path) == ("Check your email", f"{box.path}/code")
    assert page.says("We haven't sent a code yet.")
    assert len(codes(box)) == before
    assert ada.press("Verify", code=code).problems == ["That code has expired. Request a new one."]
    ada.press("Resend code")
    assert ada.press("Verify", code=box.code()).h1 == "You're all set"


def test_a_code_for_an_old_address_turns_nothing_on(site: Site) -> None:
    ada = Owner.signed_up(site)
    box = MailUser(ada)
    box.begin()
    old = box.code()
    ada.open("/settings/account/email")
    ada.press("Save", email="countess@example.org")
    ada.press("Verify", code=site.emailed_code("countess@example.org"))
    ada.open(f"{box.path}/code")
    assert ada.press("Verify", code=old).problems == ["That code has expired. Request a new one."]
    assert not box.is_on
    site.clock.pass_(60)
    ada.open(f"{box.path}/code")
    ada.press("Resend code")
    ada.email = "countess@example.org"
    assert ada.press("Verify", code=box.code()).h1 == "You're all set"


class TestSiteWhoseMailServerFails:
    @pytest.fixture
    def mail(self) -> RecordingMail:
        return RecordingMail(keeps=True)

    @pytest.fixture
    def overrides(self, overrides: dict[str, Any], mail: RecordingMail) -> dict[str, Any]:
        return {**overrides, "mail": mail}

    def test_the_page_that_waits_says_the_sentence_of_the_method(
        self, site: Site, box: MailUser, mail: RecordingMail
    ) -> None:
        ada = box.owner
        site.services.delivery.deliver_due()
        mail.troubles.append(Refused("550 5.1.1"))
        page = ada.log_in()
        waiting = str(page.soup.find(attrs={"data-hx-get": True})["data-hx-get"])
        assert ada.send("GET", waiting).status == 204
        site.services.delivery.deliver_due()
        assert ada.send("GET", waiting).says(FAILED)
        page = ada.open("/log-in/verify")
        assert page.receipts == [FAILED]
        assert "Use a backup code" in page.links


def test_the_how_to_shows_this_very_method() -> None:
    """To follow it is to write what is tested here."""
    shown = re.findall(r"^ *```(?:python|jinja)\n(.*?)^ *```$", HOW_TO.read_text(), re.DOTALL | re.MULTILINE)
    here = Path(__file__).parent
    files = [here / "emailed_code.py", here / "catalogue.py", *(here / "templates").rglob("*")]
    made = ["".join(path.read_text().replace("webapp.", "..").split()) for path in files if path.is_file()]
    assert len(shown) >= 5
    for block in shown:
        for part in block.split("\n\n\n"):
            assert any("".join(part.split()) in text for text in made), part
