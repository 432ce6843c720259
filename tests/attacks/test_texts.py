"""Attackers who make the site send texts: to earn by them, to guess a code, to use another's, or to read a number."""

from __future__ import annotations

from collections import Counter, defaultdict
from random import Random

import pytest
from sqlalchemy import update

from tests.attacks.tools import (
    account_id,
    cookies_of,
    count,
    enrolled,
    give,
    is_in,
    keep_number,
    live_sessions,
    stale,
    thief_of,
)
from tests.conftest import Site
from tests.people import PHONE, TWO_FACTOR, Owner, Person
from webapp.adapters.keyring import AesGcmKeyring
from webapp.domain.origin import Origin
from webapp.domain.phone_numbers import PhoneNumber
from webapp.domain.refusals import CodeAlreadyUsed, CountryNotServed, Refusal, TextLimitReached, TooManyTexts, TooSoon
from webapp.models.accounts import Account
from webapp.models.factors import Factor, factor_bound
from webapp.services.operators import COMMAND_LINE

TEXTS = f"{TWO_FACTOR}/text-message"
CHANGE = "/settings/account/phone"
OTHER = "+447400987654"
HOUR, DAY = 3600, 86400
OPERATOR = "no-reply@nightlatch.localhost"
HOME = "Welcome, Ada Lovelace"
TOO_MANY_ATTEMPTS = "Too many attempts. Try again in 10 minutes."


def account(site: Site, username: str) -> Account:
    services = site.services
    address = f"{username}@example.org"
    return services.sign_up.create_by_operator("Ada Lovelace", username, Owner(site).password, address, confirmed=True)


def texted(site: Site, username: str, number: str = PHONE) -> Owner:
    """A user with text messages and a backup code who never logged in; no text was sent yet."""
    owner, services = enrolled(site, username), site.services
    keep_number(site, username, number)
    owner_id, keyring = account_id(site, username), AesGcmKeyring(services.settings.encryption_keys, services.entropy)
    values = {"method": "text-message", "sealed": keyring.seal("", factor_bound(owner_id, "text-message"))}
    with services.db.write() as tx:
        tx.execute(update(Factor).where(Factor.account_id == owner_id).values(values))
    return owner


@pytest.fixture
def tess(site: Site) -> Owner:
    """On the log-in page."""
    return texted(site, "tess")


@pytest.fixture
def pending(tess: Owner) -> Owner:
    """An attacker with a pending login and a code on its way to the owner's phone."""
    pending = tess.other_browser(address="203.0.113.9")
    assert pending.log_in().h1 == "Enter your code"
    return pending


def inside(site: Site, username: str) -> Owner:
    """Logged in, with a confirmed e-mail address and no factor."""
    return Owner.signed_up(site, username)


def other_than(code: str) -> str:
    return str((int(code) + 500_000) % 1_000_000).zfill(6)


def number_of(prefix: int, last: int = 0) -> PhoneNumber:
    """Fictitious numbers; those that differ in their last four digits share a prefix."""
    return PhoneNumber(f"+4474{prefix:05d}{last:04d}", "GB")


def with_number(site: Site, n: int) -> Account:
    """An account that has its number already."""
    keep_number(site, account(site, f"eve{n}").username, PhoneNumber(f"+4474{n:04d}0000", "GB"))
    return site.services.accounts.named(f"eve{n}")


def ask(site: Site, of: Account, challenge: str, number: PhoneNumber | None, address: str) -> str:
    """The result of one attempt to have a text sent to a number, or after a right password to the account's own."""
    phones, origin = site.services.phone_numbers, Origin(address, "x", "nightlatch.localhost")
    try:
        if number is None:
            phones.send_proof(of, challenge, origin)
        else:
            phones.send_code(of, challenge, origin, number)
    except TextLimitReached as refusal:
        return refusal.why
    except TooSoon:
        return "gap"
    except TooManyTexts:
        return "challenge"
    return "sent"


def owed_texts(site: Site) -> int:
    return count(site, "SELECT count(*) FROM messages WHERE channel = 'text'")


# -- Toll fraud ------------------------------------------------------------------------------------


