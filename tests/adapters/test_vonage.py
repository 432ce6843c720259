"""Texts over a real connection and the real SDK to a gateway on loopback that works or fails."""

from __future__ import annotations

import base64
import logging
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.adapters import gateway as answers
from tests.adapters.gateway import Answer, Asked, Gateway
from tests.certificates import LOOPBACK, Certificate, self_signed
from webapp.adapters.vonage import VonageTexts
from webapp.domain.ports import (
    CERTIFICATE,
    CONNECTION_REFUSED,
    CREDENTIALS,
    NAME_UNKNOWN,
    NO_TLS,
    OTHER_FAULT,
    TIMED_OUT,
    Refused,
    TextMessage,
    TextMessages,
    Undelivered,
    Unreachable,
)
from webapp.settings import TextGateway

KEY, SECRET = "abcd1234", "correct-horse"
BASIC = base64.b64encode(f"{KEY}:{SECRET}".encode()).decode()
NUMBER = "447700900123"
CODE = "123456 is your Nightlatch code. Never share it.\n\n@nightlatch.example #123456"
MESSAGE = TextMessage("c0ffee", f"+{NUMBER}", CODE, 600)
SECRETS = (NUMBER, "7700900123", "123456", "Never share", KEY, SECRET, BASIC)


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with Gateway() as gateway:
        yield gateway


def texts(gateway: Gateway | str, timeout: int = 5) -> VonageTexts:
    url = gateway if isinstance(gateway, str) else gateway.url
    return VonageTexts(TextGateway(KEY, SECRET, "Nightlatch", url, None), timeout)


def complaint_of(kind: type[Exception], ask: Callable[[], object]) -> str:
    with pytest.raises(kind) as raised:
        ask()
    assert type(raised.value) is kind
    assert raised.value.__context__ is None or raised.value.__suppress_context__
    complaint = str(raised.value)
    assert len(complaint) <= 200
    assert not [secret for secret in SECRETS if secret in complaint]
    return complaint


def only(gateway: Gateway) -> Asked:
    """The only request that was made."""
    [asked] = gateway.asked
    return asked


def test_a_text_is_posted_as_the_api_of_vonage_documents_it(gateway: Gateway) -> None:
    gateway_of_ours: TextMessages = texts(gateway)
    gateway_of_ours.send(MESSAGE)
    asked = only(gateway)
    assert (asked.method, asked.path) == ("POST", "/sms/json")
    assert asked.form == {
        "from": "Nightlatch",
        "to": NUMBER,
        "text": CODE,
        "client-ref": "c0ffee",
        "ttl": "600000",
    }
    assert asked.headers["Authorization"] == f"Basic {BASIC}"
    assert asked.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert asked.headers["User-Agent"].startswith("vonage-python-sdk/4.")
    assert not gateway_of_ours.keeps


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("123456 ist dein Code für Nightlatch. €", None),
        ("123456 – رمزك", "unicode"),
        ("123456 é ç 🔑", "unicode"),
        ("a=1&b=2 +%2B;\r\n", None),
    ],
)
def test_a_text_of_any_language_arrives_complete_and_asks_for_unicode_when_needed(
    gateway: Gateway, text: str, kind: str | None
) -> None:
    if kind is None:
        text = text.replace("\r", "")
    texts(gateway).send(TextMessage("c0ffee", MESSAGE.to, text, 600))
    assert only(gateway).form["text"] == text
    assert only(gateway).form.get("type") == kind


def test_a_text_is_sent_with_its_time_to_live(gateway: Gateway) -> None:
    texts(gateway).send(replace(MESSAGE, lasts=60))
    texts(gateway).send(replace(MESSAGE, lasts=3))
    assert [asked.form["ttl"] for asked in gateway.asked] == ["60000", "20000"], "no less, says the gateway"


def test_a_gateway_url_may_have_a_path(gateway: Gateway) -> None:
    texts(f"{gateway.url}/vonage").send(MESSAGE)
    assert only(gateway).path == "/vonage/sms/json"


