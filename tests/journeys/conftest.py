"""Hashing is not the point here, so it is cheap."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import Site
from tests.doubles import CheapHasher
from tests.people import ANDROID, DESKTOP, IPHONE, Owner


@pytest.fixture
def overrides() -> dict[str, Any]:
    return {"hasher": CheapHasher()}


@pytest.fixture(params=[(DESKTOP, False), (IPHONE, True)], ids=["desktop", "iphone-htmx"])
def ada(site: Site, request: pytest.FixtureRequest) -> Owner:
    """Ada Lovelace in front of the site, in either layout, with HTMX and without."""
    layout, htmx = request.param
    return Owner(site, layout=layout, htmx=htmx)


@pytest.fixture(params=[(DESKTOP, True), (ANDROID, False), (ANDROID, True), (IPHONE, False)], ids=str)
def grace(site: Site, request: pytest.FixtureRequest) -> Owner:
    """Somebody with the other combinations, for what differs by layout."""
    layout, htmx = request.param
    return Owner(site, "grace", layout=layout, htmx=htmx)


@pytest.fixture
def enrolled(ada: Owner) -> Owner:
    """Ada with a confirmed address and an authentication app, logged in."""
    ada.sign_up()
    ada.turn_on_app()
    ada.press("Got it")
    return ada


@pytest.fixture
def returning(enrolled: Owner) -> Owner:
    """The same, logged out."""
    enrolled.log_out()
    return enrolled
