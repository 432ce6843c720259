"""The echo app, and the doctor where no proxy is in front of it: it finds everything that a proxy would prevent."""

from __future__ import annotations

import json
import re
import ssl
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from socket import create_server
from threading import Thread
from typing import Any

import pytest
from click.testing import Result

from tests.conftest import Site, one_database
from tests.test_legacy_guide import certificate
from tests.wire import Client, request
from webapp.models.registered_apps import GUARDED
from webapp.services.guarded.configurations import IDENTITY, PROXIES, SPELLINGS, configuration
from webapp.services.guarded.doctor import Asker, Doctor, DoctorError
from webapp.services.guarded.echo import echo_server
from webapp.services.guarded.probes import probes
from webapp.services.operators import AppOptions

pytestmark = one_database
Run = Callable[..., Result]


@pytest.fixture
def echo(site: Site) -> Iterator[int]:
    yield from serving(None)


def serving(context: ssl.SSLContext | None) -> Iterator[int]:
    with echo_server("127.0.0.1", 0) as server:
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def guarded(site: Site, host: str, **options: Any) -> str:
    made = site.services.operators.apps.create(GUARDED, AppOptions("Wiki", host=host, **options))
    return made.app.client_id


def doctor(site: Site) -> Doctor:
    return Doctor(site.services.core, site.services.operators.apps)


def test_the_echo_app_answers_with_what_it_received(echo: int) -> None:
    with closing(Client(echo, "wiki.localhost")) as client:
        client.send(request("wiki.localhost", "//a/../%2e", "X-A: 1", "X-A: 2", "X-B: é", method="PROPFIND"))
        answer = client.answer()
    seen = json.loads(answer.text)
    assert (seen["method"], seen["target"]) == ("PROPFIND", "//a/../%2e")
    assert seen["headers"]["X-A"] == "1, 2"
    assert answer.is_last
    with closing(Client(echo, "wiki.localhost")) as client:
        client.send(request("wiki.localhost", "/", method="HEAD"))
        assert client.answer(body=False).status == 200
        assert client.is_closed_by_the_server()


def test_the_echo_app_waits_for_the_body(echo: int) -> None:
    with closing(Client(echo, "wiki.localhost")) as client:
        client.send(request("wiki.localhost", "/", "Content-Length: 10000", method="POST"))
        for _ in range(2):
            time.sleep(0.05)  # an answer before the body ends closes the connection, and the rest is reset
            client.send(b"b" * 5000)
        assert json.loads(client.answer().text)["body"] == 10000
    with closing(Client(echo, "wiki.localhost")) as client:
        client.send(request("wiki.localhost", "/", "Content-Length: ten", method="POST"))
        assert json.loads(client.answer().text)["body"] == 0


def test_the_echo_app_opens_a_websocket(echo: int) -> None:
    key = b64encode(b"the sample nonce").decode()
    sent = ("Connection: Upgrade", "Upgrade: websocket", f"Sec-WebSocket-Key: {key}")
    with closing(Client(echo, "wiki.localhost")) as client:
        client.send(request("wiki.localhost", "/socket", *sent))
        answer = client.answer(body=False)
        message = b'{"method": "GET", "target": "/socket"}'
        frames = b"\x81" + bytes([len(message)]) + message + b"\x88\x00"  # one text and a close, RFC 6455 section 5.2
        assert client.read_to_the_end() == frames
    assert answer.status == 101
    assert answer.headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # of RFC 6455 section 1.3
    with closing(Client(echo, "wiki.localhost")) as client:
        client.send(request("wiki.localhost", "/" + "a" * 200, *sent))
        client.answer(body=False)
        assert len(client.read_to_the_end()) == 2 + 125 + 2, "a longer message would need a longer head"


def test_without_a_proxy_everything_is_wrong(site: Site, echo: int) -> None:
    rules = ("public /assets",)
    client_id = guarded(site, f"wiki.localhost:{echo}", rules=rules, authorization_allowed=True)
    found = list(doctor(site).examine(f"WIKI.localhost:{echo}", proxy="caddy"))
    fine = {each.says for each in found if each.line is None}
    assert fine == {"a cookie of the application", "a WebSocket", "a path with %61"} - {"a path with %61"}
    assert all(each.reached for each in found if each.says != "a WebSocket")
    lines = {each.line for each in found}
    assert {f"request_header -{name}" for name in SPELLINGS} <= lines
    assert "request_header -Authorization" in lines
    assert site.services.operators.apps.named(client_id).options.rules == rules


def test_the_proxy_is_taken_for_traefik_when_it_does_not_say_what_it_is(site: Site, echo: int) -> None:
    guarded(site, "wiki.localhost")
    lines = {found.line for found in doctor(site).examine("wiki.localhost", f":{echo}")}
    assert "middlewares: [strip, no-upgrade, check]" in lines


