"""The first journey and its variations by keyboard, in every layout, with and without JavaScript."""

from __future__ import annotations

import re
from io import BytesIO
from urllib.parse import parse_qs, urlsplit

import pytest
import zxingcpp
from PIL import Image
from playwright.sync_api import expect

from tests.browser.conftest import Visits
from tests.browser.live import LAYOUTS, LiveSite, Visitor
from tests.people import ANDROID, DESKTOP, IPHONE, PASSWORD, TWO_FACTOR

APP = f"{TWO_FACTOR}/authentication-app"
QR = "QR code for setting up your authentication app"
HOME = "Welcome, Ada Lovelace"
CODE = "Enter your code"
OVERVIEW_BUTTON = {DESKTOP: "Start", ANDROID: "Start", IPHONE: "Got it"}
everywhere = pytest.mark.parametrize("layout", LAYOUTS)
with_and_without_script = pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])


# -- What the user does --------------------------------------------------------------------------------


def sign_up(ada: Visitor) -> None:
    ada.open("/log-in")
    ada.follow("Create an account")
    ada.arrives("Create your account")
    ada.type_("Name", "Ada Lovelace")
    ada.type_("Username", "ada")
    ada.type_("Password", PASSWORD)
    ada.press("Sign up")
    ada.arrives("Confirm your email")
    ada.type_("Email address", "ada@example.org")
    ada.press("Next")
    ada.arrives("Check your email")
    ada.type_("Confirmation code", ada.site.emailed_code("ada@example.org"))
    ada.press("Verify", "Space")
    ada.arrives(HOME)
    ada.receipt("Your email address is confirmed.")


def open_settings(ada: Visitor) -> None:
    """By the menu, or without JavaScript by the link in its place."""
    if ada.has_script:
        ada.press("More" if ada.layout == DESKTOP else "Profile")
    ada.follow("Settings and privacy")
    ada.arrives("Settings and privacy")


def open_two_factor(ada: Visitor) -> None:
    open_settings(ada)
    place = ada.page.get_by_role("main")
    for name in ("Security and account access" if ada.layout == DESKTOP else "Account", "Security"):
        ada.activate(place.get_by_role("link", name=name, exact=True))
        ada.arrives(name)
    ada.activate(place.get_by_role("link", name="Two-factor authentication", exact=True))
    ada.arrives("Two-factor authentication")


def start_app(ada: Visitor) -> None:
    """From the list of methods to the QR code."""
    ada.press("Authentication app", "Space", role="checkbox")
    ada.arrives("Authentication app")
    ada.press(OVERVIEW_BUTTON[ada.layout])
    ada.arrives("Link your authentication app")


def scanned_key(ada: Visitor) -> str:
    """The setup key as a camera reads it from the screen."""
    page = ada.page
    if ada.layout != DESKTOP and not page.get_by_role("img", name=QR).is_visible():
        ada.activate(page.locator("summary"))
    plate = page.get_by_role("img", name=QR)
    expect(plate).to_be_visible()
    ada.waits_for_rest()
    # an authenticator looks for QR codes; among their modules a reader of all formats sometimes finds a bar code
    read = zxingcpp.read_barcodes(Image.open(BytesIO(plate.screenshot())), zxingcpp.BarcodeFormat.QRCode)
    found = {code.text for code in read}
    assert len(found) == 1, f"a camera reads {len(found)} codes on {page.url}"
    link = urlsplit(found.pop())
    facts = parse_qs(link.query)
    assert (link.scheme, link.netloc, link.path) == ("otpauth", "totp", "/Nightlatch:ada")
    assert facts["issuer"] == ["Nightlatch"]
    return facts["secret"][0]


def shown_key(ada: Visitor) -> str:
    return "".join(ada.page.locator(".setup-key .secret").inner_text().split())


def enter_code(ada: Visitor, secret: str, label: str = "Code") -> None:
    ada.type_(label, ada.site.app_code(secret))
    ada.press("Verify")


