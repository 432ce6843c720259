"""What a page shows once is sealed for one session and for ten minutes."""

from __future__ import annotations

from tests.conftest import Site, one_database
from webapp.services.shown_once import ShownOnce


@one_database
def test_a_secret_is_shown_to_its_session_for_ten_minutes_only(site: Site) -> None:
    shown = ShownOnce(site.services.core)
    sealed = shown.seal(1, "a secret")
    assert shown.open(2, sealed) is None
    site.clock.pass_(599)
    assert shown.open(1, sealed) == "a secret"
    site.clock.pass_(1)
    assert shown.open(1, sealed) is None
