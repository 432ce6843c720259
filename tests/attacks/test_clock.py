"""Attackers who learn something from a clock, and clocks that jumped ahead and were set right again."""

from __future__ import annotations

import pytest

from tests.attacks.tools import account_id, count
from tests.conftest import Site
from tests.people import Owner

YEAR = 365 * 86400


@pytest.mark.parametrize("steps", [2, 3, 10, 20])
def test_a_code_of_the_future_is_told_as_any_wrong_code(site: Site, ada: Owner, stranger: Owner, steps: int) -> None:
    """Otherwise a guess would also tell which code becomes right later."""
    page = stranger.press("Verify", code=ada.code(ahead=30 * steps))
    assert page.problems == ["That code is wrong. Check it and try again."]
    page = stranger.press("Verify", code=ada.code(ahead=-240))
    assert "clock seems about 4 minutes slow" in page.problems[0], "the code of a clock that is slow is of no use later"


def test_after_a_clock_that_was_far_ahead_codes_of_an_app_are_accepted_again(site: Site, ada: Owner) -> None:
    ada.log_out()
    site.clock.pass_(YEAR)
    assert ada.log_in_whole().h1 == "Welcome, Ada Lovelace"
    ada.log_out()
    site.clock.pass_(-YEAR)
    ada.log_in()
    assert ada.press("Verify", code=ada.next_code()).h1 == "Welcome, Ada Lovelace"
    assert count(site, "SELECT counter FROM factors WHERE account_id = :id", id=account_id(site)) == (
        site.clock.now() // 30
    )
    ada.log_out()
    ada.log_in()
    assert ada.press("Verify", code=ada.code()).problems == ["That code was already used. Enter a new one."]


def test_a_step_just_ahead_of_the_clock_is_still_accepted_once(site: Site, ada: Owner) -> None:
    ada.log_out()
    ada.log_in()
    ahead = ada.code(ahead=30)
    assert ada.press("Verify", code=ahead).h1 == "Welcome, Ada Lovelace"
    ada.log_out()
    ada.log_in()
    assert ada.press("Verify", code=ahead).problems == ["That code was already used. Enter a new one."]
