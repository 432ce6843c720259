"""`make screenshots`: every screen in both layouts, light, dark and right to left, as sheets in docs/screens."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import Browser, sync_playwright

from tests.browser import screens
from tests.browser.live import LiveSite, Visitor, live_site, start_browser
from tests.people import ANDROID, DESKTOP
from tests.pseudo import RIGHT_TO_LEFT

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "screens"
VIEWS = {DESKTOP: (1280, 900), ANDROID: (360, 820)}
TILES = {DESKTOP: (5, 384), ANDROID: (9, 216)}
"""The number of columns and the width of each."""
NAMES = {DESKTOP: "desktop", ANDROID: "mobile"}
GAP, LABEL, COLOURS = 16, 20, 64
SAMPLE = {
    *("log-in", "sign-up", "verify", "home", "settings", "methods-on", "link", "done", "turn-off"),
    *("text-phone", "text-code"),
}
SKIPPED = ("outbox", "text-password-stopped")
Picture = tuple[str, Image.Image]


def pictures(browser: Browser, layout: str, scheme: str, language: str | None = None) -> list[Picture]:
    """The first window of each screen by name; in another language a sample of them."""
    width, height = VIEWS[layout]
    with TemporaryDirectory() as folder, live_site(Path(folder)) as site:
        options = {"viewport": {"width": width, "height": height}, "color_scheme": scheme}
        visitor = Visitor(browser, site, layout, device_scale_factor=1, **options)
        if language:
            visitor.speak(language)
        taken = [
            (screen.name, picture(visitor))
            for screen in screens.walk(screens.Stage(visitor))
            if screen.name not in SKIPPED and (language is None or screen.name in SAMPLE)
        ]
        visitor.close()
    return taken


def picture(visitor: Visitor) -> Image.Image:
    return Image.open(BytesIO(visitor.page.screenshot())).convert("RGB")


def sheet(taken: list[Picture], layout: str, dark: bool) -> Image.Image:
    columns, wide = TILES[layout]
    high = wide * VIEWS[layout][1] // VIEWS[layout][0]
    rows = -(-len(taken) // columns)
    ground, ink = ("#000000", "#cccccc") if dark else ("#c9d1d1", "#12191a")
    size = GAP + columns * (wide + GAP), GAP + rows * (high + LABEL + GAP)
    whole, font = Image.new("RGB", size, ground), ImageFont.load_default(13)
    pen = ImageDraw.Draw(whole)
    for place, (name, image) in enumerate(taken):
        left = GAP + place % columns * (wide + GAP)
        top = GAP + place // columns * (high + LABEL + GAP)
        pen.text((left, top), name, ink, font)
        whole.paste(image.resize((wide, high), Image.Resampling.LANCZOS), (left, top + LABEL))
    return whole


def save(image: Image.Image, name: str) -> None:
    """With a small palette that includes rare colours, so that a red button does not turn brown.

    Without k-means, the ground of all pages would be the mean of a range of colours, and beige.
    """
    small = image.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, kmeans=1, dither=Image.Dither.NONE)
    small.save(FOLDER / f"{name}.png", optimize=True)


def log_in(browser: Browser) -> Image.Image:
    """The log-in page for the README."""
    with TemporaryDirectory() as folder, live_site(Path(folder)) as site:
        visitor = Visitor(browser, site, viewport={"width": 1000, "height": 680}, device_scale_factor=2)
        _without_notice(visitor, site)
        visitor.open("/log-in")
        shown = picture(visitor)
        visitor.close()
    return shown


def _without_notice(visitor: Visitor, site: LiveSite) -> None:
    visitor.context.add_cookies([{"name": "cookies-seen", "value": "1", "url": site.url(visitor.layout)}])


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = start_browser(playwright)
        for layout, name in NAMES.items():
            save(sheet(pictures(browser, layout, "light"), layout, False), name)
            save(sheet(pictures(browser, layout, "dark"), layout, True), f"{name}-dark")
            flipped = pictures(browser, layout, "light", RIGHT_TO_LEFT.code)
            save(sheet(flipped, layout, False), f"{name}-right-to-left")
        save(log_in(browser), "log-in")
        browser.close()


if __name__ == "__main__":
    main()
