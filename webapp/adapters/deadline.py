"""A whole conversation over the network ends in time, however slowly the other side speaks."""

from __future__ import annotations

import socket
from contextlib import suppress
from threading import Timer
from time import monotonic
from types import TracebackType
from typing import Self


class Deadline:
    """Hangs up when the time is over. A socket's own time-out begins anew with every byte that drips in."""

    def __init__(self, seconds: float) -> None:
        self._ends = monotonic() + seconds
        self._line: socket.socket | None = None
        self._timer = Timer(seconds, self._hang_up)
        self._timer.daemon = True
        self.is_over = False

    @property
    def left(self) -> float:
        """Seconds, never none at all: a time-out of 0 would mean something else."""
        return max(0.01, self._ends - monotonic())

    def watch(self, line: socket.socket) -> None:
        self._line = line.dup()  # a handle of our own outlives the wrapping in TLS
        if self.is_over:
            raise TimeoutError

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._timer.cancel()
        if self._line:
            self._line.close()

    def _hang_up(self) -> None:
        self.is_over = True
        if self._line:
            with suppress(OSError):
                self._line.shutdown(socket.SHUT_RDWR)
