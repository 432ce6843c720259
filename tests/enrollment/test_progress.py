"""The open step is derived: in every state exactly one step is open, and all needed steps before it are done."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from webapp.services.enrollment import progress
from webapp.services.enrollment.common_steps import DONE
from webapp.services.method import Answers, Step, Visit


class OneStep(Step):
    def __init__(self, number: int, needed: bool, done: bool) -> None:
        self.slug = f"step-{number}"  # type: ignore[misc]  # a slug of its own for each step
        self._needed, self._done = needed, done

    def needed(self, visit: Visit) -> bool:
        return self._needed

    def done(self, visit: Visit) -> bool:
        return self._done

    def submit(self, visit: Visit, answers: Answers) -> None:
        raise NotImplementedError


def step(number: int, needed: bool, done: bool) -> Step:
    return OneStep(number, needed, done)


states = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=7)


def visit(states_of_steps: list[tuple[bool, bool]], finished: bool = False, begun: bool = True) -> Any:
    """An enrollment of these steps, each needed or not and done or not; the last is always needed and never done."""
    steps = [step(number, needed, done) for number, (needed, done) in enumerate(states_of_steps)]
    steps.append(step(len(states_of_steps), True, False))
    draft = SimpleNamespace(finished_at=1 if finished else None) if begun else None
    notes = {"plan": {"done": []}}
    return SimpleNamespace(method=SimpleNamespace(steps=lambda: tuple(steps)), draft=draft, notes=notes, is_fresh=True)


def test_the_last_step_of_a_first_enrollment_stays_open_until_got_it() -> None:
    now = visit([(True, True)])
    now.method = SimpleNamespace(steps=lambda: (step(0, True, True), DONE))
    now.notes["plan"]["first"] = True
    assert progress.open_step(now) is DONE
    assert not DONE.done(now)


def test_a_further_enrollment_has_no_last_step() -> None:
    now = visit([(True, False)])
    now.method = SimpleNamespace(steps=lambda: (step(0, True, False), DONE))
    now.notes["plan"]["first"] = False
    assert not progress.is_last_needed(now)
    assert progress.marker(now, step(0, True, False)) == (1, 1)


@given(states_of_steps=states)
def test_the_open_step_is_the_first_that_is_needed_and_not_done(states_of_steps: list[tuple[bool, bool]]) -> None:
    now = visit(states_of_steps)
    found = progress.open_step(now)
    assert found.needed(now)
    assert not found.done(now)
    before = now.method.steps()[: now.method.steps().index(found)]
    assert all(not s.needed(now) or s.done(now) for s in before)


@given(states_of_steps=states)
def test_a_step_may_be_shown_when_it_is_needed_and_all_needed_before_it_are_done(
    states_of_steps: list[tuple[bool, bool]],
) -> None:
    now = visit(states_of_steps)
    limit = now.method.steps().index(progress.open_step(now))
    for place, one in enumerate(now.method.steps()):
        assert progress.may_show(now, one) == (one.needed(now) and place <= limit)
    stranger = step(99, True, False)
    assert not progress.may_show(now, stranger)


@given(states_of_steps=states)
def test_a_finished_enrollment_shows_its_last_step_only(states_of_steps: list[tuple[bool, bool]]) -> None:
    now = visit(states_of_steps, finished=True)
    assert progress.is_finished(now)
    assert progress.open_step(now) is now.method.steps()[-1]
    assert [s for s in now.method.steps() if progress.may_show(now, s)] == [now.method.steps()[-1]]


def test_a_step_that_was_done_before_the_enrollment_is_shown_only_when_the_user_goes_back_to_it() -> None:
    now = visit([(True, True), (True, True), (True, False)])
    now.notes["plan"]["done"] = ["step-1"]
    assert [progress.marker(now, step) for step in now.method.steps()] == [(1, 3), (2, 4), (2, 3), (3, 3)]


@given(states_of_steps=states)
def test_the_progress_indicator_counts_the_needed_steps(states_of_steps: list[tuple[bool, bool]]) -> None:
    now = visit(states_of_steps)
    needed = progress.needed_steps(now)
    assert [progress.marker(now, s) for s in needed] == [(n, len(needed)) for n in range(1, len(needed) + 1)]


def test_when_every_step_is_done_the_last_stays_open() -> None:
    steps = (step(0, True, True), step(1, True, True))
    now: Any = SimpleNamespace(method=SimpleNamespace(steps=lambda: steps), draft=None)
    assert progress.open_step(now) is steps[-1]
    assert not progress.may_show(now, step(7, True, False))


def test_an_enrollment_that_was_not_begun_is_not_finished() -> None:
    assert not progress.is_finished(visit([(True, False)], begun=False))
    assert not progress.is_finished(visit([(True, False)]))


def test_step_up_is_required_by_steps_that_need_it_when_the_session_is_not_fresh() -> None:
    now = visit([(True, False)])
    one = now.method.steps()[0]
    assert not progress.is_step_up_due(now, one)
    now.is_fresh = False
    assert progress.is_step_up_due(now, one)