def test_a_long_text_is_accepted_in_parts(gateway: Gateway) -> None:
    gateway.answers = [answers.statuses("0", "0", "0")]
    texts(gateway).send(MESSAGE)
    assert len(gateway.asked) == 1


@pytest.mark.parametrize(
    "to",
    [
        "447700900123",
        "+44 7700 900123",
        "+0447700900123",
        "+44770090012x",
        "+٤٤٧٧٠٠٩٠٠١٢٣",
        "+1234567890123456",
        "+\n",
        "",
    ],
)
def test_a_malformed_number_is_refused_without_a_request(gateway: Gateway, to: str) -> None:
    complaint = complaint_of(Refused, lambda: texts(gateway).send(TextMessage("c0ffee", to, CODE, 600)))
    assert complaint == "not a number that a text can be sent to"
    assert not gateway.asked


@pytest.mark.parametrize(
    "message", [TextMessage("x" * 101, MESSAGE.to, CODE, 600), TextMessage("x", MESSAGE.to, "\ud800", 600)]
)
def test_a_text_that_the_sdk_rejects_is_refused_without_a_request(gateway: Gateway, message: TextMessage) -> None:
    assert "SDK" in complaint_of(Refused, lambda: texts(gateway).send(message))
    assert not gateway.asked


@pytest.mark.parametrize("status", ["2", "3", "6", "7", "12", "15", "22", "23", "29", "33", "99"])
def test_a_status_that_refuses_the_text_is_permanent(gateway: Gateway, status: str) -> None:
    gateway.answers = [answers.statuses(status)]
    complaint = complaint_of(Refused, lambda: texts(gateway).send(MESSAGE))
    assert complaint == f"the text message gateway did not take the message: status {status}"
    only(gateway)


@pytest.mark.parametrize("status", ["1", "5", "10"])
def test_a_status_of_a_gateway_that_is_not_ready_is_retried(gateway: Gateway, status: str) -> None:
    gateway.answers = [answers.statuses(status)]
    complaint = complaint_of(Unreachable, lambda: texts(gateway).send(MESSAGE))
    assert complaint == f"the text message gateway is not ready: status {status}"
    only(gateway)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (answers.statuses("4"), "refused our API key and secret: status 4"),
        (answers.statuses("8"), "suspended our account: status 8"),
        (answers.statuses("9"), "says that our account has no credit left: status 9"),
        (answers.statuses("11"), "does not let our account use this API: status 11"),
        (answers.statuses("14"), "wants our account to sign requests: status 14"),
        (answers.fails(401), "refused our API key and secret: HTTP 401"),
        (answers.fails(402), "says that our account has no credit left: HTTP 402"),
        (answers.fails(403), "refused our API key and secret, or suspended our account: HTTP 403"),
        (answers.fails(404), "is not at NIGHTLATCH_VONAGE_URL: HTTP 404"),
    ],
)
def test_an_error_of_configuration_is_reported_to_the_operator_and_the_text_is_retried(
    gateway: Gateway, answer: Answer, says: str
) -> None:
    gateway.answers = [answer]
    complaint = complaint_of(Unreachable, lambda: texts(gateway).send(MESSAGE))
    assert complaint == f"the text message gateway {says}"
    only(gateway)


@pytest.mark.parametrize("code", [408, 429, 500, 502, 503, 504])
def test_an_http_server_error_is_retried(gateway: Gateway, code: int) -> None:
    gateway.answers = [answers.fails(code)]
    complaint = complaint_of(Unreachable, lambda: texts(gateway).send(MESSAGE))
    assert complaint == f"the text message gateway is not ready: HTTP {code}"
    only(gateway)


@pytest.mark.parametrize("code", [400, 413, 422])
def test_an_http_client_error_is_permanent(gateway: Gateway, code: int) -> None:
    gateway.answers = [answers.fails(code)]
    assert f"HTTP {code}" in complaint_of(Refused, lambda: texts(gateway).send(MESSAGE))
    only(gateway)


