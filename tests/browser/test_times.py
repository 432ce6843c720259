"""Times: in UTC by the server, in the zone of the reader by the script of the page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visits
from tests.browser.live import LiveSite, Visitor
from tests.people import ANDROID, DESKTOP

SESSIONS, ACTIVITY = "/settings/security/sessions", "/settings/security/activity"
NOON = 1_800_014_400  # 2027-01-15 12:00:00 UTC, 9 PM in Tokyo


def member(site: LiveSite, visit: Visits, layout: str, after: timedelta, **options: object) -> Visitor:
    """Ada, who signed up at noon UTC and opens her sessions that much later."""
    visitor, person = visit(layout, **options), site.person("ada", layout=layout)
    site.clock.pass_(NOON - site.clock.now())
    person.sign_up()
    visitor.become(person)
    if visitor.has_script:
        visitor.page.clock.install(time=datetime.fromtimestamp(NOON, UTC) + after)
    visitor.open(SESSIONS)
    return visitor


@pytest.mark.parametrize("layout", [DESKTOP, ANDROID])
@pytest.mark.parametrize(
    ("after", "zone", "shown"),
    [
        (timedelta(seconds=20), "Asia/Tokyo", "now"),
        (timedelta(minutes=2), "Asia/Tokyo", "2 minutes ago"),
        (timedelta(minutes=1), "America/New_York", "1 minute ago"),
        (timedelta(hours=1), "Asia/Tokyo", "today at 9:00 PM"),
        (timedelta(hours=3), "Asia/Tokyo", "yesterday at 9:00 PM"),
        (timedelta(hours=20), "America/New_York", "yesterday at 7:00 AM"),
        (timedelta(days=2), "Asia/Tokyo", "January 15, 2027 at 9:00 PM"),
        (timedelta(days=400), "Asia/Kolkata", "January 15, 2027 at 5:30 PM"),
        (timedelta(hours=-1), "Asia/Tokyo", "today at 9:00 PM"),
    ],
)
def test_a_time_is_shown_in_the_zone_of_the_reader(
    site: LiveSite, visit: Visits, layout: str, after: timedelta, zone: str, shown: str
) -> None:
    time = member(site, visit, layout, after, timezone_id=zone).page.locator("main time").first
    expect(time).to_have_text(shown)
    expect(time).to_have_attribute("datetime", "2027-01-15T12:00:00Z")
    time.hover()
    assert "Friday, January 15, 2027" in (time.get_attribute("title") or "")
    assert "GMT" in (time.get_attribute("title") or "") or "EST" in (time.get_attribute("title") or "")


@pytest.mark.parametrize(
    ("language", "after", "shown"),
    [
        ("fa", timedelta(minutes=2), "2 دقیقه پیش"),
        ("ti", timedelta(minutes=2), "January 15, 2027, 12:00 PM UTC"),
        ("hi", timedelta(hours=1), "आज 12:00 pm"),
        ("hi", timedelta(days=2), "15 जनवरी 2027, 12:00 pm"),
        ("kn", timedelta(hours=1), "ಇಂದು 12:00 PM"),
        ("kn", timedelta(days=2), "ಜನವರಿ 15, 2027 12:00 PM"),
    ],
    ids=["digits and calendar", "unknown to the browser", "no बजे today", "no को", "no ಸಮಯಕ್ಕೆ today", "no ರಂದು"],
)
def test_a_time_is_in_the_language_of_the_page(
    site: LiveSite, visit: Visits, language: str, after: timedelta, shown: str
) -> None:
    visitor = member(site, visit, DESKTOP, after, timezone_id="UTC")
    say = f"document.addEventListener('readystatechange', () => document.documentElement.lang = '{language}')"
    visitor.page.add_init_script(say)
    visitor.open(SESSIONS)
    expect(visitor.page.locator("main time").first).to_have_text(shown)


def test_a_time_in_a_page_that_stays_open_grows_old(site: LiveSite, visit: Visits) -> None:
    visitor = member(site, visit, DESKTOP, timedelta(minutes=2))
    time = visitor.page.locator("main time").first
    expect(time).to_have_text("2 minutes ago")
    visitor.page.clock.fast_forward(5 * 60_000)
    expect(time).to_have_text("7 minutes ago")


def test_times_of_a_page_that_htmx_swapped_in_are_shown_too(site: LiveSite, visit: Visits) -> None:
    visitor = member(site, visit, DESKTOP, timedelta(seconds=20))
    visitor.open("/settings/security/login-requests")
    visitor.page.evaluate("htmx.ajax('GET', '/settings/security/activity', '#screen')")
    visitor.arrives("Activity")
    expect(visitor.page.locator("main time").first).to_have_text("Now")  # with a capital where it stands alone


def test_a_date_without_a_time_is_the_day_of_the_reader(site: LiveSite, visit: Visits) -> None:
    visitor, person = visit(DESKTOP, timezone_id="Asia/Tokyo"), site.person("ada")
    site.clock.pass_(NOON + 4 * 3600 - site.clock.now())
    person.sign_up()
    person.turn_on_app()
    person.press("Got it")
    visitor.become(person)
    visitor.open("/settings/security/two-factor/authentication-app")
    added = visitor.page.locator("main time").first
    expect(added).to_have_text("January 16, 2027")
    expect(visitor.page.locator("main")).to_contain_text("Added on January 16, 2027")
    added.hover()
    assert "1:00" in (added.get_attribute("title") or "")


def test_without_javascript_a_time_is_in_utc_and_says_so(site: LiveSite, visit: Visits) -> None:
    visitor = member(site, visit, DESKTOP, timedelta(), java_script_enabled=False, timezone_id="Asia/Tokyo")
    expect(visitor.page.locator("main time").first).to_have_text("January 15, 2027, 12:00 PM UTC")


def test_a_time_inside_a_sentence_is_a_date_that_fits_it(site: LiveSite, visit: Visits) -> None:
    """Neither "at in 24 hours" nor a capital in the middle."""
    visitor, person = visit(DESKTOP, timezone_id="Asia/Tokyo"), site.person("ada")
    site.clock.pass_(NOON - site.clock.now())
    person.sign_up()
    person.open("/settings/account/password")
    person.press("Save", password="seven brass wheels turning")
    visitor.page.clock.install(time=datetime.fromtimestamp(NOON, UTC))
    visitor.open(site.emailed_path(person.email, "/not-you/"))
    visitor.page.get_by_role("main").get_by_role("button").first.click()
    times = visitor.page.locator("main time")
    expect(times.first).to_have_text("January 15, 2027 at 9:00 PM")
    assert times.evaluate_all("all => all.every(time => /^January 1[56], 2027 at /.test(time.textContent))")


def test_a_time_that_ends_in_a_full_stop_ends_a_sentence_once(site: LiveSite, visit: Visits) -> None:
    visitor = visit(DESKTOP, timezone_id="UTC")
    visitor.page.add_init_script(
        """document.addEventListener('readystatechange', () => {
          document.documentElement.lang = 'el';
          document.querySelector('main').innerHTML = '<p>Έως <time datetime="2027-01-15T12:00:00Z">…</time>. Μετά</p>';
        }, {once: true})"""
    )
    visitor.open("/log-in")
    expect(visitor.page.locator("main p")).to_have_text("Έως 15 Ιανουαρίου 2027 στις 12:00 μ.μ. Μετά")
