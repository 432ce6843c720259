"""The clock and the random numbers of the machine. No other module may use either."""

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
