"""What the worker purges, and how long each table keeps its rows."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select

from tests.conftest import Site
from tests.doubles import CheapHasher
from tests.people import Owner
from webapp.models.codes import Code, Link
from webapp.models.drafts import Draft
from webapp.models.factors import Factor
from webapp.models.messages import Message
from webapp.models.sessions import Activity, Attempt, KeptAct, PendingLogin, RememberedBrowser, Session

DAY = 86400


@pytest.fixture
def overrides() -> dict[str, Any]:
    return {"hasher": CheapHasher()}


@pytest.fixture
def ada(site: Site) -> Owner:
    """With an app, a remembered browser, a kept act, a draft and a pending login."""
    ada = Owner(site)
    ada.sign_up()
    ada.turn_on_app()
    ada.press("Got it")
    ada.log_out()
    ada.log_in()
    ada.press("Verify", code=ada.next_code(), remember="y")
    ada.open("/settings/security/two-factor/authentication-app/overview")
    ada.press("Replace")
    site.clock.pass_(660)
    ada.post("/settings/account/password", password="seven brass wheels turning")
    elsewhere = ada.other_browser()
    elsewhere.log_in()
    elsewhere.press("Verify", code=ada.code(ahead=DAY))
    site.emails()
    return ada


def count(site: Site, table: Any) -> int:
    with site.services.db.read() as tx:
        return int(tx.scalar(select(func.count()).select_from(table)) or 0)


def kept_after(site: Site, table: Any, seconds: int) -> int:
    site.clock.pass_(seconds)
    site.services.maintenance.purge()
    return count(site, table)


def test_rows_that_are_still_needed_are_not_purged(site: Site, ada: Owner) -> None:
    tables = (
        Session,
        PendingLogin,
        RememberedBrowser,
        KeptAct,
        Code,
        Link,
        Draft,
        Factor,
        Attempt,
        Activity,
        Message,
    )
    before = {table: count(site, table) for table in tables}
    assert all(before.values()), before
    site.services.maintenance.purge()
    assert {table: count(site, table) for table in tables} == before
    assert ada.open("/").h1 == "Welcome, Ada Lovelace"


@pytest.mark.parametrize(
    ("table", "kept_for", "left"),
    [
        (KeptAct, 600, 0),
        (Draft, 1800, 0),
        (PendingLogin, DAY, 0),
        (RememberedBrowser, 31 * DAY, 0),
        (Link, 8 * DAY, 0),
        (Code, DAY + 3600, 0),
        (Session, 2 * DAY, 0),
        (Message, 30 * DAY, 0),
        (Activity, 180 * DAY, 0),
        (Factor, 400 * DAY, 1),
    ],
    ids=lambda value: getattr(value, "__tablename__", None),
)
def test_rows_are_purged_after_their_time(site: Site, ada: Owner, table: Any, kept_for: int, left: int) -> None:
    assert kept_after(site, table, kept_for + 700) == left


def test_an_activity_event_loses_its_address_after_thirty_days_and_keeps_the_rest(site: Site, ada: Owner) -> None:
    def addresses() -> set[str | None]:
        with site.services.db.read() as tx:
            return set(tx.scalars(select(Activity.address)))

    kept_after(site, Activity, 30 * DAY - 800)
    assert addresses() == {"192.0.2.1"}
    assert kept_after(site, Activity, 1600) > 0
    assert addresses() == {None}


def test_an_owed_message_is_not_purged(site: Site) -> None:
    ada = Owner(site)
    ada.sign_up(confirm_email=False)
    ada.press("Next", email=ada.email)
    assert kept_after(site, Message, 60 * DAY) == 1


def test_consecutive_wrong_codes_count_until_a_full_log_in_however_long_that_takes(site: Site, ada: Owner) -> None:
    kept_after(site, Attempt, 400 * DAY)
    with site.services.db.read() as tx:
        assert set(tx.scalars(select(Attempt.bucket))) == {"second-factor:1"}


def test_a_factor_that_was_turned_off_is_purged_when_it_can_no_longer_be_turned_back_on(site: Site) -> None:
    ada = Owner(site)
    ada.sign_up()
    ada.turn_on_app()
    ada.post("/settings/security/two-factor/authentication-app/turn-off")
    assert kept_after(site, Factor, 600) == 1
    assert kept_after(site, Factor, 1) == 0
