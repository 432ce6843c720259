"""Sessions and activity, in every layout, with and without HTMX."""

from __future__ import annotations

import pytest
from bs4 import Tag
from sqlalchemy import delete, select

from tests.conftest import Site
from tests.people import ANDROID, DESKTOP, FIREFOX, IPHONE, Owner, Page, named
from webapp.domain.origin import Origin
from webapp.models.sessions import Activity
from webapp.web.pages.sessions import WORDS

SECURITY = "/settings/security"
SESSIONS, ACTIVITY = f"{SECURITY}/sessions", f"{SECURITY}/activity"
THERE = "203.0.113.7"
MINUTE, HOUR, DAY = 60, 3600, 86400


@pytest.fixture(
    params=[(layout, htmx) for layout in (DESKTOP, ANDROID, IPHONE) for htmx in (False, True)],
    ids=lambda param: f"{param[0]}{'-htmx' if param[1] else ''}",
)
def ada(site: Site, request: pytest.FixtureRequest) -> Owner:
    """Logged in, with an authentication app."""
    layout, htmx = request.param
    ada = Owner.signed_up(site, layout=layout, htmx=htmx)
    ada.turn_on_app()
    ada.press("Got it")
    return ada


def firefox(ada: Owner, address: str = THERE, **fields: str) -> Owner:
    """Ada's own Firefox at another address, logged in."""
    other = ada.log_in_elsewhere(layout=DESKTOP, htmx=False, address=address, agent=FIREFOX)
    assert other.press("Verify", code=ada.next_code(), **fields).h1 == "Welcome, Ada Lovelace"
    return other


def things(page: Page | None) -> list[list[str]]:
    """Name, state, facts and button of every object on the page, as far as it has them."""
    assert page is not None
    parts = [li.select(".name, .badge, .about, button") for li in objects(page)]
    return [[named(part) for part in of_one] for of_one in parts]


def objects(page: Page) -> list[Tag]:
    return list(page.soup.select(".detailed li"))


def names(page: Page | None) -> list[str]:
    return [thing[0] for thing in things(page)]


def events(page: Page | None) -> list[list[str]]:
    assert page is not None
    return [[p.get_text(" ", strip=True) for p in li.find_all("p")] for li in page.soup.select(".events li")]


def is_in(owner: Owner) -> bool:
    return owner.open("/settings").path == "/settings"


# -- Sessions --------------------------------------------------------------------------------------


def test_security_links_to_both_pages_in_order(ada: Owner) -> None:
    page = ada.open(SECURITY)
    rows = [a.get_text(strip=True) for a in page.soup.select(".rows a")]
    assert rows == ["Two-factor authentication", "Login requests", "Sessions", "Connected apps", "Activity", "Password"]
    page = ada.follow("Sessions")
    assert (page.path, page.h1, page.title) == (SESSIONS, "Sessions", "Sessions - Nightlatch")
    assert ada.follow("Back to Security").path == SECURITY
    page = ada.follow("Activity")
    assert (page.path, page.h1, page.title) == (ACTIVITY, "Activity", "Activity - Nightlatch")
    assert ada.follow("Back to Security").path == SECURITY


def test_the_present_session_is_listed_without_a_button(ada: Owner) -> None:
    page = ada.open(SESSIONS)
    [(name, state, facts)] = things(page)
    assert name == {DESKTOP: "Chrome on Linux", ANDROID: "Chrome on Android", IPHONE: "iPhone"}[ada.layout]
    assert state == "This device"
    assert facts == (
        "From IP address 192.0.2.1 Logged in January 15, 2027, 8:00 AM UTC Last seen January 15, 2027, 8:00 AM UTC"
    )
    times = page.soup.select(".detailed time")
    assert {time["datetime"] for time in times} == {"2027-01-15T08:00:00Z"}
    assert not page.says("Remembered browsers ")


