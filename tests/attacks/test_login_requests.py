"""Login requests: approving what was not asked for, tiring the owner with requests, and phones of other users."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select, text

from tests.attacks.tools import account_id, cookies_of, count, enrolled, give, is_in, keep_number, live_sessions, stale
from tests.conftest import Site
from tests.people import ANDROID, DESKTOP, PHONE, REQUESTS, TWO_FACTOR, Owner, Page
from webapp.domain.origin import Origin
from webapp.domain.refusals import NotFound
from webapp.domain.request_refusals import NotThisPhone, RequestEnded
from webapp.models.login_requests import LoginRequest
from webapp.models.sessions import Attempt
from webapp.services.login.proof import shared_bucket
from webapp.services.requests.approvals import Viewer

TOKEN = re.compile(r'name="csrf_token" value="[^"]+"')
WAITING = "Check your phone to approve"
APPROVED, DENIED, EXPIRED = "You approved this login", "You denied this login", "This login request has ended"
HOME = "Welcome, Ada Lovelace"
NO_LONGER_PENDING = "This login request has ended. Nothing was changed."
NEWS = "/log-in/waiting/news"
HERE = Origin("192.0.2.1", "a phone")


def with_phone(site: Site, username: str = "ada") -> Owner:
    """A user's phone with login requests turned on, logged out."""
    owner = Owner.signed_up(site, username, layout=ANDROID)
    owner.turn_on_requests()
    owner.press("Got it")
    owner.log_out()
    return owner


@pytest.fixture
def phone(site: Site) -> Owner:
    return with_phone(site)


@pytest.fixture
def waiting(phone: Owner) -> Owner:
    """A browser with a pending login."""
    return waits(phone)


def waits(phone: Owner, address: str = "203.0.113.9") -> Owner:
    browser = phone.other_browser(layout=DESKTOP, address=address)
    assert browser.log_in().h1 == WAITING
    return browser


def wrong(number: str) -> str:
    return str((int(number) + 500_000) % 1_000_000).zfill(6)


def newest(site: Site) -> LoginRequest:
    with site.services.db.read() as tx:
        return tx.objects.scalars(select(LoginRequest).order_by(LoginRequest.id.desc()).limit(1)).one()


def wrong_codes(site: Site) -> int:
    """The failures that all methods of the first account share."""
    with site.services.db.read() as tx:
        return len(tx.objects.scalars(select(Attempt).where(Attempt.bucket == shared_bucket(1))).all())


def page_of(site: Site) -> str:
    return f"{REQUESTS}/{newest(site).id}"


def on(browser: Owner) -> Page:
    """The answer of the server when the waiting browser asks whether it is logged in."""
    return browser.post("/log-in/waiting")


def number_of(browser: Owner) -> str:
    assert browser.page is not None
    return browser.page.number


# -- Approvals that must be refused ----------------------------------------------------------------


def test_without_an_answer_no_browser_is_logged_in(site: Site, phone: Owner, waiting: Owner) -> None:
    for _ in range(7):  # asking is not a guess and counts as no attempt
        page = on(waiting)
        assert (page.status, page.h1) == (422, WAITING)
        assert page.problems == ["Not approved yet. Approve it on your phone, then try again."]
    assert waiting.open(NEWS).status == 204
    assert not is_in(waiting)
    assert phone.answer(waiting.open("/log-in/waiting").number).h1 == APPROVED
    assert on(waiting).h1 == HOME


@pytest.mark.parametrize("fields", [{}, {"code": "000000"}, {"mfa": "false"}, {"approved": "1"}, {"state": "approved"}])
def test_nothing_that_the_waiting_browser_sends_is_taken_for_an_answer(waiting: Owner, fields: dict[str, str]) -> None:
    for path in ("/log-in/waiting", "/log-in/verify", "/log-in/waiting?method=login-requests"):
        page = waiting.post(path, **fields)
        assert page.status in (200, 422)
        assert page.h1 == WAITING
    assert not is_in(waiting)


