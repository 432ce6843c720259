"""Step-up: prove again who you are, then what you asked for happens and nothing typed is lost."""

from __future__ import annotations

import json

from sqlalchemy import select, update

from tests.attacks.tools import old_token
from tests.conftest import Site
from tests.people import DESKTOP, TWO_FACTOR, Owner, Page
from webapp.models.sessions import KeptAct
from webapp.services.kept_acts import act_bound

NEW = "seven brass wheels turning"
OLD = "This page was out of date. Nothing was changed. Try again."
TURN_OFF = f"{TWO_FACTOR}/authentication-app/turn-off?again=1"  # the URL of the last step on an iPhone


def stale(ada: Owner) -> None:
    ada.site.clock.pass_(660)


def test_a_new_password_typed_in_a_stale_session_is_saved_after_step_up(enrolled: Owner, site: Site) -> None:
    ada = enrolled
    ada.open("/settings/account/password")
    stale(ada)
    page = ada.press("Save", password=NEW)
    assert (page.path, page.h1) == ("/step-up/password", "Enter your password")
    marked = [link.get_text(strip=True) for link in page.soup.select(".beside [aria-current]")]
    assert marked == (["Account"] if ada.layout == DESKTOP else []), "the list of settings stays"
    page = ada.press("Verify", password=ada.password)
    assert (page.path, page.h1) == ("/step-up/verify", "Enter your code")
    page = ada.press("Verify", code=ada.next_code())
    assert page.path == "/settings/account"
    assert page.receipts == [
        "Password changed. All your other devices were logged out. We sent you a confirmation email."
    ]
    assert ada.log_in_again(NEW).h1 == "Enter your code"


def test_an_invalid_value_is_reported_after_step_up(ada: Owner) -> None:
    ada.sign_up()
    ada.open("/settings/account/email")
    stale(ada)
    ada.press("Save", email="countess at example")
    page = ada.press("Verify", password=ada.password)
    assert page.h1 == "Change your email"
    assert page.problems == ["Enter a valid email address, like name@example.com."]
    assert page.field("Email address")["value"] == "countess at example"
    names = [name for name, _ in page.response.headers if name != "Set-Cookie"]
    assert len(names) == len(set(names)), "an answer within an answer says every header once"


def test_a_page_that_was_only_opened_is_opened_after_step_up(enrolled: Owner) -> None:
    ada = enrolled
    stale(ada)
    assert ada.open("/settings/account/password").h1 == "Enter your password"
    ada.press("Verify", password=ada.password)
    assert ada.press("Verify", code=ada.next_code()).h1 == "Change your password"


def test_after_step_up_the_session_is_fresh_for_ten_minutes(enrolled: Owner, site: Site) -> None:
    ada = enrolled
    stale(ada)
    ada.open("/settings/account/password")
    ada.press("Verify", password=ada.password)
    ada.press("Verify", code=ada.next_code())
    site.clock.pass_(500)
    assert ada.open("/settings/account/email").h1 == "Change your email"
    site.clock.pass_(100)
    assert ada.open("/settings/account/email").h1 in ("Enter your password", "Enter your code")


def test_each_step_up_changes_the_session_token_and_the_old_one_is_refused(enrolled: Owner) -> None:
    ada = enrolled
    stale(ada)
    ada.open("/settings/account/password")
    before = ada.cookie("session")
    ada.press("Verify", password=ada.password)
    between = ada.cookie("session")
    ada.press("Verify", code=ada.next_code())
    after = ada.cookie("session")
    assert len({before, between, after}) == 3
    for dead in (before, between):
        thief = ada.other_browser()
        assert dead is not None
        thief.client.set_cookie("session", dead, domain=thief.host.split(":")[0])
        assert thief.open("/").path == "/log-in"


def test_a_right_password_ends_the_count_of_wrong_ones(ada: Owner) -> None:
    ada.sign_up()
    for _ in range(2):  # within 15 minutes
        stale(ada)
        ada.open("/settings/account/password")
        pages = [ada.press("Verify", password=f"guess number {n} of many") for n in range(9)]
        assert {page.status for page in pages} == {422}
        assert ada.press("Verify", password=ada.password).h1 == "Change your password"


def test_a_wrong_password_is_reported_and_many_have_to_wait(ada: Owner) -> None:
    ada.sign_up()
    stale(ada)
    ada.open("/settings/account/password")
    pages = [ada.press("Verify", password=f"guess number {n} of many") for n in range(11)]
    assert pages[0].problems == ["Wrong password. Try again."]
    assert [page.status for page in pages] == [422] * 10 + [429]
    assert pages[-1].response.headers["Retry-After"] == "30"
    ada.site.clock.pass_(30)
    assert ada.press("Verify", password=ada.password).h1 == "Change your password"


def test_the_second_factor_is_asked_for_after_the_password_only(enrolled: Owner) -> None:
    ada = enrolled
    stale(ada)
    assert ada.open("/step-up/verify").path == "/step-up/password"
    assert ada.open("/step-up/backup-code").path == "/step-up/password"


