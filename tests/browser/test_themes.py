"""The theme of an account against that of the device, as it is drawn."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visits
from tests.browser.live import LiveSite
from tests.browser.test_journeys import everywhere

INK = {"light": "rgb(18, 25, 26)", "dark": "rgb(233, 240, 239)"}
DRAWN = "() => (({ color, colorScheme }) => [color, colorScheme])(getComputedStyle(document.documentElement))"


@everywhere
@pytest.mark.parametrize("device", ["light", "dark"])
def test_the_chosen_theme_is_drawn_whatever_the_device_prefers(
    site: LiveSite, visit: Visits, layout: str, device: str
) -> None:
    visitor, person = visit(layout), site.person("ada", layout=layout)
    person.sign_up()
    visitor.become(person)
    visitor.page.emulate_media(color_scheme=device)
    visitor.open("/settings/display")
    drawn = visitor.page.locator("html")
    assert visitor.page.evaluate(DRAWN) == [INK[device], "light dark"]
    for label in ("Light", "Dark"):
        visitor.page.get_by_role("group", name="Theme").get_by_label(label, exact=True).check()
        visitor.page.get_by_role("button", name="Save", exact=True).click()
        visitor.page.locator("#status .receipt").wait_for()
        expect(drawn).to_have_css("color-scheme", label.lower())  # the receipt may be that of the theme before
        expect(drawn).to_have_css("color", INK[label.lower()])
    visitor.page.emulate_media(media="print", color_scheme=device)
    assert visitor.page.evaluate(DRAWN) == [INK["light"], "light"]