def test_a_request_is_approved_once_and_logs_in_once(site: Site, phone: Owner, waiting: Owner) -> None:
    number, login = number_of(waiting), cookies_of(waiting)["login"]
    copy = phone.other_browser(layout=DESKTOP)
    give(copy, login=login)
    assert phone.answer(number).h1 == APPROVED
    page = phone.post(page_of(site), number=number)
    assert (page.h1, page.problems) == (APPROVED, [NO_LONGER_PENDING])
    assert on(waiting).h1 == HOME
    assert not is_in(copy)
    page = copy.post("/log-in/waiting")
    assert page.path == "/log-in"
    assert live_sessions(site) == 1


def test_one_of_twenty_concurrent_answers_counts(site: Site, phone: Owner, waiting: Owner) -> None:
    approvals, request, number = site.services.approvals, newest(site).id, number_of(waiting)
    method = site.services.methods.named("login-requests")
    assert method is not None
    origin = Origin("192.0.2.1", "a phone", external_ids=frozenset(external_ids(site)))
    viewer = approvals.viewer(method, None, origin)
    assert viewer is not None

    def approve(place: int) -> str:
        try:
            approvals.approve(viewer, request, number if place % 2 else wrong(number), origin)
        except RequestEnded:
            return "over"
        except Exception as error:
            return type(error).__name__
        return "approved"

    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(approve, range(20)))
    assert said.count("over") == 19


def external_ids(site: Site) -> list[str]:
    with site.services.db.engine.connect() as connection:
        return [
            str(external_id)
            for (external_id,) in connection.execute(text("SELECT external_id FROM factors ORDER BY id"))
        ]


def test_a_request_of_the_future_cannot_be_approved(site: Site, phone: Owner) -> None:
    site.clock.pass_(3000)
    number = number_of(waits(phone))
    phone.open(page_of(site))
    site.clock.pass_(-3000)
    page = phone.press("Approve", number=number)
    assert (page.h1, page.problems) == (EXPIRED, [NO_LONGER_PENDING])


@pytest.mark.parametrize("seconds", [300, 301, 599])
def test_after_five_minutes_a_request_cannot_be_approved(
    site: Site, phone: Owner, waiting: Owner, seconds: int
) -> None:
    number = number_of(waiting)
    phone.open(page_of(site))
    site.clock.pass_(seconds)
    page = phone.press("Approve", number=number)
    assert (page.h1, page.problems) == (EXPIRED, [NO_LONGER_PENDING])
    page = on(waiting)
    assert page.h1 == "Request expired"
    assert page.says("This request expired after five minutes without an answer")
    assert not is_in(waiting)


def test_in_the_last_second_a_request_can_be_approved(site: Site, phone: Owner, waiting: Owner) -> None:
    site.clock.pass_(299)
    assert phone.answer(number_of(waiting)).h1 == APPROVED
    assert on(waiting).h1 == HOME


def test_an_approval_that_was_not_used_in_time_expires(site: Site, phone: Owner, waiting: Owner) -> None:
    site.clock.pass_(200)
    assert phone.answer(number_of(waiting)).h1 == APPROVED
    site.clock.pass_(299)
    assert "data-hx-post" in waiting.open(NEWS).text  # the page sends its form by itself
    site.clock.pass_(1)
    assert "data-hx-post" not in waiting.open(NEWS).text  # else it would send the form again and again
    assert on(waiting).h1 == "Request expired"
    assert waiting.page is not None
    assert waiting.page.says("There's no request waiting on your phone.")
    assert waiting.press("Send a new request").h1 == WAITING
    assert not is_in(waiting)


@pytest.mark.parametrize("button", ["Deny", "It was me, cancel"])
def test_a_denied_request_cannot_be_approved(site: Site, phone: Owner, waiting: Owner, button: str) -> None:
    number = number_of(waiting)
    phone.answer(button=button)
    page = phone.post(page_of(site), number=number)
    assert page.problems == [NO_LONGER_PENDING]
    on(waiting)
    assert not is_in(waiting)


