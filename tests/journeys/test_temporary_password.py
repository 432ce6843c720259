"""A temporary password: generated in a fresh session, shown once, listed where it was used, ended by its owner."""

from __future__ import annotations

from typing import Any

from tests.apps import App
from tests.conftest import Site
from tests.people import PHONE, TWO_FACTOR, Owner, Page

PAGE = f"{TWO_FACTOR}/temporary-password"


def verify(site: Site, owner: Owner, password: str) -> Page:
    return App(site).verify(owner.username, password)


def region(page: Page) -> Any:
    return page.soup.find("section", attrs={"aria-label": "Temporary password"})


def shown(page: Page) -> str:
    return str(region(page).find(class_="secret").get_text("", strip=True))


def rows(page: Page) -> list[str]:
    return [li.get_text(" ", strip=True) for li in page.soup.select("ul.rows li")]


def made(owner: Owner) -> str:
    owner.open(PAGE)
    return shown(owner.press("Generate temporary password"))


def test_it_is_linked_from_the_methods_and_shown_once(enrolled: Owner) -> None:
    ada = enrolled
    ada.open(TWO_FACTOR)
    page = ada.follow("Temporary password")
    assert (page.path, page.h1, rows(page)) == (PAGE, "Temporary password", [])
    assert page.title == "Temporary password - Nightlatch"
    assert page.link("Sessions") == "/settings/security/sessions"
    page = ada.press("Generate temporary password")
    assert (page.status, page.h1) == (200, "Temporary password")
    password = shown(page)
    assert [len(group) for group in password.split("-")] == [4, 4, 4, 4]
    assert set(password) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567-")
    assert page.soup.find(attrs={"data-copy": password})
    assert rows(page) == ["60 minutes left Generated here just now Not used yet End now"]
    assert shown(ada.open(PAGE)) == password
    ada.open("/")
    page = ada.open(PAGE)
    assert password not in page.text
    assert region(page) is None


def test_it_opens_legacy_access_for_an_hour_and_the_page_lists_where_it_was_used(enrolled: Owner, site: Site) -> None:
    ada = enrolled
    password = made(ada)
    page = verify(site, ada, password)
    assert (page.status, page.response.headers["Remote-User"]) == (200, "ada")
    site.clock.pass_(20 * 60)
    assert rows(ada.open(PAGE)) == [
        "40 minutes left Generated here 20 minutes ago Last used 20 minutes ago by Thunderbird/115.4 from"
        " 198.51.100.7 End now"
    ]
    assert verify(site, ada, password.lower().replace("-", " ")).status == 200, "as people type it"
    assert "Last used 1 second ago" in rows(ada.open(PAGE))[0]
    site.clock.pass_(40 * 60)
    assert verify(site, ada, password).status == 401
    assert rows(ada.open(PAGE)) == []


def test_an_app_without_a_name_is_called_unknown(enrolled: Owner, site: Site) -> None:
    password = made(enrolled)
    assert App(site, agent="").verify("ada", password).status == 200
    assert "by an unnamed app from 198.51.100.7" in rows(enrolled.open(PAGE))[0]


def test_its_owner_ends_it_and_is_notified(enrolled: Owner, site: Site) -> None:
    ada = enrolled
    password = made(ada)
    site.clock.pass_(700)  # the session is stale, which does not prevent ending it
    page = ada.open(PAGE)
    page = ada.press("End now")
    assert (page.path, page.h1, rows(page)) == (PAGE, "Temporary password", [])
    assert page.receipts == ["Temporary password ended. We sent you a confirmation email."]
    assert verify(site, ada, password).status == 401
    told = [email.subject for email in site.emails(ada.email)]
    assert told[0] == "You ended a temporary password for apps (Nightlatch)"
    assert told[1] == "You generated a temporary password for apps (Nightlatch)"


def test_ending_it_in_a_second_tab_shows_the_present_state(enrolled: Owner) -> None:
    ada = enrolled
    made(ada)
    number = ada.page.soup.find("input", attrs={"name": "end"})["value"]
    ada.press("End now")
    page = ada.post(PAGE, end=number)
    assert (page.status, page.path, page.receipts) == (200, PAGE, [])


def test_one_asked_for_in_a_stale_session_is_shown_after_step_up(enrolled: Owner, site: Site) -> None:
    ada = enrolled
    ada.open(PAGE)
    site.clock.pass_(660)
    assert ada.press("Generate temporary password").h1 == "Enter your password"
    assert ada.press("Verify", password=ada.password).h1 == "Enter your code"
    page = ada.press("Verify", code=ada.next_code())
    assert page.h1 == "Temporary password"
    assert verify(site, ada, shown(page)).status == 200


