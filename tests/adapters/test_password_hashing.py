"""Argon2id with the operator's parameters, and no more hashes at once than memory allows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from threading import Event, Thread

import pytest
from prometheus_client import REGISTRY

from bench.hashing import REFERENCE_HASH
from tests.pace import least_cost
from webapp.adapters import password_hashing
from webapp.adapters.password_hashing import Argon2id
from webapp.domain.refusals import Busy
from webapp.policy import Policy

CHEAP = Policy(argon2_memory_kib=64, argon2_passes=1)


def test_a_hash_names_argon2id_and_the_parameters_of_the_policy() -> None:
    encoded = Argon2id(Policy()).hash("correct horse battery")
    assert encoded.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_only_the_right_password_matches_the_hash() -> None:
    hasher = Argon2id(CHEAP)
    encoded = hasher.hash("pässword with ünlauts")
    assert hasher.verify(encoded, "pässword with ünlauts")
    assert not hasher.verify(encoded, "password with unlauts")
    assert encoded != hasher.hash("pässword with ünlauts")


def test_no_password_matches_a_missing_hash() -> None:
    assert not Argon2id(CHEAP).verify(None, "nobody has this password")


@pytest.mark.no_cover
def test_comparing_with_a_missing_hash_costs_a_whole_hash() -> None:
    hasher = Argon2id(Policy())
    assert least_cost(lambda: hasher.verify(None, "a guess"), times=1) > 0.5 * REFERENCE_HASH


@pytest.mark.parametrize(
    ("memory", "passes", "outdated"), [(64, 1, False), (128, 1, True), (64, 2, True), (32, 1, False)]
)
def test_a_hash_with_lower_parameters_is_outdated(memory: int, passes: int, outdated: bool) -> None:
    encoded = Argon2id(CHEAP).hash("correct horse battery")
    assert Argon2id(Policy(argon2_memory_kib=memory, argon2_passes=passes)).is_outdated(encoded) is outdated


def test_a_hash_of_another_kind_is_outdated() -> None:
    assert Argon2id(CHEAP).is_outdated("$2b$12$abcdefghijklmnopqrstuv")


def test_a_hash_waits_for_a_free_place_and_is_then_refused_as_busy() -> None:
    hasher = Argon2id(replace(CHEAP, hashes_at_once=1, hash_queue_seconds=0))
    inside, done = Event(), Event()

    def occupy_the_place() -> None:
        with hasher._slot():
            inside.set()
            done.wait(10)

    def hashes(state: str) -> float:
        return REGISTRY.get_sample_value(f"nightlatch_password_hashes_{state}") or 0

    refused_before = hashes("refused_total")
    holder = Thread(target=occupy_the_place)
    holder.start()
    inside.wait(10)
    assert (hashes("running"), hashes("waiting")) == (1, 0)
    with pytest.raises(Busy) as refused:
        hasher.hash("correct horse battery")
    assert refused.value.wait == 2
    assert hashes("refused_total") == refused_before + 1
    crowded = Argon2id(replace(CHEAP, hashes_at_once=1, hashes_waiting=0))
    with crowded._slot(), pytest.raises(Busy):  # at once: as many wait as may
        crowded.hash("correct horse battery")
    done.set()
    holder.join()
    assert (hashes("running"), hashes("waiting")) == (0, 0)
    assert hasher.hash("correct horse battery")


@pytest.mark.parametrize(
    ("said", "huge"), [("always [madvise] never", False), ("[always] madvise never", True), (None, True)]
)
def test_a_measured_hash_costs_time_and_says_whether_pages_are_huge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str | None, huge: bool
) -> None:
    """It is told with the file of another machine, because that of this one cannot be changed by a test."""
    file = tmp_path / "enabled"
    if said is not None:
        file.write_text(f"{said}\n")
    monkeypatch.setattr(password_hashing, "HUGE_PAGES", file)
    cost = Argon2id(Policy()).measure()
    assert cost.huge_pages is huge
    assert 0 <= cost.kernel_milliseconds <= cost.milliseconds
    assert cost.milliseconds > 1