def test_one_wrong_number_ends_a_request_even_for_the_right_one(site: Site, phone: Owner, waiting: Owner) -> None:
    number = number_of(waiting)
    page = phone.answer(wrong(number))
    assert page.problems == ["That number doesn't match the other screen, so we canceled this login."]
    page = phone.post(page_of(site), number=number)
    assert (page.h1, page.problems) == (EXPIRED, [NO_LONGER_PENDING])
    page = on(waiting)
    assert page.says("The wrong number was entered on your phone")
    assert not is_in(waiting)


def test_the_attempt_is_counted_before_the_number_is_compared(site: Site, phone: Owner, waiting: Owner) -> None:
    number, request = number_of(waiting), newest(site).id
    with site.services.db.write() as tx:  # as if the process had been killed between the two
        tx.execute(text("UPDATE login_requests SET tried_at = made_at WHERE id = :id"), {"id": request})
    page = phone.post(f"{REQUESTS}/{request}", number=number)
    assert page.problems == [NO_LONGER_PENDING]
    on(waiting)
    assert not is_in(waiting)


@pytest.mark.parametrize("typed", ["", "12345", "1234567", "abcdef", "12 34", "\u0661\u0662"])
def test_what_is_not_a_number_is_no_attempt(site: Site, phone: Owner, waiting: Owner, typed: str) -> None:
    number = number_of(waiting)
    page = phone.answer(typed)
    assert (page.status, page.problems) == (422, ["Enter the six-digit number."])
    assert phone.press("Approve", number=f" {number[:3]} {number[3:]} ").h1 == APPROVED
    assert on(waiting).h1 == HOME


def test_a_late_approval_does_not_log_in_a_browser_that_cancelled(site: Site, phone: Owner, waiting: Owner) -> None:
    number = number_of(waiting)
    assert waiting.press("Cancel").path == "/log-in"
    page = phone.post(page_of(site), number=number)
    assert page.problems == [NO_LONGER_PENDING]
    assert not is_in(waiting)


# -- Two log-ins at once ---------------------------------------------------------------------------


def test_two_pending_logins_do_not_mix(site: Site, phone: Owner, waiting: Owner) -> None:
    first_number, first = number_of(waiting), newest(site).id
    second = waits(phone, "198.51.100.7")
    assert newest(site).id != first
    assert waiting.open("/log-in/waiting").says("A newer login ended this one.")
    page = phone.post(f"{REQUESTS}/{first}", number=first_number)
    assert page.problems == [NO_LONGER_PENDING]
    if first_number != number_of(second):
        assert phone.post(page_of(site), number=first_number).h1 == EXPIRED
        assert not is_in(second)
    assert not is_in(waiting)


def test_an_approval_of_the_second_request_logs_in_the_second_browser_only(
    site: Site, phone: Owner, waiting: Owner
) -> None:
    second = waits(phone, "198.51.100.7")
    assert phone.answer(number_of(second)).h1 == APPROVED
    on(waiting)
    assert not is_in(waiting)
    assert on(second).h1 == HOME


def test_a_newer_log_in_replaces_one_that_was_approved_and_not_used(site: Site, phone: Owner, waiting: Owner) -> None:
    assert phone.answer(number_of(waiting)).h1 == APPROVED
    second = waits(phone, "198.51.100.7")
    on(waiting)
    on(second)
    assert not is_in(waiting)
    assert not is_in(second)


# -- Repeated requests -----------------------------------------------------------------------------


