"""The threads of the delivery. Errors are logged, and do not end them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Event, Lock, Thread

import structlog

from ..models.database import reason

log = structlog.get_logger()


def run(acts: Sequence[Callable[[], object]], stop: Event, every: float) -> None:
    """Does each in a thread of its own, again `every` seconds after it ended, until `stop` is set."""
    trouble = Trouble()
    threads = [
        Thread(target=_repeat, args=(act, number, trouble, stop, every), daemon=True) for number, act in enumerate(acts)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class Trouble:
    """Of several threads: logged once, until none of them has any."""

    def __init__(self) -> None:
        self._numbers, self._lock = set[int](), Lock()

    def begins(self, number: int, error: Exception) -> None:
        with self._lock:
            if not self._numbers:
                log.error("outbox_in_trouble", error=reason(error), at=place_of(error))
            self._numbers.add(number)

    def ends(self, number: int) -> None:
        with self._lock:
            if self._numbers == {number}:
                log.info("outbox_recovered")
            self._numbers.discard(number)


def _repeat(act: Callable[[], object], number: int, trouble: Trouble, stop: Event, every: float) -> None:
    while not stop.is_set():
        try:
            act()
        except Exception as error:  # the worker must go on: without it, codes do not arrive
            trouble.begins(number, error)
        else:
            trouble.ends(number)
        stop.wait(every)


def place_of(error: BaseException) -> str:
    """File and line where it was raised: enough to find a bug, without the content of the message."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}" if trace else "?"