def test_one_account_gets_five_texts_an_hour_and_ten_a_day_whatever_it_changes(site: Site) -> None:
    eve, sent, now = account(site, "eve"), [], site.clock.now()
    for attempt in range(200):
        if ask(site, eve, f"c{attempt}", number_of(attempt), f"198.51.{attempt}.1") == "sent":
            sent.append(site.clock.now() - now)
        site.clock.pass_(300)
    assert sent == [0, 300, 600, 900, 1200, 3600, 3900, 4200, 4500, 4800]
    site.clock.pass_(DAY - (site.clock.now() - now))
    assert ask(site, eve, "later", number_of(500), "198.51.100.1") == "sent"


def test_one_number_gets_three_texts_a_day_from_all_accounts_whose_number_it_is_not(site: Site) -> None:
    outcomes = []
    for attempt in range(20):
        outcomes.append(ask(site, account(site, f"eve{attempt}"), f"c{attempt}", number_of(1), f"198.51.{attempt}.1"))
        site.clock.pass_(60)
    assert outcomes == ["sent"] * 3 + ["number"] * 17


def test_a_number_gets_one_text_a_minute_from_all_accounts_together(site: Site) -> None:
    assert ask(site, account(site, "eve"), "c", number_of(1), "198.51.100.1") == "sent"
    site.clock.pass_(59)
    bob = account(site, "bob")
    assert ask(site, bob, "c", number_of(1), "198.51.100.2") == "gap"
    site.clock.pass_(1)
    assert ask(site, bob, "c", number_of(1), "198.51.100.2") == "sent"


def test_numbers_that_differ_in_their_last_four_digits_get_ten_texts_an_hour_together(site: Site) -> None:
    outcomes = [ask(site, account(site, f"eve{n}"), f"c{n}", number_of(1, n * 7), f"198.51.{n}.1") for n in range(30)]
    assert outcomes == ["sent"] * 10 + ["prefix"] * 20
    site.clock.pass_(HOUR)
    assert ask(site, account(site, "bob"), "c", number_of(1, 9999), "198.51.100.1") == "sent"


@pytest.mark.parametrize("address", ["198.51.100.7", "2001:db8:1:2::{n:x}"], ids=["one", "a /64"])
def test_one_network_has_twenty_texts_an_hour_with_all_its_accounts(site: Site, address: str) -> None:
    outcomes = [ask(site, account(site, f"eve{n}"), f"c{n}", number_of(n), address.format(n=n + 1)) for n in range(40)]
    assert outcomes == ["sent"] * 20 + ["address"] * 20
    assert ask(site, account(site, "bob"), "c", number_of(100), "2001:db8:1:3::1") == "sent"


def test_a_challenge_gets_three_texts_to_all_its_numbers(site: Site) -> None:
    eve = account(site, "eve")
    outcomes = [ask(site, eve, "one", number_of(n), f"198.51.{n}.1") for n in range(5)]
    assert outcomes == ["sent"] * 3 + ["challenge"] * 2


RULES = (
    ("gap", "number", 1, 60),
    ("challenge", "challenge", 3, DAY),
    ("account", "account", 5, HOUR),
    ("account", "account", 10, DAY),
    ("number", "number", 3, DAY),
    ("prefix", "prefix", 10, HOUR),
    ("new numbers", "all", 75, DAY),
    ("address", "address", 20, HOUR),
)
"""The caps of the policy for enrollments: name, what they count by, how many, in how many seconds."""


@pytest.fixture
def budget_of_150(environ: dict[str, str]) -> None:
    environ["NIGHTLATCH_SMS_DAILY_BUDGET"] = "150"


@pytest.mark.usefixtures("budget_of_150")
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("seed", "accounts", "prefixes", "addresses", "pause"),
    [(1, 40, 6, 4, 20), (2, 8, 12, 9, 45), (3, 40, 40, 40, 5)],
    ids=["few prefixes and addresses", "few accounts", "many of everything"],
)
def test_a_thousand_attempts_send_exactly_what_the_caps_allow(
    site: Site, seed: int, accounts: int, prefixes: int, addresses: int, pause: int
) -> None:
    """Compares with a plain count of the texts before: neither one text too many nor one too few."""
    rng, sent, refused = Random(seed), defaultdict[tuple[str, object], list[int]](list), Counter[str]()
    people = [account(site, f"eve{n}") for n in range(accounts)]
    for attempt in range(1000):
        eve, number = rng.choice(people), number_of(rng.randrange(prefixes), rng.randrange(4))
        address, challenge = f"198.51.{rng.randrange(addresses)}.1", f"log-in:{rng.randrange(400)}:{attempt % 2}"
        of = {
            "number": number.e164,
            "prefix": number.prefix,
            "account": eve.id,
            "address": address,
            "challenge": challenge,
            "all": 0,
        }
        now = site.clock.now()
        expected = next(
            (
                name
                for name, what, most, seconds in RULES
                if sum(at > now - seconds for at in sent[what, of[what]]) >= most
            ),
            "sent",
        )
        got = ask(site, eve, challenge, number, address)
        assert got == expected, f"attempt {attempt}"
        refused[got] += 1
        if got == "sent":
            for what, which in of.items():
                sent[what, which].append(now)
        site.clock.pass_(rng.randrange(2 * pause))
    assert owed_texts(site) == refused["sent"] == len(sent["all", 0])
    assert len(refused) > 3, refused
    reported = {row.outcome: row.count for row in site.services.text_caps.report(30)}
    assert sum(reported.values()) == 1000, "every attempt is reported, whatever became of it"
    assert reported["sent"] == refused["sent"]


