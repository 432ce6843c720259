"""Pushes of login requests: to which phones, in which words, how often retried, and when none is sent."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import delete, text, update

from tests.attacks.tools import count, enrolled
from tests.conftest import Site
from tests.doubles import CheapHasher, FailingPushes
from tests.people import ANDROID, DESKTOP, TWO_FACTOR, Owner
from webapp.domain.ports import Gone, PushMessage, Refused, Unreachable
from webapp.models.factors import Factor
from webapp.services.operators import COMMAND_LINE

PHONES = "/settings/security/two-factor/phones"
POINT = "BNNL5ZaTfK81qhXOx23-wewhigUeFb632jN6LvRWCFH1ubQr77FE_9qV1FuojuRmHP42zmf34rXgW80OvUVDgTk"
AUTH = "zqbxT6JKstKSY9JKibZLSQ"


def subscription(name: str = "one") -> str:
    return json.dumps({"endpoint": f"https://fcm.googleapis.com/{name}", "keys": {"p256dh": POINT, "auth": AUTH}})


class NearBerlin:
    def near(self, address: str) -> str | None:
        return "Berlin, Germany"


@pytest.fixture
def service() -> FailingPushes:
    return FailingPushes()


@pytest.fixture
def overrides(service: FailingPushes) -> dict[str, Any]:
    return {"hasher": CheapHasher(), "pushes": service, "places": NearBerlin()}


@pytest.fixture
def phone(site: Site) -> Owner:
    """Ada's phone with notifications, logged out."""
    ada = Owner.signed_up(site, layout=ANDROID)
    assert ada.turn_on_requests(subscription()).h1 == "You're all set"
    ada.press("Got it")
    ada.log_out()
    return ada


def waits(phone: Owner) -> Owner:
    browser = phone.other_browser(layout=DESKTOP)
    assert browser.log_in().h1 == "Check your phone to approve"
    return browser


def deliver(site: Site) -> None:
    site.services.delivery.deliver_due()


def owed(site: Site) -> int:
    return count(site, "SELECT count(*) FROM messages WHERE channel = 'push' AND state = 'owed'")


def message(site: Site) -> Any:
    with site.services.db.engine.connect() as connection:
        query = "SELECT * FROM messages WHERE channel = 'push' ORDER BY id DESC LIMIT 1"
        return connection.execute(text(query)).mappings().one()


def test_a_subscription_whose_key_is_missing_keeps_no_one_from_logging_in(site: Site, phone: Owner) -> None:
    with site.services.db.write() as tx:
        tx.execute(update(Factor).values(sealed="gone.AAAA"))
    browser = waits(phone)
    assert owed(site) == 0
    assert browser.page is not None
    assert phone.answer(browser.page.number).h1 == "You approved this login"


def test_a_recovery_by_an_operator_is_pushed_to_the_phones_of_its_owner(
    site: Site, phone: Owner, service: FailingPushes
) -> None:
    site.services.operators.recoveries.start(phone.username, "Lost the phone", COMMAND_LINE)
    deliver(site)
    ((sent, _seconds),) = service.taken
    assert sent.topic == "recovery-started", "no login request replaces it at the push service"
    notification = json.loads(sent.text)["notification"]
    assert notification["title"] == "Your two-factor authentication will be turned off"
    assert notification["body"].endswith("Reason: Lost the phone")
    assert notification["navigate"] == "http://mobile.nightlatch.localhost:5000/"
    assert notification["tag"] == "recovery-started"


def test_a_recovery_is_pushed_to_no_phone_without_a_subscription(site: Site, service: FailingPushes) -> None:
    grace = enrolled(site, "grace")
    site.services.operators.recoveries.start(grace.username, "Lost the phone", COMMAND_LINE)
    deliver(site)
    assert service.taken == []


