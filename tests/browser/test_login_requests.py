"""Two browsers at once, one that waits and a phone that answers; and real pushes to a service worker."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Route, expect

from tests.adapters.push_endpoint import PushEndpoint
from tests.browser.conftest import Visits
from tests.browser.live import ARGUMENTS, WHOLE_CHROMIUM, LiveSite, Visitor, live_site
from tests.browser.test_journeys import BAD_GATEWAY, HOME, as_member, log_in, log_out, with_and_without_script
from tests.people import ANDROID, DESKTOP, IPHONE, PASSWORD, REQUESTS, TWO_FACTOR
from webapp.web import errors

NAME = "Login requests on this phone"
WAITING = "Check your phone to approve"
SPOKEN = """() => {
  window.spoken = 0;
  const count = changes => changes.forEach(({ addedNodes }) => window.spoken += addedNodes.length);
  new MutationObserver(count).observe(document.getElementById("status"), {childList: true});
}"""
DEVICE = "Chrome on Linux"
SUBSCRIBE = """said => {
  PushManager.prototype.getSubscription = async () => null;
  PushManager.prototype.subscribe = async function (options) {
    window.subscribedWith = options;
    return { toJSON: () => JSON.parse(said) };
  };
}"""
KEPT = """async () => {
  const urls = [];
  for (const name of await caches.keys())
    for (const request of await (await caches.open(name)).keys()) urls.push(new URL(request.url).pathname);
  return urls;
}"""
SHOWN = """async () => {
  const all = await (await navigator.serviceWorker.ready).getNotifications();
  return all.map(n => ({title: n.title, body: n.body, lang: n.lang, dir: n.dir, actions: n.actions, data: n.data}));
}"""
CLICK = """async action => {
  const [notification] = await registration.getNotifications();
  dispatchEvent(new NotificationEvent("notificationclick", {notification, action}));
}"""


@pytest.fixture
def service() -> Iterator[PushEndpoint]:
    with PushEndpoint() as service:
        yield service


@pytest.fixture
def site(tmp_path: Path, service: PushEndpoint) -> Iterator[LiveSite]:
    with live_site(tmp_path, PUSH_HOSTS=service.host) as made:
        yield made


def begin(phone: Visitor) -> None:
    """From the list of methods to the question about notifications."""
    phone.press(NAME, "Space", role="checkbox")
    phone.arrives(NAME)
    phone.press("Next")
    phone.arrives("Enter your password")
    phone.type_("Password", PASSWORD)
    phone.press("Verify")
    phone.arrives("Allow notifications")


def is_offered_notifications(phone: Visitor) -> None:
    """Where they can work, else told why not."""
    allow = phone.page.get_by_role("button", name="Allow notifications", exact=True)
    expect(allow).to_be_visible(visible=phone.has_script)
    expect(phone.page.get_by_text("Notifications need JavaScript")).to_be_visible(visible=not phone.has_script)


def end(phone: Visitor) -> None:
    phone.arrives("You're all set")
    phone.press("Got it")
    phone.arrives("Two-factor authentication")
    expect(phone.page.get_by_role("checkbox", name=NAME)).to_be_checked()


def turns_on(phone: Visitor) -> None:
    """Without notifications, by keyboard, and logs out."""
    begin(phone)
    is_offered_notifications(phone)
    phone.press("Not now")
    end(phone)
    log_out(phone)


def with_phone(visit: Visits) -> Visitor:
    """Ada's phone after the same, prepared without a browser."""
    phone = visit(ANDROID)
    person = phone.site.person("ada", layout=ANDROID)
    person.sign_up()
    person.turn_on_requests()
    person.press("Got it")
    person.log_out()
    phone.become(person)
    return phone


def with_pushes(visit: Visits, service: PushEndpoint) -> Visitor:
    """The same with notifications."""
    phone = as_member(visit, ANDROID, permissions=["notifications"])
    phone.context.add_init_script(f"({SUBSCRIBE})({json.dumps(service.subscribe().subscription)})")
    phone.page.reload()
    begin(phone)
    phone.press("Allow notifications")
    end(phone)
    phone.page.evaluate("async () => { await navigator.serviceWorker.ready; }")
    phone.page.reload()  # a page that was loaded before its service worker is not controlled by it
    return phone


