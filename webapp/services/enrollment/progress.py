"""Which step of an enrollment is open.

It is derived and must not be stored, so that reload, Back, a second tab and a restart need no code of their own.
"""

from __future__ import annotations

from ..method import Step, Visit
from .common_steps import planned


def needed_steps(visit: Visit) -> list[Step]:
    return [step for step in visit.method.steps() if step.needed(visit)]


def last_step(visit: Visit) -> Step:
    return visit.method.steps()[-1]


def is_finished(visit: Visit) -> bool:
    """True when the factor is on: only the last step may be shown, since an earlier one could show a secret again."""
    return visit.draft is not None and visit.draft.finished_at is not None


def open_step(visit: Visit) -> Step:
    """The first step that is needed and not done yet."""
    steps = needed_steps(visit)
    if is_finished(visit):
        return steps[-1]
    return next((step for step in steps if not step.done(visit)), steps[-1])


def may_show(visit: Visit, step: Step) -> bool:
    """True when the step is needed and all needed steps before it are done: Back shows an earlier one again."""
    if is_finished(visit):
        return step.slug == last_step(visit).slug
    for needed in needed_steps(visit):
        if needed.slug == step.slug:
            return True
        if not needed.done(visit):
            return False
    return False


def is_step_up_due(visit: Visit, step: Step) -> bool:
    """True when the step needs a step-up first, because the last proof is too long ago."""
    return step.needs_fresh and not visit.is_fresh


def is_last_needed(visit: Visit) -> bool:
    """True when the enrollment ends with its last step, and not with the one before it."""
    return last_step(visit).needed(visit)


def after(visit: Visit, step: Step) -> Step:
    """The step after a submitted one, passing over those that are done and need not be shown again."""
    steps = needed_steps(visit)
    later = steps[[s.slug for s in steps].index(step.slug) + 1 :]
    following = next(s for s in later if not (s.passed_over and s.done(visit)))
    return following if may_show(visit, following) else open_step(visit)


def is_at_or_before(visit: Visit, step: Step, other: Step) -> bool:
    slugs = [s.slug for s in needed_steps(visit)]
    return slugs.index(step.slug) <= slugs.index(other.slug)


def marker(visit: Visit, step: Step) -> tuple[int, int]:
    """(2, 5) for "Step 2 of 5". A step that was done before the enrollment began counts only while it is shown."""
    done_before = planned(visit)["done"]
    slugs = [s.slug for s in needed_steps(visit) if s.slug not in done_before or s.slug == step.slug]
    return slugs.index(step.slug) + 1, len(slugs)
