"""Sessions also lists approving phones and app sessions, and "Not you?" ends them."""

from __future__ import annotations

from tests.apps import App
from tests.conftest import Site
from tests.people import ANDROID, DESKTOP, TWO_FACTOR, Owner

SESSIONS = "/settings/security/sessions"


def made_for_an_app(owner: Owner) -> str:
    owner.open(f"{TWO_FACTOR}/temporary-password")
    page = owner.press("Generate temporary password")
    return str(page.soup.find(attrs={"data-copy": True})["data-copy"])


def test_an_app_session_is_listed_and_ended(enrolled: Owner, site: Site) -> None:
    ada, app = enrolled, App(site)
    token = app.token(ada.username, made_for_an_app(ada))
    assert app.with_token(token).status == 200
    page = ada.open(SESSIONS)
    assert "Apps" in [h2.get_text(strip=True) for h2 in page.soup.find_all("h2")]
    button = page.soup.find("button", attrs={"value": lambda value: str(value).startswith("app:")})
    page = ada.press(str(button["aria-label"]))
    receipt = page.receipts[0]
    assert receipt.startswith("You logged out the app ")
    site.clock.pass_(6)
    assert app.with_token(token).status == 401
    assert ada.open("/settings/security/activity").says(receipt)


def test_logging_out_all_others_ends_app_sessions(enrolled: Owner, site: Site) -> None:
    ada, app = enrolled, App(site)
    token = app.token(ada.username, made_for_an_app(ada))
    ada.open(SESSIONS)
    ada.press("Log out all others")
    site.clock.pass_(6)
    assert app.with_token(token).status == 401


def test_an_app_session_of_another_account_is_not_ended(enrolled: Owner, site: Site) -> None:
    App(site).token(enrolled.username, made_for_an_app(enrolled))
    grace = Owner.signed_up(site, "grace", layout=DESKTOP)
    assert grace.post(SESSIONS, end="app:1").status == 404


def test_an_approving_phone_is_listed_with_a_link_to_delete_it(site: Site) -> None:
    ada = Owner.signed_up(site, layout=ANDROID)
    ada.turn_on_requests()
    ada.press("Got it")
    page = ada.open(SESSIONS)
    assert page.says("Phones that approve logins")
    site.statements.clear()
    ada.open(SESSIONS)
    assert len(site.statements) <= 3
    assert ada.follow("Delete Chrome on Android").h1 == "Delete Chrome on Android"


def test_not_you_withdraws_pending_login_requests_and_their_approvals(site: Site) -> None:
    phone = Owner.signed_up(site, layout=ANDROID)
    phone.turn_on_requests()
    phone.press("Got it")
    thief = phone.other_browser(layout=DESKTOP)
    number = thief.log_in().number
    assert phone.answer(number).h1 == "You approved this login"
    owner = phone.other_browser()
    owner.open(site.emailed_path(phone.email, "/not-you/"))
    owner.press("Log out all devices")
    assert thief.post("/log-in/waiting").path == "/log-in"
    assert thief.open("/").path == "/log-in"
