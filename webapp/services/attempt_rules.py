"""The rules of rate limits: when one more attempt is refused, from the times of the earlier ones.

Windows slide: "5 in 5 minutes" is true of any five minutes. Nothing here may read or write.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from ..domain.refusals import ChallengeExhausted, CodesBlocked, Refusal, TooManyAttempts
from ..policy import Policy, Window

CLOCK_AHEAD = Policy().clock_ahead


class Cap(NamedTuple):
    """At most `most` attempts after `after`, up to `until` (Unix seconds)."""

    most: int
    after: int = -1
    until: int = 2**62


class Rule(Protocol):
    @property
    def lookback(self) -> int | None:
        """Seconds of history that the rule needs; None for all."""

    def refusal(self, hits: Sequence[int], now: int) -> Refusal | None:
        """Why one more attempt is refused, or None. `hits` are earlier attempts in Unix seconds, oldest first."""

    def caps(self, now: int) -> Sequence[Cap]:
        """While none of these is reached, one more attempt is allowed and stored; else the rule itself decides."""


def _until_now(hits: Sequence[int], now: int) -> Sequence[int]:
    """Without those that were counted while the clock was far ahead: waits for them could last years.

    Clocks of several machines differ a little, so a time that is just ahead is now.
    """
    if not hits or hits[-1] <= now:
        return hits
    return [min(at, now) for at in hits if at <= now + CLOCK_AHEAD]


@dataclass(frozen=True, slots=True)
class SlidingWindows:
    """Refuses with what `tell` makes from the seconds to wait."""

    windows: tuple[Window, ...]
    tell: Callable[[int], Refusal] = TooManyAttempts

    @property
    def lookback(self) -> int | None:
        return max(w.seconds for w in self.windows)

    def refusal(self, hits: Sequence[int], now: int) -> Refusal | None:
        hits = _until_now(hits, now)
        waits = [hits[-w.most] + w.seconds - now for w in self.windows if len(hits) >= w.most]
        wait = max(waits, default=0)
        return self.tell(wait) if wait > 0 else None

    def caps(self, now: int) -> Sequence[Cap]:
        return [Cap(w.most, now - w.seconds, now + CLOCK_AHEAD) for w in self.windows]


@dataclass(frozen=True, slots=True)
class Backoff:
    """`window.most` attempts, then waits that double from `first` to `longest` seconds.

    They start anew after a window without attempts.
    """

    window: Window
    first: int
    longest: int

    @property
    def lookback(self) -> int:
        return 24 * self.longest

    def refusal(self, hits: Sequence[int], now: int) -> Refusal | None:
        level, free_at, recent = 0, 0, list[int]()
        for at in _until_now(hits, now):
            recent = [h for h in recent if h > at - self.window.seconds] + [at]
            if level and at >= free_at + self.window.seconds:
                level = 0
            if level or len(recent) >= self.window.most:
                free_at = at + min(self.first * 2**level, self.longest)
                level += 1
        return TooManyAttempts(free_at - now) if free_at > now else None

    def caps(self, now: int) -> Sequence[Cap]:
        return [Cap(self.window.most, now - self.lookback)]  # with fewer attempts there was never a wait


@dataclass(frozen=True, slots=True)
class Total:
    """A limit without a time window: after `most` attempts, every further one is refused."""

    most: int
    tell: Callable[[], Refusal] = ChallengeExhausted

    @property
    def lookback(self) -> int | None:
        return None

    def refusal(self, hits: Sequence[int], now: int) -> Refusal | None:  # noqa: ARG002  # other rules look at the time
        return self.tell() if len(hits) >= self.most else None

    def caps(self, now: int) -> Sequence[Cap]:  # noqa: ARG002  # other rules look at the time
        return [Cap(self.most)]


@dataclass(frozen=True, slots=True)
class Tally:
    """No limit: it counts up to `most` attempts, for a caller that must know when there were more."""

    most: int

    @property
    def lookback(self) -> int | None:
        return None

    def refusal(self, hits: Sequence[int], now: int) -> Refusal | None:  # noqa: ARG002  # it refuses nothing
        return None

    def caps(self, now: int) -> Sequence[Cap]:  # noqa: ARG002  # other rules look at the time
        return [Cap(self.most)]


@dataclass(frozen=True, slots=True)
class Unlimited:
    """No limit: it counts the attempts of the last `lookback` seconds, for a caller that must know their number."""

    lookback: int

    def refusal(self, hits: Sequence[int], now: int) -> Refusal | None:  # noqa: ARG002  # it refuses nothing
        return None

    def caps(self, now: int) -> Sequence[Cap]:  # noqa: ARG002  # it refuses nothing
        return ()


@dataclass(frozen=True, slots=True)
class FactorFailures:
    """The windows that the codes of all methods share; `most_in_a_row` failures refuse all further codes."""

    windows: SlidingWindows
    most_in_a_row: int

    @property
    def lookback(self) -> int | None:
        return None

    def refusal(self, hits: Sequence[int], now: int) -> Refusal | None:
        if len(hits) >= self.most_in_a_row:
            return CodesBlocked()
        return self.windows.refusal(hits, now)

    def caps(self, now: int) -> Sequence[Cap]:
        return [Cap(self.most_in_a_row), *self.windows.caps(now)]
