"""A time limit for a whole exchange over the network, however slowly the other side sends."""

from __future__ import annotations

import socket
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import suppress
from threading import Thread, Timer
from time import monotonic
from types import TracebackType
from typing import Self, TypeVar

T = TypeVar("T")


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

    def within(self, call: Callable[[], T]) -> T:
        """What `call` returns or raises. Raises `TimeoutError` when the time has passed before.

        For what resolves a name: getaddrinfo knows no time-out. It runs in a thread of its own, which then goes on
        until the system gives up.
        """
        result: Future[T] = Future()

        def run() -> None:
            try:
                result.set_result(call())
            except Exception as error:
                result.set_exception(error)

        Thread(target=run, daemon=True).start()
        wait((result,), self.left)
        if not result.done():
            self._close()
            raise TimeoutError
        return result.result()

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
