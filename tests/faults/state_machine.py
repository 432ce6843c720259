"""The state machine of tests/attacks for 2,000 runs of 50 steps, each time with others."""

from __future__ import annotations

from hypothesis import settings

from tests.attacks.test_state_machine import Accounts, TestAccounts

TestManyAccounts = type("TestManyAccounts", (Accounts.TestCase,), {})
TestManyAccounts.settings = settings(
    TestAccounts.settings, max_examples=2000, stateful_step_count=50, derandomize=False
)
del TestAccounts
