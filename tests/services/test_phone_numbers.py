"""Phone numbers and their counts over time: key rotation, purging, and countries that are no longer served."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from tests.attacks.tools import keep_number, user_of
from tests.conftest import Site
from tests.people import PHONE, Owner
from webapp import create_app
from webapp.domain.origin import Origin
from webapp.domain.phone_numbers import PhoneNumber
from webapp.domain.refusals import NotFound, Refusal, TooManyAttempts, TooSoon, WrongCode
from webapp.models.accounts import Account
from webapp.models.codes import Code
from webapp.models.messages import TextCount
from webapp.settings import Settings

HERE = Origin("192.0.2.1", "Firefox", "nightlatch.localhost")
DAY = 86400
OTHER = "+447400987654"
OLD, NEW = "k1:MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXY=", "k2:ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA="


@pytest.fixture
def environ(database_url: str) -> dict[str, str]:
    return {"NIGHTLATCH_DATABASE_URL": database_url, "NIGHTLATCH_ENCRYPTION_KEYS": OLD}


@pytest.fixture
def tess(site: Site) -> Owner:
    """With text messages, logged in."""
    tess = Owner.signed_up(site, "tess")
    tess.turn_on_texts()
    site.clock.pass_(61)
    return tess


def account(site: Site) -> Account:
    return site.services.accounts.named("tess")


def test_no_wait_is_reported_where_no_text_could_be_sent_at_all(site: Site, tess: Owner) -> None:
    phones = site.services.phone_numbers
    assert phones.number_of(account(site)).e164 == PHONE
    assert phones.wait(account(site)) == 0
    phones.send_code(account(site), "one", HERE)
    assert phones.wait(account(site)) == 60
    keep_number(site, "tess", PhoneNumber("+19005550123", "US"))
    assert phones.wait(account(site)) == 0
    Owner.signed_up(site, "bob")
    bob = site.services.accounts.named("bob")
    assert phones.wait(bob) == 0
    with pytest.raises(NotFound):
        phones.number_of(bob)
    with pytest.raises(NotFound):
        phones.send_code(bob, "one", HERE)


@pytest.mark.parametrize(
    ("typed", "country", "counted"),
    [
        ("09011 234567", "GB", ("GB", "refused: premium")),
        ("12", "GB", None),
        ("+44 20 8366 1177", "nowhere", ("001", "refused: gets no texts")),
    ],
)
def test_a_number_that_never_gets_a_text_is_in_the_report(
    site: Site, typed: str, country: str, counted: tuple[str, str] | None
) -> None:
    with pytest.raises(Refusal):
        site.services.phone_numbers.read(typed, country)
    rows = [(row.country, row.outcome) for row in site.services.text_caps.report(1)]
    assert rows == ([counted] if counted else [])


def test_the_code_row_records_the_number_it_was_sent_to(site: Site, tess: Owner) -> None:
    phones, mine = site.services.phone_numbers, account(site)
    assert phones.sent(mine, "one") is None
    phones.send_code(mine, "one", HERE, phones.read(OTHER, ""))
    asked = phones.sent(mine, "one")
    assert asked is not None
    assert (asked.address, asked.resend_at - site.clock.now()) == ("...54", 60)
    with pytest.raises(TooSoon):
        phones.resend_code(mine, "one", HERE)
    site.clock.pass_(60)
    phones.resend_code(mine, "one", HERE)
    assert [text.to for text in site.texts(OTHER)] == [OTHER] * 2
    user = user_of(site, tess)
    phones.confirm(user, "one", site.texted_code(OTHER), HERE)
    assert phones.sent(mine, "one") is None, "it is used"
    assert account(site).phone_number_hint == user.account.phone_number_hint == "...54"


def test_an_exhausted_challenge_gets_no_new_code_while_the_old_one_is_valid(site: Site, tess: Owner) -> None:
    phones, mine = site.services.phone_numbers, account(site)
    phones.send_code(mine, "one", HERE, phones.read(OTHER, ""))
    wrong = str((int(site.texted_code(OTHER)) + 1) % 1_000_000).zfill(6)
    for refused in (*[WrongCode] * 4, TooManyAttempts):
        with pytest.raises(refused):
            phones.check(mine, "one", wrong)
    site.clock.pass_(60)
    with pytest.raises(TooManyAttempts) as refusal:
        phones.resend_code(mine, "one", HERE)
    assert refusal.value.seconds == 540
    assert len(site.texts(OTHER)) == 1
    site.clock.pass_(540)
    phones.send_code(mine, "one", HERE, phones.read(OTHER, ""))
    assert len(site.texts(OTHER)) == 2


def test_codes_are_purged_after_a_day_and_counts_after_thirty(site: Site, tess: Owner) -> None:
    assert site.count(Code) == 2, "one by e-mail and one by text"
    assert site.count(TextCount) == 1
    site.clock.pass_(DAY + 3601)
    site.services.maintenance.purge()
    assert (site.count(Code), site.count(TextCount)) == (0, 1)
    site.clock.pass_(28 * DAY)
    site.services.maintenance.purge()
    assert site.count(TextCount) == 1
    site.clock.pass_(2 * DAY)
    site.services.maintenance.purge()
    assert site.count(TextCount) == 0
    assert site.services.text_caps.report(30) == []


def test_a_number_survives_a_key_rotation_and_a_pending_code_is_valid_after_resealing(
    site: Site, tess: Owner, environ: dict[str, str], tmp_path: Path, overrides: dict[str, Any]
) -> None:
    def restarted(keys: str) -> Site:
        given = {**environ, "NIGHTLATCH_ENCRYPTION_KEYS": keys}
        app = create_app(Settings.read(given, tmp_path / "instance"), clock=site.clock, **overrides)
        return Site(app, app.extensions["nightlatch"], site.clock)

    phones, mine = site.services.phone_numbers, account(site)
    phones.send_code(mine, "one", HERE, phones.read(OTHER, ""))
    both = restarted(f"{NEW},{OLD}")
    assert both.services.maintenance.reseal() > 0
    assert both.services.maintenance.reseal() == 0
    both.services.phone_numbers.confirm(user_of(both, tess), "one", both.texted_code(OTHER), HERE)
    only = restarted(NEW)
    assert only.services.phone_numbers.number_of(account(only)).e164 == OTHER
    only.services.phone_numbers.send_code(account(only), "two", HERE)
    code = only.texted_code(OTHER)
    with only.services.db.write() as tx:
        only.services.phone_numbers.verify(tx, account(only), "two", code)


@pytest.mark.parametrize(
    ("template", "lasts"), [("code", 600), ("temporary-password", 3600), ("number-changed", 3 * DAY)]
)
def test_a_text_that_is_too_late_is_not_sent_and_a_new_one_is(
    site: Site, tess: Owner, template: str, lasts: int
) -> None:
    services, mine = site.services, account(site)
    number = services.phone_numbers.number_of(mine)
    facts = {"code": "123456", "host": "example.org", "password": "ABCD"}
    for waited in (lasts - 1, lasts):
        before = len(site.texts(number.e164))
        with services.db.write() as tx:
            services.outbox.post_text(tx, to=number, template=template, account=mine, lasts=lasts, **facts)
        site.clock.pass_(waited)
        services.delivery.deliver_due()
        assert len(site.texts(number.e164)) - before == (waited < lasts)


def test_a_text_from_while_the_clock_was_ahead_is_useful_no_longer_than_at_first(site: Site, tess: Owner) -> None:
    site.clock.pass_(365 * DAY)
    with site.services.db.write() as tx:
        site.services.phone_numbers.warn(tx, account(site), "number-changed")
    site.clock.pass_(-365 * DAY)
    assert site.texts(PHONE)[0].lasts == 3 * DAY


def test_a_number_whose_key_is_missing_is_replaced_and_meanwhile_no_page_fails(site: Site) -> None:
    ada = Owner.signed_up(site)
    ada.turn_on_texts()
    ada.press("Got it")
    site.clock.pass_(60)
    with site.services.db.write() as tx:
        tx.execute(update(Account).values(phone_number="none.AAAA"))
    other = ada.other_browser()
    page = other.log_in()
    assert (page.status, page.h1) == (200, "Enter your code")
    ada.open("/settings/account/phone")
    ada.press("Save", phone="+447400987654")
    page = ada.press("Verify", code=site.texted_code("+447400987654"))
    assert page.receipts == ["Your phone number is confirmed."]
    site.clock.pass_(60)
    other.log_in()
    assert other.press("Verify", code=site.texted_code("+447400987654")).h1 == "Welcome, Ada Lovelace"
