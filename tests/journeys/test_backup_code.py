"""The backup code: shown once, accepted once, and then replaced by one that is shown until its owner has saved it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import func, select, update

from tests.attacks.tools import give, stale, thief_of
from tests.conftest import Site
from tests.people import TWO_FACTOR, Owner, named
from webapp.models.accounts import Account
from webapp.models.sessions import Attempt, Session

PAGE = f"{TWO_FACTOR}/backup-code"
NEW = "seven brass wheels turning"
COOKIES = ("session", "login", "form", "browser", "remembered")


def test_the_card_names_account_site_and_date_and_can_be_copied_and_printed(ada: Owner) -> None:
    ada.sign_up()
    page = ada.turn_on_app()
    region = page.soup.find("section", attrs={"aria-labelledby": "card-title"})
    assert region is not None
    said = region.get_text(" ", strip=True)
    for fact in ("Backup code", "ada", "Nightlatch", "January 15, 2027", "Copy", "Download", "Print"):
        assert fact in said
    assert page.says("After you press Got it, no page shows this code again.")


def test_the_card_can_be_downloaded(ada: Owner) -> None:
    ada.sign_up()
    ada.turn_on_app()
    page = ada.press("Download")
    headers = page.response.headers
    assert headers["Content-Disposition"] == 'attachment; filename="nightlatch-ada-backup-code.txt"'
    assert headers["Content-Type"].startswith("text/plain")
    assert headers["Cache-Control"] == "no-store"
    title, date, use, space, code = page.text.splitlines()
    assert (title, date, space) == ("Backup code for ada on Nightlatch", "January 15, 2027", "")
    assert code == ada.kept_code
    assert use.startswith("Use it to log in once")


def test_only_a_backup_code_can_be_downloaded(enrolled: Owner) -> None:
    assert enrolled.post(f"{PAGE}.txt", code="<script>").status == 400
    assert enrolled.send("POST", f"{PAGE}.txt", data={"csrf_token": "old", "code": enrolled.kept_code}).status == 400


def test_a_backup_code_logs_in_once_and_the_new_one_is_shown_until_got_it(returning: Owner, site: Site) -> None:
    ada = returning
    ada.log_in()
    page = ada.follow("Use a backup code")
    assert (page.path, page.h1) == ("/log-in/backup-code", "Use a backup code")
    old = ada.kept_code
    page = ada.press("Verify", code=old.lower().replace("-", " "))
    assert (page.status, page.h1) == (200, "Save your new backup code")
    assert page.receipts == ["All your other devices were logged out."]
    new = page.backup_code
    assert new != old
    assert ada.press("Download").text.splitlines()[-1] == new
    ada.open("/log-in/backup-code/new")
    assert ada.press("Got it").h1 == "Welcome, Ada Lovelace"
    for path in ("/log-in/backup-code/new", "/log-in/backup-code", PAGE, f"{PAGE}/new", TWO_FACTOR, "/"):
        assert new not in ada.open(path).text
    told = site.emails(ada.email)[0]
    assert told.subject == "Your backup code was used to log in (Nightlatch)"
    assert "Your backup code was used to log in. We replaced it with a new one." in told.text
    ada.log_in_again()
    ada.follow("Use a backup code")
    page = ada.press("Verify", code=old)
    assert page.problems == ["Wrong backup code. Check it and try again."]
    assert ada.press("Verify", code=new).h1 == "Save your new backup code"


def test_the_new_code_is_shown_again_at_every_reload_and_home_links_to_it(returning: Owner, site: Site) -> None:
    ada = returning
    ada.log_in()
    ada.follow("Use a backup code")
    page = ada.press("Verify", code=ada.kept_code)
    new = page.backup_code
    assert [ada.open(page.path).backup_code for _ in range(2)] == [new, new]
    site.clock.pass_(1799)
    once_shown = "We can't show your code again"
    page = ada.open(PAGE)
    assert [named(act) for act in page.soup.select(".primary")] == ["Save your new backup code"]
    assert not page.says(once_shown)
    page = ada.open("/")
    assert page.links.count("Save your new backup code") == 1
    assert page.says("You haven't saved your new code yet.")
    page = ada.follow("Save your new backup code")
    assert (page.h1, page.backup_code) == ("Save your new backup code", new)
    assert ada.press("Got it").path == "/"
    assert "Save your new backup code" not in ada.open("/").links
    assert not ada.page.says("You haven't saved your new code yet.")
    assert ada.open(PAGE).says(once_shown)


def test_a_new_code_is_not_shown_after_thirty_minutes_or_in_another_session(returning: Owner, site: Site) -> None:
    ada = returning
    ada.log_in()
    ada.follow("Use a backup code")
    new = ada.press("Verify", code=ada.kept_code).backup_code
    twin = ada.other_browser()
    twin.log_in_whole()
    for path in ("/", "/log-in/backup-code/new", f"{PAGE}/new"):
        assert new not in twin.open(path).text
    assert "Save your new backup code" not in twin.open("/").links
    site.clock.pass_(1800)
    assert ada.open("/log-in/backup-code/new").path == "/"
    assert "Save your new backup code" not in ada.open("/").links


def test_a_code_that_was_replaced_elsewhere_is_not_shown(returning: Owner) -> None:
    ada = returning
    ada.log_in()
    ada.follow("Use a backup code")
    old = ada.press("Verify", code=ada.kept_code).backup_code
    twin = ada.other_browser()
    twin.log_in_whole()
    twin.open(PAGE)
    assert twin.press("Generate a new code").backup_code != old
    assert ada.open("/log-in/backup-code/new").path == "/"


def test_the_code_of_a_first_enrollment_is_kept_for_its_owner_too(ada: Owner) -> None:
    ada.sign_up()
    code = ada.turn_on_app().backup_code
    ada.open("/")
    assert ada.follow("Save your new backup code").backup_code == code
    ada.press("Got it")
    assert code not in ada.open(f"{TWO_FACTOR}/authentication-app/done").text


def test_got_it_leads_to_the_page_that_was_asked_for(returning: Owner) -> None:
    ada = returning
    ada.open("/settings")
    ada.press("Log in", username=ada.username, password=ada.password)
    ada.follow("Use a backup code")
    ada.press("Verify", code=ada.kept_code)
    assert ada.press("Got it").path == "/settings"


def test_using_it_ends_every_other_session(enrolled: Owner) -> None:
    elsewhere = enrolled.log_in_elsewhere()
    elsewhere.follow("Use a backup code")
    elsewhere.press("Verify", code=elsewhere.kept_code)
    assert elsewhere.open("/").h1 == "Welcome, Ada Lovelace"
    assert enrolled.open("/").path == "/log-in"


def test_wrong_backup_codes_use_up_no_attempt_of_the_challenge_and_wait_after_five(returning: Owner) -> None:
    ada = returning
    ada.log_in()
    ada.open("/log-in/backup-code")
    assert ada.press("Verify", code="ABCD").problems == ["Enter the complete code."]
    wrong = "AAAA-AAAA-AAAA-AAAA"
    for _ in range(5):
        assert ada.press("Verify", code=wrong).problems == ["Wrong backup code. Check it and try again."]
    page = ada.press("Verify", code=wrong)
    assert (page.status, page.response.headers["Retry-After"]) == (429, "300")
    ada.open("/log-in/verify")
    assert ada.press("Verify", code=ada.next_code()).h1 == "Welcome, Ada Lovelace"


def test_a_fresh_session_generates_a_new_one_and_the_old_one_is_refused(enrolled: Owner, site: Site) -> None:
    ada = enrolled
    page = ada.open(PAGE)
    assert page.h1 == "Backup code"
    assert page.says("Your current code was created on January 15, 2027.")
    page = ada.press("Generate a new code")
    assert page.h1 == "Save your new backup code"
    new = page.backup_code
    assert new != ada.kept_code
    assert ada.open(page.path).backup_code == new
    assert new not in ada.open(PAGE).text
    ada.follow("Save your new backup code")
    page = ada.press("Got it")
    assert page.path == PAGE
    assert new not in page.text
    assert site.emails(ada.email)[0].subject == "You generated a new backup code (Nightlatch)"
    ada.log_in_again()
    ada.follow("Use a backup code")
    assert ada.press("Verify", code=ada.kept_code).status == 422
    assert ada.press("Verify", code=new).h1 == "Save your new backup code"


def test_a_new_one_asked_for_in_a_stale_session_is_shown_after_step_up(enrolled: Owner, site: Site) -> None:
    ada = enrolled
    ada.open(PAGE)
    site.clock.pass_(660)
    assert ada.press("Generate a new code").h1 == "Enter your password"
    assert ada.press("Verify", password=ada.password).h1 == "Enter your code"
    page = ada.press("Verify", code=ada.next_code())
    assert page.h1 == "Save your new backup code"
    assert page.backup_code != ada.kept_code


def test_without_a_second_factor_there_is_no_backup_code(ada: Owner) -> None:
    ada.sign_up()
    page = ada.open(TWO_FACTOR)
    assert page.says("You get one when you turn on your first method.")
    assert page.link("Backup code") == PAGE
    for page in (ada.open(PAGE), ada.post(PAGE)):
        assert (page.path, page.h1) == (PAGE, "Backup code")
        assert page.says("You get a backup code when you turn on your first method.")
        assert "Generate a new code" not in page.buttons


def test_after_the_operator_removed_it_the_pages_offer_a_new_one(enrolled: Owner, site: Site) -> None:
    ada = enrolled
    with site.services.db.write() as tx:
        tx.execute(update(Account).values(backup_code_hash=None, backup_code_made_at=None))
    assert ada.open("/").says("Without a backup code, losing your phone could lock you out.")
    assert ada.follow("Get a backup code").says("You don't have a backup code yet.")


def lose_the_answer(ada: Owner, path: str = "/log-in/backup-code") -> None:
    """Sends the backup code and forgets the answer: the browser keeps the cookies that it had."""
    before, domain = {name: ada.cookie(name) for name in COOKIES}, ada.host.split(":")[0]
    page = ada.page
    ada.post(path, follow=False, code=ada.kept_code)
    for name, value in before.items():
        ada.client.delete_cookie(name, domain=domain)
        if value is not None:
            ada.client.set_cookie(name, value, domain=domain)
    ada.page = page


def test_when_the_answer_got_lost_the_same_code_leads_on_to_the_new_one(returning: Owner, site: Site) -> None:
    ada = returning
    ada.log_in()
    ada.follow("Use a backup code")
    lose_the_answer(ada)
    page = ada.press("Verify", code=ada.kept_code)
    assert page.h1 == "Save your new backup code"
    new = page.backup_code
    assert ada.press("Got it").path == "/"
    assert sum(mail.subject.startswith("Your backup code was used") for mail in site.emails(ada.email)) == 1
    ada.log_in_again()
    ada.follow("Use a backup code")
    assert ada.press("Verify", code=new).h1 == "Save your new backup code"


def test_when_two_answers_got_lost_only_the_third_opens_the_session(returning: Owner, site: Site) -> None:
    ada = returning
    ada.log_in()
    ada.follow("Use a backup code")
    lose_the_answer(ada)
    lose_the_answer(ada)
    assert ada.press("Verify", code=ada.kept_code).h1 == "Save your new backup code"
    with site.services.db.read() as tx:
        assert len(tx.objects.scalars(select(Session).where(Session.ended_at.is_(None))).all()) == 1
        assert tx.scalar(select(func.count()).where(Attempt.bucket.startswith("unguessable:"))) == 0


def see_the_new_code(ada: Owner, site: Site) -> None:
    token, domain = ada.cookie("login"), ada.host.split(":")[0]
    assert ada.post("/log-in/backup-code", code=ada.kept_code).h1 == "Save your new backup code"
    assert token is not None
    ada.client.delete_cookie("session", domain=domain)
    ada.client.set_cookie("login", token, domain=domain)


def wait(ada: Owner, site: Site) -> None:
    lose_the_answer(ada)
    site.clock.pass_(600)


def log_in_elsewhere(ada: Owner, site: Site) -> None:
    """A newer login in the same browser, whose owner must enter a code that is still valid."""
    lose_the_answer(ada)
    ada.log_in()


def log_out_everywhere(ada: Owner, site: Site) -> None:
    lose_the_answer(ada)
    with site.services.db.write() as tx:
        site.services.sessions.end_others(tx, 1, None)


@pytest.mark.parametrize("before", [see_the_new_code, wait, log_in_elsewhere, log_out_everywhere])
def test_a_used_backup_code_leads_on_for_its_own_unanswered_login_only(
    returning: Owner, site: Site, before: Callable[[Owner, Site], None]
) -> None:
    ada = returning
    ada.log_in()
    ada.follow("Use a backup code")
    before(ada, site)
    page = ada.post("/log-in/backup-code", code=ada.kept_code)
    assert page.h1 in ("Log in", "Use a backup code")
    assert ada.cookie("session") is None


@pytest.mark.parametrize("wrong", ["AAAA-AAAA-AAAA-AAAA", "AAAA", ""])
def test_another_code_leads_nowhere_after_a_lost_answer(returning: Owner, wrong: str) -> None:
    ada = returning
    ada.log_in()
    ada.follow("Use a backup code")
    lose_the_answer(ada)
    assert ada.press("Verify", code=wrong).h1 == "Log in"
    assert ada.cookie("session") is None


def test_guesses_after_a_lost_answer_are_counted_with_the_others(returning: Owner) -> None:
    ada = returning
    ada.log_in()
    ada.follow("Use a backup code")
    lose_the_answer(ada)
    token, domain = ada.cookie("login"), ada.host.split(":")[0]
    assert token is not None
    for _ in range(5):
        ada.post("/log-in/backup-code", follow=False, code="AAAA-AAAA-AAAA-AAAA")
        ada.client.set_cookie("login", token, domain=domain)
    assert ada.post("/log-in/backup-code", code=ada.kept_code).status == 429


def test_an_old_page_leads_nowhere_after_a_lost_answer(returning: Owner) -> None:
    ada = returning
    ada.log_in()
    ada.follow("Use a backup code")
    lose_the_answer(ada)
    data = {"csrf_token": "old", "code": ada.kept_code}
    assert ada.send("POST", "/log-in/backup-code", data=data).h1 == "Log in"


# -- At step-up ------------------------------------------------------------------------------------


def at_step_up(ada: Owner) -> str:
    """Opens the page of the backup code on the way to a new password, and returns its path."""
    ada.open("/settings/account/password")
    stale(ada).press("Save", password=NEW)
    ada.press("Verify", password=ada.password)
    path = "/step-up/backup-code?next=/settings/account/password"
    ada.open(path)
    return path


def test_when_the_answer_got_lost_at_step_up_the_same_code_leads_on_too(enrolled: Owner, site: Site) -> None:
    ada = enrolled
    path = at_step_up(ada)
    lose_the_answer(ada, path)
    lose_the_answer(ada, path)
    page = ada.press("Verify", code=ada.kept_code)
    assert page.h1 == "Save your new backup code"
    assert page.backup_code != ada.kept_code
    assert ada.press("Got it").receipts[0].startswith("Password changed."), "what was asked for is done"
    assert sum(mail.subject.startswith("Your backup code was used") for mail in site.emails(ada.email)) == 1
    with site.services.db.read() as tx:
        assert len(tx.objects.scalars(select(Session).where(Session.ended_at.is_(None))).all()) == 1
        assert tx.scalar(select(func.count()).where(Attempt.bucket.startswith("unguessable:"))) == 0


def go_on(ada: Owner, path: str, _older: str) -> None:
    """The answer arrived, and a copy of the token that it replaced comes with the same code."""
    replaced = ada.cookie("session")
    assert ada.post(path, code=ada.kept_code).h1 == "Save your new backup code"
    give(ada, session=replaced or "")


def wait_at_step_up(ada: Owner, path: str, _older: str) -> None:
    lose_the_answer(ada, path)
    ada.site.clock.pass_(600)


def go_back(ada: Owner, path: str, older: str) -> None:
    """The same session has an older token, from before the password was proved."""
    lose_the_answer(ada, path)
    give(ada, session=older)


def end_all(ada: Owner, path: str, _older: str) -> None:
    lose_the_answer(ada, path)
    with ada.site.services.db.write() as tx:
        ada.site.services.sessions.end_others(tx, 1, None)


@pytest.mark.parametrize("before", [go_on, wait_at_step_up, go_back, end_all])
def test_a_used_backup_code_leads_on_for_its_own_unanswered_step_up_only(
    enrolled: Owner, before: Callable[[Owner, str, str], None]
) -> None:
    ada, older = enrolled, enrolled.cookie("session") or ""
    path = at_step_up(ada)
    before(ada, path, older)
    page = ada.post(path, code=ada.kept_code)
    assert (page.path, ada.cookie("session")) == ("/log-in", None)


def test_another_code_leads_nowhere_after_a_lost_answer_at_step_up(enrolled: Owner) -> None:
    ada = enrolled
    path = at_step_up(ada)
    lose_the_answer(ada, path)
    assert ada.post(path, code="AAAA-AAAA-AAAA-AAAA").path == "/log-in"


def test_an_old_page_leads_nowhere_after_a_lost_answer_at_step_up(enrolled: Owner) -> None:
    ada = enrolled
    path = at_step_up(ada)
    lose_the_answer(ada, path)
    data = {"csrf_token": "old", "code": ada.kept_code}
    assert ada.send("POST", path, data=data).path == "/log-in"


def test_the_code_of_a_lost_answer_leads_a_browser_without_its_page_nowhere(enrolled: Owner) -> None:
    """It has a copy of the token, and knows the code."""
    ada = enrolled
    path = at_step_up(ada)
    thief = thief_of(ada)
    lose_the_answer(ada, path)
    thief.open("/help/cannot-log-in")
    assert thief.post(path, code=ada.kept_code).path == "/log-in"