def turn_on_app(ada: Visitor) -> tuple[str, str]:
    """Returns the setup key and the backup code, from the list of methods and back to it."""
    start_app(ada)
    secret = scanned_key(ada)
    ada.press("Next")
    ada.arrives("Enter the code from your app")
    enter_code(ada, secret)
    ada.arrives("You're all set")
    region = ada.page.get_by_role("region", name="Backup code")
    backup_code = region.locator("#backup-code").inner_text().strip()
    assert re.fullmatch(r"([A-Z2-7]{4}-){3}[A-Z2-7]{4}", backup_code)
    ada.press("Got it")
    ada.arrives("Two-factor authentication")
    expect(ada.page.get_by_role("checkbox", name="Authentication app")).to_be_checked()
    return secret, backup_code


def log_out(ada: Visitor) -> None:
    if ada.has_script and ada.layout != DESKTOP:
        ada.press("Profile")
    ada.press("Log out")
    ada.arrives("Log in")
    ada.receipt("You've been logged out.")


def log_in(ada: Visitor, password: str = PASSWORD) -> None:
    if not ada.page.url.endswith("/log-in"):
        ada.open("/log-in")
    ada.type_("Username", "ada")
    ada.type_("Password", password)
    ada.press("Log in")


def as_member(visit: Visits, layout: str = DESKTOP, **options: object) -> Visitor:
    """Ada on the list of methods, with a confirmed address and no method on."""
    ada = visit(layout, **options)
    person = ada.site.person("ada", layout=layout)
    person.sign_up()
    ada.become(person)
    ada.open(TWO_FACTOR)
    return ada


def as_owner(visit: Visits, layout: str = DESKTOP, **options: object) -> tuple[Visitor, str, str]:
    """The same with the authentication app on; returns its key and the backup code."""
    ada = visit(layout, **options)
    person = ada.site.person("ada", layout=layout)
    person.sign_up()
    person.turn_on_app()
    person.press("Got it")
    ada.become(person)
    ada.open(TWO_FACTOR)
    ada.site.clock.pass_(30)
    return ada, person.secret, person.kept_code


# -- The journey ---------------------------------------------------------------------------------------


@everywhere
@with_and_without_script
def test_the_first_journey_by_keyboard(site: LiveSite, visit: Visits, layout: str, script: bool) -> None:
    ada = visit(layout, java_script_enabled=script)
    sign_up(ada)
    open_two_factor(ada)
    secret, backup_code = turn_on_app(ada)
    log_out(ada)

    log_in(ada)
    ada.arrives(CODE)
    ada.type_("Code", "000000")
    ada.press("Verify")
    ada.sees_problem("Wrong code.")
    site.clock.pass_(30)
    enter_code(ada, secret)
    ada.arrives(HOME)
    log_out(ada)

    log_in(ada)
    ada.arrives(CODE)
    ada.follow("Use a backup code")
    ada.arrives("Use a backup code")
    ada.type_("Backup code", backup_code.lower().replace("-", " "))
    ada.press("Verify")
    ada.arrives("Save your new backup code")
    assert ada.page.locator("#backup-code").inner_text() != backup_code
    ada.press("Got it")
    ada.arrives(HOME)
    expect(ada.page.locator("#home-place a")).to_have_attribute("aria-current", "page")


@pytest.mark.parametrize("layout", [DESKTOP, ANDROID])
def test_a_camera_reads_the_qr_code_in_every_colour_scheme(visit: Visits, layout: str) -> None:
    ada = as_member(visit, layout)
    start_app(ada)
    keys = {scanned_key(ada)}
    ada.page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    keys.add(scanned_key(ada))
    ada.page.emulate_media(forced_colors="active", reduced_motion="reduce")
    keys.add(scanned_key(ada))
    ada.page.emulate_media(color_scheme="dark", forced_colors="active", reduced_motion="reduce")
    keys.add(scanned_key(ada))
    assert keys == {shown_key(ada)}


