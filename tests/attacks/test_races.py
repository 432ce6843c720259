"""What works once, used many times at once from several processes, again and again: exactly one request succeeds.

`make test` runs two rounds of each race, CI ten, and `make test-faults` a hundred, with more requests and processes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.attacks.races import Racers, request_of
from tests.attacks.test_app_logins import token_request
from tests.attacks.test_legacy import made
from tests.attacks.test_login_requests import newest, waits, with_phone
from tests.attacks.test_replay_and_races import METHOD
from tests.attacks.tools import account_id, count, enrolled
from tests.conftest import Site
from tests.people import PHONE, REQUESTS, Owner
from tests.relying_party import BACK, VERIFIER, RelyingParty
from webapp.domain.codes import grouped
from webapp.policy import DAY
from webapp.services.backup_codes import BackupCodes

ROUNDS = int(os.environ.get("NIGHTLATCH_TEST_ROUNDS", "2"))
AT_ONCE = int(os.environ.get("NIGHTLATCH_TEST_AT_ONCE", "20"))
PROCESSES = int(os.environ.get("NIGHTLATCH_TEST_PROCESSES", "2"))
PENDING = 5  # pending logins of one account at a time

Round = Callable[[], int]


@pytest.fixture(scope="module")
def racers() -> Iterator[Racers]:
    several = Racers(PROCESSES)
    yield several
    several.close()


@dataclass
class Stage:
    site: Site
    environ: dict[str, str]
    racers: Racers
    name: str
    """Of the account."""

    def race(self, *requests: dict[str, Any]) -> list[dict[str, Any]]:
        """Sends each of the requests equally often, at once."""
        sent = [
            {**request, "address": f"198.51.{number}.{self.site.clock.now() // DAY % 256}"}  # no flood from one address
            for number, request in enumerate([*requests] * (AT_ONCE // len(requests)))
        ]
        return self.racers.race(self.site, self.environ, sent, may_be_busy=AT_ONCE > 20)

    def happened(self, kind: str) -> int:
        """The number of such events."""
        return count(self.site, f"SELECT count(*) FROM activity WHERE kind = '{kind}'")

    def pending(self, owner: Owner) -> list[Owner]:
        """Browsers that proved the password."""
        browsers = [owner.other_browser(address=f"198.51.100.{number}") for number in range(PENDING)]
        assert {browser.log_in().h1 for browser in browsers} == {"Enter your code"}
        return browsers


def sessions(answers: list[dict[str, Any]]) -> int:
    return sum(answer["session"] is not None for answer in answers)


def accepted(answers: list[dict[str, Any]]) -> int:
    return sum(answer["status"] == 200 for answer in answers)


def totp(stage: Stage) -> Round:
    ada = enrolled(stage.site, stage.name)

    def once() -> int:
        browsers, code = stage.pending(ada), ada.code()
        return sessions(stage.race(*(request_of(b, "/log-in/verify", n, code=code) for n, b in enumerate(browsers))))

    return once


def text_code(stage: Stage) -> Round:
    tess = Owner.signed_up(stage.site, stage.name)
    tess.turn_on_texts()

    def once() -> int:
        browser = tess.log_in_elsewhere()
        return sessions(stage.race(request_of(browser, "/log-in/verify", code=stage.site.texted_code(PHONE))))

    return once


def backup_code(stage: Stage) -> Round:
    ada = enrolled(stage.site, stage.name)
    services = stage.site.services

    def once() -> int:
        with services.db.write() as tx:
            code = grouped(BackupCodes(services.core).make(tx, services.accounts.named(stage.name).id))
        requests = [request_of(b, "/log-in/backup-code", n, code=code) for n, b in enumerate(stage.pending(ada))]
        before = stage.happened("backup-code-used")
        assert sessions(stage.race(*requests)) > 0
        open_sessions = f"SELECT count(*) FROM sessions WHERE account_id = {account_id(stage.site, stage.name)}"
        # several answers may name the session: one that was lost is given again to the same pending login
        assert count(stage.site, f"{open_sessions} AND ended_at IS NULL") == 1
        return stage.happened("backup-code-used") - before

    return once


def temporary_password(stage: Stage) -> Round:
    ada = enrolled(stage.site, stage.name)

    def once() -> int:
        browser = ada.other_browser()
        browser.log_in_whole()
        data = {"grant_type": "password", "username": stage.name, "password": made(browser)}
        request = {"path": "/legacy/token", "cookies": {}, "data": data}
        return accepted(stage.race(*({**request, "address": f"198.51.100.{number}"} for number in range(PENDING))))

    return once


def last_step(stage: Stage) -> Round:
    bob = Owner.signed_up(stage.site, stage.name)

    def once() -> int:
        browser = bob.log_in_elsewhere()
        browser.open("/settings/security/two-factor")
        browser.press("Authentication app")
        browser.secret = browser.press("Start").setup_key
        browser.press("Next")
        before = stage.happened("factor-on")
        stage.race(request_of(browser, f"{METHOD}/code", code=browser.code()))
        stage.site.services.accounts.reset_second_factors(stage.name, "another round")
        return stage.happened("factor-on") - before

    return once


def login_request(stage: Stage) -> Round:
    phone = with_phone(stage.site, stage.name)

    def once() -> int:
        browser = waits(phone)
        phone.open(f"{REQUESTS}/{newest(stage.site).id}")
        before = stage.happened("request-approved")
        answer = request_of(phone, phone.page.path) | {"host": phone.host}
        answer["data"]["number"] = browser.page.number
        stage.race(answer)
        assert stage.happened("request-approved") == before + 1
        return sessions(stage.race(request_of(browser, "/log-in/waiting")))

    return once


def wiki_of(stage: Stage) -> tuple[RelyingParty, Owner]:
    ada = enrolled(stage.site, stage.name)
    return RelyingParty(stage.site), ada


def authorization_code(stage: Stage) -> Round:
    wiki, ada = wiki_of(stage)

    def once() -> int:
        browser = ada.other_browser()
        browser.log_in_whole()
        form = {"grant_type": "authorization_code", "redirect_uri": BACK, "code_verifier": VERIFIER}
        return accepted(stage.race(token_request(wiki, **form, code=wiki.code(browser))))

    return once


def refresh_token(stage: Stage) -> Round:
    wiki, ada = wiki_of(stage)

    def once() -> int:
        browser = ada.other_browser()
        browser.log_in_whole()
        token = wiki.tokens(browser)["refresh_token"]
        return accepted(stage.race(token_request(wiki, grant_type="refresh_token", refresh_token=token)))

    return once


RACES: tuple[Callable[[Stage], Round], ...] = (
    totp,
    text_code,
    backup_code,
    temporary_password,
    last_step,
    login_request,
    authorization_code,
    refresh_token,
)


@pytest.mark.xdist_group("races")
def test_exactly_one_request_succeeds(site: Site, environ: dict[str, str], racers: Racers) -> None:
    winners = {}
    for race in RACES:
        name = race.__name__.replace("_", "-")
        once, winners[name] = race(Stage(site, environ, racers, name)), list[int]()
        for _ in range(ROUNDS):
            site.clock.pass_(DAY)
            winners[name].append(once())
    assert winners == dict.fromkeys(winners, [1] * ROUNDS)
