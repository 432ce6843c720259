"""A method whose messages this site cannot send is not offered."""

from __future__ import annotations

from typing import Any

import pytest

from tests.attacks.tools import keep_number
from tests.conftest import Site
from tests.doubles import CheapHasher
from tests.people import Owner, Person
from webapp.domain.origin import Origin
from webapp.methods.catalogue import Parts, catalogue
from webapp.services.method_kinds import Methods

SERVING = {
    "NIGHTLATCH_SERVING": "1",
    "NIGHTLATCH_SERVER_NAME": "nightlatch.localhost:5000",
    "NIGHTLATCH_SECRET_KEY": "0123456789abcdef" * 4,
    "NIGHTLATCH_ENCRYPTION_KEYS": "k1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
    "NIGHTLATCH_MAIL_URL": "smtp://127.0.0.1:1",
}
GATEWAY = {
    "NIGHTLATCH_VONAGE_API_KEY": "key",
    "NIGHTLATCH_VONAGE_API_SECRET": "secret",
    "NIGHTLATCH_SMS_FROM": "Nightlatch",
}
TEXT = "/settings/security/two-factor/text-message/overview"


class TestServedWithoutGateway:
    @pytest.fixture
    def environ(self, environ: dict[str, str]) -> dict[str, str]:
        return {**environ, **SERVING}

    def test_text_messages_are_not_offered(self, site: Site) -> None:
        ada = Owner.signed_up(site, confirm_email=False)
        page = ada.open("/settings/security/two-factor")
        assert "Authentication app" in page.text
        assert "Text message" not in page.text
        assert ada.open(TEXT).status == 404
        assert ada.open("/outbox").status == 404

    def test_a_text_to_a_user_who_has_text_messages_on_fails(self, site: Site) -> None:
        Owner.signed_up(site, confirm_email=False)
        account = site.services.accounts.named("ada")
        keep_number(site, "ada", "+447400123456")
        site.services.phone_numbers.send_code(site.services.accounts.named("ada"), "log-in:1", Origin("192.0.2.1"))
        asked = site.services.phone_numbers.sent(account, "log-in:1")
        assert asked is not None
        site.services.delivery.deliver_due()
        assert site.services.delivery.state(asked.message_id or 0) == "failed"


class TestServedWithGateway:
    @pytest.fixture
    def environ(self, environ: dict[str, str]) -> dict[str, str]:
        return {**environ, **SERVING, **GATEWAY}

    def test_text_messages_are_offered(self, site: Site) -> None:
        ada = Owner.signed_up(site, confirm_email=False)
        assert "Text message" in ada.open("/settings/security/two-factor").text
        assert ada.open(TEXT).h1 == "Text message"


def without_keys(parts: Parts) -> Methods:
    return Methods(tuple(method for method in catalogue(parts) if method.slug != "security-key"))


class TestWithoutPasskeys:
    @pytest.fixture
    def overrides(self) -> dict[str, Any]:
        return {"hasher": CheapHasher(), "methods": without_keys}

    def test_the_log_in_page_offers_none_and_refuses_an_answer(self, site: Site) -> None:
        reader = Person(site.app)
        assert "passkey" not in reader.open("/log-in").text
        assert reader.post("/log-in", credential="{}", passkey="1").status == 422
        assert reader.post("/log-in/passkey/options").status == 422