@everywhere
def test_the_setup_key_is_copied_without_its_spaces(visit: Visits, layout: str) -> None:
    ada = as_member(visit, layout)
    ada.context.grant_permissions(["clipboard-write"], origin=ada.site.url(layout).rstrip("/"))
    start_app(ada)
    ada.press("Copy setup key")
    ada.receipt("Setup key copied")
    ada.page.evaluate("document.querySelector('main').append(document.createElement('textarea'))")
    ada.page.locator("textarea").focus()  # pasted, because the page may not read the clipboard
    ada.page.keyboard.press("ControlOrMeta+v")
    assert ada.page.locator("textarea").input_value() == shown_key(ada)
    ada.page.locator("textarea").evaluate("element => element.remove()")
    if layout != DESKTOP:
        link = ada.page.get_by_role("link", name="Open in my authentication app", exact=True)
        assert f"secret={shown_key(ada)}" in str(link.get_attribute("href"))


# -- Turning off ---------------------------------------------------------------------------------------


@everywhere
@with_and_without_script
def test_turning_the_last_method_off_and_on_again(visit: Visits, layout: str, script: bool) -> None:
    ada, _, _ = as_owner(visit, layout, java_script_enabled=script)
    ada.press("Authentication app", "Space", role="checkbox")
    ada.arrives("Turn off two-factor authentication?")
    expect(ada.page.get_by_role("main")).to_contain_text("Only your password will protect your account")
    ada.press("Turn off")
    if layout == IPHONE:
        expect(ada.page.get_by_text("Tap Turn off again to confirm.")).to_be_visible()
        ada.arrives("Turn off two-factor authentication?")
        ada.press("Turn off")
    ada.arrives("Two-factor authentication")
    ada.receipt("Authentication app is now off.")
    box = ada.page.get_by_role("checkbox", name="Authentication app")
    expect(box).not_to_be_checked()
    ada.press("Turn back on")
    ada.receipt("Authentication app is back on.")
    expect(box).to_be_checked()


@everywhere
def test_turning_off_can_be_cancelled(visit: Visits, layout: str) -> None:
    ada, _, _ = as_owner(visit, layout)
    ada.press("Authentication app", "Space", role="checkbox")
    ada.arrives("Turn off two-factor authentication?")
    ada.follow("Cancel")
    ada.arrives("Two-factor authentication")
    expect(ada.page.get_by_role("checkbox", name="Authentication app")).to_be_checked()


BAD_GATEWAY = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
"""The page of nginx while the site starts again."""


def test_the_error_page_of_a_proxy_takes_nothing_that_was_typed(visit: Visits) -> None:
    ada = as_member(visit)
    ada.open("/settings/account/name")
    ada.type_("Name", "Augusta Ada King")
    ada.watch.expects(502)
    ada.context.route(
        "**/name", lambda route: route.fulfill(status=502, body=BAD_GATEWAY, content_type="text/html"), times=1
    )
    ada.press("Save")
    ada.receipt("We couldn't reach the site. Check your connection and try again.")
    ada.press("Save")
    ada.receipt("Your name is now Augusta Ada King.")


@pytest.mark.parametrize("is_same", [True, False])
def test_what_was_typed_is_there_again_after_the_login_when_the_session_had_ended(visit: Visits, is_same: bool) -> None:
    """For the same user only."""
    ada, secret, _ = as_owner(visit)
    ada.open("/settings/account/name")
    ada.type_("Name", "Augusta Ada King")
    ada.site.clock.pass_(ada.site.services.settings.policy.session_idle)
    if not is_same:
        ada.site.person("grace").sign_up()
    ada.press("Save")
    ada.arrives("Log in")
    ada.receipt("You've been logged out.")
    ada.type_("Username", "ada" if is_same else "grace")
    ada.type_("Password", PASSWORD)
    ada.press("Log in")
    if is_same:
        ada.arrives(CODE)
        enter_code(ada, secret)
    ada.arrives("Change your name")
    expect(ada.page.get_by_label("Name")).to_have_value("Augusta Ada King" if is_same else "Ada Lovelace")