@pytest.mark.parametrize("code", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(gateway: Gateway, code: int) -> None:
    gateway.answers = [answers.says(b"", code, Location=f"{gateway.url}/sms/json")]
    assert f"HTTP {code}" in complaint_of(Unreachable, lambda: texts(gateway).send(MESSAGE))
    only(gateway)


@pytest.mark.parametrize("given", [("0", "6"), ("9", "0"), ("0", "1", "0"), ("0", "what?")])
def test_a_text_of_which_a_part_was_accepted_is_never_sent_again(gateway: Gateway, given: tuple[str, ...]) -> None:
    gateway.answers = [answers.statuses(*given)]
    assert "only a part" in complaint_of(Refused, lambda: texts(gateway).send(MESSAGE))
    only(gateway)


def test_a_text_of_which_no_part_was_accepted_is_judged_by_its_status(gateway: Gateway) -> None:
    gateway.answers = [answers.statuses("1", "1"), answers.statuses("6", "6")]
    assert "status 1" in complaint_of(Unreachable, lambda: texts(gateway).send(MESSAGE))
    assert "status 6" in complaint_of(Refused, lambda: texts(gateway).send(MESSAGE))


@pytest.mark.parametrize(
    "answer",
    [
        answers.says(b"<html>No such login</html>"),
        answers.says(b""),
        answers.says(b"", 204),
        answers.says(b"\xff\xfe{"),
        answers.says_json(None),
        answers.says_json([]),
        answers.says_json("0"),
        answers.says_json({}),
        answers.says_json({"message-count": "1"}),
        answers.says_json({"message-count": "0", "messages": []}),
        answers.says_json({"message-count": "many", "messages": ["0"]}),
        answers.says_json({"message-count": "1", "messages": {"status": "0"}}),
        answers.says_json({"message-count": "1", "messages": [{}]}),
        answers.says_json({"message-count": "1", "messages": [{"status": CODE}]}),
    ],
)
def test_an_unreadable_answer_is_retried(gateway: Gateway, answer: Answer) -> None:
    gateway.answers = [answer]
    complaint = complaint_of(Unreachable, lambda: texts(gateway).send(MESSAGE))
    assert complaint.startswith("the text message gateway gave an unexpected answer: HTTP 20")
    only(gateway)


@pytest.mark.parametrize(
    "answer",
    [
        {"message-count": "1", "messages": [{"status": "0", "message-id": "0C"}]},
        {"message-count": 1, "messages": [{"status": 0, "message-id": 12, "message-price": 0.03}]},
        {"messages": [{"status": "0", "message-id": "0C"}]},
        {"message-count": "1", "messages": [{"status": "0"}]},
    ],
)
def test_an_accepted_text_with_an_unexpected_answer_is_not_sent_again(gateway: Gateway, answer: object) -> None:
    gateway.answers = [answers.says_json(answer)]
    texts(gateway).send(MESSAGE)
    only(gateway)


def test_a_refusal_without_an_explanation_is_a_refusal(gateway: Gateway) -> None:
    gateway.answers = [answers.says_json({"message-count": "1", "messages": [{"status": "6"}]})]
    assert "status 6" in complaint_of(Refused, lambda: texts(gateway).send(MESSAGE))


@pytest.mark.parametrize("answer", [answers.drop, answers.drop_at_once, answers.cut_short])
def test_a_lost_answer_is_retried_by_the_worker_and_by_no_library(gateway: Gateway, answer: Answer) -> None:
    gateway.answers = [answer]
    complaint = complaint_of(Unreachable, lambda: texts(gateway).send(MESSAGE))
    assert complaint.startswith("the text message gateway ended the conversation (")
    only(gateway)
    texts(gateway).send(MESSAGE)
    _, again = gateway.asked
    assert again.form["client-ref"] == MESSAGE.message_id
    assert again.form["text"] == CODE


@pytest.mark.usefixtures("silent_resolver")
def test_a_name_server_that_stalls_is_given_up_after_the_time_out() -> None:
    begun = time.monotonic()
    with pytest.raises(Unreachable, match="took longer than 1 s"):
        texts("https://gateway.example.org", timeout=1).send(MESSAGE)
    assert time.monotonic() - begun < 5, "with the import of the SDK"


@pytest.mark.parametrize("answer", [answers.never, answers.drip, answers.drip_the_body])
def test_a_gateway_that_stalls_is_given_up_after_the_time_out(gateway: Gateway, answer: Answer) -> None:
    texts(gateway).send(MESSAGE)  # imports the SDK, so that the import is not measured below
    gateway.answers = [answer]
    begun = time.monotonic()
    complaint = complaint_of(Unreachable, lambda: texts(gateway, timeout=1).send(MESSAGE))
    assert time.monotonic() - begun < 2
    assert complaint == "the text message gateway took longer than 1 s"
    assert len(gateway.texts) == 2


def unused_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert isinstance(port, int)
    return port


def test_a_port_without_a_server_is_unreachable() -> None:
    complaint = complaint_of(Unreachable, lambda: texts(f"http://127.0.0.1:{unused_port()}").send(MESSAGE))
    assert complaint == "the text message gateway can't be reached: Connection refused"


def test_tls_to_a_gateway_without_tls_is_unreachable(gateway: Gateway) -> None:
    url = gateway.url.replace("http://", "https://")
    assert "no encryption" in complaint_of(Unreachable, lambda: texts(url).send(MESSAGE))
    assert not gateway.texts


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    return self_signed(tmp_path, LOOPBACK)


@pytest.fixture
def encrypted(certificate: Certificate) -> Iterator[Gateway]:
    with Gateway(tls=certificate.server()) as gateway:
        yield gateway


def test_a_text_is_sent_over_tls(encrypted: Gateway, certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate.path))
    texts(encrypted).send(MESSAGE)
    only(encrypted)
    assert encrypted.url.startswith("https://")
    encrypted.answers = [answers.drip]
    begun = time.monotonic()
    assert "longer than 1 s" in complaint_of(Unreachable, lambda: texts(encrypted, timeout=1).send(MESSAGE))
    assert time.monotonic() - begun < 2


