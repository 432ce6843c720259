"""What a push service and a browser receive, and what each answer leads to."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.adapters.push_endpoint import PushEndpoint, coded
from tests.doubles import START, FakeClock
from webapp.adapters.embedded import NoPushes
from webapp.adapters.web_push import WebPush
from webapp.domain.ports import Gone, PushMessage, Refused, Unreachable
from webapp.domain.push import PushHosts
from webapp.keys import generate_keys
from webapp.settings import PushSettings

KEY = bytes(range(1, 33))
SUBJECT = "mailto:no-reply@nightlatch.localhost"
TEXT = json.dumps({"web_push": 8030, "notification": {"title": "Is it you? ⟦ä⟧"}}, ensure_ascii=False)


@pytest.fixture
def service() -> Iterator[PushEndpoint]:
    with PushEndpoint() as service:
        yield service


def pushes(service: PushEndpoint, *, timeout: int = 5, hosts: tuple[str, ...] | None = None) -> WebPush:
    allowed = PushHosts((service.host,) if hosts is None else hosts)
    return WebPush(PushSettings(KEY, SUBJECT, allowed), timeout, FakeClock())


def message(service: PushEndpoint) -> PushMessage:
    return PushMessage("uid", "recovery-started", service.subscribe().subscription, TEXT, 300, 1)


def test_the_browser_decrypts_what_was_sent(service: PushEndpoint) -> None:
    pushes(service).send(message(service))
    taken = service.taken[0]
    assert taken.text == TEXT
    assert TEXT.encode() not in taken.body
    assert {name: taken.headers[name] for name in ("content-encoding", "ttl", "urgency", "topic")} == {
        "content-encoding": "aes128gcm",
        "ttl": "300",
        "urgency": "high",
        "topic": "recovery-started",
    }


def test_the_push_service_can_verify_the_sender(service: PushEndpoint) -> None:
    way = pushes(service)
    way.send(message(service))
    assert way.public_key is not None
    claims = service.taken[0].claims(way.public_key)
    assert claims == {"sub": SUBJECT, "aud": service.url, "exp": START + 12 * 3600}


def test_two_pushes_of_the_same_text_differ(service: PushEndpoint) -> None:
    way, one = pushes(service), message(service)
    way.send(one)
    way.send(one)
    assert service.taken[0].body != service.taken[1].body


def test_a_push_service_is_told_how_long_to_keep_a_push(service: PushEndpoint) -> None:
    pushes(service).send(replace(message(service), lasts=-3))
    assert service.taken[0].headers["ttl"] == "0"


@pytest.mark.parametrize("code", [404, 410])
def test_an_expired_subscription_is_reported_as_gone(service: PushEndpoint, code: int) -> None:
    service.answers.append((code, {}))
    with pytest.raises(Gone, match=f"HTTP {code}"):
        pushes(service).send(message(service))


@pytest.mark.parametrize(
    ("code", "said", "wait"),
    [
        (429, "120", 120),
        (429, "Fri, 15 Jan 2027 08:01:30 GMT", 90),
        (429, "Fri, 15 Jan 2027 08:01:30 -0000", 90),
        (429, "Fri, 15 Jan 2027 07:00:00 GMT", 0),
        (429, "999999999", 86400),
        (429, "soon", None),
        (429, None, None),
        (503, "30", 30),
        (500, None, None),
        (408, None, None),
    ],
)
def test_a_push_to_be_retried_says_when(service: PushEndpoint, code: int, said: str | None, wait: int | None) -> None:
    service.answers.append((code, {"Retry-After": said} if said else {}))
    with pytest.raises(Unreachable, match=f"HTTP {code}") as later:
        pushes(service).send(message(service))
    assert later.value.wait == wait
    assert len(service.taken) == 1


@pytest.mark.parametrize("code", [400, 401, 403, 413])
def test_a_refused_push_is_not_sent_again(service: PushEndpoint, code: int) -> None:
    service.answers.append((code, {}))
    with pytest.raises(Refused, match=f"HTTP {code}") as refused:
        pushes(service).send(message(service))
    assert not isinstance(refused.value, Gone)


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(service: PushEndpoint, code: int) -> None:
    with PushEndpoint() as elsewhere:
        service.answers.append((code, {"Location": f"{elsewhere.url}/push/1"}))
        with pytest.raises(Refused):
            pushes(service).send(message(service))
        assert not elsewhere.taken
    assert len(service.taken) == 1


def test_a_push_service_that_stalls_is_given_up_after_the_time_out(service: PushEndpoint) -> None:
    service.answers.append(30.0)
    begun = time.monotonic()
    with pytest.raises(Unreachable, match="took longer than 1 s"):
        pushes(service, timeout=1).send(message(service))
    assert time.monotonic() - begun < 4


def test_an_unreachable_push_service_is_reported_without_its_address(service: PushEndpoint) -> None:
    one, way = message(service), pushes(service)
    service.__exit__(None, None, None)
    with pytest.raises(Unreachable) as down:
        way.send(one)
    assert str(down.value) == "the push service cannot be reached (ConnectionError)"


@pytest.mark.usefixtures("silent_resolver")
def test_a_name_server_that_stalls_is_given_up_after_the_time_out(service: PushEndpoint) -> None:
    one = message(service)
    elsewhere = one.subscription.replace(service.url, "https://push.example.org")
    begun = time.monotonic()
    with pytest.raises(Unreachable, match="took longer than 1 s"):
        pushes(service, timeout=1, hosts=("push.example.org",)).send(replace(one, subscription=elsewhere))
    assert time.monotonic() - begun < 4


def test_the_allowed_hosts_are_checked_before_each_push(service: PushEndpoint) -> None:
    with pytest.raises(Gone, match="NIGHTLATCH_PUSH_HOSTS"):
        pushes(service, hosts=("fcm.googleapis.com",)).send(message(service))
    assert not service.taken


def test_without_a_key_no_push_is_sent(service: PushEndpoint) -> None:
    assert NoPushes().public_key is None
    with pytest.raises(Refused):
        NoPushes().send(message(service))


def test_every_generated_key_is_valid() -> None:
    for _ in range(20):
        raw = urlsafe_b64decode(generate_keys()["VAPID_PRIVATE_KEY"] + "=")
        assert WebPush(PushSettings(raw, SUBJECT, PushHosts(())), 5, FakeClock()).public_key
    point = WebPush(PushSettings(KEY, SUBJECT, PushHosts(())), 5, FakeClock()).public_key
    assert point is not None
    assert coded(urlsafe_b64decode(point + "=")) == point


def test_the_library_is_imported_with_the_first_push_only() -> None:
    code = "import sys; import webapp.bootstrap, webapp.adapters.web_push; print('pywebpush' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