def waits(visit: Visits, layout: str = DESKTOP, **options: Any) -> Visitor:
    browser = visit(layout, **options)
    log_in(browser)
    browser.arrives(WAITING)
    return browser


def number_on(browser: Visitor) -> str:
    return browser.page.locator("[data-number]").inner_text().strip()


def review(phone: Visitor) -> None:
    phone.open(REQUESTS)
    phone.arrives("Login requests")
    phone.follow(f"Review {DEVICE}")
    phone.arrives("Approve this log-in?")


def approve(phone: Visitor, number: str) -> None:
    review(phone)
    phone.type_("Number on your other screen", number)
    phone.press("Approve")


# -- Answers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", [ANDROID, IPHONE])
@with_and_without_script
def test_an_approval_on_the_phone_continues_the_log_in_on_the_other_screen(
    visit: Visits, layout: str, script: bool
) -> None:
    phone = as_member(visit, layout, java_script_enabled=script)
    turns_on(phone)
    browser = waits(visit, java_script_enabled=script)
    approve(phone, number_on(browser))
    phone.arrives("You approved this login")
    if script:
        expect(browser.button("I've approved it")).to_be_hidden()
    else:
        browser.press("I've approved it")
    browser.arrives(HOME)


def test_an_approved_log_in_remembers_the_browser_that_asked_for_it(visit: Visits) -> None:
    phone, browser = with_phone(visit), waits(visit)
    browser.press("Remember this browser for 30 days", "Space", role="checkbox")
    approve(phone, number_on(browser))
    browser.arrives(HOME)
    log_out(browser)
    log_in(browser)
    browser.arrives(HOME)


@pytest.mark.parametrize(
    ("button", "h1", "told"),
    [
        ("Deny", "You denied this login", "You denied this login on your phone."),
        ("It was me, cancel", "Login requests", "You canceled this request on your phone."),
    ],
)
def test_a_denial_on_the_phone_is_shown_on_the_other_screen(visit: Visits, button: str, h1: str, told: str) -> None:
    phone, browser = with_phone(visit), waits(visit)
    review(phone)
    phone.press(button)
    phone.arrives(h1)
    expect(browser.page.get_by_role("main")).to_contain_text(told)
    expect(browser.page.get_by_role("heading", level=1)).to_be_focused()


def test_a_wrong_number_ends_the_request_on_both_screens(visit: Visits) -> None:
    phone, browser = with_phone(visit), waits(visit)
    number = number_on(browser)
    read = f"- paragraph: /{number[:3]} {number[3:]}/"  # and not as one number of six digits
    expect(browser.page.locator(".ring")).to_match_aria_snapshot(read)
    approve(phone, str((int(number) + 500_000) % 1_000_000).zfill(6))
    phone.sees_problem("That number doesn't match the other screen")
    expect(browser.page.get_by_role("main")).to_contain_text("The wrong number was entered on your phone")
    browser.press("Send a new request")
    expect(browser.page.locator("[data-number]")).to_be_visible()
    approve(phone, number_on(browser))
    browser.arrives(HOME)


def test_an_unanswered_request_expires_on_both_screens(site: LiveSite, visit: Visits) -> None:
    phone, browser = with_phone(visit), waits(visit)
    review(phone)
    site.clock.pass_(300)
    expect(browser.page.get_by_role("main")).to_contain_text(
        "This request expired after five minutes without an answer"
    )
    phone.type_("Number on your other screen", "123456")
    phone.press("Approve")
    phone.sees_problem("This login request has ended.")


def test_of_two_waiting_log_ins_the_newer_stays_pending(visit: Visits) -> None:
    phone, older = with_phone(visit), waits(visit)
    newer = waits(visit)
    expect(older.page.get_by_role("main")).to_contain_text("A newer login ended this one.")
    approve(phone, number_on(newer))
    newer.arrives(HOME)
    expect(older.page.get_by_role("heading", level=1)).to_have_text("Request replaced")


