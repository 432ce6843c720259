"""The same proof used twice, one after the other or from two processes at once."""

from __future__ import annotations

from typing import Any

import pytest

from tests.attacks.races import Racers, request_of
from tests.attacks.tools import cookies_of, count, everything, give, is_in, live_sessions, second_factor_attempts
from tests.conftest import Site
from tests.people import PHONE, TWO_FACTOR, Owner, Person
from webapp.domain.origin import Origin
from webapp.domain.refusals import CodeAlreadyUsed, LoginExpired
from webapp.services.one_time_codes import OneTimeCodes, Terms

HERE = Origin("192.0.2.1", "a browser")
METHOD = "/settings/security/two-factor/authentication-app"
AT_ONCE = 20


# -- One after the other ---------------------------------------------------------------------------


def test_the_same_code_opens_one_session(site: Site, ada: Owner, stranger: Owner) -> None:
    code = ada.code()
    assert stranger.press("Verify", code=code).h1 == "Welcome, Ada Lovelace"
    for seconds in (0, 15, 15):
        site.clock.pass_(seconds)
        other = ada.log_in_elsewhere()
        page = other.press("Verify", code=code)
        assert page.status == 422
        assert not is_in(other)
    assert page.problems[0].startswith("That code was already used.")


def test_after_a_newer_code_an_older_one_is_refused_and_the_window_is_one_step(
    site: Site, ada: Owner, stranger: Owner
) -> None:
    assert stranger.press("Verify", code=ada.code(30)).h1 == "Welcome, Ada Lovelace"
    other = ada.log_in_elsewhere()
    for ahead in (0, -30):
        assert other.press("Verify", code=ada.code(ahead)).status == 422
    site.clock.pass_(3600)
    other.log_in()
    assert other.press("Verify", code=ada.code(-60)).problems[0].startswith("That code is out of date.")
    page = other.press("Verify", code=ada.code(60))
    assert page.problems == ["Wrong code. Check it and try again."], "no hint at codes of the future"
    assert other.press("Verify", code=ada.code(-30)).h1 == "Welcome, Ada Lovelace"


def test_the_code_that_finished_an_enrollment_does_not_log_in(site: Site) -> None:
    bob = Owner.signed_up(site, "bob")
    bob.turn_on_app()
    other = bob.log_in_elsewhere()
    assert other.press("Verify", code=bob.code()).problems[0].startswith("That code was already used.")
    assert other.press("Verify", code=bob.next_code()).h1 == "Welcome, Ada Lovelace"


def test_a_code_used_at_step_up_does_not_log_in_and_vice_versa(site: Site, ada: Owner) -> None:
    site.clock.pass_(600)
    ada.open("/settings/account/password")
    ada.press("Verify", password=ada.password)
    code = ada.code()
    assert ada.press("Verify", code=code).h1 == "Change your password"
    other = ada.log_in_elsewhere()
    assert other.press("Verify", code=code).status == 422


def test_a_used_code_stays_used_when_the_factor_is_turned_off_and_on_again(
    site: Site, ada: Owner, stranger: Owner
) -> None:
    code = ada.code()
    assert stranger.press("Verify", code=code).h1 == "Welcome, Ada Lovelace"
    stranger.post(f"{METHOD}/turn-off")
    stranger.post(f"{METHOD}/turn-back-on")
    other = ada.log_in_elsewhere()
    assert other.press("Verify", code=code).status == 422


def test_a_backup_code_works_once_and_only_for_its_owner(
    site: Site, ada: Owner, mallory: Owner, stranger: Owner
) -> None:
    assert stranger.post("/log-in/backup-code", code=mallory.kept_code).status == 422
    page = stranger.post("/log-in/backup-code", code=ada.kept_code.lower().replace("-", " "))
    assert page.h1 == "Save your new backup code"
    successor = page.backup_code
    assert successor != ada.kept_code
    other = ada.log_in_elsewhere()
    assert other.post("/log-in/backup-code", code=ada.kept_code).status == 422
    assert other.post("/log-in/backup-code", code=successor).h1 == "Save your new backup code"
    third = mallory.log_in_elsewhere()
    assert third.post("/log-in/backup-code", code=mallory.kept_code).h1 == "Save your new backup code"


