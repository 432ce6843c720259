"""Attackers who spend the texts that another person, or everyone, needs; and a code that two log-ins share."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from tests.attacks.test_texts import CHANGE, HOME, OTHER, TEXTS, account, ask, inside, number_of, owed_texts, texted
from tests.attacks.tools import cookies_of, count, is_in, keep_number, live_sessions, stale
from tests.conftest import Site, one_database
from tests.people import PHONE, Owner
from webapp.domain.origin import Origin
from webapp.domain.phone_numbers import PhoneNumber
from webapp.domain.refusals import EmailRequired, NumberTaken, Refusal, TooManyAttempts
from webapp.models.accounts import Account
from webapp.models.user import User

HOUR, DAY = 3600, 86400
NUMBER = PhoneNumber(PHONE, "GB")
SHARED = "We sent you a code less than a minute before you logged in here"
NOT_SENT = "We sent you a code less than a minute ago, so we haven't sent a new one yet."


@pytest.fixture
def tess(site: Site) -> Owner:
    return texted(site, "tess")


def confirm(site: Site, of: Account, number: PhoneNumber, name: str = "phone") -> None:
    phones, here = site.services.phone_numbers, Origin("192.0.2.1", "x", "nightlatch.localhost")
    phones.send_code(of, name, here, number)
    code = phones.check(of, name, site.texted_code(number.e164))
    with site.services.db.write() as tx:
        phones.store(tx, of, code, here)


def wrong(code: str) -> str:
    return str((int(code) + 500_000) % 1_000_000).zfill(6)


# -- The number of another person --------------------------------------------------------------------------


def test_strangers_text_a_number_three_times_a_day_and_its_owner_is_texted_all_the_same(
    site: Site, tess: Owner
) -> None:
    outcomes = []
    for attempt in range(10):
        outcomes.append(ask(site, account(site, f"eve{attempt}"), f"c{attempt}", NUMBER, f"198.51.{attempt}.1"))
        site.clock.pass_(61)
    assert outcomes == ["sent"] * 3 + ["number"] * 7
    for _ in range(5):
        page = tess.other_browser().log_in()
        assert (page.status, page.problems) == (200, [])
        site.clock.pass_(61)
    assert owed_texts(site) == 3 + 5
    site.clock.pass_(DAY)
    assert ask(site, account(site, "bob"), "c", NUMBER, "198.51.100.1") == "sent"


def test_a_text_of_a_stranger_a_moment_ago_keeps_no_code_from_the_owner(site: Site, tess: Owner) -> None:
    assert ask(site, account(site, "eve"), "c", NUMBER, "198.51.100.1") == "sent"
    assert ask(site, account(site, "bob"), "c", NUMBER, "198.51.100.2") == "gap", "all strangers share one"
    tess.log_in()
    assert len(site.texts(PHONE)) == 2
    assert tess.press("Verify", code=site.texted_code(PHONE)).h1 == HOME


def test_strangers_with_the_first_digits_of_a_number_keep_no_code_from_its_owner(site: Site, tess: Owner) -> None:
    near = [PhoneNumber(f"{NUMBER.prefix}{last:04d}", "GB") for last in range(12)]
    outcomes = [ask(site, account(site, f"eve{n}"), f"c{n}", near[n], f"198.51.{n}.1") for n in range(12)]
    assert outcomes == ["sent"] * 10 + ["prefix"] * 2
    tess.log_in()
    assert len(site.texts(PHONE)) == 1


# -- The day's budget --------------------------------------------------------------------------------------


@pytest.fixture
def budget_of_20(environ: dict[str, str]) -> None:
    environ["NIGHTLATCH_SMS_DAILY_BUDGET"] = "20"


@pytest.mark.usefixtures("budget_of_20")
def test_half_of_the_budget_is_kept_for_numbers_that_are_factors(site: Site, tess: Owner) -> None:
    outcomes = [ask(site, account(site, f"eve{n}"), f"c{n}", number_of(n), f"198.51.{n}.1") for n in range(15)]
    assert outcomes == ["sent"] * 10 + ["new numbers"] * 5
    again = site.services.accounts.named("tess")
    assert ask(site, again, "enrollment", NUMBER, "192.0.2.1") == "new numbers", "nor is a number before it is on"
    assert tess.log_in().problems == []
    assert tess.press("Verify", code=site.texted_code(PHONE)).h1 == HOME
    assert {row.outcome: row.count for row in site.services.text_caps.report(1)} == {
        "sent": 11,
        "refused: new numbers": 6,
    }


@pytest.mark.usefixtures("budget_of_20")
def test_numbers_that_are_factors_can_use_the_whole_budget(site: Site) -> None:
    for n in range(21):
        owner = texted(site, f"tess{n}", f"+4474{n:04d}0000")
        owner.address = f"198.51.{n}.1"
        page = owner.log_in()
    assert owed_texts(site) == 20
    assert page.problems[0].startswith("We can't text you now. Try again in 24 hours")


@pytest.mark.parametrize("address", ["198.51.100.{n}", "2001:db8:1:{n:x}::1"], ids=["a /24", "a /48"])
@one_database
def test_one_network_has_a_hundred_enrollment_texts_an_hour_and_log_ins_go_on(
    site: Site, tess: Owner, address: str
) -> None:
    outcomes = [
        ask(site, account(site, f"eve{n}"), f"c{n}", number_of(n), address.format(n=n % 200 + 1)) for n in range(102)
    ]
    assert outcomes == ["sent"] * 100 + ["network"] * 2
    assert ask(site, account(site, "bob"), "c", number_of(200), "203.0.113.1") == "sent"
    tess.address = address.format(n=250)
    tess.log_in()
    assert len(site.texts(PHONE)) == 1


def test_an_account_without_a_confirmed_address_texts_no_new_number(site: Site) -> None:
    eve = Owner.signed_up(site, "eve", confirm_email=False)
    page = eve.open(CHANGE)
    assert (page.path, page.h1) == ("/settings/account/email", "Confirm your email")
    assert page.problems == ["Confirm your email address first."]
    for path in (CHANGE, f"{CHANGE}/code", f"{TEXTS}/phone", f"{TEXTS}/code"):
        eve.post(path, phone=PHONE, country="GB", resend="1", code="123456")
    mine, here = site.services.accounts.named("eve"), Origin("192.0.2.1", "x", "nightlatch.localhost")
    with pytest.raises(EmailRequired):
        site.services.phone_numbers.send_code(mine, "c", here, NUMBER)
    assert owed_texts(site) == 0
    keep_number(site, "eve", NUMBER)
    site.services.phone_numbers.send_code(site.services.accounts.named("eve"), "c", here)
    assert owed_texts(site) == 1, "its own number, which the operator gave it"


# -- One number, many accounts -----------------------------------------------------------------------------


def test_a_number_is_confirmed_for_three_accounts_and_only_its_holder_learns_that(site: Site) -> None:
    for n in range(3):
        confirm(site, account(site, f"ada{n}"), NUMBER)
        site.clock.pass_(DAY)
    eve = inside(site, "eve")
    eve.open(CHANGE)
    assert eve.press("Save", phone=PHONE).h1 == "Check your phone", "not before the code was proved"
    assert eve.press("Verify", code=wrong(site.texted_code(PHONE))).problems[0].startswith("Wrong code.")
    page = eve.press("Verify", code=site.texted_code(PHONE))
    said = "This number already belongs to 3 accounts. Enter a different phone number."
    assert (page.status, page.problems) == (422, [said])
    assert site.services.accounts.named("eve").phone_number is None
    confirm(site, site.services.accounts.named("ada0"), PhoneNumber(OTHER, "GB"), "another")
    site.clock.pass_(DAY)
    eve.log_in()
    eve.open(CHANGE)
    eve.press("Save", phone=PHONE)
    assert eve.press("Verify", code=site.texted_code(PHONE)).path == "/settings/account"


def test_accounts_from_an_earlier_version_and_from_before_a_key_rotation_count(site: Site) -> None:
    for n in range(3):
        keep_number(site, account(site, f"ada{n}").username, NUMBER)
    with site.services.db.write() as tx:
        tx.execute(update(Account).where(Account.username == "ada0").values(phone_number_mac=None))
        tx.execute(update(Account).where(Account.username == "ada1").values(phone_number_mac=None))
    with pytest.raises(NumberTaken):
        confirm(site, account(site, "eve"), NUMBER)
    with site.services.db.write() as tx:
        lost = {"phone_number_mac": None, "phone_number": "lost.AAAA"}
        tx.execute(update(Account).where(Account.username == "ada1").values(lost))
    site.clock.pass_(61)
    confirm(site, account(site, "bob"), NUMBER)


@pytest.mark.parametrize("where", ["enrollment", "settings"])
def test_the_fourth_account_turns_no_factor_on(site: Site, where: str) -> None:
    for n in range(3):
        keep_number(site, account(site, f"ada{n}").username, NUMBER)
    eve = inside(site, "eve")
    if where == "enrollment":
        eve.open(f"{TEXTS}/overview")
        eve.press("Next")
        eve.press("Verify", password=eve.password)
        eve.press("Next", phone=PHONE)
    else:
        eve.open(CHANGE)
        eve.press("Save", phone=PHONE)
    page = eve.press("Verify", code=site.texted_code(PHONE))
    assert (page.status, page.h1) == (422, "Check your phone")
    assert count(site, "SELECT count(*) FROM factors") == 0
    assert site.services.accounts.named("eve").phone_number is None


# -- A number comes on with its factor ---------------------------------------------------------------------


def user(site: Site, owner: Owner) -> User:
    found = site.services.sessions.find(cookies_of(owner)["session"].split(".")[0])
    assert found is not None
    return found


def test_a_number_is_set_in_the_transaction_that_turns_the_factor_on(site: Site) -> None:
    """A server that ended in between left a number on that its owner was never told of."""
    eve = inside(site, "eve")
    eve.open(f"{TEXTS}/overview")
    eve.press("Next")
    eve.press("Verify", password=eve.password)
    eve.press("Next", phone=PHONE)
    code, services = site.texted_code(PHONE), site.services
    method = services.methods.named("text-message")
    assert method is not None
    visit = services.enrollment.visit(user(site, eve), method, Origin("192.0.2.1"))
    step = method.step("code")
    assert step is not None
    step.submit(visit, {"code": code})  # and the process ends here
    assert services.accounts.named("eve").phone_number is None
    before = len(site.emails(eve.email))
    assert eve.press("Verify", code=code).h1 == "You're all set", "the code is still good"
    assert services.accounts.named("eve").phone_number_hint == "...56"
    assert len(site.emails(eve.email)) == before + 1


def test_a_text_that_is_not_sent_is_not_counted(site: Site) -> None:
    eve, here = account(site, "eve"), Origin("192.0.2.1", "x", "nightlatch.localhost")
    phones = site.services.phone_numbers
    phones.send_code(eve, "phone", here, NUMBER)
    code = site.texted_code(PHONE)
    for _ in range(5):
        with pytest.raises(Refusal):
            phones.check(eve, "phone", wrong(code))
    counted = "SELECT count(*) FROM attempts WHERE bucket LIKE 'text%'"
    before = count(site, counted)
    site.clock.pass_(60)
    with pytest.raises(TooManyAttempts) as refused:
        phones.send_code(eve, "phone", here, NUMBER)
    assert refused.value.wait == 540
    assert (owed_texts(site), count(site, counted)) == (1, before)
    site.clock.pass_(540)
    phones.send_code(eve, "phone", here, NUMBER)
    assert owed_texts(site) == 2


# -- A log-in within a minute of the last text -------------------------------------------------------------


def test_a_log_in_within_a_minute_adopts_the_code_of_the_last_one_and_says_so(site: Site, tess: Owner) -> None:
    tess.log_in()
    code = site.texted_code(PHONE)
    site.clock.pass_(59)
    other = tess.other_browser()
    page = other.log_in()
    assert page.says(SHARED)
    assert not page.says("on its way")
    line = page.soup.find(id="resend-wait")
    assert line.get_text() == "You can request a new code in 1 second."
    assert (line["data-wait"], line["data-later"]) == ("1", "You can request a new code in {}.")
    assert line.has_attr("data-by-itself"), "the page sends one then"
    assert len(site.texts(PHONE)) == 1
    assert other.press("Verify", code=code).h1 == HOME
    page = tess.press("Verify", code=code)
    assert page.problems == ["That code was already used. Enter a new one."]
    assert live_sessions(site, "tess") == 1


def test_asking_again_within_a_minute_sends_none_and_keeps_the_code_of_this_log_in(site: Site, tess: Owner) -> None:
    tess.log_in()
    code = site.texted_code(PHONE)
    tess.post("/log-in/verify", resend="1")
    assert len(site.texts(PHONE)) == 1
    assert tess.press("Verify", code=code).h1 == HOME


def test_a_code_is_adopted_once_and_not_after_a_minute(site: Site, tess: Owner) -> None:
    tess.log_in()
    code = site.texted_code(PHONE)
    second, third, late = (tess.other_browser() for _ in range(3))
    assert second.log_in().says(SHARED)
    page = third.log_in()
    assert page.says(NOT_SENT)
    assert not page.says(SHARED)
    assert third.press("Verify", code=code).problems == ["That code has expired. Request a new one."]
    site.clock.pass_(60)
    assert not late.log_in().says(SHARED)
    assert len(site.texts(PHONE)) == 2
    assert not is_in(third)


def test_the_next_text_voids_an_adopted_code_for_both(site: Site, tess: Owner) -> None:
    tess.log_in()
    code = site.texted_code(PHONE)
    other = tess.log_in_elsewhere()
    site.clock.pass_(60)
    page = other.press("Resend code")
    assert not page.soup.find(id="resend-wait").has_attr("data-by-itself"), "once"
    assert other.press("Verify", code=code).problems == ["That code is from an earlier message. Use the latest one."]
    assert tess.press("Verify", code=code).status == 422
    assert live_sessions(site, "tess") == 0
    assert other.press("Verify", code=site.texted_code(PHONE)).h1 == HOME


def test_wrong_tries_at_both_log_ins_count_on_the_code_they_share(site: Site, tess: Owner) -> None:
    tess.log_in()
    code = site.texted_code(PHONE)
    for _ in range(3):
        tess.press("Verify", code=wrong(code))
    other = tess.other_browser()
    assert other.log_in().says(SHARED)
    for _ in range(2):
        other.press("Verify", code=wrong(code))
    site.clock.pass_(5 * 60)  # the account's own limit of five in five minutes is over
    page = other.press("Verify", code=code)
    assert page.problems == ["That code has expired. Request a new one."]
    assert tess.press("Verify", code=code).status == 422
    assert live_sessions(site, "tess") == 0
    other.press("Resend code")
    assert other.press("Verify", code=site.texted_code(PHONE)).h1 == HOME


def test_an_adopted_code_survives_the_end_of_the_first_log_in_and_no_longer_than_its_ten_minutes(
    site: Site, tess: Owner
) -> None:
    tess.log_in()
    code = site.texted_code(PHONE)
    site.clock.pass_(50)
    other, log_in = tess.other_browser(), site.services.login
    other.log_in()
    log_in.give_up(log_in.claim(cookies_of(tess)["login"].split(".")[0]))
    site.clock.pass_(549)
    claim = log_in.claim(cookies_of(other)["login"].split(".")[0])
    assert site.services.phone_numbers.sent(claim.account, claim.name) is not None
    site.clock.pass_(1)
    assert other.press("Verify", code=code).problems == ["That code has expired. Request a new one."]
    assert not is_in(other)


def test_only_a_log_in_adopts_and_only_the_code_of_a_log_in(site: Site, tess: Owner) -> None:
    tess.log_in()
    assert tess.press("Verify", code=site.texted_code(PHONE)).h1 == HOME
    stale(tess).open("/settings/account/password")
    tess.log_in_elsewhere()
    log_in_code = site.texted_code(PHONE)
    page = tess.press("Verify", password=tess.password)
    assert page.says(NOT_SENT)
    assert tess.post("/step-up/verify", code=log_in_code).problems == ["That code has expired. Request a new one."]
    site.clock.pass_(60)
    tess.post("/step-up/verify", resend="1")
    third = tess.other_browser()
    assert third.log_in().says(NOT_SENT)
    assert third.press("Verify", code=site.texted_code(PHONE)).status == 422
    assert not is_in(third)


def test_a_code_to_a_replaced_number_is_not_adopted(site: Site, tess: Owner) -> None:
    tess.log_in()
    code = site.texted_code(PHONE)
    keep_number(site, "tess", PhoneNumber(OTHER, "GB"))
    other = tess.other_browser()
    assert not other.log_in().says(SHARED)
    assert other.press("Verify", code=code).status == 422
    assert not is_in(other)
