"""The addresses of push services that the server may call."""

from __future__ import annotations

from base64 import urlsafe_b64encode

import pytest

from webapp.domain.push import PushHosts, read_subscription
from webapp.domain.request_refusals import SubscriptionRefused
from webapp.environment import Variables
from webapp.settings.delivery import BROWSERS, push_settings

HOSTS = PushHosts(("push.example.org", "*.push.example.net", "127.0.0.1:9999", "push.example.org:8443"))


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://push.example.org/x",
        "https://push.example.org:443/x",
        "https://PUSH.example.org/x",
        "https://a.push.example.net/x?y",
        "https://a.b.push.example.net/x",
        "http://127.0.0.1:9999/x",
        "https://push.example.org:8443/x",
    ],
)
def test_a_listed_host_is_allowed(endpoint: str) -> None:
    assert HOSTS.allows(endpoint)


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://push.example.org/x",
        "https://push.example.net/x",
        "https://push.example.org:444/x",
        "https://push.example.org:99999999/x",
        "https://[::1/x",
        "http://127.0.0.1:9998/x",
        "https://127.0.0.1/x",
        "https://a.localhost/x",
        "https://user@push.example.org/x",
        "https://push.example.org/x#y",
        "ftp://push.example.org/x",
        "https:///x",
        "https://push.example.org/\\x",
        "https://push.example.org/x y",
        f"https://push.example.org/{'x' * 2048}",
        "x",
    ],
)
def test_every_other_address_is_refused(endpoint: str) -> None:
    assert not HOSTS.allows(endpoint)


def test_no_pattern_allows_an_internal_address() -> None:
    assert not PushHosts(("*.localhost", "localhost", "127.0.0.1")).allows("https://localhost/x")
    assert not PushHosts(("127.0.0.1",)).allows("https://127.0.0.1/x")


@pytest.mark.parametrize("key", ["", "x" * 101, "a b", "ä"])
def test_a_key_that_is_not_base64url_is_refused(key: str) -> None:
    said = f'{{"endpoint": "https://push.example.org/x", "keys": {{"p256dh": "{key}", "auth": "{key}"}}}}'
    with pytest.raises(SubscriptionRefused):
        read_subscription(said, HOSTS)


def test_a_key_that_is_no_point_of_the_curve_is_refused() -> None:
    point, auth = urlsafe_b64encode(b"\x04" + bytes(64)).decode(), urlsafe_b64encode(bytes(16)).decode()
    said = f'{{"endpoint": "https://push.example.org/x", "keys": {{"p256dh": "{point}", "auth": "{auth}"}}}}'
    with pytest.raises(SubscriptionRefused):
        read_subscription(said, HOSTS)


def test_the_push_services_of_browsers_are_allowed_by_default() -> None:
    hosts = push_settings(Variables({}), "a@example.org").hosts
    for endpoint in (
        "https://fcm.googleapis.com/fcm/send/x",
        "https://updates.push.services.mozilla.com/wpush/v2/x",
        "https://web.push.apple.com/x",
        "https://wns2-am3p.notify.windows.com/w/?token=x",
    ):
        assert hosts.allows(endpoint), BROWSERS


@pytest.mark.parametrize("patterns", [",", "https://x", "x/y", "*", "*.", "a:b", "a:99999", "UPPER.example", "*.a:80"])
def test_an_invalid_pattern_is_an_error_of_the_settings(patterns: str) -> None:
    with pytest.raises(ValueError, match="NIGHTLATCH_PUSH_HOSTS must be"):
        push_settings(Variables({"NIGHTLATCH_PUSH_HOSTS": patterns}), "a@example.org")


@pytest.mark.parametrize("key", ["x", "A" * 43, "_" * 43, "A" * 44, "A" * 42 + "!"])
def test_an_invalid_key_is_an_error_of_the_settings(key: str) -> None:
    with pytest.raises(ValueError, match="NIGHTLATCH_VAPID_PRIVATE_KEY must be"):
        push_settings(Variables({"NIGHTLATCH_VAPID_PRIVATE_KEY": key}), "a@example.org")


@pytest.mark.parametrize("subject", ["me", "mailto:me", "http://example.org", "mailto:a@b c"])
def test_an_invalid_subject_is_an_error_of_the_settings(subject: str) -> None:
    with pytest.raises(ValueError, match="NIGHTLATCH_VAPID_SUBJECT must be"):
        push_settings(Variables({"NIGHTLATCH_VAPID_SUBJECT": subject}), "a@example.org")


def test_the_subject_defaults_to_the_sender_of_the_mail() -> None:
    assert push_settings(Variables({}), "a@example.org").subject == "mailto:a@example.org"
    given = Variables({"NIGHTLATCH_VAPID_SUBJECT": "https://example.org/x"})
    assert push_settings(given, "a@example.org").subject == "https://example.org/x"


def test_the_push_service_of_other_chromium_browsers_is_called_too() -> None:
    hosts = PushHosts(tuple(BROWSERS.split(",")))
    assert hosts.allows("https://jmt17.google.com/fcm/send/x")
    assert not hosts.allows("https://mail.google.com/fcm/send/x")
