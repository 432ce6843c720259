"""Undoing a change of the e-mail address on an account with a second factor: it waits for a day, and can be stopped."""

from __future__ import annotations

import pytest

from tests.attacks.test_meanwhile import while_paused
from tests.attacks.test_recovery import ask_reset
from tests.attacks.tools import is_in, stale
from tests.conftest import Site
from tests.people import ANDROID, DESKTOP, PHONE, TWO_FACTOR, Owner, Page, Person
from tests.services.test_races import user_of
from webapp.domain.origin import Origin
from webapp.domain.refusals import LoginExpired, NotFound

HERE = Origin("192.0.2.1", "Firefox")
NEW = "a much longer new password"
COUNTESS = "countess@example.org"
UNDO = "/settings/account/email/undo"
OTHER_PHONE = "+447400987654"
DAY = 86400
PAUSED = (
    "Someone asked to bring back your old email address. Until January 16, 2027, 8:11 AM UTC, your email, phone"
    " number, password and second factors can't be changed."
)


@pytest.fixture
def ada(site: Site) -> Owner:
    """Her app is ten minutes older than her change of address."""
    ada = Owner.signed_up(site)
    ada.turn_on_app()
    ada.press("Got it")
    stale(ada)
    ada.open("/settings/account/email")
    ada.press("Verify", password=ada.password)
    ada.press("Verify", code=ada.next_code())
    ada.press("Save", email=COUNTESS)
    ada.press("Verify", code=site.emailed_code(COUNTESS))
    return ada


def ask(site: Site, ada: Owner) -> Page:
    """A reader of her earlier mailbox presses the button of the link."""
    site.clock.pass_(30)
    reader = Person(site.app)
    page = reader.open(site.emailed_path(ada.email, "/undo-email/"))
    assert page.says("in 24 hours")
    return reader.press("Undo the change")


def email_of(site: Site) -> str | None:
    return site.services.accounts.named("ada").email


def test_an_undo_waits_for_a_day_logs_everyone_out_at_once_and_is_told_to_both_addresses(
    site: Site, ada: Owner
) -> None:
    page = ask(site, ada)
    assert page.receipts == ["Your old email address comes back on January 16, 2027, 8:11 AM UTC."]
    assert page.path == "/log-in"
    assert not is_in(ada)
    for address in (ada.email, COUNTESS):
        mail = site.emails(address)[0]
        assert mail.subject == "The email address of your Nightlatch account changes back"
        text = " ".join(mail.text.split())
        assert "the link we sent to your account's old email address, a...@example.org." in text
        assert f"http://nightlatch.localhost:5000{UNDO}" in text
        assert "again on January 16, 2027, 8:11 AM UTC." in text
    site.clock.pass_(DAY - 1)
    assert site.services.email_undos.finish_due() == 0
    assert email_of(site) == COUNTESS
    site.clock.pass_(1)
    ada.log_in_whole()
    assert site.services.email_undos.finish_due() == 1
    assert email_of(site) == ada.email
    assert not is_in(ada)
    assert "Your email address was changed back to a...@example.org." in site.emails(COUNTESS)[0].text
    assert "Your email address was changed back to ada@example.org." in site.emails(ada.email)[0].text
    assert site.services.email_undos.finish_due() == 0


def test_an_account_without_factors_gets_its_address_back_at_once_and_both_addresses_are_told(site: Site) -> None:
    bob = Owner.signed_up(site, "bob")
    bob.open("/settings/account/email")
    bob.press("Save", email=COUNTESS)
    bob.press("Verify", code=site.emailed_code(COUNTESS))
    reader = Person(site.app)
    assert not reader.open(site.emailed_path(bob.email, "/undo-email/")).says("in 24 hours")
    reader.press("Undo the change")
    assert site.services.accounts.named("bob").email == bob.email
    mail = site.emails(COUNTESS)[0]
    assert mail.subject == "The email address of your Nightlatch account"
    assert "Your email address was changed back to b...@example.org." in mail.text
    assert "/not-you/" not in mail.text
    assert site.emails(bob.email)[0].subject == "Your email address was changed back to bob@example.org (Nightlatch)"


def test_a_log_in_with_a_factor_older_than_the_change_stops_the_undo(site: Site, ada: Owner) -> None:
    ask(site, ada)
    page = ada.log_in_whole()
    assert page.says("Your old email address comes back on January 16, 2027, 8:11 AM UTC, because someone asked")
    assert ada.open("/settings/account/email").path == UNDO
    page = ada.press("Keep this address")
    assert page.receipts == ["Your email address stays as it is."]
    for address in (ada.email, COUNTESS):
        assert "Your email address hasn't changed" in site.emails(address)[0].text
    site.clock.pass_(DAY)
    assert site.services.email_undos.finish_due() == 0
    assert email_of(site) == COUNTESS
    ada.log_in_whole()
    assert ada.open(UNDO).path == "/settings/account"
    assert Person(site.app).open(site.emailed_path(ada.email, "/undo-email/")).status == 404


