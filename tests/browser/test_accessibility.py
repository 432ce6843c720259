"""Every screen in every layout against WCAG 2.2 AA and further rules of this site."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import update

from tests.browser import screens
from tests.browser.conftest import Visits, Walks
from tests.browser.live import LAYOUTS, LiveSite
from tests.people import ANDROID, DESKTOP
from webapp.models.accounts import Account
from webapp.models.registered_apps import RegisteredApp

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text()
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RUN = """async rules => {
  const found = await axe.run(document, {runOnly: rules, resultTypes: ["violations"], selectors: false});
  return found.violations;  // to pass on all other results took a fifth of the time
}"""
RULES = {
    "light": {"type": "tag", "values": TAGS},
    "dark": {
        "type": "rule",
        "values": ["color-contrast", "link-in-text-block"],
    },  # no other rule depends on the colour scheme
}
EXAMINE = Path(__file__).with_name("examine.js").read_text().rstrip().rstrip(";")
everywhere = pytest.mark.parametrize("layout", LAYOUTS)


def found_by_axe(page: Page) -> Iterator[str]:
    page.evaluate(AXE)
    for scheme, rules in RULES.items():
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        violations: list[dict[str, Any]] = page.evaluate(RUN, rules)
        for violation in violations:
            for node in violation["nodes"]:
                what = f"{node['html'][:160]} {node.get('failureSummary', '')}"
                yield f"{scheme}, {violation['id']}: {what}"
    page.emulate_media(color_scheme="light", reduced_motion="reduce")


# -- Contrast, focus and layout ------------------------------------------------------------------------

WATCH_TAB = """controls => {
  window.visited = new Set();
  window.looks = [];
  window.hasComeRound = false;
  const shows = s => s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2
    && s.outlineColor !== "rgba(0, 0, 0, 0)";
  addEventListener("keyup", () => {  // the focus has moved, and its place has been scrolled to
    const e = document.activeElement, box = e.getBoundingClientRect();
    if (e === document.body || window.hasComeRound) return;
    window.hasComeRound = window.visited.has(e);
    if (window.hasComeRound) return;
    window.visited.add(e);
    const ring = shows(getComputedStyle(e)) || shows(getComputedStyle(e, "::after"));
    const seen = box.width > 1 && box.height > 1 && box.bottom > 0 && box.top < innerHeight && box.right > 0
      && box.left < innerWidth;
    if (!ring || !seen) window.looks.push(`no ring, or out of sight: ${e.outerHTML.slice(0, 100)}`);
  }, true);
  const seen = [...document.querySelectorAll(controls)].filter(e => e.checkVisibility({visibilityProperty: true}));
  return seen.length + 1;
}"""
NOT_REACHED = """controls => [...document.querySelectorAll(controls)]
  .filter(e => e.checkVisibility({visibilityProperty: true}) && !window.visited.has(e))
  // Tab reaches one radio button of a group, and the arrow keys the others
  .filter(e => e.type !== "radio" || ![...document.getElementsByName(e.name)].some(r => window.visited.has(r)))
  .map(e => `not reached: ${e.outerHTML.slice(0, 100)}`)"""
CONTROLS = "a[href], button, input:not([type=hidden]), select, summary"


def found_by_keyboard(page: Page) -> Iterator[str]:
    """The Tab key reaches every control, and its focus ring is visible."""
    presses = page.evaluate(WATCH_TAB, CONTROLS)
    for _ in range(30):
        for _ in range(presses):
            page.keyboard.press("Tab")
        presses = page.evaluate("window.hasComeRound ? 0 : 5")
        if presses == 0:
            break
    yield from page.evaluate("window.looks")
    yield from page.evaluate(NOT_REACHED, CONTROLS)


BORDERS = """() => {
  const clear = color => color === "rgba(0, 0, 0, 0)";
  return [...document.querySelectorAll("main :is(button, .button, input:not([type=hidden]), summary), select")]
    .filter(e => e.checkVisibility({visibilityProperty: true}) && !["checkbox", "radio"].includes(e.type))
    .filter(e => {
      const own = getComputedStyle(e), row = e.closest(".rows, details");
      const edged = s => ["Top", "Right", "Bottom", "Left"].every(side =>
        parseFloat(s[`border${side}Width`]) >= 1 && s[`border${side}Style`] !== "none"
          && !clear(s[`border${side}Color`]) && s[`border${side}Color`] !== own.backgroundColor);
      return !edged(own) && !own.textDecorationLine.includes("underline") && !(row && edged(getComputedStyle(row)));
    })
    .map(e => e.outerHTML.slice(0, 120));
}"""


MOVES = """() => [...document.querySelectorAll("*")].flatMap(e => ["", "::before", "::after"].flatMap(part => {
  const s = getComputedStyle(e, part || null);
  const long = text => text.split(",").some(t => parseFloat(t) * (t.includes("ms") ? 1 : 1000) > 10);
  const moves = s.animationName !== "none" && long(s.animationDuration) || long(s.transitionDuration);
  return moves ? [`${e.outerHTML.slice(0, 80)} ${part}`] : [];
}))"""


SPACED = """() => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`* { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important }
    p { margin-block-end: 2em !important }`);
  document.adoptedStyleSheets = [sheet];
}"""
CUT = """() => [...document.querySelectorAll("h1, h2, h3, p, a, button, input, label, li, dt, dd, summary")]
  .filter(e => e.checkVisibility() && !e.closest(".unseen, .skip"))
  .filter(e => {
    const box = e.getBoundingClientRect();
    return box.right > 321 || box.left < -1 || getComputedStyle(e).overflow !== "visible"
      && e.tagName !== "INPUT" && (e.scrollHeight > e.clientHeight + 2 || e.scrollWidth > e.clientWidth + 2);
  })
  .map(e => `cut: ${e.outerHTML.slice(0, 80)}`)
  .concat(document.documentElement.scrollWidth > 320 ? [`${document.documentElement.scrollWidth} px wide`] : [])"""


LARGE = """() => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync("html { font-size: 200% }");
  document.adoptedStyleSheets = [sheet];
}"""
LOST = """() => {
  const wide = document.documentElement.clientWidth, faults = [];
  const shown = e => e.checkVisibility() && !e.closest(".unseen, .skip, dialog:not([open]), select");
  const texts = [...document.querySelectorAll("h1, h2, h3, p, a, button, label, li, dt, dd, summary, input, select")];
  const boxes = texts.filter(shown).map(e => [e, e.getBoundingClientRect()]).filter(([, box]) => box.width > 0);
  const isBlock = e => getComputedStyle(e).display !== "inline" && !e.closest(".rows li");
  const isApart = (e, other) => e.compareDocumentPosition(other) === Node.DOCUMENT_POSITION_FOLLOWING
    && e.control !== other && isBlock(e) && isBlock(other);
  for (const [e, box] of boxes) {
    const style = getComputedStyle(e), words = e.outerHTML.slice(0, 80);
    if (box.right > wide + 1 || box.left < -1) faults.push(`beyond the edge: ${words}`);
    const cut = style.overflow !== "visible" && !["INPUT", "SELECT"].includes(e.tagName);
    if (cut && (e.scrollHeight > e.clientHeight + 2 || e.scrollWidth > e.clientWidth + 2)) faults.push(`cut: ${words}`);
    for (const [other, its] of boxes)
      if (isApart(e, other) && box.left < its.right - 2 && its.left < box.right - 2 && box.top < its.bottom - 2
          && its.top < box.bottom - 2)
        faults.push(`over each other: ${words} and ${other.outerHTML.slice(0, 80)}`);
  }
  const size = e => parseFloat(getComputedStyle(e).fontSize), h1 = document.querySelector("h1");
  for (const e of document.querySelectorAll("h2"))
    if (shown(e) && size(e) > size(h1)) faults.push(`larger than the h1: ${e.outerHTML.slice(0, 80)}`);
  const scrolled = document.documentElement.scrollWidth;
  return scrolled > wide ? [`${scrolled} px wide`, ...faults] : faults;
}"""


def found_by_us(page: Page, layout: str) -> Iterator[str]:
    """What axe cannot check: in forced colours, at 320 px (1280 px at 400 %), and with wide text spacing."""
    viewport = page.viewport_size
    assert viewport is not None
    yield from page.evaluate(EXAMINE, {"phone": layout != DESKTOP, "siteName": "Nightlatch"})
    yield from (f"it moves: {what}" for what in page.evaluate(MOVES))
    page.emulate_media(forced_colors="active", reduced_motion="reduce")
    yield from (f"forced colours leave no edge: {what}" for what in page.evaluate(BORDERS))
    page.emulate_media(forced_colors="none", reduced_motion="reduce")
    page.set_viewport_size({"width": 320, "height": 256})
    yield from (f"320 px: {what}" for what in page.evaluate(CUT))
    page.evaluate(SPACED)
    yield from (f"320 px, spaced: {what}" for what in page.evaluate(CUT))
    page.set_viewport_size(viewport)


def found_at_twice_the_text_size(page: Page) -> Iterator[str]:
    """What is lost (WCAG 2.2, 1.4.4) on the widths of 360 and 320 px."""
    viewport = page.viewport_size
    assert viewport is not None
    for width in (360, 320):
        page.set_viewport_size({"width": width, "height": 700})
        page.evaluate(LARGE)
        yield from (f"twice the text size, {width} px: {fault}" for fault in page.evaluate(LOST))
    page.set_viewport_size(viewport)


# -- Every screen, with and without errors -------------------------------------------------------------


class Titles:
    """No two screens have the same title, except screens that are one page in two states."""

    def __init__(self) -> None:
        self._screens: dict[str, set[str]] = {}

    def note(self, screen: screens.Screen, title: str) -> None:
        self._screens.setdefault(title, set()).add(screen.twin or screen.name)

    def faults(self) -> list[str]:
        return [f"{sorted(names)} are all titled {title}" for title, names in self._screens.items() if len(names) > 1]


@everywhere
def test_every_screen_is_accessible(walk: Walks, layout: str) -> None:
    stage, titles, faults = walk(layout), Titles(), []
    page = stage.visitor.page
    for screen in screens.walk(stage, twins=layout == DESKTOP):
        titles.note(screen, page.title())
        by_keyboard = [] if screen.twin else found_by_keyboard(page)
        found = [*found_by_axe(page), *by_keyboard, *found_by_us(page, layout)]
        if layout == ANDROID:
            found += found_at_twice_the_text_size(page)
        faults += [f"{screen.name}: {fault}" for fault in found]
    faults += titles.faults()
    assert not faults, "\n".join(faults)


PLANTED = """() => {
  const [reveal, primary] = document.querySelectorAll("main button");
  const sheet = new CSSStyleSheet();
  sheet.replaceSync("[data-bare]:focus-visible { outline: none !important }");
  document.adoptedStyleSheets = [sheet];
  reveal.dataset.bare = "";
  primary.tabIndex = -1;
  primary.style.color = "#777";
  primary.style.background = "#999";
}"""


def test_a_control_without_ring_contrast_or_way_to_it_is_found(visit: Visits) -> None:
    visitor = visit()
    visitor.open("/log-in")
    assert [*found_by_axe(visitor.page), *found_by_keyboard(visitor.page)] == []
    visitor.open("/log-in")
    visitor.page.evaluate(PLANTED)
    found = [fault.partition(" tabindex")[0] for fault in found_by_axe(visitor.page)]
    assert found == [f'{scheme}, color-contrast: <button class="primary"' for scheme in ("light", "dark")]
    bare, unreached = found_by_keyboard(visitor.page)
    assert bare.startswith('no ring, or out of sight: <button class="reveal"')
    assert unreached.startswith('not reached: <button class="primary"')


GAPS = """() => {
  const form = document.querySelector("main form:has(button.primary, button.danger)");
  const shown = [...form.children].filter(e => e.checkVisibility() && e.getBoundingClientRect().height > 0);
  const boxes = shown.map(e => e.getBoundingClientRect());
  const gaps = boxes.slice(1).map((box, n) => Math.round(box.top - boxes[n].bottom));
  const empty = [...document.querySelectorAll("main .error:empty")].filter(e => e.checkVisibility());
  return [...new Set(gaps).size > 1 ? [`gaps of ${gaps} px`] : [], ...empty.map(e => `space for ${e.id}`)];
}"""


@pytest.mark.parametrize("layout", [DESKTOP, ANDROID])  # an iPhone's own screens have no fields
def test_every_error_is_accessible_and_takes_no_space_before_it_exists(walk: Walks, layout: str) -> None:
    stage, titles, faults = walk(layout), Titles(), []
    page = stage.visitor.page
    for screen in [screen for screen in screens.of(layout) if screen.has_fields]:
        stage.show(screen)
        before = page.evaluate(GAPS)
        stage.send_empty()
        titles.note(screen, page.title())
        found = [*before, *page.evaluate(GAPS), *found_by_axe(page), *found_by_us(page, layout)]
        faults += [f"{screen.name}: {fault}" for fault in found]
    faults += titles.faults()
    assert not faults, "\n".join(faults)


# -- Names of any length -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["done", "change-username-waiting", "operator-app", "operator-host-proxy"])
def test_the_longest_names_fit_on_a_narrow_phone(site: LiveSite, visit: Visits, name: str) -> None:
    """In German, whose own words are long too; then at twice the text size."""
    visitor, policy = visit(ANDROID, viewport={"width": 320, "height": 640}), site.services.settings.policy
    visitor.speak("de")
    screens.Stage(visitor).show(screens.named(name))
    with site.services.db.write() as tx:
        tx.execute(update(Account).values(username="w" * policy.username_maximum))
        tx.execute(update(RegisteredApp).values(name="W" * policy.name_maximum))
    visitor.page.reload()
    faults = [*visitor.page.evaluate(CUT), *found_at_twice_the_text_size(visitor.page)]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("language", ["ar", "ta"])
def test_the_button_of_the_menu_fits_at_twice_the_text_size(visit: Visits, language: str) -> None:
    """Beside the site's name in Arabic, and as one long word in Tamil."""
    visitor = visit(ANDROID)
    visitor.speak(language)
    screens.Stage(visitor).show(screens.named("settings"))
    faults = list(found_at_twice_the_text_size(visitor.page))
    assert not faults, "\n".join(faults)


