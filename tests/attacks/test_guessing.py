"""Attackers who guess many codes or passwords, fast or slowly, from one network or from many."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.attacks.tools import (
    account_id,
    cookies_of,
    count,
    give,
    is_in,
    live_sessions,
    second_factor_attempts,
    stale,
    wrong,
)
from tests.conftest import Site
from tests.doubles import CheapHasher
from tests.people import Owner
from webapp.domain.origin import Origin
from webapp.domain.refusals import ChallengeExhausted, CodesBlocked, LoginExpired, Refusal, TooManyAttempts, WrongLogin
from webapp.services.login.login import PendingToken
from webapp.services.login.proof import shared_bucket
from webapp.services.password_attempts import KnownBrowser

FIVE_MINUTES, HOUR, DAY = 300, 3600, 86400


def pending_token(site: Site, ada: Owner, address: str = "203.0.113.1") -> str:
    """The token of a pending login, made through the services."""
    result = site.services.login.with_password(
        ada.username, ada.password, persistent=False, next_path="", origin=Origin(address, "x")
    )
    assert isinstance(result, PendingToken)
    return result.token


def guess(site: Site, token: str, code: str, address: str = "203.0.113.1") -> None:
    services = site.services
    claim = services.login.claim(token)
    services.login.verify(claim, None, {"code": code}, Origin(address, "x"), remember=False)


def password(site: Site, username: str, typed: str, address: str, known: KnownBrowser | None = None) -> object:
    return site.services.login.with_password(
        username, typed, persistent=False, next_path="", origin=Origin(address, "x"), known_browser=known
    )


# -- Second factors --------------------------------------------------------------------------------


def test_after_five_wrong_codes_the_sixth_is_refused_even_when_it_is_right(
    site: Site, ada: Owner, stranger: Owner
) -> None:
    for left in (4, 3, 2, 1):
        page = stranger.press("Verify", code=wrong(ada.code()))
        assert page.status == 422
        assert page.says("1 attempt left" if left == 1 else f"{left} attempts left") == (left <= 2)
    page = stranger.press("Verify", code=wrong(ada.code()))
    assert (page.path, page.problems) == ("/log-in", ["Too many wrong codes. Log in again to continue."])
    assert stranger.post("/log-in/verify", code=ada.code()).path == "/log-in"
    assert live_sessions(site) == 1


@pytest.mark.parametrize(("page", "kind"), [("verify", "second-factor:"), ("backup-code", "unguessable:")])
def test_an_incomplete_code_costs_no_attempt(site: Site, ada: Owner, stranger: Owner, page: str, kind: str) -> None:
    """An owner's slip, six times: nothing was compared."""
    for typed in ("", "12345", "1234567", "12345x", "ABCD-EFGH", "ABCD"):
        refused = stranger.post(f"/log-in/{page}", code=typed)
        assert (refused.status, refused.problems[:1]) == (422, ["Enter the complete code."])
    assert count(site, "SELECT count(*) FROM attempts WHERE bucket LIKE :kind", kind=f"{kind}%") == 0
    stranger.open("/log-in/verify")
    assert stranger.press("Verify", code=ada.next_code()).h1 == "Welcome, Ada Lovelace"


def test_an_exhausted_challenge_stays_exhausted_for_a_copied_cookie_and_for_the_backup_code(
    site: Site, ada: Owner, stranger: Owner
) -> None:
    copy = ada.other_browser()
    give(copy, **cookies_of(stranger))
    for _ in range(5):
        stranger.post("/log-in/verify", code=wrong(ada.code()))
    site.clock.pass_(FIVE_MINUTES)
    assert copy.post("/log-in/verify", code=ada.code()).path == "/log-in"
    assert copy.post("/log-in/backup-code", code=ada.kept_code).path == "/log-in"
    assert live_sessions(site) == 1


