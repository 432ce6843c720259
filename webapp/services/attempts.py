"""Rate limits: how many attempts are allowed before a wait.

An attempt must be counted and committed before anything is compared, so that neither a crash nor simultaneous
requests give a free guess. Refused attempts are not counted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Delete, Insert, Row, Select, and_, bindparam, delete, func, insert, or_, select, union_all
from sqlalchemy.orm import aliased

from ..domain.key_refusals import CeremonyExpired
from ..metrics import LIMITS
from ..models.database import Transaction
from ..models.sessions import Attempt
from .attempt_rules import Rule, Tally, Total
from .core import Core

COUNT = insert(Attempt)
COUNTED = select(func.count()).where(Attempt.bucket == bindparam("name"))
UNGUESSABLE = "unguessable:"
"""Begins the names of buckets for keys and backup codes, which are counted apart from codes."""


@cache
def _clear(*kinds: str) -> Delete:
    """Deletes named buckets, and the account's own attempts in a shared one and in buckets that begin with `kinds`."""
    own = or_(Attempt.bucket == bindparam("shared"), *(Attempt.bucket.startswith(kind) for kind in kinds))
    named = Attempt.bucket.in_(bindparam("names", expanding=True))
    return delete(Attempt).where(or_(named, and_(Attempt.account_id == bindparam("own"), own)))


@cache
def _take_back(*owned: bool) -> Delete:
    """Deletes the newest attempt of one bucket for each of `owned`; where that is True, the newest of its account."""
    newest = []
    for place, is_owned in enumerate(owned):
        own = [Attempt.account_id == bindparam(f"owner{place}")] if is_owned else []
        of_bucket = Attempt.bucket == bindparam(f"bucket{place}"), *own
        newest.append(Attempt.id == select(func.max(Attempt.id)).where(*of_bucket).scalar_subquery())
    return delete(Attempt).where(or_(*newest))


@cache
def _history_of(*bounded: bool) -> Select[str, int]:
    """Selects the attempts of one bucket for each of `bounded`; where that is True, only those after `since`."""
    wanted = []
    for place, is_bounded in enumerate(bounded):
        of_bucket = Attempt.bucket == bindparam(f"bucket{place}")
        wanted.append(and_(of_bucket, Attempt.at > bindparam(f"since{place}")) if is_bounded else of_bucket)
    return select(Attempt.bucket, Attempt.at).where(or_(*wanted)).order_by(Attempt.at, Attempt.id)


@cache
def _count_unless_full(*caps: int) -> Insert:
    """Inserts one attempt for each of `caps`, the number of its bucket's caps; or none where a cap is reached."""
    columns, rows, free = Attempt.__table__.c, [], []
    for place, of_bucket in enumerate(caps):
        values = [bindparam(f"{name}{place}", type_=columns[name].type) for name in ("bucket", "at", "account_id")]
        rows.append(select(*values))
        for number in range(of_bucket):
            name, earlier = f"{place}_{number}", aliased(Attempt)
            after, until = (bindparam(f"{end}{name}", type_=columns.at.type) for end in ("after", "until"))
            counted = earlier.bucket == bindparam(f"bucket{place}"), earlier.at > after, earlier.at <= until
            hits = select(func.count()).select_from(earlier).where(*counted).scalar_subquery()
            free.append(hits < bindparam(f"most{name}", type_=columns.at.type))
    new = union_all(*rows).subquery()
    added = insert(Attempt).from_select(["bucket", "at", "account_id"], select(*new.c).where(*free))
    return added.execution_options(preserve_rowcount=True)  # else psycopg's number of inserted rows is dropped


@dataclass(frozen=True, slots=True)
class Bucket:
    """The name under which attempts are counted, and the rule that limits them."""

    name: str
    rule: Rule
    account_id: int | None = None
    """The account of the attempt, where the bucket is one of several of an account, or shared by many accounts."""

    @property
    def kind(self) -> str:
        """The part of its name that says what is counted, without whose attempts they are."""
        return self.name.partition(":")[0]

    def takes(self, earlier: int) -> bool:
        """False when another attempt after so many is not stored."""
        return not isinstance(self.rule, Tally) or earlier < self.rule.most


def single_use(name: str) -> Bucket:
    """A bucket for a single attempt; the second is refused with `CeremonyExpired`."""
    return Bucket(f"used:{name}", Total(1, CeremonyExpired))


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
                LIMITS.labels(bucket.kind).inc()
                raise refusal
        counted = [b for b in buckets if b.takes(len(hits[b.name]))]
        tx.execute(COUNT, [{"bucket": b.name, "at": now, "account_id": b.account_id} for b in counted])
        return {b.name: len(hits[b.name]) + 1 for b in buckets}

    def spend(self, *buckets: Bucket) -> dict[str, int]:
        """Counts one attempt in each bucket, or in none, as `count` does, but in one statement where no cap is reached.

        Returns the new counts by name where one is; else nothing, because they were not read.
        """
        now, names = self.core.clock.now(), [b.name for b in buckets]
        caps = [b.rule.caps(now) for b in buckets]
        with self.core.db.write(durable=False) as tx:
            self.core.db.serialize(tx, *names)
            parameters: dict[str, Any] = {}
            for place, (bucket, of_bucket) in enumerate(zip(buckets, caps, strict=True)):
                new = {"bucket": bucket.name, "at": now, "account_id": bucket.account_id}
                parameters |= {f"{column}{place}": value for column, value in new.items()}
                for number, cap in enumerate(of_bucket):
                    parameters |= {f"{key}{place}_{number}": value for key, value in cap._asdict().items()}
            is_counted = tx.execute(_count_unless_full(*map(len, caps)), parameters).rowcount > 0
            return {} if is_counted else self.count_within(tx, *buckets)

    def counted(self, name: str) -> int:
        """The number of attempts that the bucket has."""
        with self.core.db.read() as tx:
            return tx.scalar(COUNTED, {"name": name}) or 0

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
        parameters: dict[str, Any] = {f"bucket{place}": bucket.name for place, bucket in enumerate(buckets)}
        owners = [bucket.account_id for bucket in buckets]
        parameters |= {f"owner{place}": owner for place, owner in enumerate(owners) if owner is not None}
        tx.execute(_take_back(*(owner is not None for owner in owners)), parameters)


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
