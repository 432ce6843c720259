"""What the operator is told about access, by `flask check` and once at the start."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.apps import App
from tests.conftest import Site
from tests.doubles import CheapHasher
from tests.people import Owner
from webapp import worker
from webapp.domain.ports import HashCost
from webapp.services.operation.advice import Advice, about_hashing


@pytest.fixture
def advice(site: Site) -> Callable[..., Advice]:
    def with_settings(**settings: bool) -> Advice:
        return replace(site.services.advice, **settings)

    return with_settings


def test_open_sign_up_with_legacy_access_is_told_and_closed_sign_up_is_not(advice: Callable[..., Advice]) -> None:
    told = advice(sign_up_open=True, legacy_access=True).about_access()
    assert list(told) == ["legacy_access_open_to_all"]
    assert "everyone who signs up" in told["legacy_access_open_to_all"]
    assert advice(sign_up_open=False, legacy_access=True).about_access() == {}
    assert advice(sign_up_open=True, legacy_access=False).about_access() == {}


def test_apps_that_lost_their_access_are_told(site: Site, advice: Callable[..., Advice]) -> None:
    ada = Owner.signed_up(site)
    App(site).token("ada", ada.password)
    told = advice(legacy_access=False).about_access()
    assert list(told) == ["legacy_access_off"]
    assert "1 logged-in apps" in told["legacy_access_off"]
    site.clock.pass_(31 * 86400)
    assert advice(legacy_access=False).about_access() == {}


def test_the_worker_logs_it_as_it_starts(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    worker.advise(site.services)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
    assert [line["event"] for line in lines] == ["legacy_access_open_to_all"]
    assert "everyone who signs up" in lines[0]["advice"]


class MeasuredHasher(CheapHasher):
    def __init__(self, measured: HashCost) -> None:
        super().__init__()
        self.measured = measured

    def measure(self) -> HashCost:
        return self.measured


@pytest.mark.parametrize(
    ("cost", "told"),
    [
        (HashCost(12.3, 7.0, False), True),
        (HashCost(6.5, 0.3, False), False),
        (HashCost(12.3, 7.0, True), False),
    ],
    ids=["small pages", "a kernel that is fast", "huge pages"],
)
def test_huge_pages_are_advised_where_the_kernel_takes_much_of_a_hash(cost: HashCost, told: bool) -> None:
    advice = about_hashing(MeasuredHasher(cost))
    assert (advice is not None) is told
    if advice is not None:
        assert "12.3 ms of CPU, of which the kernel takes 7.0" in advice