# -- Errors --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
def test_a_link_of_the_error_summary_moves_the_focus_to_its_field(visit: Visits, script: bool) -> None:
    visitor = visit(java_script_enabled=script)
    visitor.open("/sign-up")
    visitor.press("Sign up")
    visitor.sees_problem("There is a problem")
    links = visitor.page.get_by_role("alert").get_by_role("link")
    for link, label in zip(links.all(), ("Name", "Username", "Password"), strict=True):
        words = link.inner_text()
        visitor.activate(link)
        field = visitor.page.get_by_label(label, exact=True)
        expect(field).to_be_focused()
        expect(field).to_have_attribute("aria-invalid", "true")
        expect(field).to_have_accessible_description(re.compile(re.escape(words)))


def test_after_an_error_typed_text_is_kept_and_a_password_is_not(visit: Visits) -> None:
    visitor = visit()
    visitor.open("/sign-up")
    visitor.type_("Name", "Ada Lovelace")
    visitor.type_("Username", "ada lovelace")
    visitor.type_("Password", "short")
    visitor.press("Sign up")
    visitor.sees_problem("There is a problem")
    expect(visitor.page.get_by_label("Name", exact=True)).to_have_value("Ada Lovelace")
    expect(visitor.page.get_by_label("Username", exact=True)).to_have_value("ada lovelace")
    expect(visitor.page.get_by_label("Password", exact=True)).to_have_value("")