def test_repeated_sign_ups_do_not_raise_the_limit_of_a_network(site: Site) -> None:
    """Through the pages: a new account for every number. A network may sign up twenty times an hour only."""
    for attempt in range(22):
        eve = Owner.signed_up(site, f"eve{attempt}", address=f"203.0.{attempt}.77")
        eve.address = "203.0.113.77"
        eve.open(CHANGE)
        page = eve.press("Save", phone=f"+44740{attempt:02d}12345")
    assert len(site.texts()) == 20
    assert page.status == 429
    assert page.problems[0].startswith("We can't text you now. Try again in ")
    assert 0 < int(page.response.headers["Retry-After"]) <= HOUR


def test_going_back_and_typing_many_numbers_sends_three_texts(site: Site) -> None:
    eve = inside(site, "eve")
    for attempt in range(6):
        eve.open(CHANGE)
        page = eve.press("Save", phone=f"+44740{attempt:02d}12345")
    assert len(site.texts()) == 3
    assert page.problems == ["We've already sent three codes. Enter the latest one, or choose another method."]


def test_repeated_log_ins_send_five_texts_an_hour(site: Site, tess: Owner) -> None:
    for attempt in range(9):
        tess.other_browser(address=f"198.51.{attempt}.1").log_in()
        site.clock.pass_(61)
    assert len(site.texts(PHONE)) == 5


def test_refused_attempts_do_not_count(site: Site) -> None:
    eve = account(site, "eve")
    assert ask(site, eve, "c", number_of(1), "198.51.100.1") == "sent"
    before = count(site, "SELECT count(*) FROM attempts")
    for _ in range(50):
        assert ask(site, eve, "c", number_of(1), "198.51.100.1") == "gap"
    assert count(site, "SELECT count(*) FROM attempts") == before
    site.clock.pass_(60)
    assert ask(site, eve, "c", number_of(1), "198.51.100.1") == "sent"


# -- Countries and prices --------------------------------------------------------------------------


@pytest.fixture
def two_countries(environ: dict[str, str]) -> None:
    environ["NIGHTLATCH_SMS_COUNTRIES"] = "GB,FR"


@pytest.mark.parametrize(
    "number",
    [
        "+447012345678",
        "+19005550123",
        "+448718720000",
        "+33899123456",
        "+870773111632",
        "+881612345678",
        "+979123456789",
    ],
)
def test_numbers_at_premium_rates_get_no_text(site: Site, number: str) -> None:
    eve = inside(site, "eve")
    eve.open(CHANGE)
    page = eve.press("Save", phone=number)
    assert page.status == 422
    assert page.h1 == "Add your phone number"
    assert owed_texts(site) == 0


@pytest.mark.usefixtures("two_countries")
def test_countries_that_are_not_listed_get_no_text_and_are_not_offered(site: Site) -> None:
    eve = inside(site, "eve")
    page = eve.open(CHANGE)
    assert {option["value"] for option in page.field("Country").find_all("option")} == {"GB", "FR"}
    for typed, country in (
        ("+14155550123", "GB"),
        ("4155550123", "US"),
        ("+4915112345678", "FR"),
        ("+881612345678", ""),
    ):
        page = eve.post(CHANGE, phone=typed, country=country)
        assert page.status == 422
        assert page.problems == ["We don't send texts to that country. Use a number from a country in the list."]
    assert owed_texts(site) == 0
    assert eve.post(CHANGE, phone="06 12 34 56 78", country="FR").h1 == "Check your phone"
    assert [text.to for text in site.texts()] == ["+33612345678"]


