"""A memory of a few seconds for answers that were dear to find and are asked for again at once.

What was asked is kept as an HMAC under a key of this process only, so that its memory shows no password. Only a yes
is kept, for so short a time that a revocation still holds soon, and however often it is asked for meanwhile.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

from ..domain.ports import Clock, Entropy

Answer = TypeVar("Answer")
QUEUES = 64  # questions that share one wait for each other, which is seldom


class ShortMemory(Generic[Answer]):
    def __init__(self, clock: Clock, entropy: Entropy, seconds: int, size: int) -> None:
        self._clock = clock
        self._entropy = entropy
        self._seconds = seconds
        self._size = size
        self._lock = Lock()
        self._queues = [Lock() for _ in range(QUEUES)]
        self._key: bytes | None = None
        self._kept: dict[bytes, tuple[int, Answer]] = {}

    def ask(self, question: str, find: Callable[[], tuple[Answer, int | None]]) -> Answer:
        """The answer, and what `find` finds when none is kept: with it, when it ends by itself (Unix seconds).

        The same question at once is looked into once, so that an app with many connections costs one hash. What `find`
        raises goes on to the caller, and is not kept.
        """
        name = self._name(question)
        answer = self._recall(name)
        if answer is None:
            with self._queues[name[0] % QUEUES]:
                answer = self._recall(name)
                if answer is None:
                    # counted from before the look: what was revoked during it must not live longer
                    until = self._clock.now() + self._seconds
                    answer, ends = find()
                    self._keep(name, answer, until if ends is None else min(until, ends))
        return answer

    def _recall(self, name: bytes) -> Answer | None:
        kept = self._kept.get(name)
        return kept[1] if kept is not None and self._clock.now() < kept[0] else None

    def _keep(self, name: bytes, answer: Answer, until: int) -> None:
        with self._lock:
            self._kept.pop(name, None)  # what was kept anew stands last
            while len(self._kept) >= self._size:
                del self._kept[next(iter(self._kept))]
            self._kept[name] = until, answer

    def _name(self, question: str) -> bytes:
        if self._key is None:
            with self._lock:
                self._key = self._key or self._entropy.bytes(32)  # after the fork, so each process has its own
        return hmac.digest(self._key, question.encode(), "sha256")