def test_twenty_requests_reach_the_phone_as_three_and_none_is_approved_without_its_number(
    site: Site, phone: Owner
) -> None:
    shown = []
    for attempt in range(20):
        browser = phone.other_browser(layout=DESKTOP, address=f"203.0.113.{attempt}")
        page = browser.log_in()
        assert page.h1 in (
            WAITING,
            "No request waiting",
            "Log in",
        )  # after ten right passwords without a full log-in a stranger has to wait too
        if page.h1 != "Log in":
            shown.append(page)
        assert not is_in(browser)
    assert count(site, "SELECT count(*) FROM login_requests") == 3
    assert count(site, "SELECT count(*) FROM login_requests WHERE state = 'waiting'") == 1
    assert shown[-1].problems[0].startswith("Too many login requests.")
    phone.open(REQUESTS)
    assert phone.page is not None
    assert len([link for link in phone.page.links if link.startswith("Review ")]) == 1


def test_an_account_has_ten_requests_a_day(site: Site, phone: Owner) -> None:
    for _ in range(30):
        phone.other_browser(layout=DESKTOP).log_in()
        site.clock.pass_(601)
    assert count(site, "SELECT count(*) FROM login_requests") == 10


def test_a_resend_counts_as_a_request(site: Site, phone: Owner, waiting: Owner) -> None:
    for _ in range(2):
        site.clock.pass_(30)
        phone.answer(button="It was me, cancel")
        waiting.open("/log-in/waiting")
        assert waiting.press("Send a new request").number
    phone.answer(button="It was me, cancel")
    waiting.open("/log-in/waiting")
    page = waiting.press("Send a new request")
    assert page.status == 429
    assert int(page.response.headers["Retry-After"]) > 0
    assert count(site, "SELECT count(*) FROM login_requests") == 3


def test_a_full_log_in_clears_the_count(site: Site, phone: Owner) -> None:
    for _ in range(5):
        browser = waits(phone)
        assert phone.answer(number_of(browser)).h1 == APPROVED
        assert on(browser).h1 == HOME


def test_a_denial_ends_the_pending_login_for_every_other_method(site: Site, phone: Owner, waiting: Owner) -> None:
    phone.answer(button="Deny")
    page = waiting.open("/log-in/waiting")
    assert page.says("You denied this login on your phone.")
    assert "Send a new request" not in page.buttons
    for path in ("/log-in/verify", "/log-in/methods", "/log-in/backup-code"):
        assert waiting.open(path).path == "/log-in"
    assert waiting.post("/log-in/backup-code", code=phone.kept_code).path == "/log-in"


def test_the_owner_is_notified_of_a_denial(site: Site, phone: Owner, waiting: Owner) -> None:
    phone.answer(button="Deny")
    assert re.search(r"You denied a login from (Chrome|Safari) on \w+\.", site.emails(phone.email)[0].text)


# -- Phones and accounts ---------------------------------------------------------------------------


def test_a_phone_of_another_account_sees_and_answers_nothing(site: Site, phone: Owner, waiting: Owner) -> None:
    mallory, number = with_phone(site, "mallory"), number_of(waiting)
    page = mallory.open(REQUESTS)
    assert "Review Chrome on Linux" not in page.links
    assert not mallory.open("/log-in").says("Someone is logging in")
    seen = {name: site.services.approvals.waiting_for(account_id(site, name)) for name in ("ada", "mallory")}
    assert (len(seen["ada"]), len(seen["mallory"])) == (1, 0), "on the home page"
    for path in (page_of(site), f"{REQUESTS}/999", f"{REQUESTS}/{'9' * 19}", f"{REQUESTS}/{'9' * 400}"):
        opened, posted = mallory.open(path), mallory.post(path, number=number)
        assert (opened.status, posted.status) == (404, 404)
        assert opened.h1 == posted.h1 == "Page not found"
        assert mallory.post(path, deny="1").status == 404
        assert mallory.post(path, cancel="1").status == 404
    assert newest(site).state == "waiting"
    there, nowhere = (
        TOKEN.sub("", mallory.open(path).text.replace(path, "")) for path in (page_of(site), f"{REQUESTS}/999")
    )
    assert there == nowhere