# -- Codes ---------------------------------------------------------------------------------------------

SPELLINGS = {
    "a space": lambda code: f"{code[:3]} {code[3:]}",
    "a dash, and spaces around": lambda code: f"  {code[:3]}-{code[3:]} ",
    "full-width digits": lambda code: code.translate(digits_from("０")),
    "Persian digits": lambda code: code.translate(digits_from("۰")),
    "Arabic digits": lambda code: code.translate(digits_from("٠")),
    "Devanagari digits": lambda code: code.translate(digits_from("०")),
}


def digits_from(zero: str) -> dict[int, int]:
    return {ord("0") + n: ord(zero) + n for n in range(10)}


@pytest.mark.parametrize("layout", [DESKTOP, ANDROID])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_code_can_be_pasted_in_any_spelling(site: LiveSite, visit: Visits, layout: str, spelling: str) -> None:
    visitor = visit(layout)
    visitor.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=site.url(layout).rstrip("/"))
    stage = screens.Stage(visitor)
    stage.show(screens.named("verify"))
    site.clock.pass_(30)
    pasted = SPELLINGS[spelling](site.app_code(stage.people["pending"].secret))
    visitor.page.evaluate("text => navigator.clipboard.writeText(text)", pasted)
    field = visitor.page.get_by_label("Code", exact=True)
    visitor.tab_to(field)
    visitor.page.keyboard.press("ControlOrMeta+v")
    expect(field).to_have_value(pasted)  # pasted completely, and not sent by itself
    visitor.press("Verify")
    visitor.arrives("Welcome, Ada Lovelace")


