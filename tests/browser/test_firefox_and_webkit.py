"""Sign-up, each method, login and turning off in Firefox and in WebKitGTK, in both layouts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import zxingcpp
from PIL import Image

from tests.browser.live import LiveSite
from tests.browser.test_journeys import CODE, HOME, OVERVIEW_BUTTON, enter_code, log_out, open_settings, sign_up
from tests.browser.test_login_requests import WAITING, approve, begin
from tests.browser.test_security_key import KEYS, TOUCH
from tests.browser.test_security_key import NAME as NAMING
from tests.browser.test_text_message import FIRST, enter_text
from tests.browser.test_text_message import OVERVIEW_BUTTON as TEXT_BUTTON
from tests.browser.webdriver import CommandFailed, Driver, Firefox, WebKit
from tests.people import AGENTS, ANDROID, DESKTOP, IPHONE, PASSWORD, TWO_FACTOR, Owner, Page

WAIT = 30
REQUEST = "Login request to your phone"
AGENT = {
    ANDROID: "Mozilla/5.0 (Android 15; Mobile; rv:153.0) Gecko/153.0 Firefox/153.0",
    IPHONE: AGENTS[IPHONE],
}
WIDTHS = {DESKTOP: 1280, ANDROID: 390, IPHONE: 390}
SELECTORS = {"button": "button", "link": "a[href]", "checkbox": "[role=checkbox], input[type=checkbox]"}
FIND = """(selector, name) => {
  const tidy = (text) => text.replace(/\\s+/g, " ").trim();
  const named = (e) => tidy(e.ariaLabel || [...e.labels ?? []].map((l) => l.innerText).join(" ") || e.innerText);
  const shown = [...document.querySelectorAll(selector)].filter((e) => e.getClientRects().length);
  const found = shown.find((e) => named(e) === name);
  if (!found) return { problem: `there is none; there are ${shown.map(named).join(", ")}` };
  found.scrollIntoView({ block: "center", behavior: "instant" });
  const { left, top, width, height } = found.getClientRects()[0];
  const [x, y] = [left + width / 2, top + height / 2];
  const hit = document.elementFromPoint(x, y);
  window.wasHere = true;
  if (!found.contains(hit)) return { problem: `it is covered by ${hit?.outerHTML.slice(0, 200)}` };
  return { x, y, checked: found.ariaChecked === "true" };
}"""

IS_SETTLED = """() => window.wasHere
  ? document.activeElement.matches("main h1, main [role=alert]") : document.readyState === 'complete'"""


class User:
    """Uses the pointer where a `Visitor` uses the keyboard, and has its methods that the walks of other files call."""

    has_script = True

    def __init__(self, driver: Driver, site: LiveSite, layout: str) -> None:
        self.driver = driver
        self.site = site
        self.layout = layout

    def open(self, path: str) -> None:
        self.driver.ask("url", url=self.site.url(self.layout, path))

    def press(self, name: str, key: str = "", role: str = "button") -> None:
        self.point_at(SELECTORS[role], name)

    def follow(self, name: str) -> None:
        self.press(name, role="link")

    def type_(self, label: str, text: str) -> None:
        self.point_at("input", label)
        self.driver.type_(text)
        assert self.driver.run("() => document.activeElement.value") == text

    def point_at(self, selector: str, name: str) -> None:
        """Presses in the middle of what has this name, once it rests there and nothing covers it."""

        def pressable() -> bool:
            before = at.copy()
            at.update({"x": None}, **self.driver.run(FIND, selector, name) or {})
            return at["x"] is not None and at == before

        at: dict[str, Any] = {"x": None}
        self.until(pressable, lambda: f"{selector} {name!r}: {at.get('problem')}")
        self.driver.press_at(at["x"], at["y"])

    def arrives(self, h1: str) -> None:
        """Waits for the page; after a swap the heading has the focus."""
        self.until(lambda: self.text("h1") == h1, lambda: f"the heading is {self.text('h1')!r} and not {h1!r}")
        self.until(lambda: bool(self.driver.run(IS_SETTLED)), lambda: "the heading has not the focus")

    def receipt(self, words: str) -> None:
        self.until(lambda: words in self.text("[role=status]"), lambda: f"{self.text('[role=status]')!r}")

    def text(self, selector: str) -> str:
        return str(self.driver.run("s => document.querySelector(s)?.innerText ?? ''", selector)).strip()

    def offers(self, name: str, role: str = "button") -> bool:
        problem = self.driver.run(FIND, SELECTORS[role], name).get("problem", "")
        return not problem.startswith("there is none")

    def is_on(self, method: str) -> bool:
        return bool(self.driver.run(FIND, SELECTORS["checkbox"], method)["checked"])

    def codes(self) -> list[str]:
        """What a camera reads from the QR codes in the window."""
        return [code.text for code in zxingcpp.read_barcodes(Image.open(BytesIO(self.driver.picture())))]

    def until(self, is_so: Callable[[], bool], problem: Callable[[], str]) -> None:
        ends = time.monotonic() + WAIT
        while True:
            try:
                if is_so():
                    return
            except CommandFailed:  # the page is being replaced
                if time.monotonic() > ends:
                    raise
            if time.monotonic() > ends:
                at = self.driver.run("() => location.href")
                raise AssertionError(f"{problem()} on {at}, which says: {self.text('body')}")
            time.sleep(0.05)


@pytest.fixture
def user(request: pytest.FixtureRequest, tmp_path: Path, site: LiveSite) -> Iterator[User]:
    browser, layout = request.param
    if not browser.is_installed():
        pytest.skip(f"{browser.__name__} is not installed; on Debian: apt-get install {browser.packages}")
    folder = tmp_path / "browser"
    folder.mkdir()
    driver = browser(folder, WIDTHS[layout], AGENT.get(layout))
    try:
        yield User(driver, site, layout)
    finally:
        driver.close()


# -- What the user does --------------------------------------------------------------------------------


def log_in(ada: User) -> None:
    ada.open("/log-in")
    ada.arrives("Log in")
    ada.type_("Username", "ada")
    ada.type_("Password", PASSWORD)
    ada.press("Log in")


def choose(ada: User, method: str, h1: str) -> None:
    ada.follow("Choose a different two-factor authentication method")
    ada.arrives("Choose how to verify")
    ada.press(method)
    ada.arrives(h1)


def choose_on(other: Owner, method: str) -> Page:
    """The same on a device that is not a browser of this test."""
    other.open("/log-in/methods")
    return other.press(method)


def turn_on_app(ada: User) -> tuple[str, str]:
    """Returns the setup key and the backup code."""
    ada.press("Authentication app", role="checkbox")
    ada.arrives("Authentication app")
    ada.press(OVERVIEW_BUTTON[ada.layout])
    ada.arrives("Link your authentication app")
    secret = "".join(ada.text(".setup-key .secret").split())
    if ada.layout == DESKTOP:
        ada.until(lambda: f"secret={secret}" in "".join(ada.codes()), lambda: f"a camera reads {ada.codes()}")
    ada.press("Copy setup key")
    ada.receipt("Setup key copied")
    ada.press("Next")
    ada.arrives("Enter the code from your app")
    enter_code(ada, secret)
    ada.arrives("You're all set")
    backup_code = ada.text("#backup-code")
    ada.press("Got it")
    ada.arrives("Two-factor authentication")
    return secret, backup_code


def turn_on_text(ada: User) -> None:
    ada.press("Text message", role="checkbox")
    ada.arrives("Text message")
    ada.press(TEXT_BUTTON[ada.layout])
    ada.arrives("Enter your password")
    ada.type_("Password", PASSWORD)
    ada.press("Verify")
    ada.arrives("Add your phone number")
    ada.type_("Phone number", FIRST)
    ada.press("Next")
    ada.arrives("Check your phone")
    enter_text(ada, FIRST, "Confirmation code")
    ada.arrives("Two-factor authentication")


def turn_on_passkey(ada: User) -> None:
    """With a virtual authenticator of the browser, as in a computer or a phone."""
    verifying = {"hasResidentKey": True, "hasUserVerification": True, "isUserConsenting": True, "isUserVerified": True}
    ada.driver.ask("authenticator", protocol="ctap2", transport="internal", **verifying)
    ada.follow("Security key")
    ada.arrives("Security key")
    ada.press("Start")
    ada.arrives(TOUCH)
    ada.press("Use security key")
    ada.arrives(NAMING)
    ada.type_("Key name", "Blue key")
    ada.press("Save")
    ada.arrives(KEYS)
    ada.open(TWO_FACTOR)


def learns_that_it_has_no_keys(ada: User) -> None:
    ada.follow("Security key")
    ada.arrives("Security key")
    assert "This browser can't use security keys." in ada.text("main")
    ada.follow("Choose another method")
    ada.arrives("Two-factor authentication")


def turn_off(ada: User, method: str) -> None:
    ada.press(method, role="checkbox")
    if ada.layout != DESKTOP:
        ada.until(lambda: ada.text("h1").startswith("Turn off"), lambda: f"the heading is {ada.text('h1')}")
        ada.press("Turn off")
    if ada.layout == IPHONE:
        ada.until(lambda: "Tap Turn off again to confirm." in ada.text("main"), lambda: "nothing asks again")
        ada.press("Turn off")
    ada.arrives("Two-factor authentication")
    ada.receipt(f"{method} is now off.")
    assert not ada.is_on(method)


# -- The walk ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "user",
    [(Firefox, DESKTOP), (Firefox, ANDROID), (WebKit, DESKTOP), (WebKit, IPHONE)],
    ids=["firefox-desktop", "firefox-phone", "webkit-desktop", "webkit-phone"],
    indirect=True,
)
def test_from_sign_up_to_turning_off(site: LiveSite, user: User) -> None:
    user.open("/log-in")
    has_keys = user.driver.run("() => 'PublicKeyCredential' in window")
    assert user.offers("Log in with a passkey") == has_keys
    sign_up(user)
    open_settings(user)
    user.open(TWO_FACTOR)
    secret, backup_code = turn_on_app(user)
    turn_on_text(user)
    if has_keys:
        turn_on_passkey(user)
    else:
        learns_that_it_has_no_keys(user)
    if user.layout != DESKTOP:
        begin(user)
        user.press("Not now")
        user.arrives("Two-factor authentication")
    log_out(user)

    if has_keys:
        user.press("Log in with a passkey")
        user.arrives(HOME)
        log_out(user)

    log_in(user)
    choose(user, "Authentication app", CODE)
    site.clock.pass_(60)
    enter_code(user, secret)
    user.arrives(HOME)
    log_out(user)

    log_in(user)
    choose(user, "Text message to ...67", CODE)
    enter_text(user, FIRST)
    user.arrives(HOME)
    log_out(user)

    log_in(user)
    user.follow("Use a backup code")
    user.arrives("Use a backup code")
    user.type_("Backup code", backup_code)
    user.press("Verify")
    user.arrives("Save your new backup code")
    user.press("Got it")
    user.arrives(HOME)

    if user.layout == DESKTOP:
        log_out(user)
        phone = site.person("ada", layout=ANDROID)
        phone.secret = secret
        phone.log_in()
        choose_on(phone, "Authentication app")
        phone.press("Verify", code=phone.next_code())
        phone.turn_on_requests()
        log_in(user)
        choose(user, REQUEST, WAITING)
        phone.answer(user.text("[data-number]"))
        user.arrives(HOME)
    else:
        computer = site.person("ada")
        computer.log_in()
        approve(user, choose_on(computer, REQUEST).number)
        user.arrives("You approved this login")

    user.open(TWO_FACTOR)
    turn_off(user, "Text message")
    turn_off(user, "Authentication app")
