from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import Site
from tests.doubles import CheapHasher
from tests.people import Owner
from tests.relying_party import RelyingParty


@pytest.fixture
def overrides() -> dict[str, Any]:
    return {"hasher": CheapHasher()}


@pytest.fixture
def ada(site: Site) -> Owner:
    """Logged in, without a second factor."""
    ada = Owner(site)
    ada.sign_up()
    return ada


@pytest.fixture
def wiki(site: Site) -> RelyingParty:
    return RelyingParty(site, trusted=True)


@pytest.fixture
def plain(site: Site) -> RelyingParty:
    """An app of which no PKCE is demanded, as the plans of the Foundation send their requests."""
    return RelyingParty(site, trusted=True, pkce_demanded=False)