@pytest.mark.usefixtures("two_countries")
def test_a_country_that_was_removed_from_the_list_gets_no_log_in_codes(site: Site) -> None:
    tess = texted(site, "tess")
    keep_number(site, "tess", PhoneNumber("+14155550123", "US"))
    with pytest.raises(CountryNotServed):
        site.services.phone_numbers.number_of(site.services.accounts.named("tess"))
    page = tess.log_in()
    assert (page.status, page.h1) == (200, "Enter your code")
    assert page.problems[0].startswith("We don't send texts to that country.")
    assert tess.press("Resend code").status == 422
    assert owed_texts(site) == 0
    assert tess.post("/log-in/backup-code", code=tess.kept_code).h1 == "Save your new backup code"


# -- The daily budget ------------------------------------------------------------------------------


@pytest.fixture(params=["0"])
def budget(request: pytest.FixtureRequest, environ: dict[str, str]) -> None:
    environ["NIGHTLATCH_SMS_DAILY_BUDGET"] = request.param


def warnings(site: Site) -> list[str]:
    return [mail.subject for mail in site.emails(OPERATOR)][::-1]


@pytest.mark.usefixtures("budget")
def test_without_a_budget_no_text_is_sent_and_the_page_says_so(site: Site) -> None:
    tess = texted(site, "tess")
    page = tess.log_in()
    assert page.h1 == "Enter your code"
    assert page.problems[0].startswith("We can't text you now. Try again in 24 hours")
    page = tess.press("Resend code")
    assert (page.status, page.response.headers["Retry-After"]) == (429, str(DAY))
    assert owed_texts(site) == 0
    assert {row.outcome for row in site.services.text_caps.report(1)} == {"refused: budget"}
    assert warnings(site) == []
    assert tess.post("/log-in/backup-code", code=tess.kept_code).h1 == "Save your new backup code"


@pytest.mark.usefixtures("budget")
@pytest.mark.parametrize("budget", ["10"], indirect=True)
def test_the_operator_is_warned_at_80_and_100_per_cent_once_a_day_and_then_no_text_is_sent(site: Site) -> None:
    people = [with_number(site, n) for n in range(40)]

    def attempt(n: int) -> str:
        return ask(site, people[n], f"c{site.clock.now()}:{n}", None, f"198.51.{n}.1")

    assert [attempt(n) for n in range(7)] == ["sent"] * 7
    assert warnings(site) == []
    assert attempt(7) == "sent"
    assert len(warnings(site)) == 1
    assert "80" in warnings(site)[0]
    assert [attempt(n) for n in range(8, 15)] == ["sent"] * 2 + ["budget"] * 5
    assert len(warnings(site)) == 2
    assert "100" in warnings(site)[1]
    site.clock.pass_(DAY)
    assert [attempt(n) for n in range(20, 32)] == ["sent"] * 10 + ["budget"] * 2
    assert len(warnings(site)) == 4, "and again the next day"
    assert owed_texts(site) == 20


@pytest.mark.usefixtures("budget")
@pytest.mark.parametrize("budget", ["10"], indirect=True)
def test_a_warning_of_a_clock_that_was_far_ahead_does_not_keep_the_next_from_being_sent(site: Site) -> None:
    people = [with_number(site, n) for n in range(20)]
    for days in (30, -30):
        site.clock.pass_(days * DAY)
        for n in range(10):
            ask(site, people[n], f"c{site.clock.now()}:{n}", None, f"198.51.{n}.1")
    assert len(warnings(site)) == 4


