"""The machine's own clock and entropy: the only place that asks for either."""

from __future__ import annotations

import secrets
import time


class SystemClock:
    def now(self) -> int:
        return int(time.time())


class SystemEntropy:
    def bytes(self, count: int) -> bytes:
        return secrets.token_bytes(count)

    def below(self, bound: int) -> int:
        return secrets.randbelow(bound)