def test_a_session_on_another_device_may_deny_but_not_approve(site: Site, phone: Owner, waiting: Owner) -> None:
    """Otherwise a stolen session and the password would suffice to approve a new log-in, without step-up."""
    number = number_of(waiting)
    thief = phone.log_in_elsewhere(layout=DESKTOP)
    assert thief.page is not None
    assert phone.answer(thief.page.number).h1 == APPROVED
    assert on(thief).h1 == HOME
    waiting = waits(phone)
    number = number_of(waiting)
    page = thief.open(page_of(site))
    assert "Approve" not in page.buttons
    page = thief.post(page_of(site), number=number)
    assert page.status == 403
    assert newest(site).state == "waiting"
    assert thief.post(page_of(site), deny="1").h1 == DENIED


def test_a_pending_login_sees_and_approves_nothing(site: Site, phone: Owner, waiting: Owner) -> None:
    number = number_of(waiting)
    assert waiting.open(REQUESTS, follow=False).status == 303
    assert waiting.open(page_of(site), follow=False).status == 303
    for fields in ({"number": number}, {"deny": "1"}, {"cancel": "1"}):
        assert waiting.post(page_of(site), follow=False, **fields).status == 303
    assert newest(site).state == "waiting"
    assert not is_in(waiting)


def test_the_token_of_the_phone_opens_the_list_and_nothing_else(site: Site, phone: Owner, waiting: Owner) -> None:
    bare = phone.other_browser(layout=ANDROID)
    give(bare, phone=cookies_of(phone)["phone"])
    assert bare.open(REQUESTS).h1 == "Login requests"
    for path in ("/", "/settings", "/settings/security", TWO_FACTOR, f"{TWO_FACTOR}/phones", "/settings/account"):
        assert bare.open(path).path == "/log-in"
    assert bare.post("/settings/account/password", password="x" * 20).path == "/log-in"
    assert not is_in(bare)


@pytest.mark.parametrize("token", ["", "~", "~~~", "x" * 64, "0" * 64, "~".join(["0" * 64] * 50)])
def test_a_forged_token_belongs_to_no_account(site: Site, phone: Owner, waiting: Owner, token: str) -> None:
    forger = phone.other_browser(layout=ANDROID)
    give(forger, phone=token)
    assert forger.open(REQUESTS).path == "/log-in"
    assert forger.post(page_of(site), number=number_of(waiting)).path == "/log-in"


def test_the_stored_hash_is_not_accepted_as_a_token(site: Site, phone: Owner, waiting: Owner) -> None:
    thief = phone.other_browser(layout=ANDROID)
    give(thief, phone=external_ids(site)[0])
    assert thief.open(REQUESTS).path == "/log-in"
    assert cookies_of(phone)["phone"] not in external_ids(site)


def test_a_phone_that_was_turned_off_cannot_answer(site: Site, phone: Owner) -> None:
    phone.log_in()
    assert phone.page is not None
    number = phone.page.number
    assert phone.answer(number).h1 == APPROVED
    assert phone.post("/log-in/waiting").h1 == HOME
    waiting = waits(phone)
    assert phone.answer(number_of(waiting)).h1 == APPROVED
    phone.open(f"{TWO_FACTOR}/login-requests/turn-off")
    phone.press("Turn off")
    on(waiting)
    assert not is_in(waiting), "what it said goes with it"
    bare = phone.other_browser(layout=ANDROID)
    give(bare, phone=cookies_of(phone)["phone"])
    assert bare.open(REQUESTS).path == "/log-in"


