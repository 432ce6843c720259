"""A pytest plugin: with NIGHTLATCH_TEST_NO_SKIPS=1, as in .ci/run, a skipped test fails the run.

At the end of every run it also names the servers that were missing.
"""

from __future__ import annotations

import os

import pytest

SERVERS = {"NIGHTLATCH_TEST_POSTGRES_URL": "PostgreSQL", "NIGHTLATCH_TEST_REDIS_URL": "Redis"}


def skipped(config: pytest.Config) -> int:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return len(reporter.stats.get("skipped", [])) if reporter else 0


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if os.environ.get("NIGHTLATCH_TEST_NO_SKIPS") == "1" and exitstatus == 0 and skipped(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for variable, server in SERVERS.items():
        if not os.environ.get(variable):
            terminalreporter.write_line(f"{server} was not tested, because {variable} is not set.", yellow=True)
    if os.environ.get("NIGHTLATCH_TEST_NO_SKIPS") == "1" and skipped(terminalreporter.config):
        terminalreporter.write_line("NIGHTLATCH_TEST_NO_SKIPS=1: a skipped test fails the run.", red=True)
