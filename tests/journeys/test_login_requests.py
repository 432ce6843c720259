"""Login requests: turning a phone on, approving or denying a log-in, and the alternatives after a denial."""

from __future__ import annotations

from typing import Any

import pytest
import segno
from werkzeug.test import create_environ, run_wsgi_app

from tests.attacks.tools import cookies_of, keep_number
from tests.conftest import Site, one_database
from tests.doubles import CheapHasher, FailingPushes
from tests.pace import least_cost
from tests.people import AGENTS, ANDROID, DESKTOP, HOST, IPHONE, PHONE, REQUESTS, TWO_FACTOR, Owner, Page, Person

METHOD = f"{TWO_FACTOR}/login-requests"
PHONES = f"{TWO_FACTOR}/phones"
NAME = "Login requests on this phone"
WAITING, HOME = "Check your phone to approve", "Welcome, Ada Lovelace"
NEWS = "/log-in/waiting/news"
TEXT_INSTEAD = "Request a code sent to your phone via text message"
SECTION = "Two-factor authentication - Nightlatch"

each_phone = pytest.mark.parametrize("layout", [ANDROID, IPHONE])
each_way = pytest.mark.parametrize("htmx", [False, True], ids=["plain", "htmx"])


@pytest.fixture
def pushes() -> FailingPushes:
    return FailingPushes()


@pytest.fixture
def overrides(pushes: FailingPushes) -> dict[str, Any]:
    return {"hasher": CheapHasher(), "pushes": pushes}


@pytest.fixture(params=[(ANDROID, False), (IPHONE, True)], ids=["android", "iphone-htmx"])
def phone(site: Site, request: pytest.FixtureRequest) -> Owner:
    """Ada's phone with login requests on, logged in."""
    layout, htmx = request.param
    ada = Owner.signed_up(site, layout=layout, htmx=htmx)
    ada.turn_on_requests()
    ada.press("Got it")
    return ada


@pytest.fixture(params=[(DESKTOP, True), (ANDROID, False)], ids=["desktop-htmx", "android"])
def elsewhere(phone: Owner, request: pytest.FixtureRequest) -> Owner:
    """Another browser with a pending login."""
    layout, htmx = request.param
    browser = phone.other_browser(layout=layout, htmx=htmx)
    assert browser.log_in().h1 == WAITING
    return browser


def seen(person: Owner) -> Page:
    assert person.page is not None
    return person.page


def approve(phone: Owner, browser: Owner) -> Page:
    assert phone.answer(seen(browser).number).h1 == "You approved this login"
    return browser.post("/log-in/waiting")


def test_a_phone_that_shows_the_desktop_layout_answers_while_it_is_logged_out(phone: Owner) -> None:
    desktop, browser = phone.other_browser(layout=DESKTOP), phone.other_browser(layout=ANDROID)
    browser.log_in()
    desktop.client.set_cookie("phone", phone.cookie("phone") or "", domain=desktop.host.split(":")[0])
    approve(desktop, browser)
    assert seen(browser).h1.startswith("Welcome")


def test_a_stranger_is_told_that_a_page_of_settings_is_not_there(site: Site) -> None:
    for path in ("/settings/no-such-page", "/operator/no-such-page"):
        page = Person(site.app, layout=DESKTOP).open(path)
        assert (page.status, "Terms" in page.links) == (404, True), "not the plain page of a failing site"


# -- Turning it on ---------------------------------------------------------------------------------


@each_phone
@each_way
def test_every_step_shows_its_place_in_the_enrollment(site: Site, layout: str, htmx: bool) -> None:
    ada = Owner.signed_up(site, layout=layout, htmx=htmx, confirm_email=False)
    page = ada.open(TWO_FACTOR)
    assert page.button(NAME)["aria-checked"] == "false"
    steps = [(page := ada.press(NAME)).step]
    assert (page.h1, page.title) == (NAME, f"{NAME} - {SECTION}")
    page = ada.press("Next")
    assert (page.h1, page.path) == ("Enter your password", f"{METHOD}/password"), "though the log-in is fresh"
    steps.append(page.step)
    page = ada.press("Verify", password=ada.password)
    assert page.h1 == "Confirm your email"
    steps.append(page.step)
    page = ada.press("Next", email=ada.email)
    steps.append(page.step)
    page = ada.press("Verify", code=site.emailed_code(ada.email))
    assert (page.h1, page.title) == ("Allow notifications", f"Allow notifications - {SECTION}")
    assert page.path == f"{METHOD}/notifications"
    assert page.says("Add to Home Screen") == (layout == IPHONE)
    assert page.soup.find("input", attrs={"name": "subscription", "type": "hidden", "value": ""})
    steps.append(page.step)
    page = ada.press("Not now")
    assert (page.h1, page.path) == ("You're all set", f"{METHOD}/done")
    assert page.receipts[0].startswith(f"{NAME} is now on. We sent a confirmation to ")
    assert page.backup_code
    steps.append(page.step)
    assert steps == [f"Step {n} of 6" for n in range(1, 7)]
    page = ada.press("Got it")
    assert (page.path, page.button(NAME)["aria-checked"]) == (TWO_FACTOR, "true")
    assert "Manage phones" in page.links