@pytest.mark.parametrize(
    "how", ["another method", "backup code", "new password", "wrong codes", "others", "passkey", "another account"]
)
def test_a_pending_login_that_was_settled_otherwise_cannot_be_approved(
    site: Site, phone: Owner, waiting: Owner, how: str
) -> None:
    """Otherwise the owner would approve a log-in that does not exist any more and believe that it succeeded."""
    assert phone.answer(number_of(waiting)).h1 == APPROVED
    assert on(waiting).h1 == HOME
    waiting.turn_on_app()
    if how == "passkey":
        waiting.turn_on_key()
    elif how == "another account":
        Owner(site, "bob").sign_up()
    site.clock.pass_(30)
    other = phone.other_browser(layout=DESKTOP)
    other.secret = waiting.secret
    other.log_in()
    assert other.open("/log-in/waiting?method=login-requests").h1 == WAITING
    other.press("Send a new request") if newest(site).state != "waiting" else None
    assert newest(site).state == "waiting"
    if how == "another method":
        assert other.post("/log-in/verify?method=authentication-app", code=waiting.next_code()).h1 == HOME
    elif how == "backup code":
        other.post("/log-in/backup-code", code=phone.kept_code)
    elif how == "passkey":
        assert waiting.key is not None
        asked = json.loads(other.post("/log-in/passkey/options").text)
        assert other.post("/log-in", credential=waiting.key.get(asked)).h1 == HOME
    elif how == "another account":
        assert other.post("/log-in", username="bob", password=other.password).status == 200
    elif how == "others":
        waiting.open("/settings/security/sessions")
        assert waiting.press("Log out all others").receipts
    elif how == "new password":
        assert waiting.post("/settings/account/password", password="seven brass wheels turning").status == 200
    else:
        for _ in range(5):
            other.post("/log-in/verify?method=authentication-app", code=wrong(waiting.code()))
    assert newest(site).state == "withdrawn"
    assert "Review Chrome on Linux" not in phone.open(REQUESTS).links


def test_a_step_up_by_phone_takes_back_no_wrong_code(site: Site, phone: Owner, waiting: Owner) -> None:
    """No code was typed for it, so an attacker's wrong code would be taken back instead."""
    assert phone.answer(number_of(waiting)).h1 == APPROVED
    assert on(waiting).h1 == HOME
    waiting.turn_on_app()
    guessing = phone.log_in_elsewhere(layout=DESKTOP)
    assert guessing.post("/log-in/verify?method=authentication-app", code=wrong(waiting.code())).status == 422
    assert wrong_codes(site) == 1
    site.clock.pass_(601)
    waiting.open("/settings/account/password")
    waiting.press("Verify", password=waiting.password)
    page = waiting.open("/step-up/waiting?method=login-requests&next=/settings/account/password")
    page = waiting.press("Send a new request") if "Send a new request" in page.buttons else page
    assert phone.answer(page.number).h1 == APPROVED
    waiting.open("/step-up/waiting?method=login-requests&next=/settings/account/password")
    assert waiting.press("I've approved it").h1 == "Change your password"
    assert wrong_codes(site) == 1


def test_a_stolen_session_turns_no_phone_on_or_off_without_step_up(site: Site, phone: Owner) -> None:
    ada = enrolled(site, "grace")
    ada.log_in_whole()
    stale(ada)
    ada.layout = ANDROID
    before = count(site, "SELECT count(*) FROM factors")
    for path in ("notifications", "overview", "password", "done"):
        ada.post(f"{TWO_FACTOR}/login-requests/{path}", **{"not-now": "1"})
    assert count(site, "SELECT count(*) FROM factors") == before


def test_an_account_without_a_phone_has_no_login_requests(site: Site) -> None:
    method = site.services.methods.named("login-requests")
    assert method is not None
    assert site.services.approvals.viewer(method, None, HERE) is None


def test_a_viewer_answers_for_its_own_accounts_only(site: Site, phone: Owner, waiting: Owner) -> None:
    method, approvals = site.services.methods.named("login-requests"), site.services.approvals
    assert method is not None
    mallory = with_phone(site, "mallory")
    origin = Origin("192.0.2.1", "x", external_ids=frozenset(external_ids(site)[1:]))
    viewer = approvals.viewer(method, None, origin)
    assert viewer is not None
    assert [account.username for account in viewer.accounts.values()] == [mallory.username]
    with pytest.raises(NotFound):
        approvals.approve(viewer, newest(site).id, number_of(waiting), origin)


# -- Forged requests -------------------------------------------------------------------------------


