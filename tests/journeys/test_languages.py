"""The main journeys in other languages: each page and each message is in one language, which is the account's.

The pseudo-languages are there always; Arabic, Japanese and German once their catalogues are complete.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.conftest import Site, one_database
from tests.doubles import CheapHasher, FailingPushes
from tests.people import ANDROID, DESKTOP, HOST, PHONE, TWO_FACTOR, Owner, Page, Person
from tests.pseudo import ACCENTS, LANGUAGES, RIGHT_TO_LEFT
from tests.services.test_request_pushes import subscription
from webapp.adapters.catalogues import offered
from webapp.domain.language import Language, gettext, speaking

SPOKEN = {**offered(), **LANGUAGES}
CODES = [ACCENTS.code, RIGHT_TO_LEFT.code, *(code for code in ("ar", "ja", "de") if code in SPOKEN)]


class Reader(Owner):
    """Presses buttons by the names that they have in a language."""

    language: Language

    def say(self, sentence: str, **values: object) -> str:
        with speaking(self.language):
            return gettext(sentence, **values)

    def press(self, button: str, **fields: Any) -> Page:
        return self.checked(super().press(self.say(button), **fields))

    def open(self, path: str, **options: Any) -> Page:
        return self.checked(super().open(path, **options))

    def checked(self, page: Page) -> Page:
        root = page.soup.find("html")
        assert (root["lang"], root["dir"]) == (self.language.code, self.language.direction), page.path
        (chosen,) = page.soup.select("footer option[selected]")
        assert (chosen["value"], chosen.get_text()) == (self.language.code, self.language.autonym)
        return page


@pytest.fixture
def pushes() -> FailingPushes:
    return FailingPushes()


@pytest.fixture
def overrides(pushes: FailingPushes) -> dict[str, Any]:
    return {"hasher": CheapHasher(), "languages": SPOKEN, "pushes": pushes}


@pytest.fixture(params=CODES)
def ada(site: Site, request: pytest.FixtureRequest) -> Reader:
    """Ada, who signed up in the language and confirmed her address. Her browser prefers English from then on."""
    ada = Reader(site, layout=DESKTOP)
    ada.language = SPOKEN[request.param]
    ada.open(f"/sign-up?lang={request.param}")
    ada.press("Sign up", name="Ada Lovelace", username=ada.username, password=ada.password)
    ada.press("Next", email=ada.email)
    ada.press("Verify", code=code_in(site.emails(ada.email)[0].subject))
    return ada


def code_in(text: str) -> str:
    found = re.search(r"[0-9]{6}", text)
    assert found, text
    return found[0]


@one_database
def test_an_app_is_set_up_and_logs_in(site: Site, ada: Reader) -> None:
    ada.open(TWO_FACTOR)
    ada.press("Authentication app")
    ada.press("Start")
    ada.secret = ada.checked(ada.page or ada.open("/")).setup_key
    ada.press("Next")
    page = ada.press("Verify", code=ada.code())
    assert page.h1 == ada.say("You're all set")
    code = page.backup_code
    assert ada.press("Got it").path == TWO_FACTOR
    event = ada.say("%(method)s was turned on.", method=ada.say("Authentication app"))
    assert event in site.emails(ada.email)[0].text
    browser = Reader(site, layout=DESKTOP)
    browser.language = SPOKEN["en"]
    browser.open("/log-in")
    browser.press("Log in", username=ada.username, password=ada.password)
    browser.language = ada.language  # the account's, once it is logged in
    page = Owner.press(browser, "Verify", code=ada.next_code())
    assert browser.checked(page).h1 == ada.say("Welcome, %(name)s", name="Ada Lovelace")
    assert code not in page.text


@one_database
def test_a_text_is_in_the_language_of_the_account_and_not_of_the_request(site: Site, ada: Reader) -> None:
    ada.open(TWO_FACTOR)
    ada.press("Text message")
    ada.press("Next")
    ada.press("Verify", password=ada.password)
    ada.press("Next", phone=PHONE)
    ada.press("Verify", code=code_in(site.texts(PHONE)[0].text))
    site.clock.pass_(61)
    browser = Person(site.app)
    browser.open("/log-in")
    assert browser.press("Log in", username=ada.username, password=ada.password).h1 == "Enter your code"
    text, *rest = site.texts(PHONE)[0].text.split("\n")
    assert rest == ["", f"@nightlatch.localhost #{code_in(text)}"]
    sentences = (
        "%(code)s is your %(site)s code. Never share it.",
        "%(code)s is your %(site)s code.",
        "%(code)s is your code.",
    )
    assert text in [ada.say(sentence, code=code_in(text), site="Nightlatch") for sentence in sentences]


@one_database
@pytest.mark.parametrize("code", CODES)
def test_a_push_is_in_the_language_of_the_account_and_not_of_the_request(
    site: Site, pushes: FailingPushes, code: str
) -> None:
    language = SPOKEN[code]
    phone = Owner.signed_up(site, layout=ANDROID)
    assert phone.turn_on_requests(subscription()).h1 == "You're all set"
    phone.press("Got it")
    phone.open("/settings/language")
    phone.press("Save", language=code)
    assert phone.other_browser(layout=DESKTOP).log_in().h1 == "Check your phone to approve"
    site.services.delivery.deliver_due()
    ((sent, _seconds),) = pushes.taken
    shown = json.loads(sent.text)["notification"]
    with speaking(language):
        title = gettext("Are you trying to log in to %(site)s?", site="Nightlatch")
    assert (shown["lang"], shown["dir"], shown["title"]) == (code, language.direction, title)


def test_a_part_that_is_the_same_everywhere_is_rendered_once_in_each_layout_language_and_state(site: Site) -> None:
    render, rendered = site.app.jinja_env.globals["same_everywhere"], []
    part = "parts/home_place.html"

    @site.app.before_request
    def look() -> None:
        once, again = render(part, is_here=True), render(part, is_here=True)
        assert once is again
        rendered.append(once)
        assert "aria-current" not in render(part)

    for host, language in ((HOST, "en"), (HOST, "en-XA"), (f"mobile.{HOST}", "en-XA"), (HOST, "en")):
        site.app.test_client().get("/log-in", base_url=f"http://{host}", headers={"Accept-Language": language})
    assert rendered[0] is rendered[3]
    assert len({id(one) for one in rendered}) == 3
    assert all('aria-current="page"' in one for one in rendered)
    assert ("Home" in rendered[0], "Home" in rendered[1]) == (True, False)