def test_a_backup_code_is_accepted_and_the_act_continues(enrolled: Owner, site: Site) -> None:
    ada = enrolled
    ada.open("/settings/account/password")
    stale(ada)
    ada.press("Save", password=NEW)
    ada.press("Verify", password=ada.password)
    ada.follow("Choose a different two-factor authentication method")
    assert ada.press("Authentication app").h1 == "Enter your code"
    ada.follow("Choose a different two-factor authentication method")
    page = ada.press("Backup code")
    assert page.h1 == "Use a backup code"
    assert ada.press("Verify", code="AAAA-AAAA-AAAA-AAAA").status == 422
    page = ada.press("Verify", code=ada.kept_code)
    assert page.h1 == "Save your new backup code"
    assert page.backup_code != ada.kept_code
    page = ada.press("Got it")
    assert page.path == "/settings/account"
    assert page.receipts == [
        "Password changed. All your other devices were logged out. We sent you a confirmation email."
    ]
    assert any("backup code was used" in mail.subject for mail in site.emails(ada.email))


def test_an_act_whose_key_is_missing_is_dropped_and_the_proof_is_not(enrolled: Owner, site: Site) -> None:
    ada = enrolled
    ada.open("/settings/account/password")
    stale(ada)
    ada.press("Save", password=NEW)
    ada.press("Verify", password=ada.password)
    with site.services.db.write() as tx:
        tx.execute(update(KeptAct).values(sealed="none.AAAA"))
    page = ada.press("Verify", code=ada.next_code())
    assert (page.status, page.path, page.h1) == (200, "/settings/account/password", "Change your password")


def test_a_stale_page_of_the_new_backup_code_leads_home_and_does_nothing(enrolled: Owner) -> None:
    page = enrolled.post("/step-up/backup-code/new")  # Got it on the page of the enrollment's code
    assert page.path == "/settings"
    stale(enrolled)
    assert enrolled.post("/step-up/backup-code/new").path == "/"


def test_wrong_codes_are_reported_and_the_fifth_ends_the_step_up(enrolled: Owner) -> None:
    ada = enrolled
    stale(ada)
    ada.open("/settings/account/password")
    ada.press("Verify", password=ada.password)
    wrong = ada.code(ahead=86400)
    said = [ada.press("Verify", code=wrong).problems for _ in range(4)]
    assert said[0] == ["Wrong code. Check it and try again."]
    assert said[3][0].endswith("You have 1 attempt left.")
    ada.press("Verify", code=wrong)
    page = ada.post("/step-up/verify", code=ada.next_code())
    assert page.problems
    page = ada.post("/step-up/backup-code", code=ada.kept_code)
    assert page.h1 == "Save your new backup code", "wrong codes never refuse it"


def test_a_code_that_logged_in_is_refused_at_step_up(enrolled: Owner) -> None:
    ada = enrolled
    stale(ada)
    ada.open("/settings/account/password")
    ada.press("Verify", password=ada.password)
    code = ada.next_code()
    ada.press("Verify", code=code)
    stale(ada)
    ada.open("/settings/account/password")
    ada.press("Verify", password=ada.password)
    assert ada.press("Verify", code=code).status == 422


def test_an_act_that_was_kept_too_long_is_not_done(ada: Owner, site: Site) -> None:
    ada.sign_up()
    ada.open("/settings/account/password")
    stale(ada)
    ada.press("Save", password=NEW)
    site.clock.pass_(601)
    page = ada.press("Verify", password=ada.password)
    assert page.path == "/settings/account/password"
    assert page.receipts == []
    assert ada.log_in_again(NEW).status == 422


def test_step_up_redirects_within_this_host_only(ada: Owner) -> None:
    ada.sign_up()
    stale(ada)
    ada.open("/step-up/password?next=//evil.example/")
    assert ada.press("Verify", password=ada.password).path == "/settings"


def test_a_method_that_the_account_lacks_ends_no_session(ada: Owner) -> None:
    ada.sign_up()
    ada.open("/step-up/password?method=security-key&next=/settings")
    assert ada.press("Verify", password=ada.password).status == 404
    assert ada.open("/settings").h1 == "Settings and privacy"


def test_cancel_leads_to_the_settings_and_nothing_is_done(ada: Owner) -> None:
    ada.sign_up()
    ada.open("/settings/account/password")
    stale(ada)
    ada.press("Save", password=NEW)
    assert ada.press("Cancel").path == "/settings"
    assert ada.log_in_again().h1 == "Welcome, Ada Lovelace"


def test_an_act_with_an_expired_csrf_token_is_shown_again_and_not_done(ada: Owner, site: Site) -> None:
    ada.sign_up()
    ada.open("/settings/account/email")
    stale(ada)
    page = ada.press("Save", email="grace@example.org", csrf_token=old_token(site, ada))
    assert page.h1 == "Enter your password"
    page = ada.press("Verify", password=ada.password)
    assert (page.status, page.h1, page.problems) == (422, "Change your email", [OLD])
    assert page.field("Email address")["value"] == "grace@example.org"
    assert site.emails("grace@example.org") == []
    assert ada.press("Save").h1 == "Check your email"


