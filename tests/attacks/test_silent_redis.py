"""A Redis that accepts connections and never answers: only one request waits for it, and limits fall back at once."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.conftest import Site
from tests.doubles import FakeClock
from tests.people import Person
from webapp.web.flood_limit import ASK_AGAIN_SECONDS, REDIS_SECONDS, Floods


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """Connections wait in its queue, so the client can connect and send, and gets no answer."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        yield listening


@pytest.fixture
def url(silent: socket.socket) -> str:
    return f"redis://127.0.0.1:{silent.getsockname()[1]}/0"


def test_only_the_first_request_waits_for_a_silent_redis(url: str) -> None:
    clock = FakeClock()
    floods = Floods("3 per minute", url, clock)
    began = time.monotonic()
    assert floods.has_room("198.51.100.1")
    first = time.monotonic() - began
    assert first >= REDIS_SECONDS / 2
    began = time.monotonic()
    for _ in range(30):
        floods.has_room("198.51.100.1")
        floods.count("198.51.100.1")
    assert time.monotonic() - began < REDIS_SECONDS, "sixty questions in less time than one that waits"
    assert not floods.has_room("198.51.100.1"), "the memory of this process counts meanwhile"
    assert floods.has_room("198.51.100.2")


def test_after_a_while_a_single_request_asks_again(url: str) -> None:
    clock = FakeClock()
    floods = Floods("3 per minute", url, clock)
    floods.has_room("198.51.100.1")
    clock.pass_(ASK_AGAIN_SECONDS)

    def asks(_: int) -> bool:
        began = time.monotonic()
        floods.has_room("198.51.100.1")
        return time.monotonic() - began >= REDIS_SECONDS * 0.9

    with ThreadPoolExecutor(8) as pool:
        waited = list(pool.map(asks, range(8)))
    assert waited.count(True) == 1


def test_a_clock_that_jumped_back_does_not_keep_redis_unasked(url: str) -> None:
    clock = FakeClock()
    floods = Floods("3 per minute", url, clock)
    floods.has_room("198.51.100.1")
    clock.pass_(-86400)
    began = time.monotonic()
    floods.has_room("198.51.100.1")
    assert time.monotonic() - began >= REDIS_SECONDS / 2


class TestSite:
    @pytest.fixture
    def environ(self, environ: dict[str, str], url: str) -> dict[str, str]:
        return {**environ, "NIGHTLATCH_REDIS_URL": url}

    def test_forms_are_answered_and_readiness_names_redis(self, site: Site) -> None:
        reader = Person(site.app)
        assert reader.open("/readyz").response.get_json() == {"database": True, "redis": False}
        token = reader.token()
        began = time.monotonic()
        for _ in range(5):
            fields = {"csrf_token": token, "email": "none"}
            assert reader.send("POST", "/forgot-password", data=fields, follow=False).status == 422
        assert time.monotonic() - began < 5 * REDIS_SECONDS