# -- Changing the account ------------------------------------------------------------------------------


def is_told_that_it_is_too_short(ada: Visitor, label: str) -> None:
    """On leaving the field of the password, and no longer once it is long enough."""
    field, told = ada.page.get_by_label(label, exact=True), "Use at least 15 characters."
    expect(field).not_to_have_attribute("aria-invalid", "true")
    ada.page.keyboard.press("Tab")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(ada.page.locator(f"#{field.get_attribute('id')}-error")).to_have_text(f"Error: {told}")
    expect(ada.page.locator(f"#{field.get_attribute('id')}-error .icon")).to_be_visible()
    expect(field).to_have_accessible_description(re.compile(rf"{told}$"))
    expect(ada.page.get_by_role("status")).to_contain_text(told)
    ada.type_(label, "a loom of one's own")
    ada.page.keyboard.press("Tab")
    expect(field).not_to_have_attribute("aria-invalid", "true")
    expect(ada.page.locator(f"#{field.get_attribute('id')}-error")).to_be_empty()
    ada.type_(label, "short")


@everywhere
@with_and_without_script
def test_changing_the_password_and_the_email_address(visit: Visits, layout: str, script: bool) -> None:
    ada, secret, _ = as_owner(visit, layout, java_script_enabled=script)
    ada.site.clock.pass_(11 * 60)  # the session is no longer fresh
    ada.open("/settings/account/password")
    ada.arrives("Enter your password")
    ada.type_("Password", PASSWORD)
    ada.press("Verify")
    ada.arrives(CODE)
    enter_code(ada, secret)
    ada.arrives("Change your password")
    ada.type_("New password", "short")
    if script:
        is_told_that_it_is_too_short(ada, "New password")
    ada.press("Save")
    ada.sees_problem("Use at least 15 characters.")
    ada.type_("New password", "a loom of one's own words")
    ada.press("Save")
    ada.arrives("Account")
    ada.receipt("Password changed.")

    ada.activate(ada.page.get_by_role("main").get_by_role("link", name="Email address", exact=True))
    ada.arrives("Change your email")
    ada.type_("Email address", "lovelace@example.org")
    ada.press("Save")
    ada.arrives("Check your email")
    ada.type_("Confirmation code", ada.site.emailed_code("lovelace@example.org"))
    ada.press("Verify")
    ada.arrives("Account")
    ada.receipt("Your email address is confirmed.")
    expect(ada.page.get_by_role("main")).to_contain_text("lovelace@example.org")

    log_out(ada)
    log_in(ada, "a loom of one's own words")
    ada.arrives(CODE)


# -- Variations ----------------------------------------------------------------------------------------


@with_and_without_script
def test_reload_back_and_a_second_tab_keep_the_qr_code_and_start_over_generates_a_new_one(
    visit: Visits, script: bool
) -> None:
    ada = as_member(visit, java_script_enabled=script)
    start_app(ada)
    first = scanned_key(ada)
    ada.page.reload()
    assert scanned_key(ada) == first
    ada.press("Next")
    ada.arrives("Enter the code from your app")
    ada.type_("Code", "000000")
    ada.press("Verify")
    ada.sees_problem("Wrong code.")
    for _ in range(1 if script else 2):  # without a script the refused form is a page of its own in the history
        ada.go_back()
    ada.arrives("Link your authentication app")
    assert scanned_key(ada) == first

    other = ada.context.new_page()
    other.goto(ada.site.url(DESKTOP, APP))
    expect(other.get_by_role("heading", level=1)).to_have_text("Enter the code from your app")
    other.goto(ada.site.url(DESKTOP, f"{APP}/link"))
    assert "".join(other.locator(".setup-key .secret").inner_text().split()) == first
    other.close()

    ada.press("Start over")
    expect(ada.page.locator(".setup-key .secret")).not_to_have_text(" ".join(re.findall("....", first)))
    second = scanned_key(ada)
    assert second == shown_key(ada) != first
    ada.press("Next")
    ada.arrives("Enter the code from your app")
    enter_code(ada, second)
    ada.arrives("You're all set")