def test_a_new_backup_code_ends_the_old_one(site: Site, ada: Owner, stranger: Owner) -> None:
    page = ada.post("/settings/security/two-factor/backup-code")
    assert stranger.post("/log-in/backup-code", code=ada.kept_code).status == 422
    assert stranger.post("/log-in/backup-code", code=page.backup_code).h1 == "Save your new backup code"


def test_an_emailed_code_from_before_a_resend_or_after_an_hour_is_refused(site: Site) -> None:
    bob = Owner.signed_up(site, "bob", confirm_email=False)
    bob.press("Next", email=bob.email)
    first = site.emailed_code(bob.email)
    site.clock.pass_(60)
    bob.press("Resend code")
    second = site.emailed_code(bob.email)
    if first != second:
        assert bob.press("Verify", code=first).problems[0].startswith("That code is from an earlier message.")
    bob.open("/sign-up/email-code")
    token = bob.token()
    site.clock.pass_(3600 - 61)
    for _ in range(2):
        page = bob.send("POST", "/sign-up/email-code", data={"csrf_token": token, "code": second})
        site.clock.pass_(62)
    assert site.services.accounts.named("bob").email in (None, bob.email)
    assert page.status < 500


def test_an_emailed_code_expires_after_an_hour(site: Site) -> None:
    bob = Owner.signed_up(site, "bob", confirm_email=False)
    bob.press("Next", email=bob.email)
    code, token = site.emailed_code(bob.email), bob.token()
    site.clock.pass_(1800)
    is_in(bob)
    site.clock.pass_(1800)
    bob.send("POST", "/sign-up/email-code", data={"csrf_token": token, "code": code})
    assert site.services.accounts.named("bob").email is None


# -- At once, one step each ------------------------------------------------------------------------


def test_two_proofs_of_one_pending_login_open_one_session(site: Site, ada: Owner, stranger: Owner) -> None:
    log_in, token = site.services.login, cookies_of(stranger)["login"].split(".")[0]
    first, second = log_in.claim(token), log_in.claim(token)
    log_in.verify(first, None, {"code": ada.code()}, HERE, remember=False)
    with pytest.raises(LoginExpired):
        log_in.verify_backup_code(second, ada.kept_code, HERE)
    assert live_sessions(site) == 2
    other = ada.log_in_elsewhere()
    assert other.post("/log-in/backup-code", code=ada.kept_code).h1 == "Save your new backup code", "it was not used up"


def test_an_emailed_code_that_two_requests_found_right_confirms_once(site: Site) -> None:
    bob = Owner.signed_up(site, "bob", confirm_email=False)
    bob.press("Next", email=bob.email)
    services = site.services
    user = services.sessions.find(cookies_of(bob)["session"].split(".")[0])
    assert user is not None
    policy = services.settings.policy
    codes = OneTimeCodes(services.core)
    terms = Terms(policy.email_code_seconds, policy.email_code_attempts, policy.resend_after)
    challenge = f"email:sign-up:{user.session.id}"
    typed = site.emailed_code(bob.email)
    first = codes.check(user.account.id, challenge, typed, terms)
    second = codes.check(user.account.id, challenge, typed, terms)
    with services.db.write() as tx:
        codes.consume(tx, first)
    with pytest.raises(CodeAlreadyUsed), services.db.write() as tx:
        codes.consume(tx, second)


# -- At once, from two processes -------------------------------------------------------------------


def pending_logins(ada: Owner) -> list[Owner]:
    """Half of them in known browsers, because an account allows ten log-ins of unknown browsers without a wait."""
    browsers = [ada.other_browser(address=f"198.51.100.{number}") for number in range(AT_ONCE)]
    for browser in browsers[::2]:
        give(browser, browser=cookies_of(ada)["browser"])
    assert {browser.log_in().h1 for browser in browsers} == {"Enter your code"}
    return browsers