def test_a_push_is_declarative_web_push_and_never_has_the_number(
    site: Site, phone: Owner, service: FailingPushes
) -> None:
    browser = waits(phone)
    assert browser.page is not None
    deliver(site)
    (sent, seconds), *others = service.taken
    assert (seconds, others) == (300, [])
    told = json.loads(sent.text)
    url = "http://mobile.nightlatch.localhost:5000/settings/security/login-requests/1"
    assert told == {
        "web_push": 8030,
        "notification": {
            "title": "Are you trying to log in to Nightlatch?",
            "body": "Chrome on Linux, Berlin, Germany",
            "lang": "en",
            "dir": "ltr",
            "navigate": url,
            "tag": "login-request",
            "requireInteraction": True,
            "actions": [
                {"action": "review", "title": "Review", "navigate": url},
                {"action": "deny", "title": "Deny", "navigate": f"{url}#deny"},
            ],
        },
    }
    assert browser.page.number not in sent.text
    assert json.loads(sent.subscription)["endpoint"].endswith("/one")
    assert message(site)["sealed"] is None, "what went out is not kept"


def test_every_phone_with_notifications_gets_one_push(site: Site, phone: Owner, service: FailingPushes) -> None:
    for place, said in enumerate((subscription("two"), "")):
        other = phone.log_in_elsewhere(layout=ANDROID)
        assert other.page is not None
        phone.answer(other.page.number)
        other.post("/log-in/waiting")
        site.services.delivery.deliver_due()
        service.taken.clear()
        assert other.turn_on_requests(said).path == TWO_FACTOR, place
    waits(phone)
    deliver(site)
    assert sorted(json.loads(sent.subscription)["endpoint"][-3:] for sent, _ in service.taken) == ["one", "two"]


@pytest.mark.parametrize("wait", [None, 0, 7, 200])
def test_a_push_that_may_be_retried_is_retried(
    site: Site, phone: Owner, service: FailingPushes, wait: int | None
) -> None:
    later = Unreachable("later")
    later.wait = wait
    service.trouble = later
    waits(phone)
    deliver(site)
    service.trouble = None
    site.clock.pass_((wait or 60) - 1)
    deliver(site)
    assert not service.taken
    site.clock.pass_(1)
    deliver(site)
    assert [seconds for _, seconds in service.taken] == [300 - (wait or 60)]


def test_a_push_that_is_too_late_is_not_sent(site: Site, phone: Owner, service: FailingPushes) -> None:
    waits(phone)
    site.clock.pass_(300)
    deliver(site)
    assert not service.taken
    assert message(site)["state"] == "failed"


def test_an_expired_subscription_is_deleted_and_the_phone_stays_on(
    site: Site, phone: Owner, service: FailingPushes
) -> None:
    service.trouble = Gone("HTTP 410")
    browser = waits(phone)
    assert browser.page is not None
    deliver(site)
    service.trouble = None
    assert owed(site) == 0
    assert phone.answer(browser.page.number).h1 == "You approved this login", "it is in the list all the same"
    browser.post("/log-in/waiting")
    waits(phone)
    deliver(site)
    assert not service.taken
    phone.log_in()


def test_a_subscription_that_cannot_be_deleted_is_sent_nothing_again(
    site: Site, phone: Owner, service: FailingPushes
) -> None:
    """Such as one whose key is missing."""
    service.trouble = Gone("HTTP 410")
    waits(phone)
    with site.services.db.write() as tx:
        tx.execute(update(Factor).values(sealed="none.AAAA"))
    with pytest.raises(ValueError, match="is not among the settings"):
        deliver(site)
    assert message(site)["state"] == "failed"


def test_a_subscription_whose_key_is_missing_keeps_no_login_request_from_being_made(
    site: Site, phone: Owner, service: FailingPushes
) -> None:
    with site.services.db.write() as tx:
        tx.execute(update(Factor).values(sealed="none.AAAA"))
    waits(phone)
    deliver(site)
    assert not service.taken
    assert count(site, "SELECT count(*) FROM login_requests") == 1


def test_a_refused_push_does_not_delete_the_subscription(site: Site, phone: Owner, service: FailingPushes) -> None:
    service.trouble = Refused("HTTP 400")
    waits(phone)
    deliver(site)
    assert message(site)["state"] == "failed"
    service.trouble = None
    waits(phone)
    deliver(site)
    assert len(service.taken) == 1