def test_an_unknown_certificate_gets_no_text(encrypted: Gateway) -> None:
    assert "certificate is not trusted" in complaint_of(Unreachable, lambda: texts(encrypted).send(MESSAGE))
    assert not encrypted.asked


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_gateway_that_accepts_the_connection_and_is_silent_is_given_up_after_the_time_out(scheme: str) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        begun = time.monotonic()
        url = f"{scheme}://127.0.0.1:{silent.getsockname()[1]}"
        assert "longer than 1 s" in complaint_of(Unreachable, lambda: texts(url, timeout=1).send(MESSAGE))
        assert time.monotonic() - begun < 2


def test_credentials_come_from_the_settings_only(
    gateway: Gateway, encrypted: Gateway, certificate: Certificate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A .netrc file would otherwise override them in the SDK's HTTP library."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login eve password evil\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate.path))
    for one in (gateway, encrypted):
        texts(one).send(MESSAGE)
        assert only(one).headers["Authorization"] == f"Basic {BASIC}"


def test_a_proxy_is_not_used_for_a_gateway_on_loopback(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{unused_port()}")
    texts(gateway).send(MESSAGE)
    only(gateway)


def test_two_texts_sent_at_once_are_not_mixed_up(gateway: Gateway) -> None:
    ours = texts(gateway)
    messages = [TextMessage(f"ref{n}", f"+4477009{n:05}", f"{n:06} is your code", 600) for n in range(60)]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(ours.send, messages))
    assert len(gateway.texts) == 60
    by_ref = {asked.form["client-ref"]: asked for asked in gateway.texts}
    for message in messages:
        asked = by_ref[message.message_id]
        assert (f"+{asked.form['to']}", asked.form["text"]) == (message.to, message.text)
        assert asked.headers["Authorization"] == f"Basic {BASIC}"


@pytest.mark.parametrize(
    "answer", [answers.take, answers.statuses("6"), answers.fails(401), answers.fails(500), answers.drop]
)
def test_no_log_has_the_number_the_text_or_the_credentials(
    gateway: Gateway, answer: Answer, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("", "vonage", "urllib3", "requests"):
        caplog.set_level(logging.DEBUG, name)
    gateway.answers = [answer, answer]
    ours = texts(gateway)
    asks: list[Callable[[], object]] = [lambda: ours.send(MESSAGE), ours.check]
    for ask in asks:
        try:
            ask()
        except (Refused, Unreachable):
            logging.getLogger("webapp").exception("it did not go")
    assert not [secret for secret in SECRETS if secret in caplog.text]
    assert not [record for record in caplog.records if record.name.startswith(("vonage", "urllib3"))]


def test_checking_verifies_the_credentials_and_sends_no_text(gateway: Gateway) -> None:
    texts(gateway).check()
    asked = only(gateway)
    assert (asked.method, asked.path) == ("GET", "/account/get-balance")
    assert asked.headers["Authorization"] == f"Basic {BASIC}"


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (answers.fails(401), "refused our API key and secret: HTTP 401"),
        (answers.fails(500), "is not ready: HTTP 500"),
        (answers.says(b"<html>"), "gave an unexpected answer: HTTP 200"),
        (answers.says_json({}), "gave an unexpected answer: HTTP 200"),
    ],
)
def test_checking_reports_what_is_wrong(gateway: Gateway, answer: Answer, says: str) -> None:
    gateway.answers = [answer]
    assert complaint_of(Unreachable, lambda: texts(gateway).check()) == f"the text message gateway {says}"
    assert not gateway.texts


