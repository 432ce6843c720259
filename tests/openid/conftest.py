from __future__ import annotations

import pytest

from tests.conftest import Site
from tests.relying_party import RelyingParty


@pytest.fixture
def wiki(site: Site) -> RelyingParty:
    return RelyingParty(site, trusted=True)


@pytest.fixture
def plain(site: Site) -> RelyingParty:
    """An app of which no PKCE is demanded, as the plans of the Foundation send their requests."""
    return RelyingParty(site, trusted=True, pkce_demanded=False)