def test_an_undo_that_is_stopped_at_its_last_second_is_not_finished(site: Site, ada: Owner) -> None:
    ask(site, ada)
    site.clock.pass_(DAY - 60)
    ada.log_in_whole()
    undos, user = site.services.email_undos, user_of(site)
    site.clock.pass_(29)
    finished: list[int] = []

    def finish() -> None:
        site.clock.pass_(1)
        finished.append(undos.finish_due())

    while_paused(site, lambda: undos.stop(user, HERE), "UPDATE accounts SET undo_email", finish)
    assert finished == [0]
    assert email_of(site) == COUNTESS
    with pytest.raises(NotFound):
        undos.stop(user, HERE)


def test_a_session_that_was_ended_meanwhile_does_not_stop_the_undo(site: Site, ada: Owner) -> None:
    ask(site, ada)
    ada.log_in_whole()
    user = user_of(site)
    with site.services.db.write() as tx:
        site.services.sessions.end_others(tx, user.account.id, None)
    with pytest.raises(LoginExpired):
        site.services.email_undos.stop(user, HERE)
    site.clock.pass_(DAY)
    assert site.services.email_undos.finish_due() == 1


def test_a_factor_that_is_younger_than_the_change_does_not_stop_the_undo(site: Site, ada: Owner) -> None:
    """A thief with a session turned on a method of their own after they had changed the address."""
    ada.turn_on_texts()
    ask(site, ada)
    site.clock.pass_(60)
    thief = ada.log_in_elsewhere()
    thief.follow("Choose a different two-factor authentication method")
    thief.press("Text message to ...56")
    thief.press("Verify", code=site.texted_code(PHONE))
    page = thief.open(UNDO)
    assert page.says("log in with a second factor that you turned on before")
    assert "Keep this address" not in page.buttons
    assert thief.post(UNDO).status == 404
    assert email_of(site) == COUNTESS
    site.clock.pass_(DAY)
    site.services.email_undos.finish_due()
    assert email_of(site) == ada.email


def test_a_backup_code_does_not_stop_the_undo(site: Site, ada: Owner) -> None:
    ask(site, ada)
    ada.log_in()
    ada.follow("Use a backup code")
    ada.press("Verify", code=ada.kept_code)
    assert "Keep this address" not in ada.open(UNDO).buttons
    assert ada.post(UNDO).status == 404


def test_while_an_undo_waits_nothing_that_decides_who_owns_the_account_changes(site: Site, ada: Owner) -> None:
    ask(site, ada)
    ada.log_in_whole()
    account = site.services.accounts.named("ada")
    ada.open("/settings/account/password")
    assert ada.press("Save", password=NEW).problems == [PAUSED]
    assert ada.post("/settings/account/email", email="third@example.org").path == UNDO
    ada.open("/settings/account/phone")
    ada.press("Save", phone=PHONE)
    assert ada.press("Verify", code=site.texted_code(PHONE)).problems == [PAUSED]
    ada.open(TWO_FACTOR)
    ada.press("Authentication app")
    assert ada.press("Turn off").says(PAUSED)
    ada.open(f"{TWO_FACTOR}/backup-code")
    assert ada.press("Generate a new code").says(PAUSED)
    ada.open(TWO_FACTOR)
    ada.follow("Security key")
    ada.press("Start")
    ada.press("Use security key", credential=ada.new_key().create(ada.page.options()))  # type: ignore[union-attr]
    assert ada.press("Save", name="Blue key").problems == [PAUSED]
    reader = ask_reset(site, COUNTESS)
    reader.open(site.emailed_path(COUNTESS, "/reset-password/"))
    assert reader.press("Save password", password=NEW).problems == [PAUSED]
    after = site.services.accounts.named("ada")
    for name in ("email", "phone_number", "password_hash", "backup_code_hash"):
        assert getattr(after, name) == getattr(account, name), name
    assert [factor.method for factor in site.services.accounts.factors(after)] == ["authentication-app"]