def test_a_wrong_code_is_selected_so_that_typing_replaces_it(visit: Visits) -> None:
    visitor = visit()
    screens.Stage(visitor).show(screens.named("verify"))
    visitor.type_("Code", "000000")
    visitor.press("Verify")
    visitor.sees_problem("Wrong code.")
    field = visitor.page.get_by_label("Code", exact=True)
    visitor.tab_to(field)
    visitor.page.keyboard.type("123456")
    expect(field).to_have_value("123456")


@everywhere
def test_a_password_is_shown_only_when_asked_and_hidden_when_sent(visit: Visits, layout: str) -> None:
    visitor = visit(layout)
    visitor.open("/log-in")
    field = visitor.page.get_by_label("Password", exact=True)
    visitor.type_("Password", "something secret")
    visitor.press("Show password")
    expect(field).to_have_attribute("type", "text")
    expect(visitor.button("Show password")).to_have_attribute("aria-pressed", "true")
    visitor.page.keyboard.press("Space")
    expect(field).to_have_attribute("type", "password")


# -- Menus, notices, the other layout and printing -----------------------------------------------------


@pytest.mark.parametrize("layout", [ANDROID, "iphone"])
def test_the_drawer_traps_the_focus_and_returns_it(visit: Visits, layout: str) -> None:
    visitor = visit(layout)
    screens.Stage(visitor).show(screens.named("home"))
    page, opener = visitor.page, visitor.button("Profile")
    visitor.activate(opener)
    drawer = page.get_by_role("dialog", name="Profile")
    expect(drawer).to_be_visible()
    for _ in range(8):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement === document.body || !!document.activeElement.closest('dialog')")
    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()
    expect(opener).to_be_focused()
    expect(opener).to_have_attribute("aria-expanded", "false")


