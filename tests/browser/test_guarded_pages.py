"""The pages of Nightlatch at a guarded host, in a browser: they load their style sheet alone, and all is in reach."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.live import LiveSite
from tests.browser.test_accessibility import LARGE, LOST, found_by_axe, found_by_keyboard
from tests.guarded_host import GuardedHost

PATHS = ("log-out", "forbidden", "start?id=x", "back?code=%ff")


@pytest.fixture
def wiki(site: LiveSite) -> GuardedHost:
    """Its pages are asked for at the site's port, as its proxy would pass them on."""
    return GuardedHost(site, f"wiki.localhost:{site.host.partition(':')[2]}", "The wiki of the meteorologists")


def pages(page: Page, wiki: GuardedHost) -> Iterator[str]:
    """Shows each page in turn."""
    for path in PATHS:
        page.goto(f"{wiki.url}/.nightlatch/{path}")
        yield path
    page.goto(f"{wiki.url}/.nightlatch/log-out")
    page.locator("main button").press("Enter")
    expect(page.locator("main form")).to_have_count(0)
    yield "logged out"


@pytest.mark.parametrize("locale", ["en-GB", "ar"])
def test_the_pages_at_a_guarded_host(browser: Browser, wiki: GuardedHost, locale: str) -> None:
    context = browser.new_context(locale=locale, viewport={"width": 360, "height": 700}, reduced_motion="reduce")
    page, faults, loaded = context.new_page(), list[str](), set[str]()
    page.on("console", lambda message: faults.append(message.text) if "status of 4" not in message.text else None)
    page.on("request", lambda request: loaded.add(request.url.partition("?")[0]))
    for name in pages(page, wiki):
        found = [*found_by_axe(page), *found_by_keyboard(page)]
        assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(244, 246, 246)"
        page.evaluate(LARGE)
        faults += [f"{name}: {fault}" for fault in (*found, *page.evaluate(LOST))]
    context.close()
    assert faults == []
    shown = {f"{wiki.url}/.nightlatch/{path.partition('?')[0]}" for path in PATHS}
    assert loaded == {*shown, f"{wiki.url}/.nightlatch/style.css"}