@pytest.mark.parametrize("code", [404, 405, 501])
def test_checking_a_gateway_on_loopback_needs_no_account_api(gateway: Gateway, code: int) -> None:
    gateway.answers = [answers.fails(code)]
    texts(gateway).check()


def test_checking_a_port_without_a_server_reports_it_as_unreachable() -> None:
    complaint_of(Unreachable, lambda: texts(f"http://127.0.0.1:{unused_port()}").check())


def test_the_sdk_is_imported_with_the_first_text_only() -> None:
    program = (
        "import sys, webapp, webapp.adapters.vonage, webapp.bootstrap;"
        "from webapp.settings import TextGateway;"
        "gateway = TextGateway('key', 'secret', 'Nightlatch', 'https://rest.nexmo.com', None);"
        "webapp.adapters.vonage.VonageTexts(gateway, 5);"
        "print([name for name in sys.modules if name.partition('_')[0] in ('vonage', 'requests', 'pydantic')])"
    )
    root = Path(__file__).resolve().parents[2]
    ran = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"


# -- What is wrong, as a fact for the operator's page --------------------------------------------------


def fault_of(gateway: Gateway | str, timeout: int = 5) -> str:
    with pytest.raises(Undelivered) as raised:
        texts(gateway, timeout).send(MESSAGE)
    return raised.value.fault


def test_what_is_wrong_with_the_connection_is_told_apart(gateway: Gateway, encrypted: Gateway) -> None:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        nobody = probe.getsockname()[1]
    assert fault_of(f"http://127.0.0.1:{nobody}") == CONNECTION_REFUSED
    assert fault_of("http://gateway.invalid") == NAME_UNKNOWN
    assert fault_of(gateway.url.replace("http:", "https:")) == NO_TLS
    assert fault_of(encrypted) == CERTIFICATE
    gateway.answers = [answers.never, answers.drop]
    assert fault_of(gateway, timeout=1) == TIMED_OUT
    assert fault_of(gateway) == OTHER_FAULT


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (answers.fails(401), CREDENTIALS),
        (answers.fails(403), CREDENTIALS),
        (answers.statuses("4"), CREDENTIALS),
        (answers.fails(402), OTHER_FAULT),
        (answers.statuses("9"), OTHER_FAULT),
        (answers.fails(404), OTHER_FAULT),
        (answers.statuses("6"), OTHER_FAULT),
    ],
)
def test_wrong_credentials_and_another_refusal_of_the_gateway_are_told_apart(
    gateway: Gateway, answer: Answer, fault: str
) -> None:
    gateway.answers = [answer]
    assert fault_of(gateway) == fault
