"""The machine's own clock and entropy."""

from __future__ import annotations

import time

from webapp.adapters.system import SystemClock, SystemEntropy


def test_the_clock_tells_whole_unix_seconds() -> None:
    assert abs(SystemClock().now() - time.time()) < 2
    assert isinstance(SystemClock().now(), int)


def test_entropy_is_as_long_as_asked_and_below_its_bound() -> None:
    assert len(SystemEntropy().bytes(20)) == 20
    assert {SystemEntropy().below(2) for _ in range(200)} == {0, 1}
