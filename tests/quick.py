"""A pytest plugin for `make quick`: the unit tests, and each journey once, on SQLite.

It leaves out what takes long and says so at the end. A change is done when `make test` passes.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings

HERE = Path(__file__).parent
LEFT_OUT = {
    "attacks": "attacks",
    "browser": "tests in a browser",
    "test_http_worker.py": "the server's worker process",
    "test_legacy_guide.py": "the guide's proxies",
    "test_processes.py": "processes as people start them",
}
EXAMPLES = 20
"""Of each property; `make test` tries 100."""


def pytest_configure(config: pytest.Config) -> None:
    hypothesis_settings.register_profile("quick", hypothesis_settings(max_examples=EXAMPLES, deadline=None))
    hypothesis_settings.load_profile("quick")


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    return True if collection_path.parent == HERE and collection_path.name in LEFT_OUT else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keeps the first variant of each journey, and nothing that measures time or needs a server of its own."""
    kept, left, seen = list[pytest.Item](), list[pytest.Item](), set[str]()
    for item in items:
        name = item.nodeid.partition("[")[0]
        again = item.path.parent == HERE / "journeys" and name in seen
        slow = item.get_closest_marker("no_cover") or item.get_closest_marker("skip")
        (left if again or slow else kept).append(item)
        seen.add(name)
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = kept


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    left = ", ".join(LEFT_OUT.values())
    terminalreporter.write_line(
        f"Left out: {left}; PostgreSQL and Redis; measurements of time; journeys in other layouts and variants; "
        f"all but {EXAMPLES} examples of each property; coverage. `make test` runs everything.",
        yellow=True,
    )
