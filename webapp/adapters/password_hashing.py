"""Argon2id (RFC 9106) by libsodium. It must never run more hashes at once than `at_once`, which bounds memory."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore

import nacl.exceptions
import nacl.pwhash.argon2id as argon2id

from ..domain.refusals import Busy
from ..metrics import HASHES_REFUSED, HASHES_RUNNING, HASHES_WAITING

PARAMETERS = re.compile(r"\$argon2id\$v=19\$m=(\d+),t=(\d+),p=1\$")
RETRY_AFTER = 2  # seconds


class Argon2id:
    def __init__(self, memory_kib: int, passes: int, at_once: int, queue_seconds: float) -> None:
        """`queue_seconds` is how long a call waits for its turn before it raises `Busy`."""
        self._memory_kib = memory_kib
        self._passes = passes
        self._queue_seconds = queue_seconds
        self._slots = BoundedSemaphore(at_once)
        self._no_password = _hash_of_no_password(memory_kib, passes)

    def hash(self, password: str) -> str:
        with self._slot():
            made = argon2id.str(password.encode(), opslimit=self._passes, memlimit=self._memory_kib * 1024)
        return made.rstrip(b"\0").decode()

    def verify(self, encoded: str | None, password: str) -> bool:
        with self._slot():
            try:
                right = argon2id.verify(encoded.encode() if encoded else self._no_password, password.encode())
            except nacl.exceptions.InvalidkeyError:
                return False
        return right and encoded is not None

    def is_outdated(self, encoded: str) -> bool:
        match = PARAMETERS.match(encoded)
        return match is None or int(match[1]) < self._memory_kib or int(match[2]) < self._passes

    @contextmanager
    def _slot(self) -> Iterator[None]:
        with HASHES_WAITING.track_inprogress():
            has_slot = self._slots.acquire(timeout=self._queue_seconds)
        if not has_slot:
            HASHES_REFUSED.inc()
            raise Busy(RETRY_AFTER)
        try:
            with HASHES_RUNNING.track_inprogress():
                yield
        finally:
            self._slots.release()


def _hash_of_no_password(memory_kib: int, passes: int) -> bytes:
    """A hash of zeros that no known password matches: comparing with it takes as long as with any other."""
    salt, digest = (b64encode(bytes(size)).rstrip(b"=").decode() for size in (16, 32))
    return f"$argon2id$v=19$m={memory_kib},t={passes},p=1${salt}${digest}".encode()
