"""A memory of a few seconds for answers that were dear to find and are asked for again at once.

What was asked is kept as an HMAC under a key of this process only, so that its memory shows no password. Only a yes
is kept, for so short a time that a revocation still holds soon, and however often it is asked for meanwhile.
"""

from __future__ import annotations

import hmac
from threading import Lock
from typing import Generic, TypeVar

from ..domain.ports import Clock, Entropy

Answer = TypeVar("Answer")


class ShortMemory(Generic[Answer]):
    def __init__(self, clock: Clock, entropy: Entropy, seconds: int, size: int) -> None:
        self._clock = clock
        self._entropy = entropy
        self._seconds = seconds
        self._size = size
        self._lock = Lock()
        self._key: bytes | None = None
        self._kept: dict[bytes, tuple[int, Answer]] = {}

    def recall(self, question: str) -> Answer | None:
        kept = self._kept.get(self._name(question))
        return kept[1] if kept is not None and self._clock.now() < kept[0] + self._seconds else None

    def keep(self, question: str, answer: Answer, asked_at: int) -> None:
        """`asked_at` is when the check began, in Unix seconds: what was revoked during it must not live longer."""
        name = self._name(question)
        with self._lock:
            self._kept.pop(name, None)  # what was kept anew stands last
            while len(self._kept) >= self._size:
                del self._kept[next(iter(self._kept))]
            self._kept[name] = asked_at, answer

    def _name(self, question: str) -> bytes:
        if self._key is None:
            with self._lock:
                self._key = self._key or self._entropy.bytes(32)  # after the fork, so each process has its own
        return hmac.digest(self._key, question.encode(), "sha256")