def test_polling_announces_nothing_while_nothing_changes(site: LiveSite, visit: Visits) -> None:
    with_phone(visit)
    browser = waits(visit)
    browser.tab_to(browser.button("Cancel"))
    said = browser.page.get_by_role("status").inner_text()
    with browser.page.expect_response("**/log-in/waiting/news") as first:
        pass
    with browser.page.expect_response("**/log-in/waiting/news") as second:
        pass
    assert (first.value.status, second.value.status) == (204, 204)
    assert browser.page.get_by_role("status").inner_text() == said
    expect(browser.button("Cancel")).to_be_focused()
    site.clock.pass_(61)
    with browser.page.expect_response("**/log-in/waiting/news?slower=1", timeout=12_000) as slower:
        pass
    assert slower.value.status == 204


def test_polling_without_a_network_says_so_once_and_goes_on_when_it_is_back(visit: Visits) -> None:
    phone = with_phone(visit)
    browser = waits(visit)
    browser.page.evaluate(SPOKEN)
    browser.context.set_offline(True)
    browser.receipt("We couldn't reach the site. Check your connection and try again.")
    browser.page.wait_for_timeout(4500)  # two more polls
    browser.receipt("We couldn't reach the site.")
    assert browser.page.evaluate("window.spoken") == 1
    browser.context.set_offline(False)
    approve(phone, number_on(browser))
    browser.arrives("Welcome, Ada Lovelace")
    unreached = re.compile("INTERNET_DISCONNECTED|Failed to fetch")
    browser.watch.faults = [fault for fault in browser.watch.faults if not unreached.search(fault)]


@pytest.mark.parametrize("status", [429, 502, 503])
def test_polling_goes_on_after_an_error(site: LiveSite, visit: Visits, status: int) -> None:
    """502: of the proxy, while the site starts again. 503: of the site, without its database."""
    phone = with_phone(visit)
    browser = waits(visit)
    browser.watch.expects(status)
    with site.app.test_request_context(base_url=site.url(browser.layout), headers={"HX-Request": "true"}):
        own = errors.page(status).get_data(as_text=True)
    fulfilled = {"status": status, "content_type": "text/html", "body": BAD_GATEWAY if status == 502 else own}
    heading = browser.page.get_by_role("heading", level=1).inner_text()
    browser.context.route("**/log-in/waiting/news", lambda route: route.fulfill(**fulfilled), times=2)
    browser.receipt("We couldn't reach the site. Check your connection and try again.")
    browser.arrives(heading)
    approve(phone, number_on(browser))
    browser.arrives("Welcome, Ada Lovelace")


@pytest.mark.parametrize("button", ["Approve", "Deny"])
def test_an_answer_whose_page_was_lost_is_asked_for_again(visit: Visits, button: str) -> None:
    phone = with_phone(visit)
    browser = waits(visit)
    with browser.page.expect_request("**/log-in/waiting/news"):
        browser.context.route("**/log-in/waiting", lambda route: route.abort(), times=1)
    if button == "Approve":
        approve(phone, number_on(browser))
    else:
        review(phone)
        phone.press("Deny")
    browser.receipt("We couldn't reach the site. Check your connection and try again.")
    browser.arrives("Welcome, Ada Lovelace" if button == "Approve" else "Login denied")
    lost = re.compile("ERR_FAILED|Failed to fetch")
    browser.watch.faults = [fault for fault in browser.watch.faults if not lost.search(fault)]


def test_a_page_that_loads_slowly_after_an_approval_is_not_asked_for_again(site: LiveSite, visit: Visits) -> None:
    phone, browser = with_phone(visit), waits(visit)
    sent: list[str] = []
    held: list[Route] = []
    browser.page.on("request", lambda request: sent.append(request.method))
    browser.context.route(site.url(browser.layout, "/"), lambda route: held.append(route), times=1)
    approve(phone, number_on(browser))
    phone.page.wait_for_timeout((site.services.settings.policy.asks_slower_every + 3) * 1000)
    assert sent.count("POST") == len(held) == 1
    held[0].continue_()
    browser.arrives("Welcome, Ada Lovelace")


