"""The help page, instruction by instruction: every control that it names exists in the layout it describes."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visits
from tests.browser.live import Inside, LiveSite, Visitor
from tests.browser.test_journeys import everywhere
from tests.browser.test_security_key import plug_in
from tests.people import ANDROID, DESKTOP, IPHONE, PASSWORD, PHONE, TWO_FACTOR

HELP = "/help/two-factor-authentication"
DEVICE = {DESKTOP: "desktop", ANDROID: "android", IPHONE: "ios"}
READ = """walk => [...document.querySelectorAll(`[data-walk=${walk}] li`)].map(item => ({
  types: item.dataset.type ?? "",
  only: item.dataset.only ?? "",
  controls: [...item.querySelectorAll("[data-role]")].map(c => [c.dataset.role, c.textContent]),
}))"""


@dataclass
class Reader:
    """A user who follows the instructions of the page, and what they would type."""

    visitor: Visitor
    person: Inside
    is_new: bool = False
    setup_key: str = ""

    def instructions(self, walk: str) -> list[dict[str, object]]:
        self.visitor.open(f"{HELP}?device={DEVICE[self.visitor.layout]}")
        found: list[dict[str, object]] = self.visitor.page.evaluate(READ, walk)
        assert found, f"the help page says nothing of {walk}"
        return found

    def follows(self, instructions: list[dict[str, object]]) -> None:
        page = self.visitor.page
        for told in instructions:
            if told["only"] and not (self.is_new and told["only"] in ("no-email", "no-phone")):
                continue
            for role, name in told["controls"]:  # type: ignore[attr-defined]  # as READ makes them
                self._remember()
                if role == "textbox":
                    page.get_by_label(name, exact=True).fill(self._typed(str(told["types"])))
                else:
                    page.bring_to_front()
                    page.get_by_role(role, name=name, exact=True).click()
                    expect(page.locator(".htmx-request")).to_have_count(
                        0
                    )  # a press during a pending request is dropped

    def _remember(self) -> None:
        key = self.visitor.page.locator(".setup-key .secret")
        if key.count():
            self.setup_key = "".join((key.text_content() or "").split())

    def _typed(self, what: str) -> str:
        site, email = self.visitor.site, self.person.email
        if what == "emailed":
            expect(self.visitor.page.get_by_role("heading", level=1)).to_have_text("Check your email")
            return site.emailed_code(email)
        if what == "texted":
            expect(self.visitor.page.get_by_role("heading", level=1)).to_have_text("Check your phone")
            return site.texted_code(PHONE)
        known = {"password": PASSWORD, "email": email, "phone": PHONE, "name": "Blue key"}
        known["backup"] = self.person.kept_code
        return known[what] if what in known else site.app_code(self.setup_key)


def reader(site: LiveSite, visit: Visits, layout: str, *, is_new: bool = False) -> Reader:
    visitor, person = visit(layout), site.person("ada", layout=layout)
    person.sign_up(confirm_email=not is_new)
    visitor.become(person)
    return Reader(visitor, person, is_new)


@everywhere
def test_the_instructions_lead_to_the_two_factor_page(site: LiveSite, visit: Visits, layout: str) -> None:
    ada = reader(site, visit, layout)
    way = ada.instructions("way")
    ada.visitor.open("/")
    ada.follows(way)
    ada.visitor.arrives("Two-factor authentication")


@everywhere
@pytest.mark.parametrize("is_new", [True, False], ids=["new", "known"])
@pytest.mark.parametrize("method", ["text-message", "authentication-app", "security-key"])
def test_the_instructions_turn_a_method_on(
    site: LiveSite, visit: Visits, layout: str, method: str, is_new: bool
) -> None:
    ada = reader(site, visit, layout, is_new=is_new)
    plug_in(ada.visitor)
    if not is_new and method == "text-message":
        ada.person.open("/settings/account/phone")
        ada.person.press("Save", phone=PHONE)
        ada.person.press("Verify", code=site.texted_code(PHONE))
        site.clock.pass_(60)
    instructions = ada.instructions(method)
    ada.visitor.open(TWO_FACTOR)
    ada.follows(instructions)
    ada.visitor.arrives("Manage security keys" if method == "security-key" else "Two-factor authentication")
    ada.person.open(TWO_FACTOR)


@everywhere
def test_the_instructions_turn_a_method_off(site: LiveSite, visit: Visits, layout: str) -> None:
    ada = reader(site, visit, layout)
    ada.person.turn_on_app()
    ada.person.turn_on_key()
    ada.visitor.become(ada.person)
    instructions = ada.instructions("turn-off")
    ada.visitor.open(TWO_FACTOR)
    ada.follows(instructions)
    ada.visitor.arrives("Two-factor authentication")
    expect(ada.visitor.page.get_by_role("checkbox", name="Authentication app")).not_to_be_checked()


@everywhere
def test_the_instructions_choose_another_method_and_use_the_backup_code(
    site: LiveSite, visit: Visits, layout: str
) -> None:
    ada = reader(site, visit, layout)
    ada.person.turn_on_app()
    ada.person.log_out()
    ada.person.log_in()
    choose, backup = ada.instructions("choose"), ada.instructions("backup")
    ada.visitor.become(ada.person)
    ada.visitor.open("/log-in/verify")
    ada.follows(choose)
    ada.visitor.arrives("Choose how to verify")
    ada.visitor.open("/log-in/verify")
    ada.follows(backup)
    ada.visitor.arrives("Welcome, Ada Lovelace")


@everywhere
def test_the_instructions_for_a_lost_phone_lead_in(site: LiveSite, visit: Visits, layout: str) -> None:
    ada = reader(site, visit, layout)
    ada.person.turn_on_app()
    ada.person.log_out()
    ada.person.log_in()
    lost = ada.instructions("lost-phone")
    ada.visitor.become(ada.person)
    ada.visitor.open("/log-in/verify")
    ada.follows(lost)
    ada.visitor.arrives("Welcome, Ada Lovelace")


@everywhere
def test_the_instructions_for_a_new_phone_change_the_number_and_the_app(
    site: LiveSite, visit: Visits, layout: str
) -> None:
    ada = reader(site, visit, layout)
    ada.person.turn_on_app()
    ada.person.press("Got it")
    ada.visitor.become(ada.person)
    number, app = ada.instructions("new-number"), ada.instructions("new-app")
    ada.visitor.open("/")
    ada.follows(number)
    ada.visitor.arrives("Account")
    ada.visitor.open(TWO_FACTOR)
    ada.follows(app)
    ada.visitor.arrives("Authentication app")
    expect(ada.visitor.page.get_by_text("Step 1 of")).to_be_visible()


def test_the_contents_lead_to_each_section(visit: Visits) -> None:
    ada = visit(DESKTOP)
    ada.open(HELP)
    contents = ada.page.get_by_role("navigation", name="On this page")
    contents.get_by_role("link", name="New phone", exact=True).click()
    expect(ada.page.get_by_role("heading", name="New phone", exact=True)).to_be_in_viewport()


@everywhere
def test_the_instructions_generate_a_temporary_password_for_an_app(site: LiveSite, visit: Visits, layout: str) -> None:
    ada = reader(site, visit, layout)
    ada.person.turn_on_app()
    ada.visitor.become(ada.person)
    instructions = ada.instructions("apps")
    ada.visitor.open(TWO_FACTOR)
    ada.follows(instructions)
    expect(ada.visitor.page.get_by_role("region", name="Temporary password")).to_be_visible()


def test_each_tab_is_for_its_device_and_names_it(visit: Visits) -> None:
    ada = visit(DESKTOP)
    ada.open(HELP)
    tabs = ada.page.get_by_role("navigation", name="Your device")
    for name, word in (("iOS", "Tap"), ("Android", "Tap"), ("Desktop", "Click")):
        tabs.get_by_role("link", name=name, exact=True).click()
        expect(tabs.get_by_role("link", name=name, exact=True)).to_have_attribute("aria-current", "page")
        expect(ada.page.get_by_role("main")).to_contain_text(f"{word} Settings and privacy.")
