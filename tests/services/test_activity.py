"""A page of the activity is one short query, however many events there are."""

from __future__ import annotations

import pytest
from sqlalchemy import insert, text

from tests.conftest import Site, one_database
from tests.pace import least_cost
from tests.people import FIREFOX, Owner
from webapp.models.base import rows_of
from webapp.models.sessions import Activity

ACTIVITY = "/settings/security/activity"
EVENTS = 100_000
MOST = 0.020
"""The most seconds of processor time for one page."""


def happen(site: Site, username: str, count: int) -> None:
    account = site.services.accounts.named(username)
    event = {
        "account_id": account.id,
        "at": site.clock.now(),
        "kind": "factor-off",
        "details": '{"method": "Authentication app"}',
        "address": "203.0.113.7",
        "device": FIREFOX,
    }
    with site.services.db.write() as tx:
        tx.execute(insert(rows_of(Activity)), [event] * count)


def test_pages_follow_each_other_without_a_gap_and_show_one_account(site: Site, ada: Owner) -> None:
    Owner.signed_up(site, "grace")
    for _ in range(30):
        happen(site, "ada", 1)
        happen(site, "grace", 1)
    account, pages = site.services.accounts.named("ada"), site.services.activity
    first = pages.page(account.id)
    assert len(first.events) == 25
    assert first.older is not None
    last = pages.page(account.id, first.older)
    assert [event.kind for event in last.events] == ["factor-off"] * 5 + ["email-confirmed", "signed-up"]
    assert last.older is None
    assert pages.page(account.id, 1).events == []


def test_a_full_last_page_has_no_older_page(site: Site, ada: Owner) -> None:
    happen(site, "ada", 23)
    page = site.services.activity.page(site.services.accounts.named("ada").id)
    assert (len(page.events), page.older) == (25, None)


def test_an_address_is_shown_for_thirty_days_whether_or_not_it_was_purged(site: Site, ada: Owner) -> None:
    account = site.services.accounts.named("ada")
    site.clock.pass_(30 * 86400)
    assert {event.address for event in site.services.activity.page(account.id).events} == {"192.0.2.1"}
    site.clock.pass_(1)
    assert {event.address for event in site.services.activity.page(account.id).events} == {""}
    site.services.maintenance.purge()
    assert {event.address for event in site.services.activity.page(account.id).events} == {""}


@one_database  # the test reads SQLite's query plan
@pytest.mark.no_cover
def test_a_page_of_a_hundred_thousand_events_takes_less_than_twenty_milliseconds(site: Site, ada: Owner) -> None:
    Owner.signed_up(site, "grace")
    for _ in range(10):  # so that the events of two accounts are interleaved
        happen(site, "ada", EVENTS // 10)
        happen(site, "grace", EVENTS // 10)
    with site.services.db.read() as tx:
        query = "SELECT id FROM activity WHERE account_id = 1 AND id < 9 ORDER BY id DESC LIMIT 26"
        plan = " ".join(str(row) for row in tx.execute(text(f"EXPLAIN QUERY PLAN {query}")))
    assert "ix_activity_account_id_id (account_id=? AND id<?)" in plan
    assert "TEMP B-TREE" not in plan
    for path in (ACTIVITY, f"{ACTIVITY}?before={EVENTS}"):

        def show(path: str = path) -> None:
            response = ada.client.get(path, base_url=f"http://{ada.host}", headers={"User-Agent": ada.agent})
            assert response.status_code == 200

        assert least_cost(show, times=1) < MOST