def test_another_session_is_listed_and_ended_by_its_button(ada: Owner, site: Site) -> None:
    site.clock.pass_(HOUR // 2)
    other = firefox(ada)
    site.clock.pass_(2 * MINUTE)
    other.open("/settings")
    page = ada.open(SESSIONS)
    assert names(page)[1:] == ["Firefox on Windows"]
    assert things(page)[1][1:] == [
        f"From IP address {THERE} Logged in January 15, 2027, 8:30 AM UTC Last seen January 15, 2027, 8:32 AM UTC",
        "Log out Firefox on Windows",
    ]
    page = ada.press("Log out Firefox on Windows")
    assert (page.status, page.path, page.h1) == (200, SESSIONS, "Sessions")
    assert page.receipts == ["You logged out Firefox on Windows."]
    assert not page.asks_not_you
    assert len(things(page)) == 1
    assert not is_in(other)
    assert is_in(ada)
    assert events(ada.open(ACTIVITY))[0][0] == "You logged out Firefox on Windows."


def test_two_sessions_of_equal_devices_are_told_apart_by_place_and_time(ada: Owner) -> None:
    near, far = firefox(ada), firefox(ada, "198.51.100.9")
    page = ada.open(SESSIONS)
    assert names(page)[1:] == ["Firefox on Windows"] * 2
    buttons = [b for b in page.soup.find_all("button") if named(b) == "Log out Firefox on Windows"]
    described = [page.soup.find(id=button["aria-describedby"]) for button in buttons]
    assert [THERE in str(facts) for facts in described] == [False, True], "the later one stands first"
    ada.post(SESSIONS, end=str(buttons[1]["value"]))
    assert not is_in(near)
    assert is_in(far)


def test_an_unknown_device_is_called_unknown_and_its_user_agent_is_not_shown(ada: Owner) -> None:
    other = ada.log_in_elsewhere(layout=DESKTOP, htmx=False, agent="<b>Call 0900 123</b> to stay safe")
    other.press("Verify", code=ada.next_code())
    page = ada.open(SESSIONS)
    assert names(page)[1] == "An unknown device"
    assert "0900" not in page.text
    ada.press("Log out an unknown device")
    page = ada.open(ACTIVITY)
    assert events(page)[0][0] == "You logged out an unknown device."
    assert "0900" not in page.text


def test_a_remembered_browser_is_forgotten_by_its_button(ada: Owner) -> None:
    other = firefox(ada, remember="y")
    page = ada.open(SESSIONS)
    assert [h2.get_text(strip=True) for h2 in page.soup.select("h2")][:2] == ["Logins", "Remembered browsers"]
    assert things(page)[2] == [
        "Firefox on Windows",
        f"From IP address {THERE} Remembered January 15, 2027, 8:00 AM UTC Last used January 15, 2027, 8:00 AM UTC",
        "Forget Firefox on Windows",
    ]
    mine = things(other.open(SESSIONS))
    assert [thing[1] for thing in mine if thing[0] == "Firefox on Windows"] == ["This device"] * 2
    page = ada.press("Forget Firefox on Windows")
    assert page.receipts == ["You removed a remembered browser: Firefox on Windows."]
    assert len(things(page)) == 2
    assert is_in(other), "it only eased the next log-in"
    assert other.log_in_again().h1 == "Enter your code"
    said = [event[0] for event in events(ada.open(ACTIVITY))]
    assert "You removed a remembered browser: Firefox on Windows." in said


def test_a_browser_can_forget_itself(ada: Owner) -> None:
    other = firefox(ada, remember="y")
    other.open(SESSIONS)
    other.press("Forget Firefox on Windows")
    assert other.log_in_again().h1 == "Enter your code"


def test_log_out_all_others_ends_the_rest_and_forgets_browsers_when_asked(ada: Owner, site: Site) -> None:
    other, remembered = firefox(ada), firefox(ada, "198.51.100.9", remember="y")
    pending = ada.log_in_elsewhere(layout=DESKTOP, htmx=False)
    page = ada.open(SESSIONS)
    assert page.field("Also remove remembered browsers").has_attr("checked")
    data = {"csrf_token": ada.token(), "others": "1"}
    page = ada.send("POST", SESSIONS, data=data)
    assert page.receipts == ["All your other devices were logged out."]
    assert names(page)[1:] == ["Firefox on Windows"], "the remembered browser"
    assert (is_in(other), is_in(remembered), is_in(ada)) == (False, False, True)
    assert pending.post("/log-in/verify", code=ada.next_code()).path == "/log-in"
    assert remembered.log_in().h1 == "Welcome, Ada Lovelace"
    ada.open(SESSIONS)
    page = ada.press("Log out all others")
    assert page.receipts == ["All your other devices were logged out, and remembered browsers were forgotten."]
    assert len(things(page)) == 1
    assert not is_in(remembered)
    assert remembered.log_in().h1 == "Enter your code"
    said = [event[0] for event in events(ada.open(ACTIVITY))]
    assert "All your other devices were logged out." in said
    assert site.emails(ada.email)[0].subject == (
        "All your other devices were logged out, and remembered browsers were forgotten (Nightlatch)"
    )


def test_pressing_twice_says_that_it_was_done(ada: Owner, site: Site) -> None:
    firefox(ada)
    value = ada.open(SESSIONS).button("Log out Firefox on Windows")["value"]
    ada.post(SESSIONS, end=str(value))
    page = ada.post(SESSIONS, end=str(value))
    assert page.problems == ["That's already done, maybe in another tab. Here's the current status."]
    assert page.h1 == "Sessions"
    said = [event[0] for event in events(ada.open(ACTIVITY))]
    assert said.count("You logged out Firefox on Windows.") == 1


def test_a_browser_whose_session_ended_is_told_so_once(ada: Owner, site: Site) -> None:
    other = firefox(ada)
    site.clock.pass_(HOUR)
    for page in (ada.open(SESSIONS), other.open("/")):
        assert (page.path, page.receipts) == ("/log-in", ["You've been logged out."])
    assert ada.open(SESSIONS).receipts == []
    other.log_in()
    assert other.press("Verify", code=ada.next_code()).h1 == "Welcome, Ada Lovelace"
    other.log_out()
    assert other.open("/").receipts == [], "she logged out herself"


def test_every_kind_of_access_has_its_words(site: Site) -> None:
    assert list(WORDS) == [kind.slug for kind in site.services.active_access.kinds]


def test_only_a_hundred_are_listed_and_the_page_says_so(site: Site) -> None:
    ada = Owner.signed_up(site)
    account = site.services.accounts.named("ada")
    with site.services.db.write() as tx:
        for number in range(100):
            origin = Origin(f"203.0.113.{number}", FIREFOX)
            site.services.sessions.open(tx, account.id, origin, persistent=False, proofs=["password"])
    page = ada.open(SESSIONS)
    assert len(things(page)) == 100
    assert things(page)[0][1] == "This device"
    assert page.says("There are more than we can show here.")
    page = ada.press("Log out all others")
    assert len(things(page)) == 1
    assert not page.says("There are more")


# -- Activity --------------------------------------------------------------------------------------


def test_activity_shows_what_when_and_from_where_newest_first(ada: Owner, site: Site) -> None:
    site.clock.pass_(90)
    firefox(ada)
    page = ada.open(ACTIVITY)
    device = things(ada.open(SESSIONS))[0][0]
    assert events(page) == [
        ["You logged in.", "January 15, 2027, 8:02 AM UTC", f"Firefox on Windows , IP address {THERE}"],
        *(
            [sentence, "January 15, 2027, 8:00 AM UTC", f"{device} , IP address 192.0.2.1"]
            for sentence in (
                "Authentication app was turned on.",
                "You confirmed your email address: ada@example.org.",
                "You created your account.",
            )
        ),
    ]
    assert page.soup.select_one(".events time")["datetime"] == "2027-01-15T08:02:00Z"
    assert page.says("We keep activity for 180 days and IP addresses for 30 days.")
    assert not {"Older", "Newest"} & set(page.links)


def test_activity_is_read_page_by_page(ada: Owner, site: Site) -> None:
    account = site.services.accounts.named("ada")
    with site.services.db.write() as tx:
        for _ in range(50):
            site.services.notices.record(tx, account.id, "stepped-up", Origin("192.0.2.1", FIREFOX))
    page = ada.open(ACTIVITY)
    assert len(events(page)) == 25
    assert "Newest" not in page.links
    page = ada.follow("Older")
    assert len(events(page)) == 25
    assert {"Newest", "Older"} <= set(page.links)
    page = ada.follow("Older")
    assert [event[0] for event in events(page)][-1] == "You created your account."
    assert len(events(page)) == 3
    assert "Older" not in page.links
    page = ada.follow("Newest")
    assert (page.path, len(events(page))) == (ACTIVITY, 25)
    assert "Newest" not in page.links


@pytest.mark.parametrize("before", ["", "x", "-1", "1.5", "\u0662", "9" * 19, "9" * 400, "1e3", " 1", "0x10"])
def test_an_invalid_position_redirects_to_the_newest_events(site: Site, before: str) -> None:
    ada = Owner.signed_up(site)
    page = ada.open(ACTIVITY, query_string={"before": before})
    assert (page.status, len(events(page))) == (200, 2)


def test_before_the_first_event_the_page_is_empty_and_links_back(ada: Owner) -> None:
    page = ada.open(f"{ACTIVITY}?before=1")
    assert events(page) == []
    assert page.says("There's nothing older.")
    assert len(events(ada.follow("Newest"))) == 3


def test_an_account_without_events_has_an_empty_page(ada: Owner, site: Site) -> None:
    with site.services.db.write() as tx:
        tx.execute(delete(Activity))
    page = ada.open(ACTIVITY)
    assert (page.status, events(page)) == (200, [])
    assert page.says("No activity yet.")
    assert not {"Older", "Newest"} & set(page.links)


def test_addresses_older_than_thirty_days_are_not_shown(ada: Owner, site: Site) -> None:
    site.clock.pass_(31 * DAY)
    site.services.maintenance.purge()
    with site.services.db.read() as tx:
        assert set(tx.scalars(select(Activity.address))) == {None}
    ada.log_in()
    ada.press("Verify", code=ada.next_code())
    listed = events(ada.open(ACTIVITY))
    assert "IP address" in listed[0][2]
    assert all("IP address" not in " ".join(event) for event in listed[1:])
    assert [len(event) for event in listed] == [3] * 4


def test_actions_of_the_operator_have_no_device_and_no_place(ada: Owner, site: Site) -> None:
    site.services.accounts.log_out("ada")
    ada.log_in()
    ada.press("Verify", code=ada.next_code())
    told = [event for event in events(ada.open(ACTIVITY)) if "An administrator" in event[0]]
    assert [len(event) for event in told] == [2]


def test_both_pages_link_to_not_you(ada: Owner) -> None:
    ada.open(SESSIONS)
    assert ada.follow("Secure your account").h1 == "Wasn't you?"
    ada.open(ACTIVITY)
    assert ada.follow("Secure your account").h1 == "Wasn't you?"


# -- Cost ------------------------------------------------------------------------------------------


def test_each_page_costs_at_most_three_statements(ada: Owner, site: Site) -> None:
    for _ in range(3):
        firefox(ada, remember="y")
    for path in (SESSIONS, ACTIVITY, f"{ACTIVITY}?before=3", f"{SECURITY}/not-you"):
        site.clock.pass_(2 * MINUTE)  # so that "last seen" is written too
        site.statements.clear()
        assert ada.open(path).status == 200
        assert len(site.statements) <= 3, "\n\n".join([path, *site.statements])
