"""Security keys in a real browser with its virtual authenticators: every transport, both hosts, passkeys."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import CDPSession, Locator, expect
from sqlalchemy import delete

from tests.browser.conftest import Visits
from tests.browser.live import LiveSite, Visitor
from tests.browser.test_journeys import HOME, as_member, everywhere, log_in, log_out
from tests.people import ANDROID, DESKTOP, IPHONE, PASSWORD, TWO_FACTOR
from webapp.models.factors import Factor

TOUCH, NAME, KEYS, ASKED = "Add your security key", "Name your key", "Manage security keys", "Use your security key"
CANCELLED = "That was canceled or took too long. Nothing was changed."


@dataclass
class Key:
    """A virtual authenticator of a browser."""

    session: CDPSession
    id: str

    def agrees(self, agrees: bool) -> None:
        """Sets whether its owner touches it."""
        given = {"authenticatorId": self.id, "enabled": agrees}
        self.session.send("WebAuthn.setAutomaticPresenceSimulation", given)

    def verifies(self, verifies: bool) -> None:
        self.session.send("WebAuthn.setUserVerified", {"authenticatorId": self.id, "isUserVerified": verifies})

    def credentials(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.session.send("WebAuthn.getCredentials", {"authenticatorId": self.id})[
            "credentials"
        ]
        return found

    def give(self, credential: dict[str, Any]) -> None:
        """Puts the same key into this browser."""
        self.session.send("WebAuthn.addCredential", {"authenticatorId": self.id, "credential": credential})


def plug_in(ada: Visitor, transport: str = "usb", *, passkey: bool = False) -> Key:
    session = ada.context.new_cdp_session(ada.page)
    session.send("WebAuthn.enable", {"enableUI": False})
    options = {
        "protocol": "ctap2",
        "transport": transport,
        "hasResidentKey": passkey,
        "hasUserVerification": passkey,
        "isUserVerified": passkey,
        "automaticPresenceSimulation": True,
    }
    made = session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return Key(session, made["authenticatorId"])


def add_key(ada: Visitor, name: str) -> None:
    """From the overview to the list with the key, or to the backup code."""
    ada.press("Start")
    ada.arrives(TOUCH)
    use_key(ada)
    ada.arrives(NAME)
    ada.type_("Key name", name)
    ada.press("Save")


def use_key(ada: Visitor) -> None:
    ada.page.bring_to_front()
    ada.press("Use security key")


def start(ada: Visitor) -> None:
    ada.open(TWO_FACTOR)
    ada.follow("Security key")
    ada.arrives("Security key")


def turn_on(ada: Visitor, name: str = "Blue key") -> None:
    start(ada)
    add_key(ada, name)
    ada.arrives("You're all set")
    ada.press("Got it")
    ada.arrives(KEYS)


@everywhere
def test_a_key_by_keyboard_from_the_settings_to_the_next_log_in(site: LiveSite, visit: Visits, layout: str) -> None:
    ada = as_member(visit, layout)
    plug_in(ada)
    turn_on(ada)
    expect(ada.page.get_by_role("heading", name="Blue key")).to_be_visible()
    expect(ada.page.get_by_role("main")).to_contain_text("Security keys are your only method")
    log_out(ada)
    log_in(ada)
    ada.arrives(ASKED)
    use_key(ada)
    ada.arrives(HOME)


@pytest.mark.parametrize("transport", ["usb", "nfc", "ble", "internal", "hybrid"])
def test_a_key_answers_over_every_transport(site: LiveSite, visit: Visits, transport: str) -> None:
    ada = as_member(visit, DESKTOP)
    plug_in(ada, transport)
    turn_on(ada)
    log_out(ada)
    log_in(ada)
    ada.arrives(ASKED)
    use_key(ada)
    ada.arrives(HOME)


# -- Failures -----------------------------------------------------------------------------------------


def line(ada: Visitor, words: str) -> None:
    """Shown beside the button and announced."""
    expect(ada.page.locator("[data-line]")).to_have_text(words)
    expect(ada.page.get_by_role("status")).to_contain_text(words)


def colors(button: Locator) -> list[str]:
    """Of its words and of its ground."""
    return list(button.evaluate("e => [getComputedStyle(e).color, getComputedStyle(e).backgroundColor]"))


def test_while_waiting_the_page_says_so_and_a_second_press_does_nothing(site: LiveSite, visit: Visits) -> None:
    ada = as_member(visit)
    ada.page.add_init_script("""
      window.asked = 0;
      const create = navigator.credentials.create.bind(navigator.credentials);
      navigator.credentials.create = (options) => { window.asked += 1; return create(options); };
    """)
    key = plug_in(ada)
    key.agrees(False)
    start(ada)
    ada.press("Start")
    ada.arrives(TOUCH)
    button = ada.page.get_by_role("button", name="Use security key", exact=True)
    button.hover()
    free = colors(button)
    use_key(ada)
    line(ada, "Waiting for your security key… Touch it when it blinks.")
    assert not set(colors(button)) & set(free), "neither words nor ground are those of a button that can be pressed"
    ada.page.keyboard.press("Enter")
    assert ada.page.evaluate("asked") == 1
    key.agrees(True)
    ada.page.reload()
    use_key(ada)
    ada.arrives(NAME)


def test_a_key_of_another_user_changes_nothing_and_the_right_one_then_logs_in(site: LiveSite, visit: Visits) -> None:
    ada = as_member(visit)
    mine = plug_in(ada)
    turn_on(ada)
    log_out(ada)
    held = mine.credentials()
    mine.session.send("WebAuthn.clearCredentials", {"authenticatorId": mine.id})
    log_in(ada)
    ada.arrives(ASKED)
    use_key(ada)
    line(ada, CANCELLED)
    expect(ada.button("Try again")).to_be_focused()
    mine.give(held[0])
    ada.press("Try again")
    ada.arrives(HOME)


def test_a_key_that_is_added_already_is_reported(site: LiveSite, visit: Visits) -> None:
    ada = as_member(visit)
    plug_in(ada)
    turn_on(ada)
    ada.follow("Add another key")
    ada.arrives(TOUCH)
    use_key(ada)
    line(ada, "You've already added this key. Try a different one.")
    assert "Step 1 of 2" in ada.page.get_by_role("main").inner_text()


def test_a_page_that_was_open_for_long_gets_a_new_challenge(site: LiveSite, visit: Visits) -> None:
    ada = as_member(visit)
    plug_in(ada)
    ada.page.clock.install()
    start(ada)
    ada.press("Start")
    ada.arrives(TOUCH)
    ada.page.clock.fast_forward(6 * 60 * 1000)
    site.clock.pass_(6 * 60)
    use_key(ada)
    ada.arrives(NAME)


@pytest.mark.parametrize("known", ["log-in", "key"])
def test_without_a_network_the_connection_is_named_and_not_the_key(visit: Visits, known: str) -> None:
    """For a passkey and on a page that needs a new challenge; then the same button works."""
    ada = as_member(visit)
    plug_in(ada, passkey=True)
    turn_on(ada)
    button = "Log in with a passkey" if known == "log-in" else "Use security key"
    if known == "key":
        ada.page.clock.install()
        ada.open(f"{TWO_FACTOR}/security-key/touch")
        ada.page.clock.fast_forward(6 * 60 * 1000)
    else:
        log_out(ada)
    ada.context.set_offline(True)
    ada.press(button)
    line(ada, "We couldn't reach the site. Check your connection and try again.")
    ada.context.set_offline(False)
    ada.watch.faults = [fault for fault in ada.watch.faults if "INTERNET_DISCONNECTED" not in fault]
    ada.activate(ada.page.locator("main form[data-options] button, main button.passkey"))
    if known == "log-in":
        ada.arrives(HOME)
    else:
        line(ada, "You've already added this key. Try a different one.")


def test_an_answer_that_does_not_reach_the_site_is_not_waited_for(visit: Visits) -> None:
    """The error page is that of a proxy; then the same button works."""
    ada = as_member(visit)
    plug_in(ada)
    start(ada)
    ada.press("Start")
    ada.arrives(TOUCH)
    ada.watch.expects(502)
    ada.context.route("**/touch", lambda route: route.fulfill(status=502, body="Bad Gateway"), times=1)
    use_key(ada)
    line(ada, "We couldn't reach the site. Check your connection and try again.")
    use_key(ada)
    ada.arrives(NAME)


def test_a_late_answer_is_refused_and_can_be_repeated(site: LiveSite, visit: Visits) -> None:
    ada = as_member(visit)
    plug_in(ada)
    start(ada)
    ada.press("Start")
    ada.arrives(TOUCH)
    site.clock.pass_(5 * 60)
    use_key(ada)
    ada.sees_problem("That took too long. Nothing was changed. Try again.")
    use_key(ada)
    ada.arrives(NAME)


def test_without_javascript_the_page_says_so_and_offers_the_other_methods(site: LiveSite, visit: Visits) -> None:
    ada = visit(DESKTOP, java_script_enabled=False)
    person = site.person("ada")
    person.sign_up()
    person.turn_on_key()
    person.log_in_again()
    ada.become(person)
    ada.open("/log-in/verify")
    expect(ada.page.get_by_text("Security keys need JavaScript")).to_be_visible()
    expect(ada.button("Use security key")).to_be_hidden()
    expect(ada.page.get_by_text("then use the button")).to_be_hidden()
    ada.follow("Use a backup code")
    ada.arrives("Use a backup code")


def test_without_javascript_every_page_of_adding_a_key_says_so_and_leads_to_the_other_methods(
    site: LiveSite, visit: Visits
) -> None:
    ada = as_member(visit, java_script_enabled=False)
    ada.follow("Security key")
    ada.arrives("Security key")
    expect(ada.page.get_by_text("Security keys need JavaScript")).to_be_visible()
    ada.press("Start")
    ada.arrives(TOUCH)
    expect(ada.page.get_by_text("Security keys need JavaScript")).to_be_visible()
    expect(ada.page.get_by_text("button below")).to_be_hidden()
    ada.follow("Choose another method")
    ada.arrives("Two-factor authentication")


def test_a_browser_without_webauthn_says_so_before_it_asks_anything(site: LiveSite, visit: Visits) -> None:
    ada = visit(DESKTOP)
    person = site.person("ada")
    person.sign_up(confirm_email=False)
    ada.become(person)
    ada.page.add_init_script("delete window.PublicKeyCredential")
    ada.open(TWO_FACTOR)
    ada.follow("Security key")
    ada.arrives("Confirm your email")
    expect(ada.page.get_by_text("This browser can't use security keys.")).to_be_visible()
    ada.follow("Choose another method")
    ada.arrives("Two-factor authentication")


def test_a_browser_without_webauthn_shows_no_button_for_a_key(site: LiveSite, visit: Visits) -> None:
    ada = as_member(visit)
    ada.page.add_init_script("delete window.PublicKeyCredential")
    start(ada)
    ada.press("Start")
    ada.arrives(TOUCH)
    expect(ada.page.get_by_role("main")).to_contain_text("Chrome, Edge, Firefox, Opera, and Safari")
    expect(ada.button("Use security key")).to_be_hidden()
    expect(ada.page.get_by_text("This browser can't use security keys.")).to_be_visible()
    log_out(ada)
    expect(ada.button("Log in")).to_be_visible()
    expect(ada.button("Log in with a passkey")).to_be_hidden()
    ada.page.add_init_script("window.PublicKeyCredential = class {}")
    ada.open("/log-in")
    expect(ada.button("Log in with a passkey")).to_be_visible()


def test_a_key_whose_answer_cannot_write_itself_is_registered_and_logs_in(site: LiveSite, visit: Visits) -> None:
    ada = as_member(visit)
    plug_in(ada, "internal", passkey=True)
    ada.page.add_init_script("""
      for (const name of ["create", "get"]) {
        const own = navigator.credentials[name].bind(navigator.credentials);
        navigator.credentials[name] = async (options) => {
          if (options.mediation) return new Promise(() => {});
          const made = await own(options);
          const toJSON = () => { throw new TypeError("Illegal invocation"); };
          const { id, rawId, type, response, authenticatorAttachment } = made;
          return { id, rawId, type, response, authenticatorAttachment, toJSON };
        };
      }
    """)
    turn_on(ada)
    log_out(ada)
    ada.page.bring_to_front()
    ada.press("Log in with a passkey")
    ada.arrives(HOME)


def test_a_browser_without_the_newer_functions_works_too(site: LiveSite, visit: Visits) -> None:
    ada = as_member(visit)
    plug_in(ada)
    ada.page.add_init_script("""
      delete PublicKeyCredential.parseCreationOptionsFromJSON;
      delete PublicKeyCredential.parseRequestOptionsFromJSON;
      delete PublicKeyCredential.prototype.toJSON;
    """)
    turn_on(ada)
    log_out(ada)
    log_in(ada)
    ada.arrives(ASKED)
    use_key(ada)
    ada.arrives(HOME)


def test_from_start_to_the_name_there_are_at_most_four_requests(site: LiveSite, visit: Visits) -> None:
    ada = as_member(visit)
    plug_in(ada)
    start(ada)
    before = len(ada.watch.statuses)
    ada.press("Start")
    ada.arrives(TOUCH)
    use_key(ada)
    ada.arrives(NAME)
    asked = [
        url for _, url in ada.watch.statuses[before:] if "/static/" not in url
    ]  # static files are cached for a year
    assert len(asked) <= 4, asked


# -- The list of keys ----------------------------------------------------------------------------------


@everywhere
def test_a_second_key_is_added_renamed_and_deleted(site: LiveSite, visit: Visits, layout: str) -> None:
    ada = as_member(visit, layout)
    first = plug_in(ada)
    turn_on(ada)
    first.session.send("WebAuthn.removeVirtualAuthenticator", {"authenticatorId": first.id})
    plug_in(ada)
    ada.follow("Add another key")
    ada.arrives(TOUCH)
    use_key(ada)
    ada.arrives(NAME)
    ada.type_("Key name", "blue  KEY")
    ada.press("Save")
    ada.sees_problem("You already have one with that name.")
    ada.type_("Key name", "Red key")
    ada.press("Save")
    ada.arrives(KEYS)
    ada.receipt("Red key was added.")
    ada.follow("Rename Red key")
    ada.arrives("Rename Red key")
    ada.type_("Key name", "Green key")
    ada.press("Save")
    ada.arrives(KEYS)
    site.clock.pass_(11 * 60)
    ada.follow("Delete Green key")
    ada.arrives("Enter your password")
    ada.type_("Password", PASSWORD)
    ada.press("Verify")
    ada.arrives(ASKED)
    use_key(ada)
    ada.arrives("Delete Green key")
    ada.press("Delete")
    ada.arrives(KEYS)
    ada.receipt("Green key was deleted.")


# -- Passkeys ------------------------------------------------------------------------------------------


def with_passkey(ada: Visitor) -> Key:
    """Adds a passkey of this device in the settings and logs out."""
    key = plug_in(ada, "internal", passkey=True)
    turn_on(ada, "This laptop")
    expect(ada.page.get_by_role("main")).to_contain_text("Can be used without a password (passkey)")
    key.agrees(False)
    log_out(ada)
    return key


@everywhere
def test_the_browser_offers_a_passkey_in_the_username_field(site: LiveSite, visit: Visits, layout: str) -> None:
    ada = as_member(visit, layout)
    key = with_passkey(ada)
    expect(ada.page.get_by_label("Username")).to_have_attribute("autocomplete", "username webauthn")
    ada.page.goto("about:blank")
    key.agrees(True)
    ada.page.goto(site.url(layout, "/log-in?next=/settings/account"), wait_until="commit")
    ada.arrives("Account")


@everywhere
def test_a_passkey_logs_in_by_its_button_and_keeps_the_checkbox(site: LiveSite, visit: Visits, layout: str) -> None:
    ada = as_member(visit, layout)
    key = with_passkey(ada)
    ada.page.add_init_script("PublicKeyCredential.isConditionalMediationAvailable = async () => false")
    ada.open("/log-in")
    ada.press("Keep me logged in", "Space", role="checkbox")
    key.agrees(True)
    ada.page.bring_to_front()
    ada.press("Log in with a passkey")
    ada.arrives(HOME)
    kept = [cookie for cookie in ada.context.cookies() if cookie["name"] == "session"]
    assert kept[0]["expires"] > 0


def test_a_key_without_user_verification_is_no_passkey(site: LiveSite, visit: Visits) -> None:
    ada = as_member(visit)
    key = with_passkey(ada)
    ada.page.add_init_script("PublicKeyCredential.isConditionalMediationAvailable = async () => false")
    ada.open("/log-in")
    key.verifies(False)
    key.agrees(True)
    ada.page.bring_to_front()
    ada.press("Log in with a passkey")
    line(ada, CANCELLED)


def test_a_deleted_passkey_is_removed_from_the_browser_too(site: LiveSite, visit: Visits) -> None:
    ada = as_member(visit)
    key = plug_in(ada, "internal", passkey=True)
    turn_on(ada, "This laptop")
    assert len(key.credentials()) == 1
    ada.follow("Delete This laptop")
    ada.arrives("Delete This laptop")
    ada.press("Delete")
    ada.arrives(KEYS)
    ada.receipt("This laptop was deleted.")
    for _ in range(50):
        if not key.credentials():
            return
        ada.page.wait_for_timeout(50)
    raise AssertionError("the browser still offers the passkey")


def test_an_unknown_passkey_is_refused_with_a_reason(site: LiveSite, visit: Visits) -> None:
    ada = as_member(visit)
    key = with_passkey(ada)
    ada.page.add_init_script("PublicKeyCredential.isConditionalMediationAvailable = async () => false")
    with site.services.db.write() as tx:
        tx.execute(delete(Factor))
    ada.open("/log-in")
    key.agrees(True)
    ada.page.bring_to_front()
    ada.press("Log in with a passkey")
    ada.sees_problem("We don't recognize that key.")


@pytest.mark.parametrize(("made", "used"), [(DESKTOP, ANDROID), (ANDROID, DESKTOP), (IPHONE, DESKTOP)])
def test_a_key_of_one_host_works_at_the_other(site: LiveSite, visit: Visits, made: str, used: str) -> None:
    ada = as_member(visit, made)
    key = plug_in(ada)
    turn_on(ada)
    elsewhere = visit(used)
    elsewhere.open("/log-in")
    plug_in(elsewhere).give(key.credentials()[0])
    log_in(elsewhere)
    elsewhere.arrives(ASKED)
    use_key(elsewhere)
    elsewhere.arrives(HOME)


def test_after_a_password_a_capable_device_is_offered_a_passkey_once(site: LiveSite, visit: Visits) -> None:
    ada = as_member(visit)
    log_out(ada)
    plug_in(ada, "internal", passkey=True).agrees(False)
    log_in(ada)
    ada.arrives(HOME)
    offer = ada.page.get_by_role("region", name="Skip the password next time?")
    expect(offer).to_be_visible()
    ada.press("Not now")
    expect(offer).to_have_count(0)
    expect(ada.page.get_by_role("heading", level=1)).to_be_focused()
    log_out(ada)
    log_in(ada)
    ada.arrives(HOME)
    ada.page.wait_for_timeout(200)
    expect(offer).to_have_count(0)


def test_a_device_that_cannot_store_a_passkey_is_offered_none(site: LiveSite, visit: Visits) -> None:
    ada = as_member(visit)
    log_out(ada)
    plug_in(ada, "usb").agrees(False)
    log_in(ada)
    ada.arrives(HOME)
    ada.page.wait_for_timeout(200)
    expect(ada.page.get_by_role("region", name=re.compile("Skip the password"))).to_be_hidden()


def test_the_first_visit_makes_at_most_six_requests_with_passkeys(site: LiveSite, visit: Visits) -> None:
    ada = visit(DESKTOP)
    plug_in(ada, "internal", passkey=True).agrees(False)
    with ada.page.expect_response("**/log-in/passkey/options"):
        ada.open("/log-in")
    assert len(ada.watch.statuses) <= 6