def test_without_javascript_allowing_notifications_is_the_same_as_not_now(phone: Owner, site: Site) -> None:
    other = Owner.signed_up(site, "grace", layout=ANDROID)
    other.open(TWO_FACTOR)
    other.press(NAME)
    other.press("Next")
    other.press("Verify", password=other.password)
    assert other.press("Allow notifications").h1 == "You're all set"


def test_the_overview_says_that_the_number_of_the_account_can_be_texted_instead(site: Site) -> None:
    """Also a number that was added for contacts only."""
    ada = Owner.signed_up(site, layout=ANDROID)
    page = ada.open(f"{METHOD}/overview")
    assert page.says("If your account has a phone number, you can also ask for a code by text message while you wait.")


def test_a_computer_says_where_to_turn_login_requests_on(site: Site) -> None:
    ada = Owner.signed_up(site)
    page = ada.open(TWO_FACTOR)
    assert NAME not in page.buttons + page.links
    assert page.says("Login requests")
    assert not page.says(NAME), "it is no phone"
    assert page.says(f"To set this up, open mobile.{HOST} on your phone")
    assert page.soup.find(attrs={"role": "img", "aria-label": "QR code of the address of this page on your phone"})
    for step in ("overview", "password", "notifications", "done"):
        assert ada.open(f"{METHOD}/{step}").path == TWO_FACTOR
    assert ada.post(TWO_FACTOR, method="login-requests").path == TWO_FACTOR


def test_a_computer_shows_the_phones_that_are_on_and_leads_to_them(phone: Owner) -> None:
    name = "iPhone" if phone.layout == IPHONE else "Chrome on Android"
    computer = phone.log_in_elsewhere(layout=DESKTOP, htmx=False)
    assert approve(phone, computer).h1 == HOME
    page = computer.open(TWO_FACTOR)
    assert page.says(f"Login requests On · {name} Manage phones")
    assert page.says("Add another phone")
    assert computer.follow("Manage phones").h1 == "Manage phones"
    assert computer.open(METHOD).path == PHONES


def test_a_phone_shows_itself_on_the_page_of_the_method_and_names_other_phones(phone: Owner) -> None:
    name = "iPhone" if phone.layout == IPHONE else "Chrome on Android"
    phone.open(TWO_FACTOR)
    page = phone.follow(NAME)
    assert (page.h1, page.path) == (NAME, METHOD)
    assert page.says(f"On {name} Added on January 15, 2027 Not used yet")
    assert (page.link("Manage phones"), page.link("Turn off")) == (PHONES, f"{METHOD}/turn-off")
    other = phone.log_in_elsewhere(layout=ANDROID, htmx=False)
    assert approve(phone, other).h1 == HOME
    assert other.open(TWO_FACTOR).says(f"It is on for {name}.")