def test_an_undo_of_an_earlier_change_takes_the_place_of_a_later_one(site: Site, ada: Owner) -> None:
    stale(ada)
    ada.open("/settings/account/email")
    ada.press("Verify", password=ada.password)
    ada.press("Verify", code=ada.next_code())
    ada.press("Save", email="third@example.org")
    ada.press("Verify", code=site.emailed_code("third@example.org"))
    later = site.emailed_path(COUNTESS, "/undo-email/")
    reader = Person(site.app)
    reader.post(later)
    reader.post(site.emailed_path(ada.email, "/undo-email/"))
    site.clock.pass_(DAY)
    assert site.services.email_undos.finish_due() == 1
    assert email_of(site) == ada.email


def test_an_undo_is_dropped_when_the_earlier_address_became_another_accounts(site: Site, ada: Owner) -> None:
    ask(site, ada)
    grace = Owner(site, "grace")
    grace.email = ada.email
    grace.sign_up()
    site.clock.pass_(DAY)
    assert site.services.email_undos.finish_due() == 0
    assert email_of(site) == COUNTESS
    ada.log_in_whole()
    ada.open("/settings/account/password")
    assert ada.press("Save", password=NEW).receipts[0].startswith("Password changed")


def test_a_change_that_waits_for_the_commit_of_an_undo_is_refused(site: Site, ada: Owner) -> None:
    path = site.emailed_path(ada.email, "/undo-email/")
    ask_reset(site, COUNTESS)
    thief, reader = Person(site.app), Person(site.app)
    thief.open(site.emailed_path(COUNTESS, "/reset-password/"))
    reader.open(path)
    while_paused(
        site,
        lambda: reader.press("Undo the change"),
        "UPDATE accounts SET undo_email",
        lambda: thief.press("Save password", password=NEW),
    )
    assert thief.page is not None
    assert thief.page.status in (404, 422), "the undo ended the link, or paused the change"
    assert ada.log_in().h1 == "Enter your code"


def test_a_backup_code_does_not_stop_it_although_an_older_factor_was_proved_in_the_same_second(
    site: Site, ada: Owner
) -> None:
    """The thief has the code, and waits for the owner to log in."""
    ask(site, ada)
    site.clock.pass_(30)
    ada.log_in_whole()
    thief = ada.log_in_elsewhere()
    thief.open("/log-in/backup-code")
    assert thief.press("Verify", code=ada.kept_code).h1 == "Save your new backup code"
    assert "Keep this address" not in thief.open(UNDO).buttons


def with_texts(site: Site) -> Owner:
    ada = Owner.signed_up(site)
    ada.turn_on_texts()
    ada.press("Got it")
    site.clock.pass_(60)
    return ada


def add_number(site: Site, ada: Owner) -> None:
    ada.open("/settings/account/phone")
    ada.press("Save", phone=OTHER_PHONE)
    ada.press("Verify", code=site.texted_code(OTHER_PHONE))
    site.clock.pass_(60)


def change_address(site: Site, ada: Owner) -> None:
    ada.open("/settings/account/email")
    ada.press("Save", email=COUNTESS)
    ada.press("Verify", code=site.emailed_code(COUNTESS))
    site.clock.pass_(60)


def test_a_text_to_a_number_that_is_newer_than_the_change_does_not_stop_it(site: Site) -> None:
    """The thief changed the address and then the number: who has that proves nothing of the owner's."""
    ada = with_texts(site)
    change_address(site, ada)
    add_number(site, ada)
    Person(site.app).post(site.emailed_path(ada.email, "/undo-email/"))
    ada.log_in()
    assert ada.press("Verify", code=site.texted_code(OTHER_PHONE)).h1 == "Welcome, Ada Lovelace"
    page = ada.open(UNDO)
    assert (page.status, "Keep this address" in page.buttons) == (200, False)


def test_a_text_in_place_of_a_login_request_does_not_stop_it_as_the_phone_would(site: Site) -> None:
    ada = Owner.signed_up(site, layout=ANDROID)
    ada.turn_on_requests()
    ada.press("Got it")
    add_number(site, ada)
    change_address(site, ada)
    Person(site.app).post(site.emailed_path(ada.email, "/undo-email/"))
    other = ada.log_in_elsewhere(layout=DESKTOP)
    other.press("Request a code sent to your phone via text message")
    assert other.press("Verify", code=site.texted_code(OTHER_PHONE)).h1 == "Welcome, Ada Lovelace"
    assert "Keep this address" not in other.open(UNDO).buttons


def test_a_text_to_an_older_number_stops_it(site: Site) -> None:
    ada = with_texts(site)
    add_number(site, ada)
    change_address(site, ada)
    Person(site.app).post(site.emailed_path(ada.email, "/undo-email/"))
    ada.log_in()
    ada.press("Verify", code=site.texted_code(OTHER_PHONE))
    ada.open(UNDO)
    assert ada.press("Keep this address").receipts == ["Your email address stays as it is."]
