"""Fixtures of the attack tests. Hashing is cheap here; tests of its cost ask for their own hasher."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.attacks.races import Racers
from tests.attacks.tools import enroll, enrolled
from tests.conftest import UNCOUNTED, Site, leave_out
from tests.doubles import CheapHasher
from tests.people import Owner
from tests.prepared import prepare

HERE = Path(__file__).parent
EVERY_VARIANT = (
    *("test_account_changes.py", "test_meanwhile.py", "test_operator_recovery.py", "test_replay_and_races.py"),
    *("test_stale_requests.py", "test_unavailable.py"),
)
"""Where requests meet in one row, so that each variant of a test may take other locks."""

CRAWLS = ("test_compression.py", "test_contacts.py", "test_input.py", "test_settings.py", "test_state_machine.py")
"""They walk through pages whose lines the journeys execute, and where counting takes half of the time."""

OTHER_LINES = ("test_app_logins.py", "test_client_proofs.py", "test_device_login.py", "test_guarded_hosts.py")
"""Each variant of a request is refused by a line of its own, so lines are counted in all."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Variants of a test differ in what is sent, not in what the database does, nor in the lines that are executed: on
    PostgreSQL only the first runs, and lines are counted in the first, or in the first of each place that is attacked.
    """
    seen, left = set[tuple[str, bool]](), list[pytest.Item]()
    counted = set[tuple[object, ...]]()
    for item in items:
        if item.path.parent != HERE:
            continue
        params = getattr(getattr(item, "callspec", None), "params", {})
        once = item.nodeid.partition("[")[0], params.get("database_url") == "postgresql"
        at = *once, params.get("place")
        is_again = at in counted and item.path.name not in OTHER_LINES
        item.stash[UNCOUNTED] = is_again or item.path.name in CRAWLS
        counted.add(at)
        if once in seen and once[1] and item.path.name not in EVERY_VARIANT:
            left.append(item)
        seen.add(once)
    leave_out(config, items, left)


class MeanwhileHasher(CheapHasher):
    """While it hashes or compares a password, it calls `meanwhile` once, if that is set."""

    meanwhile: Any = None

    def hash(self, password: str) -> str:
        self._happen()
        return super().hash(password)

    def verify(self, encoded: str | None, password: str) -> bool:
        right = super().verify(encoded, password)
        self._happen()
        return right

    def _happen(self) -> None:
        happens, self.meanwhile = self.meanwhile, None
        if happens is not None:
            with ThreadPoolExecutor(
                1
            ) as elsewhere:  # a request in the same thread would share the context of the outer one
                elsewhere.submit(happens).result()


@pytest.fixture
def hasher() -> MeanwhileHasher:
    return MeanwhileHasher()


@pytest.fixture
def overrides(hasher: MeanwhileHasher) -> dict[str, Any]:
    return {"hasher": hasher}


@pytest.fixture
def ada(site: Site) -> Owner:
    """Logged in, with an authentication app and a backup code."""
    ada = Owner(site)
    assert prepare(ada, "enroll and log in", lambda: enroll(ada).log_in_whole()).h1 == "Welcome, Ada Lovelace"
    site.clock.pass_(30)
    return ada


@pytest.fixture
def mallory(site: Site) -> Owner:
    """Another user with an account of the same kind."""
    return enrolled(site, "mallory")


@pytest.fixture
def stranger(site: Site, ada: Owner) -> Owner:
    """An attacker who knows Ada's password, in another browser with a pending login."""
    stranger = ada.other_browser(address="203.0.113.9")
    assert prepare(stranger, "log in", stranger.log_in).h1 == "Enter your code"
    return stranger


@pytest.fixture(scope="module")
def racers() -> Iterator[Racers]:
    two = Racers()
    yield two
    two.close()