def test_a_newer_one_replaces_it_and_five_a_day_are_allowed(enrolled: Owner, site: Site) -> None:
    ada = enrolled
    first = made(ada)
    passwords = [made(ada) for _ in range(4)]
    assert len({first, *passwords}) == 5
    assert verify(site, ada, first).status == 401
    assert verify(site, ada, passwords[-1]).status == 200
    ada.open(PAGE)
    page = ada.press("Generate temporary password")
    assert page.status == 429
    assert page.problems == ["You've reached today's limit for temporary passwords. Try again in 24 hours."]
    assert page.response.headers["Retry-After"] == "86400"
    assert len(rows(page)) == 1, "the last one goes on"
    site.clock.pass_(86400)
    ada.log_in_whole()
    assert made(ada)


def test_without_a_second_factor_there_is_none_and_the_usual_password_opens_legacy_access(
    ada: Owner, site: Site
) -> None:
    ada.sign_up()
    page = ada.open(TWO_FACTOR)
    assert page.says("You need one once a method is on.")
    assert page.link("Temporary password") == PAGE
    for page in (ada.open(PAGE), ada.post(PAGE)):
        assert (page.path, page.h1) == (PAGE, "Temporary password")
        assert page.says("You need a temporary password only while a method is on.")
        assert "Generate temporary password" not in page.buttons
    assert verify(site, ada, ada.password).status == 200


def test_the_log_in_page_says_where_a_temporary_password_is_used(returning: Owner, site: Site) -> None:
    ada = returning
    ada.log_in_whole()
    password = made(ada)
    page = ada.other_browser().log_in(password)
    assert page.status == 422
    assert page.problems == [
        "That username and password didn't work here. Temporary passwords only work in apps: use your usual password."
    ]


# -- Sent by text message --------------------------------------------------------------------------


def test_the_usual_password_at_legacy_access_has_a_temporary_one_texted(ada: Owner, site: Site) -> None:
    ada.sign_up()
    ada.turn_on_texts()
    site.clock.pass_(61)
    before = len(site.texts(PHONE))
    assert verify(site, ada, ada.password).status == 401
    texts = site.texts(PHONE)
    assert len(texts) == before + 1
    password, _, rest = texts[0].text.partition(" ")
    assert rest == "is your Nightlatch temporary password for one hour."
    assert verify(site, ada, password).status == 200
    assert rows(ada.open(PAGE))[0].startswith("60 minutes left Texted to your phone 1 second ago Last used")
    told = site.emails(ada.email)[0]
    assert told.subject == "We texted a temporary password to the number ending in ...56 (Nightlatch)"
    assert "An app tried your usual password, so we texted a temporary password" in told.text


def test_an_app_that_keeps_asking_has_no_second_one_texted_while_the_first_may_still_be_typed(
    ada: Owner, site: Site
) -> None:
    ada.sign_up()
    ada.turn_on_texts()
    site.clock.pass_(61)
    before = len(site.texts(PHONE))
    for _ in range(5):
        assert verify(site, ada, ada.password).status == 401
        assert len(site.texts(PHONE)) == before + 1
        site.clock.pass_(100)
    site.clock.pass_(200)
    verify(site, ada, ada.password)
    assert len(site.texts(PHONE)) == before + 2, "after ten minutes the first seems to be lost"
    password = site.texts(PHONE)[0].text[:19]
    assert verify(site, ada, password).status == 200
    site.clock.pass_(900)
    verify(site, ada, ada.password)
    assert len(site.texts(PHONE)) == before + 2, "it is in use"
    assert verify(site, ada, password).status == 200


def test_one_that_was_generated_on_the_page_is_not_replaced_by_a_text(ada: Owner, site: Site) -> None:
    ada.sign_up()
    ada.turn_on_texts()
    site.clock.pass_(61)
    password, before = made(ada), len(site.texts(PHONE))
    site.clock.pass_(1800)
    verify(site, ada, ada.password)
    assert len(site.texts(PHONE)) == before
    assert verify(site, ada, password).status == 200


def test_without_a_phone_number_nothing_is_texted(enrolled: Owner, site: Site) -> None:
    assert verify(site, enrolled, enrolled.password).status == 401
    assert site.texts() == []
    assert rows(enrolled.open(PAGE)) == []
