"""Display: the theme of the pages belongs to the account, and the server writes it, so no script can be late."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.conftest import Site
from tests.people import ANDROID, Owner, Page
from webapp.settings import ROOT

DISPLAY = "/settings/display"


def theme(page: Page) -> str | None:
    found: Any = page.soup.find("html").get("data-theme")
    return found


def colors(page: Page) -> list[tuple[str, str | None]]:
    return [(str(m["content"]), m.get("media")) for m in page.soup.find_all("meta", attrs={"name": "theme-color"})]


@pytest.fixture
def settled(ada: Owner) -> Owner:
    ada.sign_up()
    ada.htmx = False
    return ada


def test_pages_follow_the_device_until_a_theme_is_chosen(settled: Owner) -> None:
    page = settled.open(DISPLAY)
    assert theme(page) is None
    assert page.soup.find("meta", attrs={"name": "color-scheme"})["content"] == "light dark"
    assert [media for _, media in colors(page)] == ["(prefers-color-scheme: light)", "(prefers-color-scheme: dark)"]
    assert page.field("System").has_attr("checked")
    assert page.soup.find("legend").get_text(strip=True) == "Theme"


@pytest.mark.parametrize(("choice", "label", "bar"), [("dark", "Dark", "#0E1415"), ("light", "Light", "#F4F6F6")])
def test_the_chosen_theme_is_on_every_page_and_kept(settled: Owner, choice: str, label: str, bar: str) -> None:
    settled.open(DISPLAY)
    page = settled.press("Save", theme=choice)
    assert (page.path, page.receipts) == (DISPLAY, ["Theme saved."])
    assert page.field(label).has_attr("checked")
    for path in (DISPLAY, "/", "/about", "/no/such/page"):
        page = settled.open(path)
        assert theme(page) == choice
        assert page.soup.find("meta", attrs={"name": "color-scheme"})["content"] == choice
        assert colors(page) == [(bar, None)]
    settled.open(DISPLAY)
    assert theme(settled.press("Save", theme="system")) is None


def test_htmx_loads_the_whole_page_after_a_change(settled: Owner) -> None:
    """A fragment has no <html>, so the old theme would stay."""
    settled.htmx = True
    settled.open(DISPLAY)
    page = settled.send("POST", DISPLAY, follow=False, data={"csrf_token": settled.token(), "theme": "dark"})
    assert page.response.headers["HX-Redirect"] == DISPLAY


def test_another_browser_of_the_account_has_the_theme_from_the_second_factor_on(site: Site) -> None:
    ada = Owner.signed_up(site)
    ada.turn_on_app()
    ada.open(DISPLAY)
    ada.press("Save", theme="dark")
    phone = ada.other_browser(layout=ANDROID)
    assert theme(phone.open("/log-in")) is None
    page = phone.log_in()
    assert (page.path, theme(page)) == ("/log-in/verify", "dark")
    page = phone.press("Verify", code=phone.next_code())
    assert (page.h1, theme(page)) == ("Welcome, Ada Lovelace", "dark")
    assert theme(phone.log_out()) is None


@pytest.mark.parametrize("wrong", ["", "sepia", 'dark" onload="x'])
def test_anything_else_is_an_error_and_changes_nothing(settled: Owner, wrong: str) -> None:
    settled.open(DISPLAY)
    page = settled.press("Save", theme=wrong)
    assert page.status == 422
    assert len(page.problems) == 1
    assert theme(settled.open("/")) is None


def test_each_color_is_written_once_for_both_themes() -> None:
    text = (ROOT / "static/css/tokens.css").read_text()
    assert "@media" not in text
    names = re.findall(r"(--[a-z-]+):", text)
    assert len(names) == len(set(names))
    colors = [line for line in text.splitlines() if re.search(r"--.*(#|rgb)", line)]
    assert len(colors) > 10
    assert all(re.search(r": light-dark\(.+, .+\);$", line) for line in colors), colors
