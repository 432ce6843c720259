"""Shuts down connections on which PostgreSQL has been silent for too long.

A server that is stopped, or that waits for its disk, keeps its connections open, and its system acknowledges what is
sent: neither TCP nor libpq finds anything wrong, and psycopg has no time-out for answers. Without this, each request
would wait for such a server until it goes on.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from threading import Lock, Thread
from time import monotonic, sleep
from typing import Any

import structlog

log = structlog.get_logger()
ROUND_SECONDS = 1


class Silence:
    """The connections in use, each with the time until which its transaction must have ended."""

    def __init__(self) -> None:
        self._until: dict[Any, float] = {}
        self._starting = Lock()
        self._thread = Thread()

    def watch(self, connection: Any, seconds: float) -> None:
        """Gives this psycopg connection so many seconds from now."""
        self._until[connection] = monotonic() + seconds
        if not self._thread.is_alive():  # at the first connection, and in a process that was forked
            with self._starting:
                if not self._thread.is_alive():
                    self._thread = Thread(target=self._run, name="database silence", daemon=True)
                    self._thread.start()

    def release(self, connection: Any) -> None:
        self._until.pop(connection, None)

    def _run(self) -> None:
        while True:
            sleep(ROUND_SECONDS)
            now = monotonic()
            for connection, until in list(self._until.items()):
                if until < now and self._until.pop(connection, None) is not None:
                    log.warning("database_silent")
                    with suppress(Exception):  # its own thread closed it meanwhile
                        _shut_down(connection)


def _shut_down(connection: Any) -> None:
    """The thread that waits for an answer gets an error at once. Closing the socket would not wake it."""
    with socket.socket(fileno=os.dup(connection.fileno())) as wire:
        wire.shutdown(socket.SHUT_RDWR)


SILENCE = Silence()
"""One for all databases of a process."""