@pytest.mark.usefixtures("budget")
@pytest.mark.parametrize("budget", ["10"], indirect=True)
def test_at_the_edge_of_the_sliding_budget_the_operator_is_warned_once_a_day(site: Site) -> None:
    people = [with_number(site, n) for n in range(30)]
    site.clock.pass_(DAY - site.clock.now() % DAY)  # midnight
    for n in range(30):
        ask(site, people[n], f"c{site.clock.now()}:{n}", None, f"198.51.{n}.1")
        site.clock.pass_(HOUR // 2)
    assert len(warnings(site)) == 2


def recover(site: Site, username: str) -> None:
    """An operator starts a recovery, of which the owner is warned."""
    site.services.operators.recoveries.start(username, "Lost the phone", COMMAND_LINE)


@pytest.mark.usefixtures("budget")
@pytest.mark.parametrize("budget", ["10"], indirect=True)
def test_warnings_are_counted_and_who_used_up_the_budget_keeps_none_from_an_owner(site: Site, tess: Owner) -> None:
    people = [with_number(site, n) for n in range(10)]

    def attempt(n: int) -> str:
        return ask(site, people[n], f"c{n}", None, f"198.51.{n}.1")

    assert [attempt(n) for n in range(7)] == ["sent"] * 7
    recover(site, "tess")
    assert len(warnings(site)) == 1, "the eighth of ten"
    assert [attempt(n) for n in range(7, 10)] == ["sent"] * 2 + ["budget"]
    site.services.operators.recoveries.cancel("tess", COMMAND_LINE)
    recover(site, "tess")
    assert len(site.texts(PHONE)) == 2
    assert {row.outcome: row.count for row in site.services.text_caps.report(1)} == {"sent": 11, "refused: budget": 1}
    assert len(warnings(site)) == 2, "80 and 100 per cent, once each"
    assert tess.log_in().problems[0].startswith("We can't text you now.")


@pytest.mark.usefixtures("budget")
@pytest.mark.parametrize("budget", ["0"], indirect=True)
def test_without_a_budget_a_warning_goes_by_email_only(site: Site, tess: Owner) -> None:
    recover(site, "tess")
    assert owed_texts(site) == 0
    assert site.emails(tess.email)[0].subject.startswith("Your two-factor authentication will be turned off")


def test_a_change_of_number_counts_the_warning_to_the_old_one_once_it_is_made(site: Site) -> None:
    mine = with_number(site, 1)
    phones, here = site.services.phone_numbers, Origin("192.0.2.1", "x", "nightlatch.localhost")
    phones.send_code(mine, "change", here, number_of(2))
    assert site.services.attempts.counted("texts") == 1
    code = phones.check(mine, "change", site.texted_code(number_of(2).e164))
    with site.services.db.write() as tx:
        phones.store(tx, mine, code, here)
    assert site.services.attempts.counted("texts") == owed_texts(site) == 2


# -- Conditions for sending a text -----------------------------------------------------------------


def test_before_the_right_password_no_text_is_sent_and_no_page_reveals_a_phone_number(site: Site, tess: Owner) -> None:
    for typed in ("wrong password", "", "AAAA-AAAA-AAAA-AAAA"):
        assert "..." not in tess.log_in(typed or " ").text
    for path in ("/log-in/verify", "/log-in/verify?method=text-message", "/log-in/methods", "/step-up/verify"):
        page = tess.post(path, resend="1", method="text-message", code="000000")
        assert page.path in ("/log-in", "/log-in/methods")
        assert "...56" not in page.text
    reader = Person(site.app)
    reader.open("/forgot-password")
    reader.press("Send link", email=tess.email)
    reader.open(site.emailed_path(tess.email, "/reset-password/"))
    reader.press("Save password", password="seven brass wheels turning")
    assert owed_texts(site) == 0


def test_an_unconfirmed_number_gets_no_log_in_code(site: Site) -> None:
    """Neither the number of an abandoned enrollment nor that of an unfinished change."""
    eve = inside(site, "eve")
    eve.open(f"{TEXTS}/overview")
    eve.press("Next")
    eve.press("Verify", password=eve.password)
    eve.press("Next", phone=OTHER)
    eve.log_out()
    site.clock.pass_(61)
    assert eve.log_in().h1 == HOME, "there is no factor yet"
    tess = texted(site, "tess")
    tess.log_in()
    tess.press("Verify", code=site.texted_code(PHONE))
    before = len(site.texts(OTHER))
    tess.open(CHANGE)
    tess.press("Save", phone=OTHER)
    site.clock.pass_(61)
    tess.log_in_again()
    assert len(site.texts(OTHER)) == before + 1, "the one that asks whose it is"
    assert tess.press("Verify", code=site.texted_code(PHONE)).h1 == HOME


def test_a_number_alone_is_no_factor_and_gets_no_log_in_code(site: Site, ada: Owner) -> None:
    keep_number(site, "ada", PHONE)
    other = ada.log_in_elsewhere()
    assert other.open("/log-in/verify?method=text-message").status == 404
    assert other.post("/log-in/verify?method=text-message", resend="1").status == 404
    assert other.post("/log-in/methods", method="text-message").status == 404
    assert "Text message" not in other.open("/log-in/methods").text
    assert owed_texts(site) == 0


def test_a_stolen_session_changes_no_number_and_sends_no_text(site: Site, tess: Owner) -> None:
    tess.log_in()
    tess.press("Verify", code=site.texted_code(PHONE))
    thief = thief_of(stale(tess))
    before = owed_texts(site)
    for path in (CHANGE, f"{CHANGE}/code", f"{TEXTS}/overview", f"{TEXTS}/phone", f"{TEXTS}/code"):
        thief.post(path, phone=OTHER, code="000000", resend="1")
        thief.post(path, phone=OTHER)
    assert thief.open("/step-up/verify").h1 == "Enter your password"
    assert thief.post("/step-up/verify", resend="1").h1 == "Enter your password"
    assert owed_texts(site) == before
    assert site.services.accounts.named("tess").phone_number_hint == "...56"


def test_a_pending_login_enrolls_no_factor_and_changes_no_phone_number(site: Site, pending: Owner) -> None:
    before = owed_texts(site)
    for path in (CHANGE, f"{CHANGE}/code", f"{TEXTS}/phone", f"{TEXTS}/code", f"{TEXTS}/turn-off", f"{TEXTS}/password"):
        page = pending.post(path, phone=OTHER, password=pending.password, code=site.texted_code(PHONE), resend="1")
        assert page.path == "/log-in"
    assert owed_texts(site) == before
    assert live_sessions(site, "tess") == 0


def test_a_forged_host_is_in_no_text(site: Site, tess: Owner) -> None:
    data = {"csrf_token": tess.token(), "username": tess.username, "password": tess.password}
    headers = {"X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}
    assert tess.send("POST", "/log-in", data=data, headers=headers).h1 == "Enter your code"
    assert site.texts(PHONE)[0].text.endswith(f"\n\n@nightlatch.localhost #{site.texted_code(PHONE)}")
    assert tess.send("POST", "/log-in", data=data, host="evil.example").status == 400
    assert len(site.texts()) == 1


# -- Guessing --------------------------------------------------------------------------------------


def test_after_five_wrong_codes_the_right_one_is_refused_and_no_other_is_sent(site: Site, pending: Owner) -> None:
    code = site.texted_code(PHONE)
    statuses = [pending.post("/log-in/verify", follow=False, code=other_than(code)).status for _ in range(5)]
    assert statuses == [422] * 4 + [303]
    assert pending.post("/log-in/verify", code=code).path == "/log-in"
    site.clock.pass_(61)
    assert pending.post("/log-in/verify", resend="1").path == "/log-in"
    assert len(site.texts()) == 1
    assert not is_in(pending)


def test_a_resend_between_guesses_at_log_in_resets_no_count(site: Site, pending: Owner) -> None:
    for _ in range(3):
        assert pending.press("Verify", code=other_than(site.texted_code(PHONE))).status == 422
    site.clock.pass_(60)
    pending.press("Resend code")
    code = site.texted_code(PHONE)
    page = pending.press("Verify", code=other_than(code))
    assert page.problems == ["Wrong code. Check it and try again. You have 1 attempt left."]
    assert pending.press("Verify", code=other_than(code)).path == "/log-in"
    assert pending.post("/log-in/verify", code=code).path == "/log-in"
    assert not is_in(pending)


@pytest.mark.parametrize("where", [CHANGE, f"{TEXTS}/phone"], ids=["in the settings", "at enrollment"])
def test_a_resend_or_another_number_between_guesses_at_a_confirmation_resets_no_count(site: Site, where: str) -> None:
    eve = inside(site, "eve")
    eve.open(f"{TEXTS}/overview")
    eve.press("Next")
    eve.press("Verify", password=eve.password)
    eve.post(where, phone=PHONE)
    for _ in range(3):
        assert eve.press("Verify", code=other_than(site.texted_code(PHONE))).status == 422
    eve.post(where, phone=OTHER)
    wrong = other_than(site.texted_code(OTHER))
    assert [eve.press("Verify", code=wrong).status for _ in range(2)] == [422, 429]
    page = eve.press("Verify", code=site.texted_code(OTHER))
    assert (page.status, page.problems) == (429, [TOO_MANY_ATTEMPTS])
    site.clock.pass_(61)
    assert eve.press("Resend code").status == 429
    assert len(site.texts()) == 2
    assert site.services.accounts.named("eve").phone_number is None


def test_guesses_at_many_log_ins_share_the_limit_of_the_account(site: Site, tess: Owner) -> None:
    for attempt in range(2):
        pending = tess.log_in_elsewhere(address=f"198.51.100.{attempt}")
        for _ in range(3):
            pending.post("/log-in/verify", follow=False, code="000000")
        site.clock.pass_(61)
    other = tess.log_in_elsewhere()
    page = other.press("Verify", code=site.texted_code(PHONE))
    assert page.status in (200, 429)
    assert not is_in(other)


@pytest.mark.parametrize("typed", ["", "null", "[]", "{}", "000000", "12345", "1234567", "'--"])
def test_what_is_not_a_code_is_refused_and_six_zeros_are_a_counted_failure(
    site: Site, pending: Owner, typed: str
) -> None:
    before = count(site, "SELECT count(*) FROM attempts WHERE bucket LIKE 'second-factor:%'")
    page = pending.post("/log-in/verify", code=typed, mfa="false")
    assert page.status == 422
    counted = count(site, "SELECT count(*) FROM attempts WHERE bucket LIKE 'second-factor:%'") - before
    assert counted == (typed == "000000")
    assert not is_in(pending)


# -- Codes of other challenges ---------------------------------------------------------------------


def test_a_code_opens_its_own_log_in_and_no_other_of_the_same_account(site: Site, tess: Owner, pending: Owner) -> None:
    code = site.texted_code(PHONE)
    site.clock.pass_(60)
    other = tess.log_in_elsewhere()
    assert len(site.texts(PHONE)) == 2
    assert other.press("Verify", code=code).problems == ["Wrong code. Check it and try again."]
    assert not is_in(other)
    assert pending.press("Verify", code=code).h1 == HOME, "its own is not voided by a newer one of another log-in"


def test_a_code_of_another_account_is_wrong(site: Site, pending: Owner) -> None:
    mallory = texted(site, "mallory", OTHER)
    mallory.log_in()
    theirs = site.texted_code(OTHER)
    assert pending.press("Verify", code=theirs).problems == ["Wrong code. Check it and try again."]
    give(mallory, login=cookies_of(pending)["login"])
    assert mallory.post("/log-in/verify", code=theirs).status == 422
    assert not is_in(mallory)


def test_a_code_serves_the_purpose_it_was_sent_for(site: Site, tess: Owner) -> None:
    tess.log_in()
    log_in_code = site.texted_code(PHONE)
    assert tess.press("Verify", code=log_in_code).h1 == HOME
    site.clock.pass_(61)
    tess.open(CHANGE)
    tess.press("Save", phone=PHONE)
    change_code = site.texted_code(PHONE)
    assert tess.post(f"{CHANGE}/code", code=log_in_code).status == 422
    site.clock.pass_(61)
    pending = tess.log_in_elsewhere()
    assert pending.press("Verify", code=change_code).status == 422
    stale(tess).open("/settings/account/password")
    tess.press("Verify", password=tess.password)
    step_up_code = site.texted_code(PHONE)
    for code in (change_code, log_in_code):
        if code != step_up_code:
            assert tess.post("/step-up/verify", code=code).status == 422
    pending = tess.log_in_elsewhere()
    assert pending.press("Verify", code=step_up_code).status == 422
    assert not is_in(pending)
    assert tess.post("/step-up/verify", code=step_up_code).status == 200


def test_a_confirmation_code_belongs_to_the_session_that_asked_for_it(site: Site) -> None:
    eve = inside(site, "eve")
    elsewhere = eve.log_in_elsewhere()
    eve.open(CHANGE)
    eve.press("Save", phone=PHONE)
    page = elsewhere.post(f"{CHANGE}/code", code=site.texted_code(PHONE))
    assert page.problems == ["That code has expired. Request a new one."]
    assert site.services.accounts.named("eve").phone_number is None


def test_a_code_that_was_sent_to_a_replaced_number_does_not_log_in(site: Site, tess: Owner) -> None:
    """An attacker has the old phone, and a code from just before the owner replaced the number."""
    tess.log_in()
    tess.press("Verify", code=site.texted_code(PHONE))
    site.clock.pass_(61)
    pending = tess.log_in_elsewhere()
    code = site.texted_code(PHONE)
    tess.open(CHANGE)
    tess.press("Save", phone=OTHER)
    tess.press("Verify", code=site.texted_code(OTHER))
    assert pending.press("Verify", code=code).problems == ["That code has expired. Request a new one."]
    assert not is_in(pending)


def test_a_code_of_a_factor_that_was_turned_off_proves_nothing(site: Site, pending: Owner) -> None:
    code, services = site.texted_code(PHONE), site.services
    token = cookies_of(pending)["login"].split(".")[0]
    claim = services.login.claim(token)
    with services.db.write() as tx:
        tx.execute(update(Factor).values(turned_off_at=site.clock.now()))
    with pytest.raises(CodeAlreadyUsed):
        services.login.verify(claim, None, {"code": code}, Origin("192.0.2.1", "x"), remember=False)
    assert live_sessions(site, "tess") == 0


def test_two_proofs_of_one_pending_login_open_one_session(site: Site, pending: Owner) -> None:
    log_in, code = site.services.login, {"code": site.texted_code(PHONE)}
    token, here = cookies_of(pending)["login"].split(".")[0], Origin("192.0.2.1", "x")
    first, second = log_in.claim(token), log_in.claim(token)
    log_in.verify(first, None, code, here, remember=False)
    with pytest.raises(Refusal):
        log_in.verify(second, None, code, here, remember=False)
    assert live_sessions(site, "tess") == 1


def test_a_code_from_before_the_resend_and_one_that_is_ten_minutes_old_are_refused(site: Site, pending: Owner) -> None:
    first = site.texted_code(PHONE)
    site.clock.pass_(60)
    pending.press("Resend code")
    second = site.texted_code(PHONE)
    assert pending.press("Verify", code=first).problems == ["That code is from an earlier message. Use the latest one."]
    site.clock.pass_(541)
    assert pending.press("Verify", code=second).path == "/log-in", "a pending login lives no longer than its first code"


# -- Delivery receipts -----------------------------------------------------------------------------

SECRET = "a-secret-of-the-operator"
HOOK = f"/hooks/vonage/delivery/{SECRET}"


@pytest.fixture
def hook(environ: dict[str, str]) -> None:
    environ |= {
        "NIGHTLATCH_VONAGE_API_KEY": "key",
        "NIGHTLATCH_VONAGE_API_SECRET": "secret",
        "NIGHTLATCH_SMS_FROM": "Nightlatch",
        "NIGHTLATCH_VONAGE_URL": "http://127.0.0.1:9",
        "NIGHTLATCH_VONAGE_HOOK_SECRET": SECRET,
    }


@pytest.mark.usefixtures("hook")
def test_a_forged_receipt_changes_nothing(site: Site) -> None:
    tess = texted(site, "tess")
    tess.log_in()
    with site.services.db.write() as tx:
        tx.connection.exec_driver_sql("UPDATE messages SET state = 'sent'")
        uid = tx.connection.exec_driver_sql("SELECT uid FROM messages").scalar_one()
    gateway = Person(site.app, address="198.51.100.9")
    data = {"client-ref": uid, "status": "failed"}
    for path in ("/hooks/vonage/delivery/wrong", f"{HOOK}x", HOOK[:-1], HOOK.replace("secret", "SECRET")):
        assert gateway.send("POST", path, data=data).status == 404
    for ref in ("1", "x" * 5000, "' OR 1=1 --", uid[:-1], uid.upper() + "x", "%"):
        assert gateway.send("POST", HOOK, data={**data, "client-ref": ref}).status == 204
    for ref in ("\0", "\ud800", "\U0010ffff", 7, None, True, {}, 1e400):
        assert gateway.send("POST", HOOK, json={**data, "client-ref": ref}).status == 204
    for body in ([], "text", 7):
        assert gateway.send("POST", HOOK, json=body).status == 400
    assert gateway.send("POST", HOOK, data="{", content_type="application/json").status == 400
    for told in ({}, {"client-ref": [uid], "status": "failed"}, {"client-ref": uid, "status": ["failed"]}):
        assert gateway.send("POST", HOOK, json=told).status == 204
    assert gateway.send("GET", HOOK, query_string=data).status == 404
    assert gateway.send("POST", f"{HOOK}?client-ref={uid}&status=failed").status == 204
    assert count(site, "SELECT count(*) FROM messages WHERE state = 'sent' AND received_at IS NULL") == 1


def test_a_stolen_session_sends_no_code_before_the_password(site: Site, tess: Owner) -> None:
    tess.log_in()
    tess.press("Verify", code=site.texted_code(PHONE))
    thief, before = thief_of(stale(tess)), len(site.texts(PHONE))
    for _ in range(3):
        assert thief.post("/step-up/methods", method="text-message").h1 == "Enter your password"
    assert len(site.texts(PHONE)) == before
