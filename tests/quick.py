"""A pytest plugin for `make quick`: the unit tests, and each journey once, on SQLite.

It leaves slow tests out and names them at the end. A change is complete when `make test` passes.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings

HERE = Path(__file__).parent
LEFT_OUT = {
    "attacks": "attacks",
    "browser": "tests in a browser",
    "openid": "the plans of the OpenID Foundation",
    "adapters/test_smtp.py": "mail servers",
    "adapters/test_vonage.py": "text message gateways",
    "adapters/test_web_push.py": "push services",
    "test_architecture.py": "what `make check` runs",
    "test_catalogues.py": "what `make check` runs",
    "test_docs.py": "what `make check` runs",
    "test_prose.py": "what `make check` runs",
    "test_secrets.py": "what `make check` runs",
    "test_translations.py": "what `make check` runs",
    "test_deploy.py": "server processes",
    "test_legacy_guide.py": "server processes",
    "test_processes.py": "server processes",
    "proxies": "server processes",
    "test_guard_guide.py": "server processes",
    "test_server.py": "server processes",
    "test_metrics_of_processes.py": "server processes",
    "test_overload.py": "server processes",
    "test_systemd.py": "server processes",
    "test_containers.py": "server processes",
    "upgrade": "the upgrade from the version before",
}
EXAMPLES = 20
"""Examples of each property; `make test` runs 100."""


def pytest_configure(config: pytest.Config) -> None:
    assert all((HERE / name).exists() for name in LEFT_OUT)
    hypothesis_settings.register_profile("quick", hypothesis_settings(max_examples=EXAMPLES, deadline=None))
    hypothesis_settings.load_profile("quick")


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    is_left_out = collection_path.is_relative_to(HERE) and collection_path.relative_to(HERE).as_posix() in LEFT_OUT
    return True if is_left_out else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keeps the first variant of each journey, and no test that measures time or needs a server of its own."""
    kept, left, seen = list[pytest.Item](), list[pytest.Item](), set[str]()
    for item in items:
        name = item.nodeid.partition("[")[0]
        is_journey = item.path.parent == HERE / "journeys" or item.path == HERE / "toys" / "test_walk.py"
        again = is_journey and name in seen
        slow = item.get_closest_marker("no_cover") or item.get_closest_marker("skip")
        (left if again or slow else kept).append(item)
        seen.add(name)
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = kept


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    left = ", ".join(dict.fromkeys(LEFT_OUT.values()))
    terminalreporter.write_line(
        f"Left out: {left}; PostgreSQL and Redis; measurements of time; journeys in other layouts and variants; "
        f"all but {EXAMPLES} examples of each property. `make test` runs everything.",
        yellow=True,
    )
