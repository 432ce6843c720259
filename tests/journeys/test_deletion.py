"""Deleting one's account: everything ends at once, a full login within 30 days undoes it, then every row goes."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from tests.attacks.tools import everything, stale
from tests.conftest import Site
from tests.journeys.test_keys_and_passkeys import with_passkey
from tests.people import HOST, PASSWORD, PHONE, Owner, Page, Person
from webapp.models.accounts import Account
from webapp.models.messages import Message

DELETE = "/settings/account/delete"
DAY = 86400
UNTIL = "February 14, 2027, 8:00 AM UTC"
BACK = "Welcome back. Your account is no longer being deleted."
NEW = "seven brass wheels turning"


def delete(ada: Owner) -> Page:
    ada.open(DELETE)
    return ada.press("Delete my account")


def accounts(site: Site) -> int:
    with site.services.db.read() as tx:
        return tx.scalar(select(func.count()).select_from(Account)) or 0


def verify(site: Site, **credentials: object) -> int:
    return site.app.test_client().get("/legacy/verify", base_url=f"http://{HOST}", **credentials).status_code  # type: ignore[arg-type]  # auth and headers


def test_deleting_logs_out_everywhere_and_says_until_when_and_how_to_come_back(ada: Owner, site: Site) -> None:
    ada.sign_up()
    elsewhere = ada.log_in_elsewhere()
    ada.open("/settings/account")
    page = ada.follow("Delete my account")
    assert page.h1 == "Delete my account"
    assert page.says("You have 30 days to change your mind")
    assert accounts(site) == 1, "the page is only a question"
    assert ada.open("/").h1 == "Welcome, Ada Lovelace"
    page = delete(ada)
    assert page.path == "/log-in"
    assert page.receipts == [f"Your account will be deleted on {UNTIL}. To keep it, log in before then."]
    for browser in (ada, elsewhere):
        assert browser.open("/").path == "/log-in"
    mail = site.emails(ada.email)[0]
    assert mail.subject == "Your Nightlatch account will be deleted"
    assert f"@ada will be deleted on {UNTIL}" in mail.text
    assert f"http://{HOST}/log-in" in mail.text
    assert "/not-you/" in mail.text


def test_a_full_login_within_thirty_days_undoes_the_deletion_and_the_next_page_says_so(ada: Owner, site: Site) -> None:
    ada.sign_up()
    delete(ada)
    site.clock.pass_(30 * DAY - 1)
    assert site.services.maintenance.purge()["accounts"] == 0
    page = ada.log_in()
    assert (page.path, page.receipts) == ("/", [BACK])
    assert "You logged in, so your account is no longer being deleted." in site.emails(ada.email)[0].text
    assert ada.open("/settings/security/activity").says("You deleted your account.")
    site.clock.pass_(DAY)
    assert site.services.maintenance.purge()["accounts"] == 0
    assert ada.log_in().receipts == []


def test_the_password_alone_does_not_undo_it_where_a_second_factor_is_on(enrolled: Owner, site: Site) -> None:
    """Also in a browser that was remembered: it is no longer."""
    enrolled.log_in_again()
    enrolled.press("Verify", code=enrolled.next_code(), remember="y")
    delete(enrolled)
    assert enrolled.log_in().h1 == "Enter your code"
    with site.services.db.read() as tx:
        assert tx.scalar(select(Account.delete_at)) is not None
    assert enrolled.press("Verify", code=enrolled.next_code()).receipts == [BACK]


def test_after_thirty_days_every_row_is_gone_and_the_owner_got_a_last_email(site: Site) -> None:
    ada = Owner.signed_up(site)
    ada.turn_on_app()
    other = ada.other_browser()
    other.log_in("a wrong password")
    delete(ada)
    site.clock.pass_(30 * DAY)
    assert ada.log_in().h1 == "Enter your code", "the purge may be late"
    assert ada.press("Verify", code=ada.next_code()).problems == ["Your login timed out or was canceled. Log in again."]
    assert site.app.test_cli_runner().invoke(args=["purge"]).output.splitlines()[0] == "accounts: 1"
    assert site.emails(ada.email)[0].subject == "Your Nightlatch account was deleted"
    rows = everything(site, but={"messages", "site_values", "site_keys", "deleted_names"})
    left = {table: found for table, found in rows.items() if found and table != "attempts"}
    assert not left
    with site.services.db.read() as tx:
        assert tx.scalar(select(func.count()).select_from(Message).where(Message.account_id.is_not(None))) == 0
    assert ada.log_in().status == 422
    eve = Person(site.app)
    eve.open("/sign-up")
    page = eve.press("Sign up", name="Eve", username="ADA", password="violet tractors hum along")
    assert page.problems == ["That username is taken. Try another."]


def test_the_former_username_of_a_deleted_account_stays_taken_too(site: Site) -> None:
    Owner.signed_up(site)
    site.services.accounts.rename("ada", "countess")
    site.services.accounts.delete("ada")
    eve = Person(site.app)
    eve.open("/sign-up")
    for name in ("ada", "countess"):
        page = eve.press("Sign up", name="Eve", username=name, password="violet tractors hum along")
        assert page.problems == ["That username is taken. Try another."]


def test_a_login_whose_time_to_come_back_is_over_opens_no_session(site: Site) -> None:
    ada = Owner.signed_up(site)
    delete(ada)
    site.clock.pass_(30 * DAY)
    assert ada.log_in().problems == ["Your login timed out or was canceled. Log in again."]
    assert ada.open("/").path == "/log-in"


def test_name_and_address_stay_taken_meanwhile(site: Site) -> None:
    ada, grace = Owner(site), Owner(site, "grace")
    ada.sign_up()
    delete(ada)
    eve = Person(site.app)
    eve.open("/sign-up")
    page = eve.press("Sign up", name="Eve", username="ada", password="violet tractors hum along")
    assert page.problems == ["That username is taken. Try another."]
    grace.email = ada.email
    grace.open("/sign-up")
    grace.press("Sign up", name="Grace", username="grace", password=PASSWORD)
    grace.press("Next", email=ada.email)
    assert site.emails(ada.email)[0].subject != "Your Nightlatch account will be deleted"
    assert not site.emails(ada.email)[0].subject[:6].isdigit()


def test_apps_contacts_temporary_passwords_and_links_end_at_once(site: Site) -> None:
    ada, grace = Owner(site), Owner(site, "grace")
    for owner, own, other in ((ada, PHONE, "+447400123457"), (grace, "+447400123457", PHONE)):
        owner.sign_up()
        owner.open("/settings/account/phone")
        owner.press("Save", phone=own)
        owner.press("Verify", code=site.texted_code(own))
        owner.open("/settings/privacy/contacts")
        owner.press("Upload contacts", numbers=other)
    assert grace.open("/settings/privacy/contacts").says("@ada")
    assert verify(site, auth=("ada", PASSWORD)) == 200
    token = site.app.test_client().post(
        "/legacy/token",
        base_url=f"http://{HOST}",
        data={"grant_type": "password", "username": "ada", "password": PASSWORD},
    )
    bearer = {"Authorization": f"Bearer {token.json['access_token']}"}
    assert verify(site, headers=bearer) == 200
    ada.open("/forgot-password")
    ada.press("Send link", email=ada.email)
    reset = site.emailed_path(ada.email, "/reset-password/")
    delete(ada)
    site.clock.pass_(5)
    assert verify(site, auth=("ada", PASSWORD)) == 401
    assert verify(site, headers=bearer) == 401
    assert not grace.open("/settings/privacy/contacts").says("@ada")
    assert Person(site.app).open(reset).status == 404
    ada.log_in()
    site.clock.pass_(5)
    assert verify(site, auth=("ada", PASSWORD)) == 200
    assert verify(site, headers=bearer) == 401


def test_an_app_is_not_texted_a_temporary_password_any_more(site: Site) -> None:
    ada = Owner.signed_up(site)
    ada.turn_on_texts()
    delete(ada)
    site.clock.pass_(60)
    before = len(site.texts())
    assert verify(site, auth=("ada", PASSWORD)) == 401
    assert len(site.texts()) == before


def test_an_approving_phone_still_lets_its_owner_come_back(site: Site) -> None:
    """Requests that wait end; the phone is a second factor, and without it no full login would be possible."""
    phone = Owner.signed_up(site, layout="android")
    phone.turn_on_requests()
    waiting = phone.other_browser(layout="desktop")
    assert waiting.log_in().h1 == "Check your phone to approve"
    delete(phone)
    assert waiting.open("/log-in/waiting").path == "/log-in"
    browser = phone.other_browser(layout="desktop")
    number = browser.log_in().number
    phone.answer(number)
    assert browser.post("/log-in/waiting").receipts == [BACK]


def test_a_forgotten_password_can_be_reset_meanwhile_and_does_not_undo_the_deletion(site: Site) -> None:
    ada = Owner.signed_up(site)
    delete(ada)
    ada.open("/forgot-password")
    ada.press("Send link", email=ada.email)
    ada.open(site.emailed_path(ada.email, "/reset-password/"))
    ada.press("Save password", password=NEW)
    with site.services.db.read() as tx:
        assert tx.scalar(select(Account.delete_at)) is not None
    assert ada.log_in(NEW).receipts == [BACK]


def test_a_thief_cannot_delete_the_link_that_undoes_a_change_of_address(site: Site) -> None:
    ada = Owner.signed_up(site)
    ada.open("/settings/account/email")
    ada.press("Save", email="eve@example.net")
    ada.press("Verify", code=site.emailed_code("eve@example.net"))
    delete(ada)
    owner = ada.other_browser()
    owner.open(site.emailed_path(ada.email, "/undo-email/"))
    assert owner.press("Undo the change").path == "/forgot-password"
    assert owner.log_in().receipts == [BACK]
    assert owner.open("/settings/account").says(ada.email)


def test_deleting_needs_step_up_and_stops_a_change_of_the_username(site: Site) -> None:
    ada = Owner.signed_up(site)
    ada.open("/settings/account/username")
    ada.press("Save", username="countess")
    stale(ada)
    assert ada.post(DELETE).h1 == "Enter your password"
    page = ada.press("Verify", password=ada.password)
    assert page.path == "/log-in"
    assert "Your account will be deleted on" in page.receipts[0]
    assert ada.cookie("session") is None
    ada.log_in()
    assert "Keep @ada" not in ada.open("/settings/account/username").buttons
    site.clock.pass_(DAY)
    assert site.services.renames.finish_due() == 0


def test_an_account_without_a_confirmed_address_is_deleted_without_mail_and_its_name_is_free_again(site: Site) -> None:
    ada = Owner.signed_up(site, confirm_email=False)
    assert ada.open(DELETE).says("Someone else can take your username then.")
    ada.press("Delete my account")
    site.clock.pass_(30 * DAY)
    site.services.maintenance.purge()
    assert site.emails() == []
    assert ada.other_browser().sign_up().h1 == "Welcome, Ada Lovelace"


def test_while_an_earlier_address_comes_back_the_account_cannot_be_deleted(site: Site) -> None:
    ada = Owner.signed_up(site)
    ada.turn_on_app()
    ada.press("Got it")
    ada.open("/settings/account/email")
    ada.press("Save", email="eve@example.net")
    ada.press("Verify", code=site.emailed_code("eve@example.net"))
    reader = Person(site.app)
    reader.open(site.emailed_path(ada.email, "/undo-email/"))
    reader.press("Undo the change")
    ada.log_in_whole()
    page = delete(ada)
    assert page.status == 422
    assert "Someone asked to bring back your old email address." in page.problems[0]


@pytest.mark.parametrize("way", ["passkey", "key", "backup code"])
def test_every_full_login_undoes_the_deletion(site: Site, way: str) -> None:
    ada = Owner.signed_up(site)
    ada.turn_on_key()
    assert ada.key is not None
    delete(ada)
    if way == "passkey":
        assert with_passkey(ada, ada.key).receipts == [BACK]
        return
    ada.log_in()
    if way == "key":
        assert ada.use_key().receipts == [BACK]
        return
    ada.follow("Use a backup code")
    assert ada.press("Verify", code=ada.kept_code).receipts == [BACK, "All your other devices were logged out."]


def test_the_operator_deletes_at_once_and_the_owner_is_told(site: Site) -> None:
    ada = Owner.signed_up(site)
    delete(ada)
    runner = site.app.test_cli_runner()
    shown = runner.invoke(args=["accounts", "show", "ada"]).output
    assert f"Deleted by its owner: on {UNTIL}, unless they log in before\n" in shown
    assert runner.invoke(args=["accounts", "delete", "ada"]).output == "Deleted ada.\n"
    assert accounts(site) == 0
    assert "An administrator deleted your account @ada." in site.emails(ada.email)[0].text


def test_the_next_account_has_nothing_of_a_deleted_one_not_even_its_number(site: Site) -> None:
    """The number is in the cookie of browsers that are known, and in the names under which failures are counted."""
    ada, grace = Owner(site), Owner(site, "grace")
    ada.sign_up()
    ada.turn_on_app()
    other = ada.log_in_elsewhere()
    other.press("Verify", code="000000")
    earlier = site.services.accounts.named("ada")
    site.services.accounts.delete("ada")
    assert "second-factor:" not in str(everything(site, but=set())["attempts"])
    grace.sign_up()
    assert site.services.accounts.named("grace").id != earlier.id
    before = len(site.emails(grace.email))
    ada.username = "grace"
    ada.log_in()
    told = site.emails(grace.email)[: len(site.emails(grace.email)) - before]
    assert ["logged in to your account from a new browser" in mail.subject for mail in told] == [True]
