"""The numbers of the policy that an operator can change, and their bounds."""

from __future__ import annotations

import re

import pytest

from webapp.policy import BOUNDS, PREFIX, Policy


def test_without_settings_the_policy_has_its_defaults() -> None:
    policy = Policy.from_environment({"PATH": "/bin"})
    assert policy == Policy()
    assert (policy.password_minimum, policy.password_maximum, policy.password_maximum_bytes) == (15, 256, 1024)
    assert (policy.argon2_memory_kib, policy.argon2_passes, policy.hashes_at_once) == (19456, 2, 4)
    assert (policy.session_idle, policy.session_total) == (3600, 86400)
    assert (policy.kept_session_idle, policy.kept_session_total) == (7 * 86400, 30 * 86400)
    assert (policy.pending_login_seconds, policy.fresh, policy.draft_seconds) == (600, 600, 1800)
    assert [(w.most, w.seconds) for w in policy.second_factor_attempts] == [(5, 300), (20, 3600), (50, 86400)]
    assert (policy.second_factor_failures_in_a_row, policy.challenge_attempts) == (100, 5)
    assert policy.totp_secret_bytes * 8 == 160


@pytest.mark.parametrize("name", sorted(BOUNDS))
def test_a_setting_is_accepted_at_its_bounds_and_refused_beyond_them(name: str) -> None:
    least, most = BOUNDS[name]
    variable = PREFIX + name.upper()
    assert getattr(Policy.from_environment({variable: str(least)}), name) == least
    assert getattr(Policy.from_environment({variable: str(most)}), name) == most
    for beyond in (least - 1, most + 1):
        with pytest.raises(ValueError, match=re.escape(f"{variable} must be a whole number from {least} to {most}")):
            Policy.from_environment({variable: str(beyond)})


@pytest.mark.parametrize(("text", "minimum"), [("", 15), (" ", 15), (" 20 ", 20)])
def test_spaces_around_a_value_count_for_nothing_and_a_blank_one_is_not_set(text: str, minimum: int) -> None:
    assert Policy.from_environment({"NIGHTLATCH_POLICY_PASSWORD_MINIMUM": text}).password_minimum == minimum


@pytest.mark.parametrize("text", ["fifteen", "15.5", "+15", "²", "1e1", "1 5"])
def test_a_value_that_is_not_a_whole_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"NIGHTLATCH_POLICY_PASSWORD_MINIMUM must be a whole number from 8 to 64"):
        Policy.from_environment({"NIGHTLATCH_POLICY_PASSWORD_MINIMUM": text})


@pytest.mark.parametrize("name", ["FRESH", "SECOND_FACTOR_RUN", "PASWORD_MINIMUM"])
def test_an_unknown_or_fixed_setting_is_refused_with_a_list_of_the_known_ones(name: str) -> None:
    with pytest.raises(ValueError, match=f"NIGHTLATCH_POLICY_{name} is not a setting") as error:
        Policy.from_environment({f"NIGHTLATCH_POLICY_{name}": "1"})
    for known in BOUNDS:
        assert f"NIGHTLATCH_POLICY_{known.upper()}" in str(error.value)