def test_changing_the_method_or_the_page_resets_no_count(site: Site, ada: Owner, stranger: Owner) -> None:
    for _ in range(4):
        stranger.post("/log-in/verify", code=wrong(ada.code()))
        stranger.post("/log-in/backup-code", code="AAAA-AAAA-AAAA-AAAA")
        stranger.open("/log-in/methods")
    stranger.post("/log-in/verify?method=authentication-app", code=wrong(ada.code()))
    assert stranger.post("/log-in/verify", code=ada.code()).path == "/log-in"
    assert stranger.post("/log-in/backup-code", code=ada.kept_code).path == "/log-in"
    assert live_sessions(site) == 1


def test_wrong_codes_never_keep_the_owner_from_the_backup_code(site: Site, ada: Owner) -> None:
    for _ in range(5):
        with pytest.raises(Refusal):
            guess(site, pending_token(site, ada), wrong(ada.code()))
    with pytest.raises(TooManyAttempts):
        guess(site, pending_token(site, ada), ada.code())
    other = ada.log_in_elsewhere(address="192.0.2.1")
    assert other.post("/log-in/backup-code", code=ada.kept_code).h1 == "Save your new backup code"


def test_wrong_backup_codes_are_counted_apart_and_by_network(site: Site, ada: Owner, stranger: Owner) -> None:
    """They cannot be guessed, so they use up no attempt of a challenge and stop no code."""
    statuses = [stranger.post("/log-in/backup-code", code="AAAA-AAAA-AAAA-AAAA").status for _ in range(6)]
    assert statuses == [422] * 5 + [429]
    assert stranger.post("/log-in/backup-code", code=ada.kept_code).status == 429
    assert second_factor_attempts(site) == 0
    owner = ada.log_in_elsewhere(address="192.0.2.1")
    assert owner.post("/log-in/backup-code", code=ada.kept_code).h1 == "Save your new backup code"
    assert count(site, "SELECT count(*) FROM attempts WHERE bucket LIKE 'unguessable:%'") == 0, "a full log-in"


def test_fifty_concurrent_wrong_codes_are_compared_five_times(site: Site, ada: Owner, stranger: Owner) -> None:
    token, jar, bad = stranger.token(), cookies_of(stranger), wrong(ada.code())

    def guess_once(_: int) -> int:
        browser = ada.other_browser()
        give(browser, **jar)
        return browser.send("POST", "/log-in/verify", data={"csrf_token": token, "code": bad}, follow=False).status

    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(guess_once, range(50)))
    assert set(statuses) <= {422, 303, 429}
    assert statuses.count(422) <= 4, "the fifth wrong code leads back to the password"
    assert second_factor_attempts(site) == 5
    assert live_sessions(site) == 1


def test_new_challenges_and_new_networks_do_not_raise_the_limit_of_the_account(site: Site, ada: Owner) -> None:
    for attempt in range(5):
        with pytest.raises(Refusal):
            guess(site, pending_token(site, ada, f"198.51.100.{attempt}"), wrong(ada.code()), f"198.51.100.{attempt}")
    with pytest.raises(TooManyAttempts) as waits:
        guess(site, pending_token(site, ada, "198.51.100.99"), ada.code(), "198.51.100.99")
    assert waits.value.seconds == FIVE_MINUTES
    assert second_factor_attempts(site) == 5, "a refused try is not counted again"


def test_codes_are_limited_to_twenty_an_hour_fifty_a_day_and_a_hundred_in_a_row(site: Site, ada: Owner) -> None:
    compared = {HOUR: 0, DAY: 0, 10 * DAY: 0}
    stopped_at, token = None, pending_token(site, ada)
    began = site.clock.now()
    while site.clock.now() - began < 4 * DAY:
        elapsed = site.clock.now() - began
        try:
            guess(site, token, wrong(ada.code()))
        except CodesBlocked:
            stopped_at = compared[10 * DAY]
            break
        except (TooManyAttempts, LoginExpired):
            site.clock.pass_(FIVE_MINUTES)
            token = pending_token(site, ada)
        except Refusal:
            for span in compared:
                compared[span] += elapsed < span
    assert compared[HOUR] == 20
    assert compared[DAY] == 50
    assert stopped_at == 100
    site.clock.pass_(10 * DAY)
    site.services.maintenance.purge()
    with pytest.raises(CodesBlocked):
        guess(site, pending_token(site, ada), ada.code())
    stranger = ada.log_in_elsewhere()
    assert stranger.post("/log-in/backup-code", code=ada.kept_code).h1 == "Save your new backup code"
    assert second_factor_attempts(site) == 0
    site.clock.pass_(30)
    guess(site, pending_token(site, ada), ada.code())