def test_csrf_tokens_are_required_of_a_phone_that_is_not_logged_in(site: Site, phone: Owner, waiting: Owner) -> None:
    number = number_of(waiting)
    for data in ({"number": number}, {"deny": "1"}, {"number": number, "csrf_token": "x"}):
        page = phone.send("POST", page_of(site), data=data)
        assert page.status in (400, 422)
    headers = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    assert phone.send("POST", page_of(site), data={"deny": "1"}, headers=headers).status == 403
    assert newest(site).state == "waiting"


def test_get_does_not_answer_a_request(site: Site, phone: Owner, waiting: Owner) -> None:
    number = number_of(waiting)
    for query in (f"number={number}", "deny=1", "cancel=1"):
        phone.open(f"{page_of(site)}?{query}")
    assert newest(site).state == "waiting"
    phone.answer(number)
    for path in (NEWS, "/log-in/waiting", "/log-in/verify"):
        waiting.open(path)
        assert not is_in(waiting)


def test_the_number_is_in_no_table_and_in_no_message(site: Site, phone: Owner, waiting: Owner) -> None:
    number = number_of(waiting)
    with site.services.db.engine.connect() as connection:
        rows = connection.execute(text("SELECT * FROM login_requests")).mappings().all()
    assert all(number not in str(value) for row in rows for name, value in row.items() if name != "nonce")
    assert all(number not in email.text for email in site.emails())


# -- The text message as a stand-in ----------------------------------------------------------------


@pytest.fixture
def numbered(site: Site) -> Owner:
    """Ada's phone; her account has a phone number, but text messages are not turned on."""
    ada = Owner.signed_up(site, layout=ANDROID)
    keep_number(site, "ada", PHONE)
    ada.turn_on_requests()
    ada.press("Got it")
    ada.log_out()
    return ada


def test_the_text_belongs_to_the_same_log_in_and_opens_it_once(site: Site, numbered: Owner) -> None:
    browser = waits(numbered)
    page = browser.press("Request a code sent to your phone via text message")
    assert page.h1 == "Enter your code"
    code = site.texted_code(PHONE)
    other = waits(numbered, "198.51.100.7")
    assert other.post("/log-in/verify?method=text-message", code=code).status == 422
    assert browser.press("Verify", code=code).h1 == HOME
    assert live_sessions(site) == 1


def test_the_text_has_the_limits_of_every_text(site: Site, numbered: Owner) -> None:
    browser = waits(numbered)
    browser.press("Request a code sent to your phone via text message")
    code = site.texted_code(PHONE)
    for _ in range(5):
        browser.post("/log-in/verify?method=text-message", code=wrong(code))
    page = browser.post("/log-in/verify?method=text-message", code=code)
    assert page.path == "/log-in"
    assert not is_in(browser)
    assert len(site.texts()) == 1


def test_an_account_without_login_requests_gets_no_stand_in(site: Site) -> None:
    eve = enrolled(site, "eve")
    keep_number(site, "eve", PHONE)
    eve.log_in()
    for path in ("/log-in/verify?method=text-message", "/log-in/waiting?method=text-message"):
        assert eve.open(path).status == 404
    assert eve.post("/log-in/waiting", text="1").h1 != WAITING
    assert not site.texts()


def test_an_account_without_a_number_gets_no_stand_in(site: Site, phone: Owner, waiting: Owner) -> None:
    assert waiting.page is not None
    assert "Request a code sent to your phone via text message" not in waiting.page.buttons
    assert waiting.post("/log-in/waiting", text="1").h1 == WAITING
    assert waiting.open("/log-in/verify?method=text-message").status == 404
    assert not site.texts()


# -- Addresses of push services --------------------------------------------------------------------