def test_the_number_is_large_and_the_key_beside_it_has_a_cut_for_each_whole_minute_left(visit: Visits) -> None:
    with_phone(visit)
    browser = waits(visit)
    style = "e => { const s = getComputedStyle(e); return [parseFloat(s.fontSize), s.fontVariantNumeric] }"
    size, figures = browser.page.locator(".number").evaluate(style)
    assert size >= 36
    assert "tabular-nums" in figures
    assert browser.page.locator(".number bdi").get_attribute("dir") == "ltr"
    pulse, next_cut = "e => getComputedStyle(e).animationName", browser.page.locator(".dial .next").first
    assert next_cut.evaluate(pulse) == "none", "still with reduced motion"
    browser.page.emulate_media(reduced_motion="no-preference")
    assert next_cut.evaluate(pulse) == "breathe"
    cuts = []
    for seconds in (0, 59, 61, 181, 299):
        later = "(svg, at) => (svg.pauseAnimations(), svg.setCurrentTime(at))"
        browser.page.locator(".dial > svg").evaluate(later, seconds)
        (blade,) = browser.page.locator(".dial g:visible .cut").all()
        cuts.append((blade.get_attribute("d") or "").count("h-8"))
    assert cuts == [4, 4, 3, 1, 0]


def test_pulling_down_refreshes_the_list(visit: Visits) -> None:
    phone = with_phone(visit)
    phone.open(REQUESTS)
    expect(phone.page.get_by_text("No pending requests.")).to_be_visible()
    waits(visit)
    cdp = phone.context.new_cdp_session(phone.page)
    points = [("touchStart", 200), ("touchMove", 240), ("touchMove", 300)]
    for kind, y in points:
        cdp.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": 180, "y": y}]})
    cdp.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    expect(phone.page.get_by_role("link", name=f"Review {DEVICE}")).to_be_visible()


def test_the_refresh_button_refreshes_the_list(visit: Visits) -> None:
    phone = with_phone(visit)
    phone.open(REQUESTS)
    waits(visit)
    phone.press("Refresh")
    expect(phone.page.get_by_role("link", name=f"Review {DEVICE}")).to_be_visible()


# -- Pushes ----------------------------------------------------------------------------------------


def worker_of(phone: Visitor) -> tuple[Any, str]:
    """The service worker as a Playwright object, and the id of its registration in the browser."""
    cdp, found = phone.context.new_cdp_session(phone.page), list[str]()
    cdp.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda told: found.extend(one["registrationId"] for one in told["registrations"]),
    )
    cdp.send("ServiceWorker.enable")
    for _ in range(100):
        if found:
            return cdp, found[0]
        phone.page.wait_for_timeout(50)
    raise AssertionError("there is no service worker")


class TestAPush:
    @pytest.fixture
    def browser(self, browser: Browser) -> Iterator[Browser]:
        if WHOLE_CHROMIUM is None:
            pytest.skip("needs the package chromium, because Chromium's headless shell shows no notifications")
        started = browser.browser_type.launch(executable_path=WHOLE_CHROMIUM, args=ARGUMENTS)
        yield started
        started.close()

    def test_a_push_is_shown_and_leads_to_the_request(
        self, site: LiveSite, visit: Visits, service: PushEndpoint
    ) -> None:
        phone = with_pushes(visit, service)
        browser = waits(visit)
        assert site.services.delivery.deliver_due() >= 1
        text = service.waits_for(1)[0].text
        assert number_on(browser) not in text
        public_key = site.services.pushes.public_key
        assert public_key is not None
        assert service.taken[0].claims(public_key)["aud"] == service.url

        cdp, registration = worker_of(phone)
        told = {"origin": f"http://mobile.{site.host}", "registrationId": registration, "data": text}
        cdp.send("ServiceWorker.deliverPushMessage", told)
        for _ in range(100):
            shown = phone.page.evaluate(SHOWN)
            if shown:
                break
            phone.page.wait_for_timeout(50)
        assert shown[0]["title"] == "Are you trying to log in to Nightlatch?"
        assert shown[0]["body"].startswith(f"{DEVICE}, ")
        assert [action["title"] for action in shown[0]["actions"]] == ["Review", "Deny"]
        phone.context.service_workers[0].evaluate(CLICK, "review")
        phone.arrives("Approve this log-in?")
        assert phone.page.url.endswith(f"{REQUESTS}/1")
        phone.type_("Number on your other screen", number_on(browser))
        phone.press("Approve")
        browser.arrives(HOME)


