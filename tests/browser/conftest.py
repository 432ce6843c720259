"""Fixtures of the browser tests: a live site, and visitors to it in every layout."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright
from sqlalchemy import delete

from tests.browser.live import LiveSite, Visitor, live_site, start_browser
from tests.browser.screens import Stage
from tests.people import ANDROID, DESKTOP
from webapp.models.sessions import Attempt

expect.set_options(timeout=10_000)
Visits = Callable[..., Visitor]
Walks = Callable[..., Stage]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All walks in one layout run in one process, so that the users of its screens are made once."""
    for item in items:
        if "walk" in getattr(item, "fixturenames", ()):
            params = getattr(getattr(item, "callspec", None), "params", {})
            item.add_marker(pytest.mark.xdist_group(f"walks, {params.get('layout', ANDROID)}"))


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Ends with the last test of this folder: Playwright switches greenlets, which line counting cannot follow."""
    with sync_playwright() as playwright:
        started = start_browser(playwright)
        yield started
        started.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[LiveSite]:
    with live_site(tmp_path) as made:
        yield made


@pytest.fixture(scope="package")
def kept_stages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Browser, str, dict[str, Any]], Stage]]:
    """A site with the users of all screens for each layout: to make them takes longer than to show them."""
    kept: dict[str, Stage] = {}
    with ExitStack() as sites:

        def stage(browser: Browser, layout: str, options: dict[str, Any]) -> Stage:
            if layout in kept:
                site = kept[layout].visitor.site
                with site.services.db.write() as tx:
                    spent = Attempt.bucket.startswith("text-")  # by the users of some screens
                    tx.execute(delete(Attempt).where(~spent))  # the limits of a network are not for many walks
                kept[layout].visitor = Visitor(browser, site, layout, **options)
            else:
                site = sites.enter_context(live_site(tmp_path_factory.mktemp(layout)))
                kept[layout] = Stage(Visitor(browser, site, layout, **options))
            return kept[layout]

        yield stage


@pytest.fixture
def walk(browser: Browser, kept_stages: Callable[[Browser, str, dict[str, Any]], Stage]) -> Iterator[Walks]:
    """A stage for a walk through the screens, with a new browser: `walk(ANDROID, viewport=...)`. The tests share its
    users, so a test that changes one must make its own."""
    visitors: list[Visitor] = []

    def arrive(layout: str, **options: Any) -> Stage:
        stage = kept_stages(browser, layout, options)
        visitors.append(stage.visitor)
        return stage

    yield arrive
    for visitor in visitors:
        visitor.close()


@pytest.fixture
def visit(browser: Browser, site: LiveSite) -> Iterator[Visits]:
    """A user in a new browser: `visit()`, `visit(IPHONE, java_script_enabled=False)`, `visit(color_scheme="dark")`.

    When the test ends, no page may have logged an error, failed to load, or loaded anything from another site.
    """
    visitors: list[Visitor] = []

    def arrive(layout: str = DESKTOP, **options: Any) -> Visitor:
        visitors.append(Visitor(browser, site, layout, **options))
        return visitors[-1]

    yield arrive
    for visitor in visitors:
        visitor.leave()
    for visitor in visitors:
        visitor.watch.check()
