"""Sessions and activity: objects of other accounts, ended log-ins and copied cookies."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from tests.attacks.tools import account_id, cookies_of, everything, is_in, live_sessions, stale, thief_of
from tests.conftest import Site
from tests.people import ANDROID, Owner
from webapp.models.sessions import Activity, RememberedBrowser, Session

SESSIONS, ACTIVITY = "/settings/security/sessions", "/settings/security/activity"
NEW = "a much longer new password"


def elsewhere(ada: Owner, **fields: str) -> Owner:
    other = ada.log_in_elsewhere(layout=ANDROID)
    other.press("Verify", code=ada.next_code(), **fields)
    return other


def ids_of(site: Site, username: str) -> list[str]:
    """The ids that the buttons of that account's objects send."""
    owner = account_id(site, username)
    with site.services.db.read() as tx:
        return [
            f"{kind}:{row_id}"
            for kind, table in (("log-in", Session), ("remembered-browser", RememberedBrowser))
            for row_id in tx.scalars(select(table.id).where(table.account_id == owner).order_by(table.id))
        ]


@pytest.mark.parametrize("htmx", [False, True], ids=["page", "htmx"])
def test_an_object_of_another_account_is_answered_like_one_that_never_existed(
    site: Site, ada: Owner, mallory: Owner, htmx: bool
) -> None:
    elsewhere(ada, remember="y")
    mallory.htmx = htmx
    mallory.log_in_whole()
    theirs = ids_of(site, "ada")
    assert len(theirs) == 3
    before, answers = everything(site), set()
    made_up = ["log-in:999999", "remembered-browser:999999", "log-in:0", "nothing:1"]
    for value in [*theirs, *made_up]:
        page = mallory.post(SESSIONS, end=value)
        answers.add((page.status, page.h1, re.sub(r'name="csrf_token" value="[^"]+"', "", page.text)))
    assert [answer[:2] for answer in answers] == [(404, "Page not found")]
    assert everything(site) == before


@pytest.mark.parametrize(
    "value",
    ["", ":", "log-in", "log-in:", ":1", "log-in:-1", "log-in:1.5", "log-in:1e3", "log-in: 1", "log-in:\u0661",
     "log-in:\u00b2", f"log-in:{'9' * 19}", f"log-in:{'9' * 5000}", "log-in:1 OR 1=1", "a:b:1", "None"],
)  # fmt: skip
def test_a_malformed_id_is_not_found_and_causes_no_server_error(site: Site, ada: Owner, value: str) -> None:
    before = everything(site)
    assert ada.post(SESSIONS, end=value).status == 404
    assert everything(site) == before
    assert ada.post(SESSIONS).status == 404, "no button at all"


def test_an_ended_log_in_opens_nothing_on_either_host_and_finishes_nothing_it_began(site: Site, ada: Owner) -> None:
    desk, phone = ada.other_browser(), elsewhere(ada)
    desk.log_in()
    desk.press("Verify", code=ada.next_code())
    stale(desk).post("/settings/account/password", password=NEW)
    assert desk.page is not None
    assert desk.page.h1 == "Enter your password"
    ada.open("/settings")
    for value in ids_of(site, "ada")[1:]:
        ada.post(SESSIONS, end=value)
    assert live_sessions(site) == 1
    for browser in (desk, phone):
        for path in ("/", "/settings", SESSIONS, ACTIVITY, "/settings/security/two-factor"):
            assert browser.open(path).path == "/log-in"
    assert desk.post("/step-up/password", password=ada.password).path == "/log-in"
    assert ada.other_browser().log_in(NEW).status == 422
    assert is_in(ada)


@pytest.mark.parametrize("path", [SESSIONS, "/settings/security/not-you"])
def test_a_copy_of_the_owners_cookie_ends_with_the_other_sessions(site: Site, ada: Owner, path: str) -> None:
    thief = thief_of(ada)
    assert is_in(thief)
    before = cookies_of(ada)["session"]
    ada.post(path, others="1")
    assert cookies_of(ada)["session"] != before
    assert is_in(ada)
    assert not is_in(thief)


def test_a_stolen_session_that_ends_the_others_gains_nothing(site: Site, ada: Owner) -> None:
    """The owner is notified by e-mail and logs in again, and the attacker still needs step-up for every change."""
    owner = elsewhere(ada)
    thief = thief_of(stale(ada))
    thief.post(SESSIONS, others="1")
    assert not is_in(owner)
    mail = site.emails(ada.email)[0]
    assert mail.subject.startswith("All your other devices were logged out")
    assert thief.open("/settings/account/password").h1 == "Enter your password"
    reader = ada.other_browser()
    reader.open(site.emailed_path(ada.email, "/not-you/"))
    reader.press("Log out all devices")
    assert not is_in(thief)


def test_the_activity_of_another_account_is_on_no_page(site: Site, ada: Owner, mallory: Owner) -> None:
    mallory.log_in_whole()
    for _ in range(5):
        stale(ada).open("/settings/account/password")
        ada.press("Verify", password=ada.password)
        ada.press("Verify", code=ada.next_code())
    with site.services.db.read() as tx:
        ids = tx.scalars(select(Activity.id)).all()
    for before in (*ids, max(ids) + 1):
        page = mallory.open(f"{ACTIVITY}?before={before}")
        said = [li.p.get_text(strip=True) for li in page.soup.select(".events li")]
        assert set(said) <= {"You logged in."}
        assert len(said) <= 1


def test_neither_page_shows_a_token_or_its_hash(site: Site, ada: Owner) -> None:
    other = elsewhere(ada, remember="y")
    with site.services.db.read() as tx:
        hashes = [*tx.scalars(select(Session.token_hash)), *tx.scalars(select(RememberedBrowser.token_hash))]
    tokens = [value.partition(".")[0] for value in (*cookies_of(ada).values(), *cookies_of(other).values())]
    for path in (SESSIONS, ACTIVITY):
        page = ada.open(path)
        assert page.response.headers["Cache-Control"] == "no-store"
        assert not any(secret in page.text for secret in (*hashes, *(t for t in tokens if len(t) == 64)))


def test_a_used_link_reveals_no_more_than_before(site: Site, ada: Owner) -> None:
    """Opened later it shows a username and a masked address, as it did before its button was pressed."""
    ada.open("/settings/account/password")
    ada.press("Save", password=NEW)
    path = site.emailed_path(ada.email, "/not-you/")
    reader = ada.other_browser()
    reader.open(path)
    page = reader.press("Log out all devices")
    assert ada.email not in page.text
    assert "/reset-password/" not in page.text
    for purpose in ("reset-password", "undo-email"):
        assert reader.open(path.replace("not-you", purpose)).status == 404
    assert reader.open(path.upper().replace("NOT-YOU", "not-you")).status == 404