def test_more_opens_the_settings_menu_and_escape_closes_it(visit: Visits) -> None:
    visitor = visit()
    screens.Stage(visitor).show(screens.named("home"))
    more = visitor.button("More")
    settings = visitor.page.get_by_role("link", name="Settings and privacy")
    expect(settings).to_be_hidden()
    visitor.activate(more)
    expect(settings).to_be_visible()
    expect(more).to_have_attribute("aria-expanded", "true")
    visitor.page.keyboard.press("Tab")
    expect(settings).to_be_focused()
    visitor.page.keyboard.press("Escape")
    expect(settings).to_be_hidden()
    expect(more).to_be_focused()


@everywhere
@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
def test_the_cookie_notice_covers_nothing_and_stays_dismissed(visit: Visits, layout: str, script: bool) -> None:
    visitor = visit(layout, java_script_enabled=script)
    visitor.open("/sign-up")
    notice = visitor.page.get_by_role("region", name="Cookie notice")
    expect(notice).to_be_visible()
    assert notice.evaluate("e => getComputedStyle(e).position") in ("static", "relative")
    visitor.press("OK")
    expect(notice).to_have_count(0)
    assert visitor.page.url.endswith("/sign-up")
    visitor.open("/log-in")
    expect(notice).to_have_count(0)


def test_a_phone_is_redirected_to_the_mobile_layout_unless_it_chose_the_other(site: LiveSite, visit: Visits) -> None:
    visitor = visit(ANDROID)
    page = visitor.page
    page.goto(site.url(DESKTOP, "/sign-up"))
    assert page.url == site.url(ANDROID, "/sign-up")
    visitor.follow("Desktop site")
    page.wait_for_url(site.url(DESKTOP, "/sign-up"))
    page.goto(site.url(DESKTOP, "/log-in"))
    assert page.url == site.url(DESKTOP, "/log-in")
    visitor.follow("Mobile site")
    page.wait_for_url(site.url(ANDROID, "/log-in"))
    page.goto(site.url(DESKTOP, "/log-in"))
    assert page.url == site.url(ANDROID, "/log-in")


@everywhere
def test_only_the_backup_code_card_is_printed(visit: Visits, layout: str) -> None:
    visitor = visit(layout)
    screens.Stage(visitor).show(screens.named("done"))
    visitor.page.emulate_media(media="print")
    printed = " ".join(visitor.page.locator("body").inner_text().split())
    card = visitor.page.get_by_role("region", name="Backup code")
    assert printed == " ".join(card.inner_text().split())
    for words in ("ada1", "Nightlatch", "Backup code"):
        assert words in printed
    expect(visitor.button("Print")).to_be_hidden()


def test_a_first_visit_loads_few_bytes(site: LiveSite, visit: Visits) -> None:
    for layout in LAYOUTS:
        visitor = visit(layout)
        sizes: list[int] = []
        wire = visitor.context.new_cdp_session(visitor.page)
        wire.send("Network.enable")
        wire.on("Network.loadingFinished", lambda event, sizes=sizes: sizes.append(event["encodedDataLength"]))
        visitor.page.goto(site.url(layout, "/log-in"), wait_until="networkidle")
        assert len(visitor.watch.statuses) <= 5, visitor.watch.statuses
        assert sum(sizes) <= 20 * 1024, f"{sum(sizes)} bytes over the wire in {layout}"


def test_a_receipt_appears_in_the_existing_status_region(visit: Visits) -> None:
    visitor = visit()
    stage = screens.Stage(visitor)
    stage.show(screens.named("turned-off"))
    visitor.page.evaluate("window.region = document.querySelector('[role=status]')")
    visitor.press("Turn back on")
    visitor.receipt("Authentication app is back on.")
    assert visitor.page.evaluate("window.region === document.querySelector('[role=status]')")
