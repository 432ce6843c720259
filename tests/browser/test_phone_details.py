"""Small things on a phone: where a heading breaks, and which button comes first."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visits
from tests.browser.live import LiveSite
from tests.people import ANDROID, IPHONE, PASSWORD, TWO_FACTOR


@pytest.mark.parametrize("width", [320, 360, 390])
def test_a_heading_never_breaks_inside_a_hyphenated_word(site: LiveSite, visit: Visits, width: int) -> None:
    visitor, person = visit(ANDROID, viewport={"width": width, "height": 780}), site.person("ada", layout=ANDROID)
    person.sign_up()
    person.turn_on_app()
    person.press("Got it")
    visitor.become(person)
    visitor.open(f"{TWO_FACTOR}/authentication-app/turn-off")
    heading = visitor.page.get_by_role("heading", level=1, name="Turn off two-factor authentication?", exact=True)
    expect(heading).to_be_visible()
    lines = heading.locator(".whole", has_text="two-factor").evaluate("e => e.getClientRects().length")
    assert lines == 1


@pytest.mark.parametrize("can_notify", [True, False])
def test_on_an_iphone_outside_the_home_screen_not_now_comes_first(
    site: LiveSite, visit: Visits, can_notify: bool
) -> None:
    visitor, person = visit(IPHONE), site.person("ada", layout=IPHONE)
    person.sign_up()
    page = person.open(f"{TWO_FACTOR}/login-requests/overview")
    person.press(page.buttons[page.buttons.index("Next")])
    person.press("Verify", password=person.password)
    visitor.become(person)
    if not can_notify:
        visitor.page.add_init_script("delete window.PushManager")
    visitor.open(f"{TWO_FACTOR}/login-requests/notifications")
    visitor.arrives("Allow notifications")
    buttons = visitor.page.locator("main form[data-push] button")
    names = ["Allow notifications", "Not now"] if can_notify else ["Not now", "Allow notifications"]
    expect(buttons).to_have_text(names)
    expect(buttons.first).to_have_class("primary")


def test_a_button_is_pressed_at_once_after_a_new_password_was_corrected(visit: Visits) -> None:
    """The error above the button goes away only after the press, else the button moves away under the finger."""
    visitor = visit(ANDROID)
    visitor.open("/sign-up")
    main = visitor.page.get_by_role("main")
    main.get_by_label("Name", exact=True).fill("Ada")
    main.get_by_label("Username", exact=True).fill("ada")
    password, button = main.get_by_label("Password", exact=True), main.get_by_role("button", name="Sign up")
    password.fill("short")
    button.click()
    visitor.sees_problem("Use at least 15 characters.")
    password.fill(PASSWORD)
    button.click(delay=150)
    visitor.arrives("Confirm your email")
