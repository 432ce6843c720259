"""Which times are recent, to the second and by a clock that was wrong."""

from __future__ import annotations

import pytest
from sqlalchemy import insert, select

from tests.conftest import Site
from tests.doubles import START
from webapp.models.messages import SiteValue
from webapp.policy import Policy

AHEAD = Policy().clock_ahead


@pytest.mark.parametrize(
    ("at", "is_recent"),
    [
        (START - 60, False),
        (START - 59, True),
        (START, True),
        (START + AHEAD, True),
        (START + AHEAD + 1, False),
    ],
)
def test_a_time_is_judged_alike_in_the_process_and_in_the_database(site: Site, at: int, is_recent: bool) -> None:
    core = site.services.core
    assert core.is_within(at, 60) is is_recent
    with core.db.write() as tx:
        tx.execute(insert(SiteValue).values(name="a time", value=at))
        found = tx.scalar(select(SiteValue.name).where(core.within(SiteValue.value, 60), SiteValue.name == "a time"))
    assert (found is not None) is is_recent
