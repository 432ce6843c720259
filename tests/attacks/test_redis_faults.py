"""A Redis that is stopped, silent or full: the flood limit counts in the database within 50 ms. Without both, 503."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from tests.attacks.test_faults import assert_not_now, impatient, locked
from tests.conftest import Site
from tests.doubles import FakeClock, core
from tests.people import Person
from tests.redis_server import RedisServer, redis_server
from webapp.models.database import Database
from webapp.policy import MINUTE, Window
from webapp.services.attempts import Attempts
from webapp.web.flood_limit import ASK_AGAIN_SECONDS, REDIS_SECONDS, Floods

__all__ = ["impatient"]
FALLS_BACK = 0.05  # seconds
FAULTS: dict[str, Callable[[RedisServer], None]] = {
    "stopped": RedisServer.stop,
    "silent": RedisServer.silence,
    "full": RedisServer.fill,
}
THREE = Window(3, MINUTE)
HERE, ELSEWHERE = "198.51.100.1", "198.51.100.2"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def redis(server: RedisServer) -> RedisServer:
    server.recover()
    return server


@pytest.fixture(params=FAULTS)
def fault(request: pytest.FixtureRequest) -> Callable[[RedisServer], None]:
    return FAULTS[request.param]


@pytest.fixture
def start(redis: RedisServer, database_url: str) -> Iterator[Callable[..., Floods]]:
    """Makes the limit of one more process."""
    db = Database(database_url)

    def begin(clock: FakeClock | None = None) -> Floods:
        clock = clock or FakeClock()
        return Floods(THREE, redis.url, clock, Attempts(core(db, clock=clock)))

    yield begin
    db.engine.dispose()


def seconds_of(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def test_limits_fall_back_to_the_database_within_50_ms_and_processes_share_them(
    redis: RedisServer, start: Callable[..., Floods], fault: Callable[[RedisServer], None]
) -> None:
    floods, other = start(), start()
    floods.count(ELSEWHERE)
    assert floods.has_room(HERE)
    fault(redis)
    unaware = [start() for _ in range(5)]  # processes that have not noticed yet; the quickest, as the cores are shared
    assert min(seconds_of(partial(process.count, ELSEWHERE)) for process in unaware) < FALLS_BACK
    floods.count(HERE)
    other.count(HERE)
    assert floods.has_room(HERE)
    floods.count(HERE)
    assert not floods.has_room(HERE)
    assert not other.has_room(HERE), "the database is shared"
    floods.count(HERE)
    with redis.client() as client:
        redis.recover()
        assert client.dbsize() == 0


def test_no_request_waits_for_a_redis_that_is_known_to_be_silent(
    redis: RedisServer, start: Callable[..., Floods]
) -> None:
    floods = start()
    redis.silence()
    floods.has_room(HERE)
    waits = [seconds_of(lambda: floods.has_room(HERE)) for _ in range(30)]
    assert sorted(waits)[15] < REDIS_SECONDS / 2


def test_after_a_while_a_single_request_asks_again(redis: RedisServer, start: Callable[..., Floods]) -> None:
    clock = FakeClock()
    floods = start(clock)
    redis.silence()
    floods.has_room(HERE)
    clock.pass_(ASK_AGAIN_SECONDS)
    with ThreadPoolExecutor(8) as pool:
        waits = list(pool.map(lambda _: seconds_of(lambda: floods.has_room(HERE)), range(8)))
    assert max(waits) >= REDIS_SECONDS
    redis.recover()
    floods.count(HERE)
    with redis.client() as client:
        assert client.dbsize() == 0, "not asked yet"
        clock.pass_(ASK_AGAIN_SECONDS)
        floods.count(HERE)
        assert client.dbsize() == 1


def test_a_clock_that_jumped_back_does_not_keep_redis_unasked(redis: RedisServer, start: Callable[..., Floods]) -> None:
    clock = FakeClock()
    floods = start(clock)
    redis.stop()
    floods.has_room(HERE)
    redis.recover()
    clock.pass_(-86400)
    floods.count(HERE)
    with redis.client() as client:
        assert client.dbsize() == 1


class TestSite:
    @pytest.fixture
    def environ(self, environ: dict[str, str], redis: RedisServer) -> dict[str, str]:
        return {**environ, "NIGHTLATCH_REDIS_URL": redis.url}

    def test_forms_are_answered_and_readiness_names_redis(
        self, site: Site, redis: RedisServer, fault: Callable[[RedisServer], None]
    ) -> None:
        reader = Person(site.app)
        assert reader.open("/readyz").response.get_json() == {"database": True, "redis": True}
        fault(redis)
        token = reader.token()
        for _ in range(5):
            fields = {"csrf_token": token, "email": "none"}
            assert reader.send("POST", "/forgot-password", data=fields, follow=False).status == 422
        readiness = reader.open("/readyz").response.get_json()
        assert readiness == {"database": True, "redis": fault is RedisServer.fill}

    def test_check_says_of_a_redis_that_answers_and_does_not_count_why(self, site: Site, redis: RedisServer) -> None:
        def check() -> str:
            return site.app.test_cli_runner().invoke(args=["check"]).output

        assert "Redis" not in check()
        redis.fill()
        assert "Redis: can't be used: command not allowed when used memory > 'maxmemory'" in check()
        redis.recover()
        with redis.client() as client:
            client.replicaof("127.0.0.1", 1)
            assert "Redis: can't be used: You can't write against a read only replica" in check()
            client.replicaof("no", "one")

    @pytest.mark.usefixtures("impatient")
    def test_without_redis_and_database_a_form_is_refused(
        self, site: Site, redis: RedisServer, fault: Callable[[RedisServer], None]
    ) -> None:
        reader = Person(site.app)
        token = reader.token()
        fault(redis)
        with locked(site):
            fields = {"csrf_token": token, "email": "none"}
            assert_not_now(reader.send("POST", "/forgot-password", data=fields, follow=False))
        assert reader.send("POST", "/forgot-password", data=fields, follow=False).status == 422