def test_a_computer_draws_the_qr_code_of_the_mobile_site_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A drawing takes as long as a password hash."""
    ada = Owner.signed_up(site)
    assert ada.open(TWO_FACTOR).soup.select_one("svg.qr") is not None
    monkeypatch.setattr(segno, "make", None)
    assert ada.open(TWO_FACTOR).soup.select_one("svg.qr") is not None


def test_the_owner_is_notified_by_email(phone: Owner, site: Site) -> None:
    name = "iPhone" if phone.layout == IPHONE else "Chrome on Android"
    assert any(f"{name} was added to your account." in email.text for email in site.emails(phone.email))


# -- Several phones --------------------------------------------------------------------------------


def second_phone(phone: Owner) -> Owner:
    other = phone.log_in_elsewhere(layout=ANDROID, htmx=False)
    assert approve(phone, other).h1 == HOME
    assert other.open(TWO_FACTOR).button(NAME)["aria-checked"] == "false", "it is another phone"
    page = other.turn_on_requests()
    assert (page.path, "Got it" in page.buttons) == (TWO_FACTOR, False), "only a first method has a page for its code"
    assert page.receipts[0].startswith(f"{NAME} is now on.")
    return other


def test_each_phone_has_its_name_and_can_be_renamed_and_deleted(phone: Owner, site: Site) -> None:
    other = second_phone(phone)
    page = other.open(PHONES)
    assert page.h1 == "Manage phones"
    first = "iPhone" if phone.layout == IPHONE else "Chrome on Android"
    names = [h2.get_text(" ", strip=True) for h2 in page.soup.select(".objects h2")]
    assert names == [first, "Chrome on Android" if phone.layout == IPHONE else "Chrome on Android 2"]
    assert page.says("This phone Notifications off")
    assert page.says("Another phone Notifications off")
    other.follow(f"Rename {first}")
    assert other.press("Save", name=names[1]).problems == ["You already have one with that name. Choose another name."]
    page = other.press("Save", name="My old phone")
    assert page.receipts == ["Renamed to My old phone."]
    assert page.says("My old phone")
    assert other.follow("Delete My old phone").says("It won't be able to approve your logins anymore.")
    assert other.press("Delete").receipts == ["My old phone was deleted. We sent you a confirmation email."]
    phone.open(REQUESTS)
    assert seen(phone).path == "/log-in", "it is no phone of hers any more, and its session ended"


def test_either_phone_can_approve(phone: Owner) -> None:
    other = second_phone(phone)
    for one in (phone, other):
        browser = phone.log_in_elsewhere(layout=DESKTOP, htmx=False)
        assert approve(one, browser).h1 == HOME


def test_turning_it_on_again_replaces_this_phone_only(phone: Owner, site: Site) -> None:
    second_phone(phone)
    phone.open(f"{METHOD}/overview")
    phone.press("Next")
    phone.press("Verify", password=phone.password)
    assert phone.press("Not now").path == TWO_FACTOR
    assert len(phone.open(PHONES).soup.select(".objects > li")) == 2


def test_turning_it_off_and_on_again_affects_this_phone(phone: Owner, site: Site) -> None:
    other = second_phone(phone)
    page = other.open(TWO_FACTOR)
    page = other.press(NAME)
    assert page.h1 == f"Turn off {NAME}?"
    page = other.press("Turn off")
    assert page.button(NAME)["aria-checked"] == "false"
    assert page.says(f"{NAME} is off.")
    page = other.press("Turn back on")
    assert page.receipts == [f"{NAME} is back on. We sent you a confirmation email."]
    assert page.button(NAME)["aria-checked"] == "true"


def test_deleting_the_last_phone_shows_a_warning(phone: Owner) -> None:
    phone.open(TWO_FACTOR)
    page = phone.press(NAME)
    assert page.h1 == "Turn off two-factor authentication?"
    page = phone.press("Turn off")
    if phone.layout == IPHONE:
        page = phone.press("Turn off")
    assert page.button(NAME)["aria-checked"] == "false"
    browser = phone.other_browser(layout=DESKTOP)
    assert browser.log_in().h1 == HOME
    assert browser.open(REQUESTS).says("Login requests are off.")


def test_a_phone_that_was_turned_off_elsewhere_is_not_turned_on_from_here(phone: Owner) -> None:
    other = second_phone(phone)
    other.post(f"{METHOD}/turn-off")
    browser = phone.log_in_elsewhere(layout=ANDROID, htmx=False)
    assert approve(phone, browser).h1 == HOME
    page = browser.open(TWO_FACTOR)
    assert "Turn back on" not in page.buttons
    page = browser.post(f"{METHOD}/turn-back-on")
    assert page.problems == ["It's been off for more than ten minutes. To turn it on, set it up again."]
    assert browser.post(f"{METHOD}/turn-off").path == TWO_FACTOR


# -- Logging in ------------------------------------------------------------------------------------


def test_an_approved_log_in_continues_by_itself(phone: Owner, elsewhere: Owner, site: Site) -> None:
    phone.log_out()
    number = seen(elsewhere).number
    assert len(number) == 6
    assert elsewhere.open("/log-in/waiting").number == number, "a reload keeps it"
    assert elsewhere.open(NEWS).status == 204
    page = phone.open(REQUESTS)
    device = "Chrome on Linux" if elsewhere.layout == DESKTOP else "Chrome on Android"
    assert page.h1 == "Login requests"
    assert page.says("IP address 192.0.2.1")
    assert page.says("January 15, 2027")
    assert f"Deny {device}" in page.buttons
    drawing = page.soup.select_one("[data-requests] .tile path")
    assert drawing["d"].startswith("M8 3h8") == (elsewhere.layout != DESKTOP), "a phone is drawn for a phone alone"
    assert "Refresh" in page.buttons
    page = phone.follow(f"Review {device}")
    assert page.h1 == "Approve this log-in?"
    assert page.field("Number on your other screen")["inputmode"] == "numeric"
    assert [b for b in page.buttons if b in ("Approve", "Deny", "It was me, cancel")] == [
        "Approve",
        "Deny",
        "It was me, cancel",
    ]
    page = phone.press("Approve", number=number)
    assert page.h1 == "You approved this login"
    assert page.says("If you see the button I've approved it there, choose it.")
    said = elsewhere.open(NEWS)
    assert said.status == 200
    assert 'data-hx-post="/log-in/waiting"' in said.text
    elsewhere.open("/log-in/waiting")
    assert elsewhere.press("I've approved it").h1 == HOME
    page = phone.open(REQUESTS)
    assert page.says("No pending requests.")
    assert page.says(f"{device} : Approved")
    page = phone.follow(f"{device} : Approved")
    assert page.says("Your other screen has continued.")
    assert not page.says("I've approved it")


def test_the_first_log_in_from_a_new_place_is_pointed_out(phone: Owner, elsewhere: Owner) -> None:
    page = phone.open(REQUESTS)
    assert page.says("New device or location")
    is_laptop = page.soup.select_one(".objects svg path")["d"].startswith("M5.5 5h13")
    assert is_laptop == (elsewhere.layout == DESKTOP), "the drawing is of the device that logs in"
    assert approve(phone, elsewhere).h1 == HOME
    elsewhere.log_in_again()
    assert not phone.open(REQUESTS).says("New device or location")
    device = "Chrome on Linux" if elsewhere.layout == DESKTOP else "Chrome on Android"
    assert phone.follow(f"Review {device}").says("Yes, you've logged in from there before")


def test_continuing_before_the_answer_says_that_it_is_pending(phone: Owner, elsewhere: Owner) -> None:
    page = elsewhere.press("I've approved it")
    assert (page.status, page.h1) == (422, WAITING)
    assert page.problems == ["Not approved yet. Approve it on your phone, then try again."]
    assert page.number


def test_a_remembered_browser_is_not_asked_again(phone: Owner, elsewhere: Owner) -> None:
    phone.answer(seen(elsewhere).number)
    elsewhere.open("/log-in/waiting")
    assert elsewhere.press("I've approved it", remember="y").h1 == HOME
    assert elsewhere.log_in_again().h1 == HOME


def test_the_requested_page_follows(phone: Owner) -> None:
    browser = phone.other_browser(layout=DESKTOP, htmx=False)
    browser.open("/settings/account")
    browser.press("Log in", username=browser.username, password=browser.password)
    assert approve(phone, browser).path == "/settings/account"


def test_the_phone_itself_logs_in_by_its_own_list(phone: Owner) -> None:
    page = phone.log_in_again()
    assert page.h1 == WAITING
    assert page.link("Approve on this phone") == REQUESTS
    assert approve(phone, phone).h1 == HOME


ENDS = (
    ("Deny", "You denied this login", "Login denied", "You denied this login on your phone."),
    ("It was me, cancel", "Login requests", "Request canceled", "You canceled this request on your phone."),
)


@pytest.mark.parametrize(("button", "answered", "h1", "told"), ENDS)
def test_a_denial_is_shown_with_the_alternatives(
    phone: Owner, elsewhere: Owner, button: str, answered: str, h1: str, told: str
) -> None:
    assert phone.answer(button=button).h1 == answered
    said = elsewhere.open(NEWS)
    assert 'data-hx-get="/log-in/waiting"' in said.text
    assert "data-hx-include" not in said.text, "the address must not have the CSRF token"
    page = elsewhere.open("/log-in/waiting")
    assert (page.status, page.h1, page.title, page.problems) == (200, h1, f"{h1} - Nightlatch", [])
    assert page.says(told)
    if button == "Deny":
        assert page.soup.select_one(".warning"), "a denial is no receipt"
        assert page.link("Log in again") == "/log-in"
        assert page.link("Wasn't you? Reset your password") == "/forgot-password"
        assert "Change password" in seen(phone).links
    else:
        assert elsewhere.press("Send a new request").number
        assert approve(phone, elsewhere).h1 == HOME


def test_an_unknown_device_begins_with_a_capital(phone: Owner) -> None:
    phone.other_browser(agent="curl/8.5.0").log_in()
    assert phone.open("/").says("An unknown device")
    page = phone.open(REQUESTS)
    assert page.says("An unknown device")
    page = phone.press("Deny an unknown device")
    assert phone.open(REQUESTS).says("An unknown device : Denied")


def test_deny_is_in_the_list_too(phone: Owner, elsewhere: Owner) -> None:
    device = "Chrome on Linux" if elsewhere.layout == DESKTOP else "Chrome on Android"
    phone.open(REQUESTS)
    page = phone.press(f"Deny {device}")
    assert (page.h1, page.link("Change password")) == ("You denied this login", "/settings/account/password")


@pytest.mark.parametrize("htmx", [False, True])
def test_an_unanswered_request_is_shown_as_expired(site: Site, phone: Owner, htmx: bool) -> None:
    browser = phone.log_in_elsewhere(layout=DESKTOP, htmx=htmx)
    site.clock.pass_(300)
    assert "data-hx-get" in browser.open(NEWS).text
    page = browser.open("/log-in/waiting")
    assert (page.h1, page.title) == ("Request expired", "Request expired - Nightlatch")
    assert page.says("This request expired after five minutes without an answer")
    page = phone.open(f"{REQUESTS}/1")
    assert page.h1 == "This login request has ended"
    assert page.says("Expired")
    assert browser.press("Send a new request").number


def test_a_wrong_number_is_reported_on_both_screens(phone: Owner, elsewhere: Owner) -> None:
    wrong = str((int(seen(elsewhere).number) + 500_000) % 1_000_000).zfill(6)
    page = phone.answer(wrong)
    assert page.problems == ["That number doesn't match the other screen, so we canceled this login."]
    assert page.says("Wrong number entered")
    page = elsewhere.open("/log-in/waiting")
    assert page.h1 == "Wrong number entered"
    assert page.says("The wrong number was entered on your phone")


def test_a_newer_log_in_ends_the_older_request(phone: Owner, elsewhere: Owner) -> None:
    newer = phone.log_in_elsewhere(layout=DESKTOP)
    page = elsewhere.open("/log-in/waiting")
    assert page.h1 == "Request replaced"
    assert page.says("A newer login ended this one.")
    assert approve(phone, newer).h1 == HOME
    assert phone.open(REQUESTS).says("Replaced by a newer login")


def test_cancel_leads_back_to_the_password(phone: Owner, elsewhere: Owner) -> None:
    assert elsewhere.press("Cancel").path == "/log-in"
    assert elsewhere.open("/log-in/waiting").path == "/log-in"
    assert phone.open(REQUESTS).says("Canceled")


def test_too_many_requests_are_reported_on_the_waiting_screen(phone: Owner) -> None:
    for _ in range(3):
        phone.other_browser(layout=DESKTOP).log_in()
    browser = phone.other_browser(layout=DESKTOP)
    page = browser.log_in()
    assert page.h1 == "No request waiting"
    assert page.problems[0].startswith("Too many login requests.")
    assert page.says("There's no request waiting on your phone.")
    assert "Choose a different two-factor authentication method" in page.links


def test_the_method_used_last_comes_first_and_the_other_can_be_chosen(phone: Owner, site: Site) -> None:
    site.clock.pass_(1)
    phone.turn_on_app()
    browser = phone.other_browser(layout=DESKTOP, htmx=False)
    page = browser.log_in()
    if page.h1 == WAITING:
        browser.follow("Choose a different two-factor authentication method")
        page = browser.press("Authentication app")
    assert page.h1 == "Enter your code"
    assert browser.press("Verify", code=browser.next_code()).h1 == HOME
    assert browser.log_in_again().h1 == "Enter your code"
    page = browser.follow("Choose a different two-factor authentication method")
    assert [b for b in page.buttons if b.startswith("Login request")] == ["Login request to your phone"]
    page = browser.press("Login request to your phone")
    assert (page.h1, page.path) == (WAITING, "/log-in/waiting")
    assert page.response.request.query_string == b"", "its address never carries anything else"
    assert browser.open("/log-in/waiting?method=authentication-app").h1 == "Enter your code"
    browser.open("/log-in/waiting")
    phone.answer(seen(browser).number)
    assert 'data-hx-post="/log-in/waiting"' in browser.open(NEWS).text
    assert browser.post("/log-in/waiting").h1 == HOME


def test_a_backup_code_still_logs_in(phone: Owner, elsewhere: Owner) -> None:
    elsewhere.follow("Use a backup code")
    assert elsewhere.press("Verify", code=phone.kept_code).h1 == "Save your new backup code"


def test_the_waiting_screen_names_the_phones_where_to_look_and_the_time_left(phone: Owner, site: Site) -> None:
    phone.open(PHONES)
    name = "iPhone" if phone.layout == IPHONE else "Chrome on Android"
    browser = phone.other_browser(layout=DESKTOP, htmx=False)
    page = browser.log_in()
    assert page.says(f"You can approve on: {name}")
    assert page.says("under Profile > Login requests")
    assert page.says("This request expires in 5 minutes.")
    site.clock.pass_(230)
    page = browser.open("/log-in/waiting")
    assert page.says("This request expires in 70 seconds.")
    assert page.soup.select_one('[data-wait="70"]'), "the script counts it down"


# -- A request is found without a notification -----------------------------------------------------

BANNER = "Someone is logging in"


def test_a_request_that_waits_stands_on_every_page_of_the_phone_and_in_its_menu(
    phone: Owner, elsewhere: Owner, site: Site
) -> None:
    device = "Chrome on Linux" if elsewhere.layout == DESKTOP else "Chrome on Android"
    for path in ("/", "/settings", TWO_FACTOR, "/help/two-factor-authentication"):
        page = phone.open(path)
        assert page.says(f"{BANNER} {device} · IP address 192.0.2.1"), path
        assert page.soup.find(id="waiting-count").get_text(strip=True) == "1 waiting"
        assert page.link("Review") == f"{REQUESTS}/1"
    page = phone.follow("Review")
    assert page.h1 == "Approve this log-in?"
    assert not page.says(BANNER), "the page itself is about it"
    page = phone.press("Approve", number=seen(elsewhere).number)
    assert page.soup.find(id="waiting-count").get_text(strip=True) == ""
    assert not phone.open("/").says(BANNER)
    phone.htmx = False
    assert phone.open("/").link("Login requests") == REQUESTS


def test_a_phone_that_is_not_logged_in_is_told_too(phone: Owner, elsewhere: Owner) -> None:
    phone.log_out()
    page = phone.open("/log-in")
    assert page.says(BANNER)
    assert phone.follow("Review").h1 == "Approve this log-in?"


def test_a_request_that_has_expired_is_told_no_more(phone: Owner, elsewhere: Owner, site: Site) -> None:
    site.clock.pass_(300)
    assert not phone.open("/settings").says(BANNER)


def test_other_sessions_of_the_account_can_deny_it_from_their_home_page(phone: Owner, elsewhere: Owner) -> None:
    assert approve(phone, elsewhere).h1 == HOME
    phone.other_browser(layout=DESKTOP).log_in()
    page = elsewhere.open("/")
    assert page.says(BANNER)
    assert page.soup.find(id="waiting-count") is None
    assert not elsewhere.open("/settings").says(BANNER)
    elsewhere.open("/")
    page = elsewhere.follow("Review")
    assert "Deny" in page.buttons
    assert "Approve" not in page.buttons


def test_on_a_phone_of_two_accounts_the_banner_names_the_account(phone: Owner) -> None:
    grace = another_user_on(phone)
    grace.press("Got it")
    phone.other_browser(layout=DESKTOP, htmx=False).log_in()
    assert grace.open("/settings").says("@ada")


def test_a_request_costs_one_statement_and_only_where_it_can_be_answered(
    phone: Owner, elsewhere: Owner, site: Site
) -> None:
    def cost(person: Owner, path: str) -> int:
        person.open(path)
        site.statements.clear()
        person.open(path)
        return len(site.statements)

    assert approve(phone, elsewhere).h1 == HOME
    phone.other_browser(layout=DESKTOP).log_in()
    assert cost(phone, "/settings") == cost(elsewhere, "/settings") + 1
    grace = Owner.signed_up(site, "grace", htmx=False)
    grace.turn_on_app()
    grace.press("Got it")
    assert cost(elsewhere, "/settings") == cost(grace, "/settings")
    assert cost(elsewhere, "/") == cost(grace, "/") + 1


def test_pages_that_a_browser_stores_never_show_a_request(phone: Owner, elsewhere: Owner) -> None:
    assert not phone.open("/offline").says(BANNER)


# -- Polling ---------------------------------------------------------------------------------------


def test_one_poll_is_one_statement(phone: Owner, site: Site) -> None:
    browser = phone.log_in_elsewhere(layout=DESKTOP, htmx=False)
    site.statements.clear()
    assert browser.open(NEWS).status == 204
    assert len(site.statements) == 1


@one_database
@pytest.mark.no_cover
def test_one_poll_takes_at_most_half_a_millisecond_of_processor_time(phone: Owner) -> None:
    browser = phone.log_in_elsewhere(layout=DESKTOP, htmx=False)
    cookies = "; ".join(f"{name}={value}" for name, value in cookies_of(browser).items())
    headers = {"User-Agent": AGENTS[DESKTOP], "Cookie": cookies}
    environ = create_environ(NEWS, f"http://{HOST}", headers=headers)  # once: a test client costs as much as the poll
    _, status, _ = run_wsgi_app(browser.app, dict(environ))
    assert status == "204 NO CONTENT"
    assert least_cost(lambda: run_wsgi_app(browser.app, dict(environ)), times=50) < 0.0005


def test_after_a_minute_the_browser_polls_less_often(phone: Owner, site: Site) -> None:
    browser = phone.other_browser(layout=DESKTOP, htmx=False)
    assert 'data-hx-trigger="every 2s"' in browser.log_in().text
    site.clock.pass_(59)
    assert browser.open(NEWS).status == 204
    site.clock.pass_(1)
    page = browser.open(NEWS)
    assert 'data-hx-trigger="every 5s"' in page.text
    url = str(page.soup.div["data-hx-get"]) if page.soup.div else ""
    assert browser.open(url).status == 204


def test_polling_without_a_pending_login_reveals_nothing(site: Site) -> None:
    page = Person(site.app).open(NEWS)
    assert (page.status, "data-hx-get" in page.text) == (200, True)
    assert Person(site.app).open("/log-in/waiting").path == "/log-in"


# -- The text message as a stand-in ----------------------------------------------------------------


def test_a_text_stands_in_when_the_account_has_a_phone_number(phone: Owner, site: Site) -> None:
    keep_number(site, "ada", PHONE)
    browser = phone.other_browser(layout=DESKTOP, htmx=False)
    assert TEXT_INSTEAD in browser.log_in().buttons
    page = browser.press(TEXT_INSTEAD)
    assert (page.h1, page.path) == ("Enter your code", "/log-in/verify")
    assert page.says("our text to ...56")
    site.clock.pass_(61)
    page = browser.press("Resend code")
    assert len(site.texts()) == 2
    assert browser.press("Verify", code=site.texted_code(PHONE)).h1 == HOME
    assert browser.open(TWO_FACTOR).button("Text message")["aria-checked"] == "false"
    assert browser.log_in_again().h1 == WAITING


def test_when_text_messages_are_on_the_stand_in_is_that_method(phone: Owner, site: Site) -> None:
    phone.turn_on_texts()
    site.clock.pass_(61)
    browser = phone.log_in_elsewhere(layout=DESKTOP, htmx=False)
    if seen(browser).h1 != WAITING:
        browser.post("/log-in/methods", method="login-requests")
    site.clock.pass_(61)
    browser.press(TEXT_INSTEAD)
    assert browser.press("Verify", code=site.texted_code(PHONE)).h1 == HOME


# -- Step-up ---------------------------------------------------------------------------------------


def test_step_up_waits_for_the_phone_too(phone: Owner, elsewhere: Owner, site: Site) -> None:
    assert approve(phone, elsewhere).h1 == HOME
    site.clock.pass_(601)
    elsewhere.open("/settings/account/password")
    page = elsewhere.press("Verify", password=elsewhere.password)
    assert (page.h1, page.path) == (WAITING, "/step-up/waiting")
    assert TEXT_INSTEAD not in page.buttons
    assert elsewhere.open("/step-up/waiting/news").status == 204
    page = elsewhere.open("/step-up/waiting?next=/settings/account/password")
    assert elsewhere.press("I've approved it").status == 422
    phone.answer(seen(elsewhere).number)
    assert "data-hx-post" in elsewhere.open("/step-up/waiting/news").text
    elsewhere.open("/step-up/waiting?next=/settings/account/password")
    assert elsewhere.press("I've approved it").h1 == "Change your password"


def test_a_denied_step_up_can_ask_again_or_be_cancelled(phone: Owner, elsewhere: Owner, site: Site) -> None:
    assert approve(phone, elsewhere).h1 == HOME
    site.clock.pass_(601)
    elsewhere.open("/step-up/waiting?next=/settings")
    assert seen(elsewhere).path == "/step-up/password"
    elsewhere.press("Verify", password=elsewhere.password)
    phone.answer(button="Deny")
    page = elsewhere.open("/step-up/waiting?next=/settings")
    assert page.says("You denied this login on your phone.")
    assert elsewhere.press("Send a new request").number
    assert elsewhere.press("Cancel").path == "/settings"
    assert elsewhere.open("/step-up/verify?next=/settings").path == "/step-up/waiting"
    assert elsewhere.open("/step-up/waiting?next=/settings").says("There's no request waiting on your phone.")


def test_a_step_up_whose_password_is_no_longer_fresh_leaves_the_waiting_page(
    phone: Owner, elsewhere: Owner, site: Site
) -> None:
    assert approve(phone, elsewhere).h1 == HOME
    site.clock.pass_(601)
    elsewhere.open("/settings/account/password")
    elsewhere.press("Verify", password=elsewhere.password)
    site.clock.pass_(400)
    elsewhere.open("/step-up/waiting?next=/settings")
    assert elsewhere.press("Send a new request").number
    site.clock.pass_(200)
    said = elsewhere.open("/step-up/waiting/news?next=/settings", follow=False)
    assert (said.status, "<form" in said.text) == (200, False), "a page would be shown inside of the form"
    assert 'data-hx-get="/step-up/waiting?next=/settings"' in said.text
    assert elsewhere.open("/step-up/waiting?next=/settings").path == "/step-up/password"


def test_step_up_with_another_method_is_not_polled(phone: Owner, site: Site) -> None:
    phone.turn_on_app()
    site.clock.pass_(601)
    phone.open("/settings/account/password")
    phone.press("Verify", password=phone.password)
    assert phone.open("/step-up/waiting?method=authentication-app&next=/settings").path == "/step-up/verify"


# -- Links and accounts ----------------------------------------------------------------------------


def test_security_links_to_the_list(phone: Owner) -> None:
    phone.open("/settings/security")
    assert phone.follow("Login requests").path == REQUESTS
    assert phone.press("Refresh").path == REQUESTS


def test_a_phone_that_is_not_logged_in_sees_its_list(phone: Owner, elsewhere: Owner) -> None:
    phone.log_out()
    page = phone.open(REQUESTS)
    assert page.h1 == "Login requests"
    assert "Back to Security" not in page.links


def test_without_a_session_or_a_phone_the_page_leads_to_log_in_and_back(site: Site, phone: Owner) -> None:
    stranger = Owner(site)
    page = stranger.open(f"{REQUESTS}/1")
    assert page.path == "/log-in"
    assert page.soup.find("input", attrs={"name": "next", "value": f"{REQUESTS}/1"})


def another_user_on(phone: Owner) -> Owner:
    """The same phone then approves for two accounts."""
    phone.log_out()
    grace = Owner(phone.site, "grace", layout=phone.layout, htmx=False)
    grace.client = phone.client
    grace.sign_up()
    grace.turn_on_requests()
    return grace


def test_on_a_phone_of_two_accounts_each_request_names_its_account(phone: Owner) -> None:
    grace = another_user_on(phone)
    grace.press("Got it")
    for one in (phone, grace):
        one.log_in_elsewhere(layout=DESKTOP, htmx=False)
    page = grace.open(REQUESTS)
    assert page.says("@ada")
    assert page.says("@grace")


def test_turning_it_on_again_removes_the_phone_from_no_other_account(phone: Owner) -> None:
    grace = another_user_on(phone)
    for _ in range(6):
        grace.open(f"{METHOD}/overview")
        grace.press("Next")
        grace.press("Verify", password=grace.password)
        assert grace.press("Not now").path == TWO_FACTOR
    grace.log_out()
    browser = phone.other_browser(layout=DESKTOP, htmx=False)
    assert browser.log_in().h1 == WAITING
    assert "Review Chrome on Linux" in phone.open(REQUESTS).links


def test_logging_out_keeps_the_notifications_of_the_phone(phone: Owner, site: Site) -> None:
    phone.open("/")
    page = phone.post("/log-out", follow=False)
    assert page.response.headers["Clear-Site-Data"] == '"cache"'
    other = Owner.signed_up(site, "grace", confirm_email=False)
    other.open("/")
    assert other.post("/log-out", follow=False).response.headers["Clear-Site-Data"] == '"cache", "storage"'


# -- The site as an installed app ------------------------------------------------------------------


@pytest.mark.parametrize("layout", [DESKTOP, ANDROID])
def test_the_site_can_be_installed(site: Site, layout: str) -> None:
    visitor = Person(site.app, layout=layout)
    page = visitor.send("GET", "/manifest.webmanifest", follow=False)
    assert (page.status, page.response.mimetype) == (200, "application/manifest+json")
    manifest = page.response.get_json(force=True)
    assert (manifest["name"], manifest["start_url"], manifest["scope"]) == ("Nightlatch", "/", "/")
    assert {(icon["sizes"], icon["purpose"]) for icon in manifest["icons"]} == {
        (size, purpose) for size in ("192x192", "512x512") for purpose in ("any", "maskable")
    }
    for icon in manifest["icons"]:
        with visitor.client.get(icon["src"], base_url=f"http://{visitor.host}") as answer:
            assert (answer.status_code, answer.mimetype) == (200, "image/png")
    assert manifest["shortcuts"][0]["url"] == REQUESTS


@pytest.mark.parametrize("host", [HOST, f"mobile.{HOST}"])
@pytest.mark.parametrize("layout", [DESKTOP, ANDROID])
def test_the_service_worker_controls_the_whole_host_and_is_never_redirected(site: Site, host: str, layout: str) -> None:
    visitor = Person(site.app, layout=layout)
    page = visitor.send("GET", "/service-worker.js", host=host, follow=False)
    assert (page.status, page.response.mimetype) == (200, "text/javascript")
    assert page.text.startswith('const VERSION = "')
    assert visitor.send("GET", "/manifest.webmanifest", host=host, follow=False).status == 200


def test_the_offline_page_has_no_data_of_an_account(phone: Owner) -> None:
    page = phone.open("/offline")
    assert page.h1 == "No connection"
    assert "csrf" not in page.text
    assert "ada" not in page.text.casefold().replace("add", "")
    assert not page.response.headers.getlist("Set-Cookie")


def test_the_log_in_page_of_a_phone_loads_nothing_of_the_app(site: Site) -> None:
    page = Person(site.app, layout=ANDROID).open("/log-in")
    assert "manifest" not in page.text
    assert "phone.js" not in page.text
