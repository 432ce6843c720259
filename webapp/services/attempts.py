"""Rate limits: how many attempts are allowed before a wait.

An attempt must be counted and committed before anything is compared, so that neither a crash nor simultaneous
requests give a free guess. Refused attempts are not counted. Windows slide: "5 in 5 minutes" is true of any five
minutes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

from sqlalchemy import Delete, Row, Select, and_, bindparam, delete, func, insert, or_, select

from ..domain.key_refusals import CeremonyExpired
from ..domain.refusals import ChallengeExhausted, CodesBlocked, Refusal, TooManyAttempts
from ..models.database import Transaction
from ..models.sessions import Attempt
from ..policy import Policy, Window
from .core import Core

COUNT = insert(Attempt)
CLOCK_AHEAD = Policy().clock_ahead
UNGUESSABLE = "unguessable:"
"""Begins the names of buckets for keys and backup codes, which are counted apart from codes."""


@cache
def _clear(*kinds: str) -> Delete:
    """Deletes named buckets, and the account's own attempts in a shared one and in buckets that begin with `kinds`."""
    own = or_(Attempt.bucket == bindparam("shared"), *(Attempt.bucket.startswith(kind) for kind in kinds))
    named = Attempt.bucket.in_(bindparam("names", expanding=True))
    return delete(Attempt).where(or_(named, and_(Attempt.account_id == bindparam("own"), own)))


@cache
def _history_of(*bounded: bool) -> Select[str, int]:
    """Selects the attempts of one bucket for each of `bounded`; where that is True, only those after `since`."""
    wanted = []
    for place, is_bounded in enumerate(bounded):
        of_bucket = Attempt.bucket == bindparam(f"bucket{place}")
        wanted.append(and_(of_bucket, Attempt.at > bindparam(f"since{place}")) if is_bounded else of_bucket)
    return select(Attempt.bucket, Attempt.at).where(or_(*wanted)).order_by(Attempt.at, Attempt.id)


class Rule(Protocol):
    @property
    def lookback(self) -> int | None:
        """Seconds of history that the rule needs; None for all."""

    def refusal(self, hits: Sequence[int], now: int) -> Refusal | None:
        """Why one more attempt is refused, or None. `hits` are earlier attempts in Unix seconds, oldest first."""


def _until_now(hits: Sequence[int], now: int) -> Sequence[int]:
    """Without those that were counted while the clock was far ahead: waits for them could last years.

    Clocks of several machines differ a little, so a time that is just ahead is now.
    """
    if not hits or hits[-1] <= now:
        return hits
    return [min(at, now) for at in hits if at <= now + CLOCK_AHEAD]


@dataclass(frozen=True, slots=True)
class SlidingWindows:
    windows: tuple[Window, ...]

    @property
    def lookback(self) -> int | None:
        return max(w.seconds for w in self.windows)

    def refusal(self, hits: Sequence[int], now: int) -> Refusal | None:
        hits = _until_now(hits, now)
        waits = [hits[-w.most] + w.seconds - now for w in self.windows if len(hits) >= w.most]
        wait = max(waits, default=0)
        return TooManyAttempts(wait) if wait > 0 else None


@dataclass(frozen=True, slots=True)
class WithRefusal:
    """Another rule with another refusal, which `tell` makes from the seconds to wait."""

    rule: Rule
    tell: Callable[[int], Refusal]

    @property
    def lookback(self) -> int | None:
        return self.rule.lookback

    def refusal(self, hits: Sequence[int], now: int) -> Refusal | None:
        refusal = self.rule.refusal(hits, now)
        return self.tell(refusal.wait or 1) if refusal is not None else None


@dataclass(frozen=True, slots=True)
class Backoff:
    """`window.most` attempts, then waits that double from `first` to `longest` seconds.

    They start anew after a window without attempts.
    """

    window: Window
    first: int
    longest: int

    @property
    def lookback(self) -> int | None:
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


@dataclass(frozen=True, slots=True)
class Total:
    """A limit without a time window: after `most` attempts, every further one is refused."""

    most: int

    @property
    def lookback(self) -> int | None:
        return None

    def refusal(self, hits: Sequence[int], now: int) -> Refusal | None:  # noqa: ARG002  # other rules look at the time
        return ChallengeExhausted() if len(hits) >= self.most else None


