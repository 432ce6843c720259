"""Argon2id (RFC 9106) by libsodium. It must never run more hashes at once than the policy says, which bounds memory."""

from __future__ import annotations

import os
import re
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import BoundedSemaphore

import nacl.exceptions
import nacl.pwhash.argon2id as argon2id

from ..domain.ports import HashCost
from ..domain.refusals import Busy
from ..metrics import HASHES_REFUSED, HASHES_RUNNING, HASHES_WAITING
from ..policy import Policy

PARAMETERS = re.compile(r"\$argon2id\$v=19\$m=(\d+),t=(\d+),p=1\$")
RETRY_AFTER = 2  # seconds
MEASURED = 20  # hashes
HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")
"""Such as `always [madvise] never`; libsodium does not ask for them (madvise)."""


class Argon2id:
    def __init__(self, policy: Policy) -> None:
        """A call waits for its turn before it raises `Busy`, unless too many wait already."""
        self._memory_kib = policy.argon2_memory_kib
        self._passes = policy.argon2_passes
        self._queue_seconds = policy.hash_queue_seconds
        self._slots = BoundedSemaphore(policy.hashes_at_once)
        self._places = BoundedSemaphore(policy.hashes_at_once + policy.hashes_waiting)
        self._no_password = _hash_of_no_password(self._memory_kib, self._passes)

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

    def measure(self) -> HashCost:
        before = os.times()
        for _ in range(MEASURED):
            self.verify(None, "a password that no account has")
        after = os.times()
        kernel = (after.system - before.system) / MEASURED * 1000
        huge_pages = not HUGE_PAGES.is_file() or "[always]" in HUGE_PAGES.read_text("utf-8")
        return HashCost((after.user - before.user) / MEASURED * 1000 + kernel, kernel, huge_pages)

    @contextmanager
    def _slot(self) -> Iterator[None]:
        if not self._places.acquire(blocking=False):
            HASHES_REFUSED.inc()
            raise Busy(RETRY_AFTER)
        try:
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
        finally:
            self._places.release()


def _hash_of_no_password(memory_kib: int, passes: int) -> bytes:
    """A hash of zeros that no known password matches: comparing with it takes as long as with any other."""
    salt, digest = (b64encode(bytes(size)).rstrip(b"=").decode() for size in (16, 32))
    return f"$argon2id$v=19$m={memory_kib},t={passes},p=1${salt}${digest}".encode()
