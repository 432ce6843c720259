"""Delivery receipts: the gateway reports the outcome of a text, once or repeatedly, and the page shows it."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from tests.conftest import Site
from tests.doubles import FailingTexts
from tests.people import PHONE, Owner, Page, Person
from webapp.models.messages import FAILED, SENT, Message

pytestmark = pytest.mark.usefixtures("gateway")
SECRET = "a-secret-of-the-operator"
HOOK = f"/hooks/vonage/delivery/{SECRET}"
STOPPED = "We can't text you now."


@pytest.fixture
def environ(database_url: str) -> dict[str, str]:
    return {
        "NIGHTLATCH_DATABASE_URL": database_url,
        "NIGHTLATCH_VONAGE_API_KEY": "key",
        "NIGHTLATCH_VONAGE_API_SECRET": "secret",
        "NIGHTLATCH_SMS_FROM": "Nightlatch",
        "NIGHTLATCH_VONAGE_URL": "http://127.0.0.1:9",
        "NIGHTLATCH_VONAGE_HOOK_SECRET": SECRET,
    }


@pytest.fixture
def tess(site: Site) -> Owner:
    """On the page that asks for the code of a text that was sent."""
    tess = Owner.signed_up(site, "tess")
    tess.open("/settings/account/phone")
    tess.press("Save", phone=PHONE)
    assert site.texts(PHONE)
    return tess


def receipt(site: Site, gateway: FailingTexts, status: str, *, json: bool = False, method: str = "POST") -> Page:
    """The receipt of the newest text."""
    told = {"client-ref": gateway.taken[-1].message_id, "status": status, "msisdn": PHONE[1:], "err-code": "0"}
    body = {"json": told} if json else {"query_string" if method == "GET" else "data": told}
    return Person(site.app, address="198.51.100.9").send(method, HOOK, **body)


def newest(site: Site) -> Message:
    with site.services.db.read() as tx:
        found = tx.objects.scalars(select(Message).where(Message.channel == "text").order_by(Message.id.desc())).first()
    assert found is not None
    return found


@pytest.mark.parametrize("json", [False, True], ids=["form", "json"])
def test_a_delivered_text_is_recorded_once(site: Site, tess: Owner, gateway: FailingTexts, json: bool) -> None:
    at = site.clock.now()
    assert receipt(site, gateway, "delivered", json=json).status == 204
    site.clock.pass_(5)
    assert receipt(site, gateway, "delivered", json=json).status == 204
    assert (newest(site).state, newest(site).received_at) == (SENT, at)
    assert not tess.open("/settings/account/phone/code").says(STOPPED)


@pytest.mark.parametrize("json", [False, True], ids=["form", "json"])
@pytest.mark.parametrize("status", ["expired", "failed", "rejected", "unknown"])
def test_a_failed_text_is_reported_on_the_page_and_another_can_be_sent(
    site: Site, tess: Owner, gateway: FailingTexts, status: str, json: bool
) -> None:
    assert not tess.open("/settings/account/phone/code").says(STOPPED)
    for _ in range(2):
        assert receipt(site, gateway, status, json=json).status == 204
    assert (newest(site).state, newest(site).complaint) == (FAILED, f"the gateway says: {status}")
    page = tess.open("/settings/account/phone/code")
    assert page.says(STOPPED)
    assert "Use a different phone number" in page.links
    site.clock.pass_(60)
    assert not tess.press("Resend code").says(STOPPED)
    assert tess.press("Verify", code=site.texted_code(PHONE)).says("...56")


@pytest.mark.parametrize("status", ["accepted", "buffered", "", "Delivered", "no such word"])
def test_an_intermediate_status_changes_nothing(site: Site, tess: Owner, gateway: FailingTexts, status: str) -> None:
    assert receipt(site, gateway, status).status == 204
    assert (newest(site).state, newest(site).received_at) == (SENT, None)


def test_a_failure_after_a_delivery_is_ignored(site: Site, tess: Owner, gateway: FailingTexts) -> None:
    receipt(site, gateway, "delivered")
    receipt(site, gateway, "failed")
    assert newest(site).state == SENT
    assert not tess.open("/settings/account/phone/code").says(STOPPED)


def test_a_receipt_after_the_code_was_used_changes_nothing(site: Site, tess: Owner, gateway: FailingTexts) -> None:
    assert tess.press("Verify", code=site.texted_code(PHONE)).says("...56")
    site.clock.pass_(86400)
    assert receipt(site, gateway, "failed").status == 204
    tess.log_in()
    assert tess.open("/settings/account").says("...56")


def test_a_receipt_of_a_purged_or_unknown_text_is_accepted_and_ignored(
    site: Site, tess: Owner, gateway: FailingTexts
) -> None:
    site.clock.pass_(31 * 86400)
    site.services.maintenance.purge()
    for status in ("delivered", "failed"):
        assert receipt(site, gateway, status).status == 204


def test_only_a_post_with_the_secret_is_accepted(site: Site, tess: Owner, gateway: FailingTexts) -> None:
    assert receipt(site, gateway, "failed", method="GET").status == 404
    told = {"client-ref": gateway.taken[-1].message_id, "status": "failed"}
    assert Person(site.app).send("POST", f"{HOOK}x", data=told).status == 404
    assert newest(site).state == SENT
    assert tess.open("/settings/account/phone/code").h1 == "Check your phone"


def test_without_a_secret_in_the_settings_no_receipt_is_accepted(
    site: Site, environ: dict[str, str], tmp_path: Any
) -> None:
    from webapp import create_app
    from webapp.settings import Settings

    for name in ("NIGHTLATCH_VONAGE_HOOK_SECRET", "NIGHTLATCH_VONAGE_API_KEY"):
        fewer = {key: value for key, value in environ.items() if key != name}
        if name.endswith("KEY"):
            fewer = {"NIGHTLATCH_DATABASE_URL": environ["NIGHTLATCH_DATABASE_URL"]}
        app = create_app(Settings.read(fewer, tmp_path / name), clock=site.clock)
        for secret in ("None", SECRET, "x"):
            page = Person(app).send("POST", f"/hooks/vonage/delivery/{secret}", data={"status": "failed"})
            assert page.status == 404
