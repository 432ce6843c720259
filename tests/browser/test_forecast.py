"""The lock-out forecast against what the log-in pages then really offer, for every combination of methods."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from playwright.sync_api import expect
from sqlalchemy import update

from tests.browser.conftest import Visits
from tests.browser.live import Inside, LiveSite, Visitor
from tests.browser.test_journeys import HOME
from tests.people import ANDROID, DESKTOP, PASSWORD
from webapp.models.accounts import Account

OUT = "Nothing. You would be locked out"


@dataclass(frozen=True)
class Way:
    """A method as its owner knows it."""

    forecast: str
    """Its name in the forecast."""
    offered: str
    """Its button where one chooses how to verify."""
    lost_with: str
    """The row of the forecast in which it is lost."""


TEXTS = Way("a text to ...56", "Text message to ...56", "Your phone")
APP = Way("your authentication app", "Authentication app", "Your phone")
KEY = Way("Blue key", "Security key", "Blue key")
APPROVALS = Way("a login request on Chrome on Android", "Login request to your phone", "Your phone")
BACKUP_CODE = Way("your backup code", "Backup code", "Your backup code")
ALL = (TEXTS, APP, KEY, APPROVALS)
COMBINATIONS = [some for count in range(len(ALL) + 1) for some in combinations(ALL, count)]


def member(site: LiveSite, number: int, ways: Sequence[Way]) -> Inside:
    """On a phone, with these methods on."""
    ada = site.person(f"ada{number}", layout=ANDROID)
    ada.sign_up()
    phone = f"+447400{1000 + number}56"
    turning_on = {
        TEXTS: lambda: ada.turn_on_texts(phone),
        APP: ada.turn_on_app,
        KEY: lambda: ada.turn_on_key(ada.new_key()),
        APPROVALS: ada.turn_on_requests,
    }
    for way in ways:
        turning_on[way]()
    return ada


def rows(ada: Visitor) -> dict[str, list[str]]:
    """The lines of each row of the forecast on the home page, by what is lost."""
    ada.open("/")
    ada.arrives(HOME)
    table = ada.page.get_by_role("table", name=re.compile("^If you lose something"))
    return {
        row.get_by_role("rowheader").inner_text(): row.get_by_role("cell").locator("p").all_inner_texts()
        for row in table.locator("tbody").get_by_role("row").all()
    }


def named(line: str) -> set[str]:
    """The names in a line that says what can still log in."""
    names = re.split(r", or | or |, ", line)
    return {name if name == KEY.forecast else name[:1].lower() + name[1:] for name in names}


def log_in(stranger: Visitor, username: str) -> None:
    stranger.context.clear_cookies()
    stranger.open("/log-in")
    stranger.type_("Username", username)
    stranger.type_("Password", PASSWORD)
    stranger.press("Log in")
    expect(stranger.page.get_by_role("heading", level=1)).not_to_have_text("Log in")


def offered(stranger: Visitor) -> set[str]:
    """What can be chosen after the password: nothing where it is enough."""
    if stranger.page.get_by_role("heading", level=1).inner_text() == HOME:
        return set()
    stranger.open("/log-in/methods")
    stranger.arrives("Choose how to verify")
    return set(stranger.page.locator("main button[name=method]").all_inner_texts())


def test_it_says_what_the_log_in_pages_offer_of_what_is_not_lost(site: LiveSite, visit: Visits) -> None:
    ada, stranger = visit(ANDROID), visit(DESKTOP)
    for number, combination in enumerate(COMBINATIONS):
        person = member(site, number, combination)
        ada.become(person)
        log_in(stranger, person.username)
        for has_backup_code in (True, False):
            if not has_backup_code:
                with site.services.db.write() as tx:
                    tx.execute(update(Account).values(backup_code_hash=None))
            has = [*combination, *([BACKUP_CODE] if has_backup_code and combination else [])]
            really, forecast = offered(stranger), rows(ada)
            assert really == {way.offered for way in has}
            for lost in {way.lost_with for way in has}:
                left = {way.forecast for way in has if way.offered in really and way.lost_with != lost}
                first = forecast[lost][0]
                assert named(first) == left if left else first == OUT, (combination, lost, forecast)
            if has:
                then = has[0].forecast if len(has) == 1 else "your second factor"
                assert forecast["Your password"][0] == f"A link sent to {person.email}, then {then}"
            together = forecast.get("Your phone and Blue key")
            if together:
                assert together[0] == ("Your backup code" if has_backup_code else OUT)
        site.clock.pass_(3600)  # the limits of texts and log-ins are not what is tested