@dataclass(frozen=True, slots=True)
class Tally:
    """No limit: it counts up to `most` attempts, for a caller that must know when there were more."""

    most: int

    @property
    def lookback(self) -> int | None:
        return None

    def refusal(self, hits: Sequence[int], now: int) -> Refusal | None:  # noqa: ARG002  # it refuses nothing
        return None


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


@dataclass(frozen=True, slots=True)
class Bucket:
    """The name under which attempts are counted, and the rule that limits them."""

    name: str
    rule: Rule
    account_id: int | None = None
    """The account of the attempt, where the bucket is one of several of an account, or shared by many accounts."""

    def takes(self, earlier: int) -> bool:
        """False when another attempt after so many is not stored."""
        return not isinstance(self.rule, Tally) or earlier < self.rule.most


def single_use(name: str) -> Bucket:
    """A bucket for a single attempt; the second is refused with `CeremonyExpired`."""
    return Bucket(f"used:{name}", WithRefusal(Total(1), lambda _wait: CeremonyExpired()))


@dataclass(frozen=True, slots=True)
class Attempts:
    core: Core

    def count(self, *buckets: Bucket) -> dict[str, int]:
        """Counts one attempt in each bucket, or in none if one refuses. Returns the new counts by name.

        Raises the first refusal, usually `TooManyAttempts`.
        """
        with self.core.db.write(durable=False) as tx:  # an attacker cannot crash the machine to undo a count
            return self.count_within(tx, *buckets)

    def count_within(self, tx: Transaction, *buckets: Bucket) -> dict[str, int]:
        """The same in the caller's transaction, for what is counted only if that is committed."""
        now = self.core.clock.now()
        self.core.db.serialize(tx, *(b.name for b in buckets))
        hits = _by_bucket(tx.execute(*_history(buckets, now)))
        for bucket in buckets:
            refusal = bucket.rule.refusal(hits[bucket.name], now)
            if refusal is not None:
                raise refusal
        counted = [b for b in buckets if b.takes(len(hits[b.name]))]
        tx.execute(COUNT, [{"bucket": b.name, "at": now, "account_id": b.account_id} for b in counted])
        return {b.name: len(hits[b.name]) + 1 for b in buckets}

    def wait(self, *buckets: Bucket) -> int:
        """Seconds until every bucket allows one more attempt; 0 for now. Counts nothing."""
        now = self.core.clock.now()
        with self.core.db.read() as tx:
            hits = _by_bucket(tx.execute(*_history(buckets, now)))
        refusals = [bucket.rule.refusal(hits[bucket.name], now) for bucket in buckets]
        return max((refusal.wait or 0 for refusal in refusals if refusal is not None), default=0)

    def clear(
        self,
        tx: Transaction,
        *names: str,
        shared: str = "",
        kinds: Sequence[str] = (),
        account_id: int | None = None,
    ) -> None:
        """Deletes the attempts of the named buckets, and this account's own in the bucket `shared` and in buckets whose
        names begin with one of `kinds`."""
        tx.execute(_clear(*kinds), {"names": names, "shared": shared, "own": account_id})

    def take_back(self, tx: Transaction, *buckets: Bucket) -> None:
        """Deletes the newest attempt of each bucket, because it was right; of its account, where it names one."""
        self.core.db.serialize(tx, *(b.name for b in buckets))  # else two at once would delete the same one
        newest = []
        for bucket in buckets:
            own = [Attempt.account_id == bucket.account_id] if bucket.account_id is not None else []
            newest.append(select(func.max(Attempt.id)).where(Attempt.bucket == bucket.name, *own).scalar_subquery())
        tx.execute(delete(Attempt).where(or_(*(Attempt.id == one for one in newest))))


def _history(buckets: Sequence[Bucket], now: int) -> tuple[Select[str, int], dict[str, Any]]:
    """The statement that reads the attempts of these buckets as far back as their rules look, and its parameters."""
    lookbacks = [bucket.rule.lookback for bucket in buckets]
    parameters: dict[str, Any] = {f"bucket{place}": bucket.name for place, bucket in enumerate(buckets)}
    parameters |= {f"since{place}": now - seconds for place, seconds in enumerate(lookbacks) if seconds is not None}
    return _history_of(*(seconds is not None for seconds in lookbacks)), parameters


def _by_bucket(rows: Iterable[Row[str, int]]) -> dict[str, list[int]]:
    hits: dict[str, list[int]] = defaultdict(list)
    for name, at in rows:
        hits[name].append(at)
    return hits
