"""The coarse limit on floods, counted in memory, in Redis, and in the database while Redis is unreachable."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Timer
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from limits.storage import MemoryStorage
from redis import Redis

from tests.conftest import Site, one_database
from tests.doubles import FakeClock, core
from tests.people import Person
from webapp.models.database import Database
from webapp.policy import MINUTE, Window
from webapp.services.attempts import Attempts
from webapp.web import flood_limit
from webapp.web.flood_limit import Floods

REDIS = os.environ.get("NIGHTLATCH_TEST_REDIS_URL")
UNREACHABLE = "redis://127.0.0.1:1/0"
STORES = {"memory": None, "gone": UNREACHABLE, **({"redis": REDIS} if REDIS else {})}


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, worker_id: str) -> Iterator[str | None]:
    """With Redis, a database of this worker's own, because it is emptied after each test."""
    if request.param != "redis":
        yield STORES[request.param]
        return
    number = worker_id.removeprefix("gw") if worker_id != "master" else "0"
    url = urlsplit(str(REDIS))._replace(path=f"/{number}").geturl()
    yield url
    Redis.from_url(url).flushdb()


@pytest.fixture
def start(store: str | None, database_url: str) -> Iterator[Callable[[int], Floods]]:
    """Makes the limit of one more process, of so many in a minute."""
    db = Database(database_url)

    def begin(most: int) -> Floods:
        clock = FakeClock()
        return Floods(Window(most, MINUTE), store, clock, Attempts(core(db, clock=clock)))

    yield begin
    db.engine.dispose()


def test_a_network_has_a_limit_of_its_own(start: Callable[[int], Floods]) -> None:
    floods, address = start(3), uuid4().hex
    for _ in range(3):
        assert floods.has_room(address)
        floods.count(address)
    assert not floods.has_room(address)
    assert floods.has_room(uuid4().hex)
    assert floods.seconds == 60


def test_two_processes_share_the_count_in_redis_or_the_database(
    store: str | None, start: Callable[[int], Floods]
) -> None:
    one, other, address = start(1), start(1), uuid4().hex
    one.count(address)
    assert not one.has_room(address)
    assert other.has_room(address) == (store is None)


def test_the_store_reports_whether_it_answers(store: str | None, start: Callable[[int], Floods]) -> None:
    assert start(1).store_answers() == (store != UNREACHABLE)


class SlowTimer(MemoryStorage):
    """The memory, with a pause between making its timer and starting it, as when another thread is given the core."""

    @property
    def timer(self) -> Timer:
        time.sleep(0.02)
        return self._slow

    @timer.setter
    def timer(self, timer: Timer) -> None:
        self._slow = timer


@one_database
def test_requests_that_are_counted_at_once_do_not_start_the_timer_of_the_memory_twice(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was a 500 under load, in place of the answer to a wrong code."""
    monkeypatch.setattr(flood_limit, "MemoryStorage", SlowTimer)
    floods = Floods(Window(20, MINUTE), None, FakeClock(), Attempts(core(Database(database_url))))
    time.sleep(0.05)  # the first timer has run
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(floods.count, ["one address"] * 20))
    assert not floods.has_room("one address")


class TestSiteWithRedis:
    @pytest.fixture
    def environ(self, environ: dict[str, str], store: str | None) -> dict[str, str]:
        return {**environ, **({"NIGHTLATCH_REDIS_URL": store} if store else {})}

    def test_readiness_names_an_unreachable_redis_and_pages_are_still_served(
        self, site: Site, store: str | None
    ) -> None:
        reader = Person(site.app)
        page = reader.open("/readyz")
        expected = {"database": True} if store is None else {"database": True, "redis": store != UNREACHABLE}
        assert page.response.get_json() == expected
        assert page.status == (503 if store == UNREACHABLE else 200)
        reader.open("/log-in")
        assert reader.press("Log in", username="nobody", password="wrong enough words").status == 422


@one_database
def test_a_refusal_of_another_limit_is_no_failure(site: Site) -> None:
    floods, eve = site.app.extensions["floods"], Person(site.app)
    eve.open("/log-in")
    pages = [eve.press("Log in", username="ada", password="a wrong password") for _ in range(11)]
    assert [page.status for page in pages] == [422] * 10 + [429]
    for _ in range(site.services.settings.policy.flood.most - 11):
        floods.count(eve.address)
    assert floods.has_room(eve.address)
    floods.count(eve.address)
    assert not floods.has_room(eve.address)
