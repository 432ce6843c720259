"""Cookies that are planted, stolen, copied, forged or expired."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from tests.attacks.conftest import MeanwhileHasher
from tests.attacks.tools import cookies_of, enrolled, give, is_in, live_sessions, replace_app, stale, thief_of
from tests.conftest import Site
from tests.people import ANDROID, Owner, Person
from webapp.domain.origin import Origin
from webapp.domain.refusals import LoginExpired, WrongLogin
from webapp.models.sessions import PendingLogin

MINUTE, HOUR, DAY = 60, 3600, 86400
NEW = "a much longer new password"


# -- Fixation --------------------------------------------------------------------------------------


def test_a_planted_session_gets_a_new_id_and_the_old_one_is_invalid(site: Site, ada: Owner, mallory: Owner) -> None:
    mallory.log_in_whole()
    planted = cookies_of(mallory)["session"]
    victim = ada.other_browser()
    give(victim, session=planted)
    victim.post("/log-in", username="ada", password=ada.password)
    pending = cookies_of(victim)["login"]
    assert pending != planted
    assert victim.post("/log-in/verify", code=ada.next_code()).h1 == "Welcome, Ada Lovelace"
    assert cookies_of(victim)["session"] not in (planted, pending)
    assert not is_in(mallory), "what was planted is of no use to whoever planted it"


def test_a_planted_pending_login_is_invalid_after_the_password(site: Site, ada: Owner, stranger: Owner) -> None:
    planted = cookies_of(stranger)["login"]
    victim = ada.other_browser()
    give(victim, login=planted)
    victim.log_in()
    assert cookies_of(victim)["login"] != planted
    site.clock.pass_(30)
    assert stranger.post("/log-in/verify", code=ada.code()).path == "/log-in"
    assert victim.post("/log-in/verify", code=ada.code()).h1 == "Welcome, Ada Lovelace"


def test_a_login_never_gets_the_number_by_which_the_codes_of_a_deleted_one_were_counted(
    site: Site, ada: Owner, stranger: Owner
) -> None:
    def numbers() -> list[int]:
        with site.services.db.read() as tx:
            return list(tx.scalars(select(PendingLogin.id).order_by(PendingLogin.id)))

    deleted = numbers()[-1]
    assert "login" in cookies_of(stranger)
    site.clock.pass_(60 * DAY)
    site.services.maintenance.purge()
    assert numbers() == []
    ada.other_browser().log_in()
    assert numbers() > [deleted]


def test_values_planted_in_the_form_cookie_do_not_survive_a_log_in(site: Site, ada: Owner) -> None:
    mallory = Person(site.app)
    token = mallory.token()
    victim = ada.other_browser()
    give(victim, form=cookies_of(mallory)["form"])
    victim.log_in_whole()
    page = victim.send("POST", "/cookie-notice", data={"csrf_token": token}, follow=False)
    assert "cookies-seen" not in str(page.response.headers)
    page = victim.send("POST", "/cookie-notice", data={"csrf_token": victim.token()}, follow=False)
    assert "cookies-seen" in str(page.response.headers), "with a token of its own"


def test_a_remembered_browser_cookie_of_another_site_is_ignored(ada: Owner, stranger: Owner) -> None:
    for browser in (ada, stranger):
        give(browser, remember_token="1|forged")
    assert is_in(ada)
    assert not is_in(stranger)


def test_step_up_and_a_new_factor_change_the_session_id_too(site: Site, ada: Owner) -> None:
    thief = thief_of(ada)
    assert is_in(thief)
    stale(ada).open("/settings/account/password")
    ada.press("Verify", password=ada.password)
    assert not is_in(thief), "after the password"
    thief = thief_of(ada)
    ada.press("Verify", code=ada.next_code())
    assert not is_in(thief), "after the second factor"
    thief = thief_of(ada)
    ada.secret = replace_app(ada)
    ada.press("Next")
    assert ada.press("Verify", code=ada.code()).h1 == "Two-factor authentication"
    assert not is_in(thief), "after a new factor"
    assert is_in(ada)


# -- What ends sessions ----------------------------------------------------------------------------


def test_a_password_reset_ends_every_session_on_both_hosts(site: Site, ada: Owner) -> None:
    phone = ada.other_browser(layout=ANDROID)
    phone.log_in_whole()
    pending = ada.log_in_elsewhere()
    reader = ada.other_browser()
    reader.open("/forgot-password")
    reader.press("Send link", email=ada.email)
    reader.open(site.emailed_path(ada.email, "/reset-password/"))
    assert reader.press("Save password", password=NEW).path == "/log-in"
    assert not is_in(ada)
    assert not is_in(phone)
    site.clock.pass_(30)
    assert pending.post("/log-in/verify", code=ada.code()).path == "/log-in"
    assert live_sessions(site) == 0


def test_a_password_change_ends_other_sessions_pending_logins_and_remembered_browsers(site: Site, ada: Owner) -> None:
    friend = ada.log_in_elsewhere()
    friend.press("Verify", code=ada.next_code(), remember="y")
    friend.log_out()
    pending = ada.log_in_elsewhere()
    thief = thief_of(ada)
    ada.open("/settings/account/password")
    ada.press("Save", password=NEW)
    assert is_in(ada)
    assert not is_in(thief)
    assert pending.post("/log-in/verify", code=ada.next_code()).path == "/log-in"
    friend.password = NEW
    assert friend.log_in().h1 == "Enter your code"


def test_turning_a_factor_off_and_using_the_backup_code_end_the_other_sessions(site: Site, ada: Owner) -> None:
    other = ada.log_in_elsewhere()
    page = other.post("/log-in/backup-code", code=ada.kept_code)
    assert page.h1 == "Save your new backup code"
    assert not is_in(ada)
    ada.log_in_whole()
    ada.open("/settings/security/two-factor")
    ada.press("Authentication app")
    ada.press("Turn off")
    assert not is_in(other)
    assert is_in(ada)


def test_the_first_factor_ends_the_other_sessions(site: Site) -> None:
    bob = Owner.signed_up(site, "bob")
    other = bob.log_in_elsewhere()
    assert is_in(other)
    bob.turn_on_app()
    assert not is_in(other)


def test_after_log_out_the_cookie_is_invalid_and_back_shows_no_page(site: Site, ada: Owner) -> None:
    thief = thief_of(ada)
    jar = cookies_of(ada)
    before = ada.open("/settings")
    assert before.response.headers["Cache-Control"] == "no-store"
    page = ada.log_out()
    assert page.path == "/log-in"
    assert not is_in(thief)
    give(ada, **jar)
    assert ada.open("/settings").path == "/log-in"
    restored = ada.open("/settings", headers={"HX-Request": "true", "HX-History-Restore-Request": "true"})
    assert restored.path == "/log-in"


def test_log_out_tells_the_browser_what_to_clear_and_keeps_remembered_browsers(ada: Owner) -> None:
    ada.open("/")
    page = ada.send("POST", "/log-out", data={"csrf_token": ada.token()}, follow=False)
    assert page.response.headers["Clear-Site-Data"] == '"cache", "storage"'


# -- Time ------------------------------------------------------------------------------------------


def test_an_idle_session_expires_after_an_hour_whatever_the_cookie_says(site: Site, ada: Owner) -> None:
    site.clock.pass_(MINUTE)
    for _ in range(3):
        assert is_in(ada)
        site.clock.pass_(HOUR - 1)
    assert is_in(ada)
    site.clock.pass_(HOUR)
    assert not is_in(ada)


def test_a_session_in_use_expires_after_a_day(site: Site, ada: Owner) -> None:
    for _ in range(2 * 24 - 1):
        site.clock.pass_(HOUR // 2)
        assert is_in(ada)
    site.clock.pass_(HOUR // 2)
    assert not is_in(ada)


def test_a_persistent_session_expires_after_a_week_without_use_or_after_thirty_days(site: Site, ada: Owner) -> None:
    kept, quiet = ada.other_browser(), ada.other_browser()
    for browser in (kept, quiet):
        browser.log_in(keep="y")
        browser.press("Verify", code=ada.next_code())
    for _ in range(4):
        site.clock.pass_(7 * DAY - MINUTE)
        assert is_in(kept)
    assert not is_in(quiet)
    site.clock.pass_(2 * DAY + 4 * MINUTE)
    assert not is_in(kept)


def test_step_up_does_not_prolong_a_session(site: Site, ada: Owner) -> None:
    for _ in range(25):
        site.clock.pass_(HOUR - 60)
        page = ada.open("/settings/account/password")
        if page.path == "/log-in":
            break
        ada.press("Verify", password=ada.password)
        ada.press("Verify", code=ada.next_code())
    assert not is_in(ada)


# -- Remembered browsers ---------------------------------------------------------------------------


def remembered(site: Site, ada: Owner) -> Owner:
    browser = ada.log_in_elsewhere()
    browser.press("Verify", code=ada.next_code(), remember="y")
    assert browser.log_in_again().h1 == "Welcome, Ada Lovelace"
    browser.log_out()
    return browser


def test_a_forged_or_copied_remembered_browser_cookie_never_skips_the_second_factor(site: Site, ada: Owner) -> None:
    mallory = enrolled(site, "mallory")
    theirs = cookies_of(remembered(site, mallory))["remembered"]
    mine = cookies_of(remembered(site, ada))["remembered"]
    for forged in (
        theirs,
        "1",
        "~" * 50,
        "0" * 64,
        "true",
        f"{theirs}~{'f' * 64}",
        mine[:-1],
        mine.upper(),
        f"{mine}0",
    ):
        browser = ada.other_browser()
        give(browser, remembered=forged)
        assert browser.log_in().h1 == "Enter your code", forged
    browser = mallory.other_browser()
    give(browser, remembered=mine)
    assert browser.log_in().h1 == "Enter your code", "copied to another account"


def test_a_remembered_browser_is_no_step_up_and_expires_after_thirty_days(site: Site, ada: Owner) -> None:
    browser = remembered(site, ada)
    browser.log_in()
    assert browser.open("/settings/account/password").h1 == "Enter your code"
    browser.log_out()
    site.clock.pass_(30 * DAY)
    assert browser.log_in().h1 == "Enter your code"


def test_a_remembered_browser_still_needs_the_password(site: Site, ada: Owner) -> None:
    browser = remembered(site, ada)
    assert browser.log_in("a wrong password").status == 422
    assert not is_in(browser)


# -- Changes during a request ----------------------------------------------------------------------


def let_in(site: Site, owner: Owner) -> object:
    return site.services.login.with_password(
        owner.username, owner.password, persistent=False, next_path="", origin=Origin("198.51.100.1", "x")
    )


def test_a_log_in_during_a_password_change_opens_no_session(site: Site, ada: Owner, hasher: MeanwhileHasher) -> None:
    plain = Owner.signed_up(site, "bob")
    for owner, browser in ((ada, ada), (plain, plain)):
        browser.open("/settings/account/password")
        hasher.meanwhile = lambda b=browser: b.press("Save", password=NEW)
        with pytest.raises(WrongLogin):
            let_in(site, owner)
        assert live_sessions(site, owner.username) == 1


def test_a_log_in_during_the_enrollment_of_a_first_factor_is_asked_for_it(site: Site, hasher: MeanwhileHasher) -> None:
    bob = Owner.signed_up(site, "bob")
    hasher.meanwhile = bob.turn_on_app
    stranger = bob.other_browser()
    assert stranger.log_in().h1 == "Enter your code"
    assert live_sessions(site, "bob") == 1


def test_a_session_that_was_ended_during_its_request_changes_no_password(
    site: Site, ada: Owner, hasher: MeanwhileHasher
) -> None:
    """An attacker with a fresh stolen session saves a new password while the owner ends every session."""
    user = site.services.sessions.find(cookies_of(ada)["session"].split(".")[0])
    assert user is not None
    hasher.meanwhile = lambda: site.services.accounts.log_out("ada")
    with pytest.raises(LoginExpired):
        site.services.password_changes.change(user, "the thief's own password", Origin("", ""))
    assert ada.other_browser().log_in("the thief's own password").status == 422
