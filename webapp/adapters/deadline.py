"""A time limit for a whole exchange over the network, however slowly the other side sends."""

from __future__ import annotations

import socket
from contextlib import suppress
from threading import Timer
from time import monotonic
from types import TracebackType
from typing import Self


class Deadline:
    """Shuts the watched socket down after `seconds`. A socket's own timeout starts again with every byte received."""

    def __init__(self, seconds: float) -> None:
        self._ends = monotonic() + seconds
        self._socket: socket.socket | None = None
        self._timer = Timer(seconds, self._close)
        self._timer.daemon = True
        self.has_passed = False

    @property
    def left(self) -> float:
        """Seconds left, at least 0.01: a socket timeout of 0 means non-blocking."""
        return max(0.01, self._ends - monotonic())

    def watch(self, connection: socket.socket) -> None:
        """Raises `TimeoutError` when the time has passed already."""
        self._socket = connection.dup()  # wrapping the socket in TLS detaches the original
        if self.has_passed:
            raise TimeoutError

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._timer.cancel()
        if self._socket:
            self._socket.close()

    def _close(self) -> None:
        self.has_passed = True
        if self._socket:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