def test_the_browser_subscribes_with_our_key(site: LiveSite, visit: Visits, service: PushEndpoint) -> None:
    phone = as_member(visit, ANDROID, permissions=["notifications"])
    phone.context.add_init_script(f"({SUBSCRIBE})({json.dumps(service.subscribe().subscription)})")
    phone.page.reload()
    begin(phone)
    phone.press("Allow notifications")
    phone.arrives("You're all set")
    options = phone.page.evaluate("[window.subscribedWith.userVisibleOnly, [...subscribedWith.applicationServerKey]]")
    assert (options[0], len(options[1]), options[1][0]) == (True, 65, 4)
    phone.open(f"{TWO_FACTOR}/phones")
    expect(phone.page.get_by_role("main")).to_contain_text("Notifications on")


@pytest.mark.parametrize("state", ["denied", "default"])
def test_login_requests_work_without_permission_for_notifications(
    visit: Visits, service: PushEndpoint, state: str
) -> None:
    phone = as_member(visit, ANDROID)
    phone.context.add_init_script(f"Notification.requestPermission = async () => {state!r}")
    phone.page.reload()
    begin(phone)
    phone.press("Allow notifications")
    expect(phone.page.locator("[data-line]")).to_contain_text("Notifications are off. You can still find requests")
    end(phone)
    browser = waits(visit)
    approve(phone, number_on(browser))
    browser.arrives(HOME)


def test_login_requests_work_in_a_browser_without_push(visit: Visits) -> None:
    phone = as_member(visit, ANDROID)
    phone.context.add_init_script("delete window.PushManager")
    phone.page.reload()
    begin(phone)
    phone.press("Allow notifications")
    expect(phone.page.locator("[data-line]")).to_contain_text("can't show notifications here")
    end(phone)


def test_login_requests_work_in_a_browser_without_service_workers(visit: Visits) -> None:
    phone = as_member(visit, ANDROID, permissions=["notifications"])
    phone.context.add_init_script("ServiceWorkerContainer.prototype.register = async () => { throw new TypeError(); }")
    phone.page.evaluate(
        "async () => { for (const r of await navigator.serviceWorker.getRegistrations()) await r.unregister(); }"
    )
    phone.page.reload()
    begin(phone)
    phone.press("Allow notifications")
    expect(phone.page.locator("[data-line]")).to_contain_text("can't show notifications here")
    end(phone)


@pytest.mark.parametrize("trouble", ["gone", "down"])
def test_without_the_push_service_the_list_still_works(
    site: LiveSite, visit: Visits, service: PushEndpoint, trouble: str
) -> None:
    phone = with_pushes(visit, service)
    if trouble == "gone":
        service.answers.append((410, {}))
    else:
        service.__exit__(None, None, None)
    browser = waits(visit)
    site.services.delivery.deliver_due()
    approve(phone, number_on(browser))
    browser.arrives(HOME)


# -- The installed app -----------------------------------------------------------------------------


def test_without_a_network_an_offline_page_without_account_data_is_shown(visit: Visits, service: PushEndpoint) -> None:
    phone = with_pushes(visit, service)
    phone.page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    phone.open("/settings/account")
    phone.open(REQUESTS)
    kept = phone.page.evaluate(KEPT)
    assert "/offline" in kept
    assert all(path == "/offline" or re.fullmatch(r"/static/\w+/(css/\w+\.css|icons/icon\.svg)", path) for path in kept)
    phone.context.set_offline(True)
    phone.page.goto(phone.site.url(ANDROID, "/settings"))
    expect(phone.page.get_by_role("heading", level=1)).to_have_text("No connection")
    phone.context.set_offline(False)
    phone.watch.faults = [fault for fault in phone.watch.faults if "INTERNET_DISCONNECTED" not in fault]
    phone.page.goto(phone.site.url(ANDROID, "/settings"))
    phone.arrives("Settings and privacy")


def test_the_log_in_page_of_a_phone_makes_at_most_six_requests(visit: Visits) -> None:
    phone = visit(ANDROID)
    with phone.page.expect_response("**/log-in/passkey/options"):
        phone.open("/log-in")
    assert len(phone.watch.statuses) <= 6