def test_back_leads_through_the_steps_and_sends_nothing_again(visit: Visits) -> None:
    ada = visit()
    person = ada.site.person("ada")
    person.sign_up(confirm_email=False)
    ada.become(person)
    ada.open(TWO_FACTOR)
    ada.press("Authentication app", "Space", role="checkbox")
    ada.arrives("Authentication app")
    ada.press("Start")
    ada.arrives("Confirm your email")
    ada.type_("Email address", "ada@example.org")
    ada.press("Next")
    ada.arrives("Check your email")
    sent = len(ada.site.emails())
    ada.go_back()
    ada.arrives("Confirm your email")
    ada.go_back()
    ada.arrives("Authentication app")
    ada.go_back()
    ada.arrives("Two-factor authentication")
    for h1 in ("Authentication app", "Confirm your email", "Check your email"):
        ada.go_forward()
        ada.arrives(h1)
    assert len(ada.site.emails()) == sent == 1
    ada.type_("Confirmation code", ada.site.emailed_code("ada@example.org"))
    ada.press("Verify")
    ada.arrives("Link your authentication app")


@everywhere
def test_cancel_changes_nothing(visit: Visits, layout: str) -> None:
    ada = as_member(visit, layout)
    start_app(ada)
    ada.follow("Cancel")
    ada.arrives("Two-factor authentication")
    expect(ada.page.get_by_role("checkbox", name="Authentication app")).not_to_be_checked()


def test_finishing_in_a_second_tab_ends_the_enrollment_in_the_first(visit: Visits) -> None:
    ada = as_member(visit)
    start_app(ada)
    secret = scanned_key(ada)
    ada.press("Next")
    ada.arrives("Enter the code from your app")
    other = ada.context.new_page()
    other.goto(ada.site.url(DESKTOP, f"{APP}/code"))
    other.get_by_label("Code", exact=True).fill(ada.site.app_code(secret))
    other.get_by_role("button", name="Verify", exact=True).click()
    expect(other.get_by_role("heading", level=1)).to_have_text("You're all set")
    ada.site.clock.pass_(30)
    enter_code(ada, secret)
    ada.arrives("You're all set")
    ada.press("Got it")
    ada.arrives("Two-factor authentication")
    expect(ada.page.get_by_role("checkbox", name="Authentication app")).to_be_checked()


def test_a_password_reset_does_not_skip_the_second_factor(visit: Visits) -> None:
    ada, secret, _ = as_owner(visit)
    log_out(ada)
    ada.follow("Forgot password?")
    ada.arrives("Forgot password?")
    ada.type_("Email address", "ada@example.org")
    ada.press("Send link")
    ada.arrives("Check your email for a link")
    ada.open(ada.site.emailed_path("ada@example.org", "/reset-password/"))
    ada.arrives("Choose a new password")
    ada.type_("New password", "a loom of one's own words")
    ada.press("Save password")
    ada.arrives("Log in")
    ada.receipt("Password changed.")
    log_in(ada, "a loom of one's own words")
    ada.arrives(CODE)
    enter_code(ada, secret)
    ada.arrives(HOME)


# -- The footer ----------------------------------------------------------------------------------------


@everywhere
@pytest.mark.parametrize("button", ["OK", "Change language"])
def test_the_footer_keeps_the_step_and_what_was_typed_after_steps_by_htmx(
    visit: Visits, layout: str, button: str
) -> None:
    ada = visit(layout)
    person = ada.site.person("ada", layout=layout)
    person.sign_up(confirm_email=False)
    ada.become(person)
    ada.open(TWO_FACTOR)
    start_app_unconfirmed(ada)
    ada.type_("Email address", "ada@exam")
    ada.press(button)
    expect(ada.page.get_by_role("region", name="Cookie notice")).to_have_count(0 if button == "OK" else 1)
    ada.arrives("Confirm your email")
    expect(ada.page.get_by_label("Email address")).to_have_value("ada@exam")
    ada.type_("Email address", "ada@example.org")
    ada.press("Next")
    ada.arrives("Check your email")
    ada.type_("Confirmation code", "12")
    ada.press("Change language")
    expect(ada.page.get_by_label("Confirmation code")).to_have_value("")
    ada.arrives("Check your email")
    assert ada.page.evaluate("sessionStorage.length") == 0