@pytest.mark.parametrize("said", [subscription("newer"), ""])
def test_a_newer_subscription_survives_the_end_of_an_older_one(site: Site, phone: Owner, said: str) -> None:
    old = PushMessage("uid", "login-request", subscription("older"), "{}", 0, 1)
    site.services.delivery.drop(old)
    with site.services.db.read() as tx:
        assert json.loads(tx.objects.get_one(Factor, 1).attributes) == {"pushes": True}


def test_a_phone_whose_subscription_expired_can_turn_notifications_on_again(
    site: Site, phone: Owner, service: FailingPushes
) -> None:
    service.trouble = Gone("HTTP 410")
    browser = waits(phone)
    deliver(site)
    service.trouble = None
    assert phone.answer(browser.page.number).h1 == "You approved this login"
    assert browser.post("/log-in/waiting").h1 == "Welcome, Ada Lovelace"
    assert "Allow notifications" not in browser.open(PHONES).links, "it is not this browser's to allow"
    phone.log_in()
    assert phone.answer(phone.page.number).h1 == "You approved this login"
    assert phone.post("/log-in/waiting").h1 == "Welcome, Ada Lovelace"
    assert phone.open(PHONES).says("This phone Notifications off")
    assert phone.follow("Allow notifications").h1 == "Login requests on this phone"
    phone.press("Next")
    phone.press("Verify", password=phone.password)
    phone.press("Allow notifications", subscription=subscription("newer"))
    page = phone.open(PHONES)
    assert page.says("This phone Notifications on")
    assert "Allow notifications" not in page.links
    waits(phone)
    deliver(site)
    assert [json.loads(sent.subscription)["endpoint"][-5:] for sent, _ in service.taken] == ["newer"]


def test_a_push_to_a_phone_that_was_deleted_in_the_meantime_is_no_error(
    site: Site, phone: Owner, service: FailingPushes
) -> None:
    service.trouble = Gone("HTTP 404")
    waits(phone)
    with site.services.db.write() as tx:
        tx.execute(delete(Factor))
    deliver(site)
    assert message(site)["state"] == "failed"


# -- The pause after two denials -------------------------------------------------------------------


def denied(phone: Owner) -> None:
    waits(phone)
    assert phone.answer(button="Deny").h1 == "You denied this login"


def test_two_denials_pause_pushes_for_an_hour_and_the_list_keeps_working(
    site: Site, phone: Owner, service: FailingPushes
) -> None:
    denied(phone)
    denied(phone)
    deliver(site)
    assert len(service.taken) == 2
    site.clock.pass_(3599)
    browser = waits(phone)
    assert browser.page is not None
    deliver(site)
    assert len(service.taken) == 2
    phone.open("/settings/security/login-requests")
    assert phone.page is not None
    assert "Review Chrome on Linux" in phone.page.links
    site.clock.pass_(1)
    waits(phone)
    deliver(site)
    assert len(service.taken) == 3


def test_denials_of_a_clock_that_was_ahead_pause_nothing(site: Site, phone: Owner, service: FailingPushes) -> None:
    site.clock.pass_(1800)
    denied(phone)
    denied(phone)
    deliver(site)
    assert len(service.taken) == 2
    site.clock.pass_(-1800)
    waits(phone)
    deliver(site)
    assert len(service.taken) == 3


def test_an_approval_between_two_denials_prevents_the_pause(site: Site, phone: Owner, service: FailingPushes) -> None:
    denied(phone)
    browser = waits(phone)
    assert browser.page is not None
    phone.answer(browser.page.number)
    browser.post("/log-in/waiting")
    denied(phone)
    waits(phone)
    deliver(site)
    assert len(service.taken) == 4


class TestWithoutKey:
    @pytest.fixture
    def overrides(self, service: FailingPushes) -> dict[str, Any]:
        service.public_key = None
        return {"hasher": CheapHasher(), "pushes": service}

    def test_no_push_is_owed_and_the_list_works(self, site: Site, phone: Owner, service: FailingPushes) -> None:
        browser = waits(phone)
        assert browser.page is not None
        site.services.operators.recoveries.start(phone.username, "Lost the phone", COMMAND_LINE)
        assert owed(site) == 0
        assert phone.answer(browser.page.number).h1 == "You approved this login"
        assert browser.post("/log-in/waiting").h1 == "Welcome, Ada Lovelace"
