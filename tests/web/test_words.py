"""Every refusal has one sentence, which states its facts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from webapp.domain import refusals as r
from webapp.domain.language import lazy
from webapp.web.words import WORDS, left, say, since, until

BASES = {r.Waiting, r.CodeRefusal}


def below(kind: type[r.Refusal]) -> Iterator[type[r.Refusal]]:
    for refusal in kind.__subclasses__():
        yield refusal
        yield from below(refusal)


EVERY = sorted(set(below(r.Refusal)) - BASES, key=lambda kind: kind.__name__)


def some(kind: type[r.Refusal]) -> r.Refusal:
    """A refusal of this kind, with a number for the fact it requires."""
    return kind() if issubclass(kind, r.CodeRefusal) or kind.__init__ is r.Refusal.__init__ else kind(90)  # type: ignore[call-arg]


@pytest.mark.parametrize("kind", EVERY)
def test_every_refusal_has_a_sentence(kind: type[r.Refusal]) -> None:
    sentence = say(some(kind))
    assert sentence.endswith(".")
    assert sentence[0].isupper()
    assert "%(" not in sentence


def test_every_sentence_in_the_table_belongs_to_a_refusal() -> None:
    assert set(WORDS) == {kind for kind in EVERY if kind.sentence is None}


def test_what_is_not_a_wrong_field_has_a_status_of_its_own() -> None:
    found: dict[int, list[str]] = {}
    ours = [kind for kind in EVERY if kind.__module__.startswith("webapp.")]  # other tests have refusals too
    for kind in ours:
        if kind.status != 422:
            found.setdefault(kind.status, []).append(kind.__name__)
    assert found == {
        403: ["LastOperator", "NotFresh", "NotThisPhone", "OtherOperator", "SignUpClosed"],
        404: ["GuardedLoginExpired", "LinkInvalid", "NotFound", "UnknownApp", "UnknownGroup"],
        413: ["FileTooLarge"],
        429: [
            *("MailLimitReached", "NetworkMailLimitReached", "TextLimitReached", "TooManyAttempts", "TooManyExports"),
            *("TooManyLogins", "TooManyLookups", "TooManyRequests", "TooManySignUps", "TooManyTemporaryPasswords"),
            "TooSoon",
        ],
        503: ["Busy", "DatabaseUnavailable"],
    }


class RefusalOfOneMethod(r.Waiting):
    """A refusal that brings its own sentence, as in the file of a method."""

    sentence = lazy("The pigeon is on its way. Send another in %(wait)s, or 100%% by hand.")


def test_a_refusal_of_one_method_has_its_sentence_with_it() -> None:
    assert say(RefusalOfOneMethod(120)) == "The pigeon is on its way. Send another in 2 minutes, or 100% by hand."


@pytest.mark.parametrize("kind", EVERY)
def test_a_refusal_is_a_4xx_or_503_and_only_waits_have_a_retry_after(kind: type[r.Refusal]) -> None:
    refusal = some(kind)
    assert kind.status in {403, 404, 413, 422, 429, 503}
    assert (refusal.wait is not None) == issubclass(kind, r.Waiting)
    assert (kind.status in {429, 503}) == issubclass(kind, r.Waiting)


def test_a_wait_is_at_least_a_second() -> None:
    assert r.TooManyAttempts(0).wait == 1
    assert r.TooManyAttempts(-5).wait == 1


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "1 second"),
        (1, "1 second"),
        (89, "89 seconds"),
        (90, "2 minutes"),
        (121, "3 minutes"),
        (89 * 60, "89 minutes"),
        (90 * 60, "2 hours"),
        (86400, "24 hours"),
    ],
)
def test_a_duration_is_rounded_up(seconds: int, said: str) -> None:
    assert (until(seconds), since(seconds), left(seconds)) == (said, said, f"{said} left")


@pytest.mark.parametrize(
    ("minutes", "said"),
    [
        (1, "Your phone's clock seems about 1 minute slow."),
        (4, "Your phone's clock seems about 4 minutes slow."),
    ],
)
def test_a_slow_clock_is_reported_in_minutes(minutes: int, said: str) -> None:
    assert said in say(r.ClockSlow(minutes=minutes))


@pytest.mark.parametrize(
    ("left", "end"),
    [
        (5, "try again."),
        (3, "try again."),
        (2, "You have 2 attempts left."),
        (1, "You have 1 attempt left."),
        (0, "try again."),
    ],
)
def test_a_warning_is_shown_from_two_attempts_left(left: int, end: str) -> None:
    assert say(r.WrongCode(left)).endswith(end)