def successes(answers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [answer for answer in answers if answer["session"] is not None]


@pytest.mark.xdist_group("races")
def test_one_code_in_twenty_pending_logins_at_once_opens_one_session(
    site: Site, environ: dict[str, str], ada: Owner, racers: Racers
) -> None:
    code = ada.code()
    requests = [request_of(b, "/log-in/verify", n, code=code) for n, b in enumerate(pending_logins(ada))]
    before = live_sessions(site)
    answers = racers.race(site, environ, requests)
    assert len(successes(answers)) == 1
    assert live_sessions(site) == before + 1


@pytest.mark.xdist_group("races")
def test_one_pending_login_with_twenty_requests_at_once_opens_one_session(
    site: Site, environ: dict[str, str], ada: Owner, stranger: Owner, racers: Racers
) -> None:
    request = request_of(stranger, "/log-in/verify", code=ada.code())
    before = live_sessions(site)
    answers = racers.race(site, environ, [request] * AT_ONCE)
    assert len(successes(answers)) == 1
    assert live_sessions(site) == before + 1


@pytest.mark.xdist_group("races")
def test_wrong_codes_from_two_processes_at_once_are_compared_five_times(
    site: Site, environ: dict[str, str], ada: Owner, stranger: Owner, racers: Racers
) -> None:
    request = request_of(stranger, "/log-in/verify", code=str((int(ada.code()) + 500_000) % 1_000_000).zfill(6))
    answers = racers.race(site, environ, [request] * AT_ONCE)
    assert [a["status"] for a in answers].count(422) <= 4
    assert second_factor_attempts(site) == 5


@pytest.mark.xdist_group("races")
def test_one_backup_code_in_twenty_pending_logins_at_once_opens_one_session(
    site: Site, environ: dict[str, str], ada: Owner, racers: Racers
) -> None:
    code = ada.kept_code
    requests = [request_of(b, "/log-in/backup-code", n, code=code) for n, b in enumerate(pending_logins(ada))]
    answers = racers.race(site, environ, requests)
    assert len(successes(answers)) == 1
    assert live_sessions(site) == 1, "the backup code ended the others"
    assert count(site, "SELECT count(*) FROM activity WHERE kind = 'backup-code-used'") == 1


@pytest.mark.xdist_group("races")
def test_one_reset_link_used_twenty_times_at_once_sets_one_password(
    site: Site, environ: dict[str, str], ada: Owner, racers: Racers
) -> None:
    reader = Person(site.app)
    reader.open("/forgot-password")
    reader.press("Send link", email=ada.email)
    path = site.emailed_path(ada.email, "/reset-password/")
    requests = [request_of(reader, path, n, password=f"{n:02d} is a new long password") for n in range(AT_ONCE)]
    answers = racers.race(site, environ, requests)
    accepted = [a for a in answers if a["status"] == 303 and a["to"] == "/log-in"]
    assert len(accepted) == 1
    assert count(site, "SELECT count(*) FROM activity WHERE kind = 'password-reset'") == 1
    ada.password = accepted[0]["data"]["password"]
    assert ada.other_browser().log_in().h1 == "Enter your code"


@pytest.mark.xdist_group("races")
def test_one_emailed_code_typed_twenty_times_at_once_confirms_once(
    site: Site, environ: dict[str, str], racers: Racers
) -> None:
    bob = Owner.signed_up(site, "bob", confirm_email=False)
    bob.press("Next", email=bob.email)
    request = request_of(bob, "/sign-up/email-code", code=site.emailed_code(bob.email))
    racers.race(site, environ, [request] * AT_ONCE)
    assert count(site, "SELECT count(*) FROM activity WHERE kind = 'email-confirmed'") == 1
    assert site.services.accounts.named("bob").email == bob.email


@pytest.mark.xdist_group("races")
def test_one_draft_finished_twenty_times_at_once_makes_one_factor_and_one_backup_code(
    site: Site, environ: dict[str, str], racers: Racers
) -> None:
    bob = Owner.signed_up(site, "bob")
    bob.open("/settings/security/two-factor")
    bob.press("Authentication app")
    bob.secret = bob.press("Start").setup_key
    bob.press("Next")
    request = request_of(bob, f"{METHOD}/code", code=bob.code())
    answers = racers.race(site, environ, [request] * AT_ONCE)
    assert count(site, "SELECT count(*) FROM activity WHERE kind = 'factor-on'") == 1
    assert count(site, "SELECT count(*) FROM factors") == 1
    alive = [a for a in successes(answers) if site.services.sessions.find(a["session"].split(".")[0])]
    assert {a["session"] for a in alive if a["session"] != request["cookies"]["session"]} != set()
    assert bob.other_browser().log_in().h1 == "Enter your code"


@pytest.mark.xdist_group("races")
def test_twenty_tabs_that_begin_at_once_share_one_secret(site: Site, environ: dict[str, str], racers: Racers) -> None:
    bob = Owner.signed_up(site, "bob")
    bob.open("/settings/security/two-factor")
    bob.press("Authentication app")
    request = request_of(bob, f"{METHOD}/overview")
    answers = racers.race(site, environ, [request] * AT_ONCE)
    assert {a["to"] for a in answers} == {f"{METHOD}/link"}
    assert len(everything(site)["drafts"]) == 1


@pytest.mark.xdist_group("races")
def test_a_kept_act_is_done_once_however_often_the_code_is_sent(
    site: Site, environ: dict[str, str], ada: Owner, racers: Racers
) -> None:
    site.clock.pass_(600)
    ada.post("/settings/account/password", password="a much longer new password")
    ada.press("Verify", password=ada.password)
    assert ada.page.h1 == "Enter your code"
    request = request_of(ada, "/step-up/verify?next=/settings/account/password", code=ada.code())
    racers.race(site, environ, [request] * AT_ONCE)
    assert count(site, "SELECT count(*) FROM activity WHERE kind = 'password-changed'") == 1
    assert count(site, "SELECT count(*) FROM activity WHERE kind = 'stepped-up'") == 1


# -- Codes by text message -------------------------------------------------------------------------


@pytest.mark.xdist_group("races")
def test_one_texted_code_typed_twenty_times_at_once_opens_one_session(
    site: Site, environ: dict[str, str], racers: Racers
) -> None:
    tess = Owner.signed_up(site, "tess")
    tess.turn_on_texts()
    site.clock.pass_(61)
    pending = tess.log_in_elsewhere()
    before = live_sessions(site, "tess")
    request = request_of(pending, "/log-in/verify", code=site.texted_code(PHONE))
    answers = racers.race(site, environ, [request] * AT_ONCE)
    assert len(successes(answers)) == 1
    assert live_sessions(site, "tess") == before + 1
    assert count(site, "SELECT count(*) FROM codes WHERE used_at IS NOT NULL") == 3, "address, number and log-in"


@pytest.mark.xdist_group("races")
def test_one_texted_code_confirms_once_however_often_it_is_sent_at_once(
    site: Site, environ: dict[str, str], racers: Racers
) -> None:
    tess = Owner.signed_up(site, "tess")
    tess.turn_on_texts()
    tess.open("/settings/account/phone")
    tess.press("Save", phone="+447400987654")
    request = request_of(tess, "/settings/account/phone/code", code=site.texted_code("+447400987654"))
    racers.race(site, environ, [request] * AT_ONCE)
    assert count(site, "SELECT count(*) FROM activity WHERE kind = 'phone-changed'") == 1
    assert len(site.texts(PHONE)) == 2, "the first code, and one word that the number changed"


@pytest.mark.xdist_group("races")
def test_one_texted_code_turns_the_method_on_once(site: Site, environ: dict[str, str], racers: Racers) -> None:
    tess = Owner.signed_up(site, "tess")
    tess.open(f"{TWO_FACTOR}/text-message/overview")
    tess.press("Next")
    tess.press("Verify", password=tess.password)
    tess.press("Next", phone=PHONE)
    request = request_of(tess, f"{TWO_FACTOR}/text-message/code", code=site.texted_code(PHONE))
    racers.race(site, environ, [request] * AT_ONCE)
    assert count(site, "SELECT count(*) FROM activity WHERE kind = 'factor-on'") == 1
    assert count(site, "SELECT count(*) FROM factors") == 1


@pytest.mark.xdist_group("races")
def test_twenty_resends_at_once_send_one_text(site: Site, environ: dict[str, str], racers: Racers) -> None:
    tess = Owner.signed_up(site, "tess")
    tess.turn_on_texts()
    site.clock.pass_(61)
    pending = tess.log_in_elsewhere()
    site.clock.pass_(61)
    answers = racers.race(site, environ, [request_of(pending, "/log-in/verify", resend="1")] * AT_ONCE)
    assert sorted(a["status"] for a in answers) == [303] + [429] * (AT_ONCE - 1)
    assert len(site.texts(PHONE)) == 3


@pytest.mark.xdist_group("races")
def test_twenty_numbers_at_once_get_three_texts(site: Site, environ: dict[str, str], racers: Racers) -> None:
    eve = Owner.signed_up(site, "eve")
    eve.open("/settings/account/phone")
    requests = [
        request_of(eve, "/settings/account/phone", n, phone=f"+44740{n:02d}12345", country="GB") for n in range(AT_ONCE)
    ]
    racers.race(site, environ, requests)
    assert len(site.texts()) == 3