def test_a_host_that_is_not_registered_is_unknown(site: Site) -> None:
    with pytest.raises(DoctorError, match=r"^No guarded host is named wiki\.localhost\. There are: none\.$"):
        list(doctor(site).examine("wiki.localhost"))


def test_a_proxy_that_does_not_answer_is_told_and_the_rules_are_as_before(site: Site) -> None:
    with create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    client_id = guarded(site, f"wiki.localhost:{port}")
    with pytest.raises(DoctorError, match=f"does not answer at 127.0.0.1 port {port}"):
        list(doctor(site).examine(f"wiki.localhost:{port}"))
    assert site.services.operators.apps.named(client_id).options.rules == ()


@pytest.mark.parametrize(
    "answer",
    [
        *(b"", b"junk\r\n\r\n", b"HTTP/1.1 204\r\n\r\n"),
        *(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", b"HTTP/1.1 200 OK\r\nServ"),
    ],
)
def test_another_app_is_not_taken_for_the_echo_app(site: Site, answer: bytes) -> None:
    with create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            accepted, _ = server.accept()
            with accepted:
                accepted.recv(65536)
                accepted.sendall(answer)

        Thread(target=serve, daemon=True).start()
        port = server.getsockname()[1]
        guarded(site, f"wiki.localhost:{port}")
        with pytest.raises(DoctorError, match="did not reach the echo app"):
            list(doctor(site).examine(f"wiki.localhost:{port}"))


def test_an_answer_is_over_when_its_body_is_though_the_connection_stays_open(site: Site) -> None:
    with create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor() as pool:
        asked = pool.submit(Asker("wiki.localhost", server.getsockname(), None).ask, "/")
        accepted, _ = server.accept()
        with accepted:
            accepted.recv(65536)
            accepted.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            assert asked.result(timeout=5).status == 200


def test_https_is_verified_unless_it_need_not_be(site: Site, tmp_path: Path) -> None:
    certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "site.pem", tmp_path / "site.key")
    guarded(site, "wiki.example.org")
    for port in serving(context):
        at = f"127.0.0.1:{port}"
        with pytest.raises(DoctorError, match="certificate"):
            list(doctor(site).examine("wiki.example.org", at))
        said = {each.says for each in doctor(site).examine("wiki.example.org", at, verify=False) if each.line}
        assert "a forged cookie __Host-Http-nightlatch" in said


def test_each_line_that_the_doctor_names_is_in_the_shipped_configuration(site: Site) -> None:
    client_id = guarded(site, "wiki.localhost:8443", authorization_allowed=True)
    stored = site.services.operators.apps.named(client_id)
    for proxy in PROXIES[:4]:
        text = configuration(proxy, stored, site.services.core, bind="127.0.0.1:8000", main_url="http://x.localhost")
        asked = probes("/open", "/closed", "http://wiki.localhost:8443", "nightlatch", authorization=True)
        lines = {probe.lines[proxy] for probe in asked if proxy in probe.lines}
        assert lines
        assert not [line for line in lines if line not in text], proxy


def test_the_command_prints_each_request_and_ends_by_what_it_found(site: Site, echo: int) -> None:
    guarded(site, "wiki.localhost")
    run = site.app.test_cli_runner().invoke
    found = run(args=["apps", "doctor", "wiki.localhost", "--address", f"127.0.0.1:{echo}", "--proxy", "nginx"])
    assert found.exit_code == 1
    assert re.search(
        r"^wrong: a forged Remote_User \(the request was passed on\), missing: underscores_in_headers off;$",
        found.stdout,
        re.MULTILINE,
    )
    *each, last = found.stdout.splitlines()
    assert len(each) > len(IDENTITY) * 3
    assert last == f"{len(each)} requests, {sum(line.startswith('wrong: ') for line in each)} of them wrong"
    unknown = run(args=["apps", "doctor", "nowhere.localhost"])
    assert (unknown.exit_code, unknown.stderr.splitlines()[-1]) == (
        1,
        "Error: No guarded host is named nowhere.localhost. There are: wiki.localhost.",
    )
    for words in (("doctor", "wiki.localhost", "--address", "x"), ("echo", "--listen", "x")):
        refused = run(args=["apps", *words])
        assert refused.exit_code != 0
        assert "Give an address with a port" in refused.stderr
    taken = run(args=["apps", "echo", "--listen", f"127.0.0.1:{echo}"])
    said = f"Error: 127.0.0.1:{echo} cannot be listened on: Address already in use.\n"
    assert (taken.exit_code, taken.stderr) == (1, said)
