"""Text messages by keyboard, in every layout, with and without JavaScript; and WebOTP."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, expect

from tests.browser import screens
from tests.browser.conftest import Visits
from tests.browser.live import LiveSite, Visitor
from tests.browser.test_journeys import (
    CODE,
    HOME,
    as_member,
    enter_code,
    everywhere,
    log_in,
    log_out,
    scanned_key,
    start_app,
    with_and_without_script,
)
from tests.people import ANDROID, DESKTOP, IPHONE, PASSWORD, TWO_FACTOR
from tests.pseudo import RIGHT_TO_LEFT

FIRST, SECOND = "+41791234567", "+4915112345689"
OVERVIEW_BUTTON = {DESKTOP: "Next", ANDROID: "Next", IPHONE: "Get started"}
A_MINUTE = 60
FILLED = "We filled in the code from your text message."


# -- What the user does --------------------------------------------------------------------------------


def country(ada: Visitor) -> Locator:
    return ada.page.get_by_role("combobox", name="Country", exact=True)


def give_number(ada: Visitor, its_country: str, number: str, button: str) -> None:
    """Selects the country by the first letters of its name and types the national number."""
    ada.tab_to(country(ada))
    ada.page.keyboard.type(its_country)
    ada.type_("Phone number", number)
    ada.press(button)


def enter_text(ada: Visitor, number: str, label: str = "Code") -> None:
    ada.type_(label, ada.site.texted_code(number))
    ada.press("Verify")


def turn_on_text(ada: Visitor) -> None:
    """From the list of methods and back to it."""
    ada.press("Text message", "Space", role="checkbox")
    ada.arrives("Text message")
    ada.press(OVERVIEW_BUTTON[ada.layout])
    ada.arrives("Enter your password")
    ada.type_("Password", PASSWORD)
    ada.press("Verify")
    ada.arrives("Add your phone number")
    expect(ada.page.get_by_role("checkbox", name="Let existing contacts find me")).to_be_checked()
    give_number(ada, "Switz", "079 12", "Next")
    ada.sees_problem("Enter a complete phone number and choose its country.")
    expect(country(ada)).to_have_value("CH")
    expect(ada.page.get_by_label("Phone number", exact=True)).to_have_value("079 12")
    ada.type_("Phone number", "079 123 45 67")
    ada.press("Next")
    ada.arrives("Check your phone")
    expect(ada.page.get_by_role("main")).to_contain_text("our text to ...67")
    enter_text(ada, FIRST, "Confirmation code")
    ada.arrives("You're all set")
    ada.press("Got it")
    ada.arrives("Two-factor authentication")
    expect(ada.page.get_by_role("checkbox", name="Text message")).to_be_checked()


def turn_on_app_too(ada: Visitor) -> str:
    start_app(ada)
    secret = scanned_key(ada)
    ada.press("Next")
    ada.arrives("Enter the code from your app")
    enter_code(ada, secret)
    ada.arrives("Two-factor authentication")
    return secret


def choose(ada: Visitor, method: str) -> None:
    ada.follow("Choose a different two-factor authentication method")
    ada.arrives("Choose how to verify")
    ada.press(method)
    ada.arrives(CODE)


# -- The journey ---------------------------------------------------------------------------------------


@everywhere
@with_and_without_script
def test_text_message_by_keyboard(site: LiveSite, visit: Visits, layout: str, script: bool) -> None:
    ada = as_member(visit, layout, java_script_enabled=script)
    turn_on_text(ada)
    log_out(ada)

    site.clock.pass_(A_MINUTE)
    log_in(ada)
    ada.arrives(CODE)
    expect(ada.page.get_by_role("main")).to_contain_text("our text to ...67")
    ada.type_("Code", "12345")
    ada.press("Verify")
    ada.sees_problem("Enter the complete code.")
    enter_text(ada, FIRST)
    ada.arrives(HOME)

    ada.open(TWO_FACTOR)
    secret = turn_on_app_too(ada)
    log_out(ada)
    site.clock.pass_(A_MINUTE)
    log_in(ada)
    ada.arrives(CODE)
    choose(ada, "Authentication app")
    enter_code(ada, secret)
    ada.arrives(HOME)
    log_out(ada)

    site.clock.pass_(A_MINUTE)
    log_in(ada)  # the method used last comes first
    ada.arrives(CODE)
    expect(ada.page.get_by_role("main")).not_to_contain_text("our text")
    choose(ada, "Text message to ...67")
    enter_text(ada, FIRST)
    ada.arrives(HOME)

    ada.open("/settings/account")
    ada.activate(ada.page.get_by_role("main").get_by_role("link", name="Phone number", exact=True))
    ada.arrives("Change your phone number")
    give_number(ada, "Germ", "01511 2345689", "Save")
    ada.arrives("Check your phone")
    enter_text(ada, SECOND, "Confirmation code")
    ada.arrives("Account")
    ada.receipt("Your phone number is confirmed.")
    expect(ada.page.get_by_role("main")).to_contain_text("...89")
    assert "account was changed. Not you?" in site.texts(FIRST)[0].text


@with_and_without_script
def test_a_wrong_code_sends_no_other_text(visit: Visits, script: bool) -> None:
    ada = visit(ANDROID, java_script_enabled=script)
    stage = screens.Stage(ada)
    stage.show(screens.named("verify-texted"))
    sent = len(ada.site.texts())
    ada.type_("Code", "000000")
    ada.press("Verify")
    ada.sees_problem("Wrong code.")
    ada.page.reload()
    ada.watch.expects(429)
    ada.press("Resend code")
    ada.sees_problem("We just sent a code.")
    assert len(ada.site.texts()) == sent


def test_why_no_text_can_be_sent_to_a_known_number_is_said_beside_the_code_field(visit: Visits) -> None:
    ada = visit()
    screens.Stage(ada).show(screens.named("text-password-stopped"))
    ada.type_("Password", PASSWORD)
    ada.press("Verify")
    ada.sees_problem("We can't text you now.")
    expect(ada.page.get_by_role("heading", level=1)).to_have_text("Check your phone")
    expect(ada.button("Resend code")).to_be_visible()


LONGEST = """select => {
  const options = [...select.options].sort((a, b) => b.label.length - a.label.length);
  return options[0].value;
}"""


@everywhere
@pytest.mark.parametrize("language", ["en", RIGHT_TO_LEFT.code])
def test_the_longest_name_of_a_country_fits_the_narrowest_window(visit: Visits, layout: str, language: str) -> None:
    ada = visit(layout, viewport={"width": 320, "height": 640})
    ada.speak(language)
    screens.Stage(ada).show(screens.named("text-phone"))
    select = ada.page.locator("main select")
    select.select_option(select.evaluate(LONGEST))
    box = select.bounding_box()
    field = ada.page.locator("main [name=phone]").bounding_box()
    assert box is not None
    assert field is not None
    assert (box["x"], box["width"], box["height"]) == (field["x"], field["width"], field["height"])
    assert box["height"] >= 44
    assert ada.page.evaluate("document.documentElement.scrollWidth") == 320


# -- WebOTP --------------------------------------------------------------------------------------------

ARRIVING = """() => {
  window.asked = [];
  window.OTPCredential ??= class {};
  navigator.credentials.get = options => new Promise((resolve, reject) => {
    options.signal.addEventListener("abort", () => reject(options.signal.reason));
    window.asked.push({options, resolve, reject});
  });
}"""
ABSENT = "() => { delete window.OTPCredential; navigator.credentials.get = () => { throw new Error('asked') }; }"
ABORTED = "() => window.asked.map(ask => ask.options.signal.aborted)"
ARRIVES = "code => window.asked.at(-1).resolve({code})"


def at_code(visit: Visits, before: str, **options: object) -> Visitor:
    """On a page that waits for a texted code, in a browser prepared by `before`."""
    ada = visit(ANDROID, **options)
    ada.context.add_init_script(f"({before})()")
    screens.Stage(ada).show(screens.named("text-code"))
    return ada


def confirmation_code(ada: Visitor) -> Locator:
    return ada.page.get_by_label("Confirmation code", exact=True)


def test_a_texted_code_is_filled_in_and_not_sent(visit: Visits) -> None:
    ada = at_code(visit, ARRIVING)
    page = ada.page
    assert page.evaluate("window.asked.map(ask => ask.options.otp)") == [{"transport": ["sms"]}]
    requests = len(ada.watch.statuses)
    page.evaluate(ARRIVES, "123456")
    expect(confirmation_code(ada)).to_have_value("123456")
    ada.receipt(FILLED)
    page.wait_for_timeout(200)
    assert page.url.endswith("/code")
    assert not [url for _, url in ada.watch.statuses[requests:] if "/code" in url]


def test_what_a_user_typed_is_not_replaced(visit: Visits) -> None:
    ada = at_code(visit, ARRIVING)
    ada.type_("Confirmation code", "654")
    ada.page.evaluate(ARRIVES, "123456")
    ada.page.wait_for_timeout(100)
    expect(confirmation_code(ada)).to_have_value("654")


def test_waiting_for_a_text_ends_with_the_form_and_begins_again_with_the_next_screen(visit: Visits) -> None:
    ada = at_code(visit, ARRIVING)
    ada.type_("Confirmation code", "000000")
    ada.press("Verify")
    ada.sees_problem("Wrong code.")
    assert ada.page.evaluate(ABORTED) == [True, False]
    ada.page.evaluate(ARRIVES, "123456")
    expect(confirmation_code(ada)).to_have_value("123456")  # replaces the wrong one, which the user did not edit
    ada.type_("Confirmation code", ada.site.texts()[0].text[:6])
    ada.press("Verify")
    ada.arrives("You're all set")
    assert ada.page.evaluate(ABORTED) == [True, True]


def test_a_text_that_never_arrives_changes_nothing(visit: Visits) -> None:
    ada = at_code(visit, ARRIVING)
    ada.page.evaluate("() => window.asked[0].reject(new DOMException('', 'NotAllowedError'))")
    ada.page.wait_for_timeout(100)
    expect(confirmation_code(ada)).to_have_value("")
    enter_text(ada, ada.site.texts()[0].to, "Confirmation code")
    ada.arrives("You're all set")


@pytest.mark.parametrize("before", ["() => {}", ABSENT], ids=["as it is", "without"])
def test_a_browser_without_webotp_works_too(visit: Visits, before: str) -> None:
    ada = at_code(visit, before)
    expect(confirmation_code(ada)).to_have_value("")
    enter_text(ada, ada.site.texts()[0].to, "Confirmation code")
    ada.arrives("You're all set")


def test_a_screen_without_a_texted_code_waits_for_none(visit: Visits) -> None:
    ada = visit(ANDROID)
    ada.context.add_init_script(f"({ARRIVING})()")
    screens.Stage(ada).show(screens.named("verify"))
    assert ada.page.evaluate("window.asked.length") == 0


# -- The title -----------------------------------------------------------------------------------------

FOCUSED = """() => {
  window.titles = [];
  document.addEventListener("focusin", ({target}) => window.titles.push([target.localName, document.title]));
}"""


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_the_title_is_the_new_one_when_the_focus_moves(visit: Visits, motion: str) -> None:
    ada = as_member(visit, reduced_motion=motion)
    ada.press("Text message", "Space", role="checkbox")
    ada.arrives("Text message")
    ada.press("Next")
    ada.arrives("Enter your password")
    ada.page.evaluate(FOCUSED)
    ada.press("Verify")
    ada.sees_problem("Enter your password.")
    titles = dict(ada.page.evaluate("window.titles"))
    assert re.match("Error: Enter your password - ", titles["div"])
    ada.type_("Password", PASSWORD)
    ada.press("Verify")
    ada.arrives("Add your phone number")
    titles = dict(ada.page.evaluate("window.titles"))
    assert re.match("Add your phone number - ", titles["h1"])
    assert titles["h1"] == ada.page.title()