POINT = "BNNL5ZaTfK81qhXOx23-wewhigUeFb632jN6LvRWCFH1ubQr77FE_9qV1FuojuRmHP42zmf34rXgW80OvUVDgTk"
AUTH = "zqbxT6JKstKSY9JKibZLSQ"


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://evil.example/push",
        "http://fcm.googleapis.com/push",
        "https://fcm.googleapis.com:8443/push",
        "https://fcm.googleapis.com@evil.example/push",
        "https://evil.example/fcm.googleapis.com",
        "https://fcm.googleapis.com.evil.example/push",
        "https://jmt17.google.com.evil.example/push",
        "https://mail.google.com/push",
        "https://evilfcm.googleapis.com/push",
        "https://push.apple.com/x",
        "https://169.254.169.254/latest/meta-data",
        "https://127.0.0.1/",
        "http://127.0.0.1:5000/",
        "https://[::1]/",
        "https://localhost/",
        "https://fcm.googleapis.com\\@evil.example/",
        "https://fcm.googleapis.com/\r\nX: y",
        "file:///etc/passwd",
        "gopher://fcm.googleapis.com/",
        "//fcm.googleapis.com/x",
        "https://FCM.googleapis.com" + "/x" * 600,
        "https://fcm.googleapis.com:x/",
        "",
    ],
)
def test_the_server_does_not_call_an_address_that_a_user_chose(site: Site, endpoint: str) -> None:
    assert refused(site, {"endpoint": endpoint, "keys": {"p256dh": POINT, "auth": AUTH}})


@pytest.mark.parametrize(
    "said",
    [
        "x",
        "[]",
        "null",
        "7",
        "[" * 5000,
        {"endpoint": "https://fcm.googleapis.com/x"},
        {"endpoint": 5, "keys": {"p256dh": POINT, "auth": AUTH}},
        {"endpoint": ["https://fcm.googleapis.com/x"], "keys": {"p256dh": POINT, "auth": AUTH}},
        {"endpoint": "https://fcm.googleapis.com/x", "keys": {"p256dh": POINT, "auth": "AAAA"}},
        {"endpoint": "https://fcm.googleapis.com/x", "keys": {"p256dh": POINT, "auth": None}},
        {"endpoint": "https://fcm.googleapis.com/x", "keys": {"p256dh": "B" + "A" * 86, "auth": AUTH}},
        {"endpoint": "https://fcm.googleapis.com/x", "keys": {"p256dh": POINT[:-4], "auth": AUTH}},
        {"endpoint": "https://fcm.googleapis.com/x", "keys": {"p256dh": "A" * 5, "auth": AUTH}},
    ],
    ids=range(13),
)
def test_a_malformed_subscription_is_refused(site: Site, said: Any) -> None:
    assert refused(site, said)


def refused(site: Site, said: Any) -> bool:
    ada = Owner.signed_up(site, layout=ANDROID)
    page = ada.turn_on_requests(said if isinstance(said, str) else json.dumps(said))
    sentence = "This browser's notifications don't work here."
    return page.status == 422 and page.problems[0].startswith(sentence) and not external_ids(site)


def test_a_valid_subscription_is_stored_sealed(site: Site) -> None:
    ada = Owner.signed_up(site, layout=ANDROID)
    endpoint = "https://updates.push.services.mozilla.com/wpush/v2/secret"
    said = {"endpoint": endpoint, "expirationTime": None, "keys": {"p256dh": POINT, "auth": AUTH}, "more": "x"}
    assert ada.turn_on_requests(json.dumps(said)).h1 == "You're all set"
    with site.services.db.engine.connect() as connection:
        row = connection.execute(text("SELECT * FROM factors")).mappings().one()
    assert all("mozilla" not in str(value) and AUTH not in str(value) for value in row.values())


def test_the_service_refuses_approvals_without_a_phone(site: Site, phone: Owner, waiting: Owner) -> None:
    method, approvals = site.services.methods.named("login-requests"), site.services.approvals
    assert method is not None
    account = site.services.accounts.named("ada")
    with pytest.raises(NotThisPhone):
        approvals.approve(Viewer({account.id: account}, {}), newest(site).id, number_of(waiting), HERE)