def test_only_a_full_log_in_clears_the_failures(site: Site, ada: Owner) -> None:
    for attempt in range(3):
        with pytest.raises(Refusal):
            guess(site, pending_token(site, ada), wrong(ada.code()))
        assert second_factor_attempts(site) == attempt + 1
    stale(ada).open("/settings/account/password")
    ada.press("Verify", password=ada.password)
    assert ada.press("Verify", code=ada.next_code()).h1 == "Change your password"
    assert second_factor_attempts(site) == 3, "a step-up takes back its own try, and no other"
    ada.log_out()
    ada.log_in_whole()
    assert second_factor_attempts(site) == 0


def test_step_up_codes_are_counted_together_with_log_in_codes(site: Site, ada: Owner) -> None:
    stale(ada).open("/settings/account/password")
    ada.press("Verify", password=ada.password)
    for _ in range(5):
        ada.post("/step-up/verify?next=/settings", code=wrong(ada.code()))
    page = ada.post("/step-up/verify?next=/settings", code=ada.code())
    assert page.status in (200, 429)
    assert page.h1 != "Settings and privacy"
    with pytest.raises(TooManyAttempts):
        guess(site, pending_token(site, ada), ada.code())


def test_a_right_code_at_step_up_uses_up_no_attempt(site: Site, ada: Owner) -> None:
    stale(ada).open("/settings/account/password")
    ada.press("Verify", password=ada.password)
    assert ada.press("Verify", code=ada.next_code()).h1 == "Change your password"
    bucket = shared_bucket(site.services.accounts.named("ada").id)
    assert site.services.step_up.attempts.counted(bucket) == 0


def test_an_attempt_is_counted_before_anything_is_compared(site: Site, ada: Owner) -> None:
    """An attempt whose comparison raises an error counts too."""
    token = pending_token(site, ada)
    claim = site.services.login.claim(token)
    claim.factors[0].sealed = "gone.AAAA"
    for _ in range(5):
        with pytest.raises(ValueError, match="encryption key"):
            site.services.login.verify(claim, None, {"code": ada.code()}, Origin("", ""), remember=False)
    assert second_factor_attempts(site) == 5
    with pytest.raises(ChallengeExhausted):
        guess(site, token, ada.code())


def test_enrollment_codes_are_limited_too(site: Site) -> None:
    bob = Owner.signed_up(site, "bob")
    bob.open("/settings/security/two-factor")
    bob.press("Authentication app")
    bob.press("Start")
    bob.secret = bob.page.setup_key
    bob.press("Next")
    statuses = [bob.press("Verify", code=wrong(bob.code())).status for _ in range(21)]
    assert statuses == [422] * 20 + [429]
    assert bob.press("Verify", code=bob.code()).status == 429


# -- Codes by e-mail -------------------------------------------------------------------------------


def test_a_resend_between_wrong_codes_resets_no_count(site: Site) -> None:
    bob = Owner.signed_up(site, "bob", confirm_email=False)
    bob.press("Next", email=bob.email)
    for _ in range(3):
        assert bob.press("Verify", code=wrong(site.emailed_code(bob.email))).status == 422
    site.clock.pass_(60)
    bob.press("Resend code")
    code = site.emailed_code(bob.email)
    assert [bob.press("Verify", code=wrong(code)).status for _ in range(2)] == [422, 429]
    assert bob.press("Verify", code=code).status == 429
    assert site.services.accounts.named("bob").email is None
    site.clock.pass_(60)
    assert bob.press("Resend code").status == 429


# -- Passwords -------------------------------------------------------------------------------------