def test_a_name_with_an_expired_csrf_token_is_shown_again_and_not_done(ada: Owner, site: Site) -> None:
    ada.sign_up()
    ada.turn_on_key()
    ada.open(f"{TWO_FACTOR}/security-keys")
    ada.follow("Rename Blue key")
    stale(ada)
    ada.press("Save", name="Red key", csrf_token=old_token(site, ada))
    ada.press("Verify", password=ada.password)
    page = ada.use_key()
    assert (page.status, page.h1, page.problems) == (422, "Rename Blue key", [OLD])
    assert page.field("Key name")["value"] == "Red key"
    assert "Renamed to Red key." in ada.press("Save").receipts


def test_choosing_a_method_that_the_account_lacks_is_not_found(enrolled: Owner) -> None:
    stale(enrolled)
    enrolled.open("/settings/account/password")
    enrolled.press("Verify", password=enrolled.password)
    assert enrolled.post("/step-up/methods", method="text-message").status == 404
    enrolled.open("/step-up/verify")
    enrolled.follow("Choose a different two-factor authentication method")
    assert enrolled.follow("Back to Authentication app").h1 == "Enter your code"
    enrolled.follow("Choose a different two-factor authentication method")
    assert enrolled.press("Cancel").path == "/settings"
    assert enrolled.open(f"{TWO_FACTOR}/turn-off").status == 404


# -- A kept act belongs to the page that asked for it -----------------------------------------------


def turned_off_with_a_stale_proof(ada: Owner) -> None:
    stale(ada)
    assert ada.post(TURN_OFF).h1 == "Enter your password"


def prove(ada: Owner) -> Page:
    ada.press("Verify", password=ada.password)
    return ada.press("Verify", code=ada.next_code())


def is_on(ada: Owner) -> bool:
    return not any("turned off" in email.subject for email in ada.site.emails(ada.email))


def test_cancel_drops_the_act(enrolled: Owner) -> None:
    ada = enrolled
    turned_off_with_a_stale_proof(ada)
    ada.press("Cancel")
    ada.open("/settings/account/email")
    assert prove(ada).h1 == "Change your email"
    assert is_on(ada)


def test_leaving_at_the_second_factor_drops_the_act(enrolled: Owner) -> None:
    ada = enrolled
    turned_off_with_a_stale_proof(ada)
    assert ada.press("Verify", password=ada.password).h1 == "Enter your code"
    assert ada.open("/settings").status == 200
    ada.open(f"/step-up/password?next={TURN_OFF}")
    prove(ada)
    assert is_on(ada)


def test_opening_another_page_drops_the_act(enrolled: Owner) -> None:
    ada = enrolled
    turned_off_with_a_stale_proof(ada)
    assert ada.open("/settings").status == 200
    ada.open(f"/step-up/password?next={TURN_OFF}")
    prove(ada)
    assert is_on(ada)


def test_a_step_up_for_another_page_drops_the_act(enrolled: Owner) -> None:
    """Also without a page in between, and also when the first step-up is continued afterwards."""
    ada = enrolled
    turned_off_with_a_stale_proof(ada)
    ada.open("/step-up/password?next=/settings/account/email")
    assert prove(ada).h1 == "Change your email"
    assert is_on(ada)
    stale(ada)
    ada.open(f"/step-up/password?next={TURN_OFF}")
    prove(ada)
    assert is_on(ada)


def test_the_act_is_kept_while_the_user_stays_in_its_step_up(enrolled: Owner) -> None:
    """A wrong password, another method and reloading the page do not leave the step-up."""
    ada = enrolled
    turned_off_with_a_stale_proof(ada)
    ada.press("Verify", password="a wrong password")
    ada.open(f"/step-up/password?next={TURN_OFF}")
    prove(ada)
    assert not is_on(ada)


def test_the_act_is_done_once(enrolled: Owner) -> None:
    ada = enrolled
    ada.open("/settings/account/password")
    stale(ada)
    ada.press("Save", password=NEW)
    prove(ada)
    ada.password = NEW
    stale(ada)
    ada.open("/step-up/password?next=/settings/account/password")
    page = prove(ada)
    assert (page.h1, page.receipts) == ("Change your password", [])
    changes = [email for email in ada.site.emails(ada.email) if "password was changed" in email.subject]
    assert len(changes) == 1


def test_an_act_with_a_token_of_another_browser_is_not_kept(ada: Owner) -> None:
    ada.sign_up()
    stale(ada)
    for token in ("old", ada.other_browser().token()):
        page = ada.send("POST", "/settings/account/password", data={"csrf_token": token, "password": NEW})
        assert page.status == 400


def test_an_act_that_the_version_before_kept_is_done(ada: Owner, site: Site) -> None:
    ada.sign_up()
    ada.open("/settings/account/email")
    stale(ada)
    ada.press("Save", email="grace@example.org")
    with site.services.db.write() as tx:
        act = tx.objects.scalars(select(KeptAct)).one()
        bound, keyring = act_bound(act.session_id), site.services.core.keyring
        act.sealed = keyring.seal(json.dumps(json.loads(keyring.open(act.sealed, bound))[:3]), bound)
    assert ada.press("Verify", password=ada.password).h1 == "Check your email"