def test_the_footer_keeps_no_password_that_is_shown(visit: Visits) -> None:
    ada = visit()
    ada.open("/sign-up")
    ada.type_("Name", "Ada")
    ada.type_("Password", "correct horse battery staple")
    ada.press("Show password")
    ada.page.evaluate("""() => {
      const { setItem } = Storage.prototype;
      Storage.prototype.setItem = function (name, text) {
        setItem.call(this, name, text);
        setItem.call(localStorage, "copy", text);
      };
    }""")
    ada.press("Change language")
    expect(ada.page.get_by_label("Name", exact=True)).to_have_value("Ada")
    kept = ada.page.evaluate("localStorage.getItem('copy')")
    assert "Ada" in kept
    assert "horse" not in kept


def test_what_was_typed_is_there_again_after_a_page_about_an_error(visit: Visits) -> None:
    ada = as_member(visit, DESKTOP)
    ada.watch.expected |= {413}
    ada.open("/settings/account/name")
    name = ada.page.get_by_label("Name", exact=True)
    name.fill("Ada" * 30_000)
    ada.press("Save")
    ada.arrives("Too large")
    ada.page.reload()
    ada.arrives("Change your name")
    assert len(name.input_value()) == 90_000
    assert ada.page.evaluate("sessionStorage.length") == 0
    name.fill("")
    ada.press("Save")
    ada.arrives("Change your name")
    assert ada.page.evaluate("sessionStorage.length") == 0, "the form itself keeps it"


def test_a_contacts_file_over_the_limit_comes_back_to_the_page_on_the_development_server_too(visit: Visits) -> None:
    ada = as_member(visit, DESKTOP)
    ada.watch.expected |= {413}
    ada.open("/settings/privacy/contacts")
    photos = {"name": "contacts.vcf", "mimeType": "text/vcard", "buffer": b"TEL:1\n" * 200_000}
    ada.page.get_by_label("Contacts file (.vcf)").set_input_files(photos)
    ada.press("Upload contacts")
    ada.arrives("Discoverability and contacts")
    expect(ada.page.get_by_label("Contacts file (.vcf)")).to_have_attribute("aria-invalid", "true")


def start_app_unconfirmed(ada: Visitor) -> None:
    """From the list of methods to the address, in steps of HTMX."""
    ada.press("Authentication app", "Space", role="checkbox")
    ada.arrives("Authentication app")
    ada.press(OVERVIEW_BUTTON[ada.layout])
    ada.arrives("Confirm your email")


def test_the_link_to_the_other_site_keeps_the_path_after_steps_by_htmx(visit: Visits, site: LiveSite) -> None:
    ada = as_member(visit, ANDROID)
    start_app(ada)
    step = urlsplit(ada.page.url).path
    ada.follow("Desktop site")
    ada.page.wait_for_url(lambda url: urlsplit(url).netloc == site.host)
    assert parse_qs(urlsplit(ada.page.url).query)["next"] == [step]


def test_a_brief_message_lets_presses_through(visit: Visits) -> None:
    ada = as_member(visit, ANDROID)
    start_app(ada)
    ada.page.evaluate("""() => {
      const words = document.createElement("p");
      words.dataset.brief = "";
      words.textContent = "Setup key copied";
      document.getElementById("status").append(words);
    }""")
    at = ada.page.locator("[data-brief]").bounding_box()
    assert at is not None
    hit = ada.page.evaluate(
        "([x, y]) => 'brief' in document.elementFromPoint(x, y).dataset", [at["x"] + 5, at["y"] + 5]
    )
    assert hit is False