def test_a_thousand_wrong_passwords_of_an_attacker_do_not_lock_the_owners_browser(
    site: Site, ada: Owner, hasher: CheapHasher
) -> None:
    ada.log_out()
    before = len(hasher.verified)
    for attempt in range(1000):
        with pytest.raises((WrongLogin, TooManyAttempts)):
            password(site, "ada", "not the password", f"198.{attempt % 50}.100.{attempt // 50}")
        site.clock.pass_(1)
    compared = [encoded for encoded in hasher.verified[before:] if encoded is not None]
    assert len(compared) == 100, "then none is compared"
    with pytest.raises(WrongLogin):
        password(site, "ada", ada.password, "203.0.113.200")
    assert ada.log_in_whole().h1 == "Welcome, Ada Lovelace"


def test_ten_wrong_passwords_are_free_and_then_the_waits_double_up_to_an_hour(site: Site, ada: Owner) -> None:
    for attempt in range(10):
        with pytest.raises(WrongLogin):
            password(site, "ada", "wrong", f"198.51.100.{attempt}")
    waits = []
    for attempt in range(10):
        with pytest.raises(TooManyAttempts) as refusal:
            password(site, "ada", ada.password, f"198.51.100.{attempt}")
        waits.append(refusal.value.seconds)
        site.clock.pass_(refusal.value.seconds)
        with pytest.raises(WrongLogin):
            password(site, "ada", "wrong", f"198.51.100.{attempt}")
    assert waits == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]


def test_thirty_wrong_passwords_from_one_network_block_it_for_every_account(site: Site, ada: Owner) -> None:
    for attempt in range(30):
        with pytest.raises(WrongLogin):
            password(site, f"user{attempt}", "wrong", f"2001:db8::{attempt:x}")
    with pytest.raises(TooManyAttempts):
        password(site, "ada", ada.password, "2001:db8::ffff:1")
    assert isinstance(password(site, "ada", ada.password, "2001:db8:0:1::1"), PendingToken)


def test_only_browsers_known_for_this_account_are_counted_apart(site: Site, ada: Owner, mallory: Owner) -> None:
    """A cookie from another account, or with a wrong signature, opens no second bucket."""
    mallory.log_in_whole()
    theirs = KnownBrowser("m" * 24, frozenset({account_id(site, "mallory")}))
    for attempt in range(10):
        with pytest.raises(WrongLogin):
            password(site, "ada", "wrong", f"198.51.100.{attempt}", theirs)
    with pytest.raises(TooManyAttempts):
        password(site, "ada", ada.password, "198.51.100.50", theirs)
    attacker = ada.other_browser(address="198.51.100.60")
    for forged in (f"x:{account_id(site)}", f"x:{account_id(site)}.{'A' * 27}", cookies_of(mallory)["browser"]):
        give(attacker, browser=forged)
        assert attacker.log_in().status == 429


def test_a_known_browser_that_guesses_is_blocked_too(site: Site, ada: Owner) -> None:
    ada.log_out()
    statuses = [ada.log_in("wrong password").status for _ in range(11)]
    assert statuses == [422] * 10 + [429]
    assert ada.log_in().status == 429
    assert isinstance(password(site, "ada", ada.password, "198.51.100.1"), PendingToken), "and only that one"


def test_step_up_passwords_have_the_same_limit(site: Site, ada: Owner) -> None:
    stale(ada).open("/settings/account/password")
    statuses = [ada.press("Verify", password="a wrong password").status for _ in range(11)]
    assert statuses == [422] * 10 + [429]
    assert ada.press("Verify", password=ada.password).status == 429


def test_a_flood_of_attempts_from_one_network_is_refused_before_a_password_is_hashed(
    site: Site, hasher: CheapHasher
) -> None:
    eve = Owner(site, "eve", address="192.0.2.250")
    token = eve.token()
    for _ in range(600):
        eve.send("POST", "/forgot-password", data={"csrf_token": token, "email": "none"}, follow=False)
    page = eve.send("POST", "/forgot-password", data={"csrf_token": token, "email": "eve@example.org"}, follow=False)
    assert page.status == 429
    assert count(site, "SELECT count(*) FROM attempts") == 0
    assert not is_in(eve)
