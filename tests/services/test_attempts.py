"""Rate limits are sliding windows: "5 in 5 minutes" is true of any five minutes. Refused attempts do not count."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import select

from tests.doubles import START, FakeClock, core
from webapp.domain.refusals import ChallengeExhausted, CodeExpired, CodesBlocked, Refusal, TooManyAttempts, TooSoon
from webapp.models.accounts import Account
from webapp.models.base import Table
from webapp.models.database import Database
from webapp.models.sessions import Attempt
from webapp.policy import DAY, HOUR, MINUTE, Policy, Window
from webapp.services.attempt_rules import (
    Backoff,
    FactorFailures,
    Rule,
    SlidingWindows,
    Tally,
    Total,
    Unlimited,
)
from webapp.services.attempts import Attempts, Bucket

POLICY = Policy()
SHARED = SlidingWindows(POLICY.second_factor_attempts)
PASSWORD = Backoff(POLICY.password_attempts, POLICY.password_first_wait, POLICY.password_longest_wait)
pauses = st.lists(st.integers(0, 400), max_size=60)


def allowed(rule: Rule, moments: Sequence[int]) -> list[int]:
    """The attempts at these times that the rule allows; refused ones are not counted."""
    hits: list[int] = []
    for now in moments:
        back = rule.lookback
        known = hits if back is None else [h for h in hits if h > now - back]
        if rule.refusal(known, now) is None:
            hits.append(now)
    return hits


def moments(pauses: Sequence[int]) -> list[int]:
    now, found = START, []
    for pause in pauses:
        now += pause
        found.append(now)
    return found


@given(pauses=pauses)
@example(pauses=[0] * 60)
def test_no_window_ever_has_more_attempts_than_allowed(pauses: list[int]) -> None:
    hits = allowed(SHARED, moments(pauses))
    for window in POLICY.second_factor_attempts:
        for first in hits:
            assert sum(first <= hit < first + window.seconds for hit in hits) <= window.most


@given(pauses=pauses)
def test_the_reported_wait_is_exactly_long_enough(pauses: list[int]) -> None:
    hits = allowed(SHARED, moments(pauses))
    now = hits[-1] if hits else START
    refusal = SHARED.refusal(hits, now)
    if refusal is None:
        return
    assert isinstance(refusal, TooManyAttempts)
    assert SHARED.refusal(hits, now + refusal.seconds) is None
    assert SHARED.refusal(hits, now + refusal.seconds - 1) is not None


@given(pauses=pauses)
def test_attempts_older_than_every_window_change_nothing(pauses: list[int]) -> None:
    hits = allowed(PASSWORD, moments(pauses))
    now = hits[-1] + 30 if hits else START
    ancient = [START - 40 * DAY + n for n in range(9)]
    assert _wait(PASSWORD.refusal(ancient + hits, now)) == _wait(PASSWORD.refusal(hits, now))


def test_ten_wrong_passwords_are_free_and_then_the_waits_double_to_an_hour() -> None:
    hits = [START] * 10
    waits = []
    for _ in range(10):
        wait = _wait(PASSWORD.refusal(hits, hits[-1]))
        waits.append(wait)
        assert PASSWORD.refusal(hits, hits[-1] + wait) is None
        hits.append(hits[-1] + wait)
    assert waits == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]


def test_after_fifteen_minutes_without_attempts_passwords_are_free_again() -> None:
    hits = [START] * 10
    free_at = START + 30
    later = free_at + POLICY.password_attempts.seconds
    assert PASSWORD.refusal([*hits, later], later) is None
    busy = [*hits, later - 1]
    assert _wait(PASSWORD.refusal(busy, later - 1)) == 60


def test_nine_wrong_passwords_every_fifteen_minutes_never_wait() -> None:
    spread = [START + n * 101 for n in range(40)]
    assert allowed(PASSWORD, spread) == spread


@given(pauses=st.lists(st.integers(0, 2 * HOUR), max_size=60))
def test_after_the_free_attempts_passwords_are_limited_to_one_an_hour(pauses: list[int]) -> None:
    eager = [START + n * 30 for n in range(600)]  # five hours
    hits = allowed(PASSWORD, eager)
    assert len(hits) <= 10 + 8 + 5
    for before, after in pairwise(allowed(PASSWORD, moments(pauses))):
        assert after >= before


def test_a_challenge_has_five_attempts_however_much_time_passes() -> None:
    rule = Total(5)
    assert rule.refusal([START] * 4, START + DAY) is None
    assert isinstance(rule.refusal([START] * 5, START + DAY), ChallengeExhausted)
    assert rule.lookback is None


def test_a_hundred_wrong_codes_in_a_row_block_codes_for_good() -> None:
    hits = [START + n * DAY for n in range(100)]
    later = hits[-1] + DAY
    codes = FactorFailures(SHARED, 100)
    assert isinstance(codes.refusal(hits, later), CodesBlocked)
    assert codes.refusal(hits[1:], later) is None
    assert isinstance(codes.refusal([later] * 5, later), TooManyAttempts)


def test_a_tally_refuses_nothing_and_is_full_after_so_many() -> None:
    bucket = Bucket("ada", Tally(3))
    assert bucket.rule.refusal([START] * 9, START) is None
    assert [bucket.takes(earlier) for earlier in (0, 2, 3, 9)] == [True, True, False, False]


# -- In the database -------------------------------------------------------------------------------


RULES: tuple[Rule, ...] = (
    SHARED,
    FactorFailures(SHARED, 8),
    Total(5),
    Total(3, CodeExpired),
    SlidingWindows(SHARED.windows, TooSoon),
)


@pytest.mark.parametrize("rule", RULES, ids=str)
@given(hits=st.lists(st.integers(START - 2 * HOUR, START + 2 * MINUTE), max_size=25))
@example(hits=[START - 5 * MINUTE] * 5)
@example(hits=[START - 5 * MINUTE + 1] * 5)
@example(hits=[START + POLICY.clock_ahead] * 5)
@example(hits=[START + POLICY.clock_ahead + 1] * 5)
def test_a_rule_refuses_exactly_when_one_of_its_caps_is_reached(rule: Rule, hits: list[int]) -> None:
    caps = rule.caps(START)
    reached = [sum(cap.after < hit <= cap.until for hit in hits) >= cap.most for cap in caps]
    assert (rule.refusal(sorted(hits), START) is not None) == any(reached)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def db(tmp_path: Path) -> Database:
    db = Database(f"sqlite:///{tmp_path}/nightlatch.sqlite")
    Table.metadata.create_all(db.engine)
    return db


THREE_A_MINUTE = SlidingWindows((Window(3, MINUTE),))


def test_an_attempt_counts_in_every_bucket_or_in_none(db: Database, clock: FakeClock) -> None:
    attempts = Attempts(core(db, clock=clock))
    mine, ours = Bucket("ada", THREE_A_MINUTE), Bucket("network", SlidingWindows((Window(4, MINUTE),)))
    for count in (1, 2, 3):
        assert attempts.count(mine, ours) == {"ada": count, "network": count}
    for _ in range(5):
        with pytest.raises(TooManyAttempts):
            attempts.count(mine, ours)
    assert attempts.count(ours) == {"network": 4}


def test_what_is_spent_counts_in_every_bucket_or_in_none_and_is_refused_as_it_would_be_counted(
    db: Database, clock: FakeClock
) -> None:
    attempts = Attempts(core(db, clock=clock))
    mine, ours = Bucket("ada", THREE_A_MINUTE), Bucket("challenge", Total(5))
    for count in (1, 2, 3):
        attempts.spend(mine, ours)
        assert (attempts.counted("ada"), attempts.counted("challenge")) == (count, count)
    with pytest.raises(TooManyAttempts) as refusal:
        attempts.spend(ours, mine)
    assert refusal.value.seconds == MINUTE
    clock.pass_(MINUTE)
    for count in (4, 5):
        attempts.spend(mine, ours)
        assert (attempts.counted("ada"), attempts.counted("challenge")) == (count, count)
    with pytest.raises(ChallengeExhausted):
        attempts.spend(mine, ours)
    assert (attempts.counted("ada"), attempts.counted("challenge")) == (5, 5)


@given(pauses=st.lists(st.integers(0, 40 * MINUTE), max_size=60))
@example(pauses=[0] * 12)
@example(pauses=[0, *[DAY - 1] * 9])
def test_below_its_cap_a_rule_of_growing_waits_refuses_nothing(pauses: list[int]) -> None:
    hits = allowed(PASSWORD, moments(pauses))
    now = hits[-1] if hits else START
    (cap,) = PASSWORD.caps(now)
    known = [hit for hit in hits if cap.after < hit <= cap.until]
    assert len(known) >= cap.most or PASSWORD.refusal(known, now) is None


def test_what_is_spent_beyond_a_cap_is_counted_as_usual(db: Database, clock: FakeClock) -> None:
    attempts = Attempts(core(db, clock=clock))
    mine, tally = Bucket("ada", THREE_A_MINUTE), Bucket("tally", Tally(2))
    assert [attempts.spend(mine, tally) for _ in range(3)] == [{}, {}, {"ada": 3, "tally": 3}]
    assert attempts.counted("tally") == 2
    with pytest.raises(TooManyAttempts):
        attempts.spend(mine, tally)
    assert attempts.counted("ada") == 3
    waits = Bucket("waits", PASSWORD)
    for _ in range(POLICY.password_attempts.most):
        attempts.spend(waits)
    with pytest.raises(TooManyAttempts):
        attempts.spend(waits)


def test_without_a_limit_every_attempt_of_the_time_is_counted_and_none_is_refused(
    db: Database, clock: FakeClock
) -> None:
    attempts, bucket = Attempts(core(db, clock=clock)), Bucket("texts", Unlimited(MINUTE))
    assert [attempts.count(bucket)["texts"] for _ in range(3)] == [1, 2, 3]
    attempts.spend(bucket)
    assert attempts.counted("texts") == 4
    clock.pass_(MINUTE)
    assert attempts.count(bucket) == {"texts": 1}


def test_an_attempt_is_deleted_when_its_window_has_passed(db: Database, clock: FakeClock) -> None:
    attempts = Attempts(core(db, clock=clock))
    for _ in range(3):
        attempts.count(Bucket("ada", THREE_A_MINUTE))
    clock.pass_(59)
    with pytest.raises(TooManyAttempts) as refused:
        attempts.count(Bucket("ada", THREE_A_MINUTE))
    assert refused.value.wait == 1
    clock.pass_(1)
    assert attempts.count(Bucket("ada", THREE_A_MINUTE)) == {"ada": 1}


def test_clearing_a_bucket_affects_no_other_bucket(db: Database, clock: FakeClock) -> None:
    attempts = Attempts(core(db, clock=clock))
    for name in ("ada", "grace"):
        attempts.count(Bucket(name, THREE_A_MINUTE))
    with db.write() as tx:
        attempts.clear(tx, "ada", "nobody")
    assert attempts.count(Bucket("ada", THREE_A_MINUTE)) == {"ada": 1}
    assert attempts.count(Bucket("grace", THREE_A_MINUTE)) == {"grace": 2}


def test_of_a_shared_bucket_an_account_takes_back_its_own_attempt(db: Database, clock: FakeClock) -> None:
    """Otherwise one account's right password would take back another account's wrong one, and so allow one guess more
    when the account that stays counted logs in."""
    ada, grace = (
        Account(created_at=START, name=name, username=name, username_key=name, password_hash="") for name in ("a", "g")
    )
    attempts = Attempts(core(db, clock=clock))
    with db.write() as tx:
        tx.objects.add_all([ada, grace])
    for account in (ada, grace):
        attempts.count(Bucket("address", THREE_A_MINUTE, account.id))
    with db.write() as tx:
        attempts.take_back(tx, Bucket("address", THREE_A_MINUTE, ada.id))
        left = tx.scalars(select(Attempt.account_id).where(Attempt.bucket == "address")).all()
    assert left == [grace.id]


def test_an_attempt_of_a_transaction_that_fails_is_not_counted(db: Database, clock: FakeClock) -> None:
    attempts = Attempts(core(db, clock=clock))

    def change() -> None:
        with db.write() as tx:
            attempts.count_within(tx, Bucket("ada", THREE_A_MINUTE))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        change()
    assert attempts.count(Bucket("ada", THREE_A_MINUTE)) == {"ada": 1}


def _wait(refusal: Refusal | None) -> int:
    return 0 if refusal is None else int(refusal.wait or 0)
