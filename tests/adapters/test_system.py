"""The machine's own clock and entropy."""

from __future__ import annotations

import time

from webapp.adapters.system import SystemClock, SystemEntropy


def test_the_clock_returns_whole_unix_seconds() -> None:
    assert abs(SystemClock().now() - time.time()) < 2
    assert isinstance(SystemClock().now(), int)


def test_random_bytes_have_the_length_asked_for_and_numbers_are_below_their_bound() -> None:
    assert len(SystemEntropy().bytes(20)) == 20
    assert {SystemEntropy().below(2) for _ in range(200)} == {0, 1}
