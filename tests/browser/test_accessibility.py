"""Every screen, in every layout, for people who see, hear, move or read differently (WCAG 2.2 AA and more)."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser import screens
from tests.browser.conftest import Visits
from tests.browser.live import LAYOUTS, LiveSite, Visitor
from tests.people import ANDROID, DESKTOP, TWO_FACTOR

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text()
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RUN = "tags => axe.run(document, {runOnly: {type: 'tag', values: tags}, resultTypes: ['violations']})"
EXAMINE = Path(__file__).with_name("examine.js").read_text().rstrip().rstrip(";")
both_kinds = pytest.mark.parametrize("wrong", [False, True], ids=["at rest", "with errors"])
everywhere = pytest.mark.parametrize("layout", LAYOUTS)


def by_axe(page: Page) -> list[str]:
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    found: dict[str, Any] = page.evaluate(RUN, TAGS)
    return [
        f"{violation['id']}: {node['target']} {node['html'][:120]} {node.get('failureSummary', '')}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]


@everywhere
@both_kinds
def test_axe_finds_nothing_in_light_and_dark(visit: Visits, layout: str, wrong: bool) -> None:
    visitor, faults = visit(layout), []
    page = visitor.page
    for screen in screens.walk(visitor, wrong=wrong):
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            faults += [f"{screen.name}, {scheme}: {fault}" for fault in by_axe(page)]
    assert not faults, "\n".join(faults)


@everywhere
@both_kinds
def test_what_axe_cannot_see(visit: Visits, layout: str, wrong: bool) -> None:
    visitor, faults = visit(layout), []
    facts = {"phone": layout != DESKTOP, "siteName": "Nightlatch"}
    titles: dict[str, set[str]] = {}
    for screen in screens.walk(visitor, wrong=wrong):
        faults += [f"{screen.name}: {fault}" for fault in visitor.page.evaluate(EXAMINE, facts)]
        titles.setdefault(visitor.page.title(), set()).add(screen.twin or screen.name)
    faults += [f"{sorted(names)} are all titled {title}" for title, names in titles.items() if len(names) > 1]
    assert not faults, "\n".join(faults)
