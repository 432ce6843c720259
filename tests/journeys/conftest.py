"""Fixtures of the journeys."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import UNCOUNTED, Site, leave_out
from tests.people import ANDROID, DESKTOP, IPHONE, Owner
from tests.prepared import prepare

HERE = Path(__file__).parent
OF_LAYOUTS = ("ada", "grace", "phone", "elsewhere", "layout", "htmx")
"""Parameters and fixtures that only choose the layout of a browser, and whether it uses HTMX."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What differs by layout depends neither on the database nor on the counted lines: on PostgreSQL each
    journey runs once, and lines are counted in the first layout."""
    seen: set[str] = set()
    left: list[pytest.Item] = []
    for item in items:
        params = getattr(getattr(item, "callspec", None), "params", {})
        again = {name: value for name, value in params.items() if name not in OF_LAYOUTS}
        once = f"{item.nodeid.partition('[')[0]} {again}"
        is_again = item.path.parent == HERE and once in seen
        item.stash[UNCOUNTED] = is_again
        if is_again and params.get("database_url") == "postgresql":
            left.append(item)
        seen.add(once)
    leave_out(config, items, left)


@pytest.fixture(params=[(DESKTOP, False), (IPHONE, True)], ids=["desktop", "iphone-htmx"])
def ada(site: Site, request: pytest.FixtureRequest) -> Owner:
    """Ada Lovelace before she signs up, in either layout, with and without HTMX."""
    layout, htmx = request.param
    return Owner(site, layout=layout, htmx=htmx)


@pytest.fixture(params=[(DESKTOP, True), (ANDROID, False), (ANDROID, True), (IPHONE, False)], ids=str)
def grace(site: Site, request: pytest.FixtureRequest) -> Owner:
    """Another user in the remaining combinations, for what differs by layout."""
    layout, htmx = request.param
    return Owner(site, "grace", layout=layout, htmx=htmx)


@pytest.fixture
def enrolled(ada: Owner) -> Owner:
    """Ada with a confirmed address and an authentication app, logged in."""
    ada.sign_up()
    ada.turn_on_app()
    prepare(ada, "got it", lambda: ada.press("Got it"))
    return ada


@pytest.fixture
def returning(enrolled: Owner) -> Owner:
    """The same, logged out."""
    prepare(enrolled, "log out", enrolled.log_out)
    return enrolled
