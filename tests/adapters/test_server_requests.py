"""Calls of the servers of apps: what arrives, and which addresses are never called."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from ipaddress import ip_address

import pytest

from tests.adapters.app_server import DRIP, ENDLESS, SILENT, AppServer
from tests.certificates import Certificate, self_signed
from webapp.adapters.server_requests import HttpRequests, Resolve, resolved
from webapp.domain.ports import Refused, Unreachable

HERE = ("127.0.0.0/8", "::1")
FORM = {"logout_token": "a.b+c/d=e", "other": "ä &"}
PRIVATE = "at a private address that NIGHTLATCH_PRIVATE_ADDRESSES does not have"
NAME = "app.example"


def requests(
    networks: Sequence[str] = HERE,
    timeout: int = 5,
    longest: int = 1000,
    context: ssl.SSLContext | None = None,
    resolve: Resolve = resolved,
) -> HttpRequests:
    return HttpRequests(networks, timeout, longest, context, resolve)


@pytest.fixture
def server() -> Iterator[AppServer]:
    with AppServer() as server:
        yield server


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return self_signed(tmp_path_factory.mktemp("tls"), NAME)


def complaint_of(kind: type[Exception], url: str, way: HttpRequests, networks: Sequence[str] = ()) -> str:
    with pytest.raises(kind) as raised:
        way.get(url, networks)
    return str(raised.value)


def test_a_form_arrives_as_it_was_sent(server: AppServer) -> None:
    assert requests().post(f"{server.url}?tenant=1", FORM, []) == (204, b"")
    taken = server.taken[0]
    assert (taken.verb, taken.path, taken.form) == ("POST", "/log-out?tenant=1", FORM)
    assert taken.headers["host"] == f"127.0.0.1:{server.port}"
    assert taken.headers["content-type"] == "application/x-www-form-urlencoded"


def test_an_answer_is_read(server: AppServer) -> None:
    server.answers.append((200, b'{"keys": []}'))
    assert requests().get(f"http://127.0.0.1:{server.port}", []) == (200, b'{"keys": []}')
    assert (server.taken[0].verb, server.taken[0].path) == ("GET", "/")


def test_the_networks_of_the_app_count_too(server: AppServer) -> None:
    assert requests([]).get(server.url, ["127.0.0.1/32"]).status == 204


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/",
        "https://127.0.0.1:{port}/",
        "http://localhost:{port}/",
        "https://[::1]:{port}/",
        "https://[::ffff:127.0.0.1]:{port}/",
        "https://0.0.0.0:{port}/",
        "https://2130706433:{port}/",
        "https://0x7f.1:{port}/",
        "https://10.0.0.1/",
        "https://169.254.169.254/latest/meta-data",
        "https://[fd00::1]/",
        "https://[64:ff9b::10.0.0.1]/",
    ],
)
def test_a_private_address_is_refused_before_anything_is_sent(server: AppServer, url: str) -> None:
    """As by the SSRF through a log-out address at Keycloak."""
    assert complaint_of(Refused, url.format(port=server.port), requests([])).endswith(PRIVATE)
    assert complaint_of(Refused, url.format(port=server.port), requests([]), ["192.0.2.0/24"]).endswith(PRIVATE)
    assert server.taken == []


def test_a_name_is_judged_by_what_it_resolves_to(server: AppServer) -> None:
    way = requests([], resolve=lambda _name, _port: ["10.0.0.1", "127.0.0.1", "::1"])
    assert complaint_of(Refused, f"https://{NAME}:{server.port}/", way).endswith(PRIVATE)
    assert server.taken == []


def test_a_name_that_changes_after_it_was_judged_changes_nothing(certificate: Certificate) -> None:
    """DNS rebinding: the name is resolved once, and the connection goes to what was judged."""
    asked = []

    def rebinding(name: str, port: int) -> list[str]:
        asked.append((name, port))
        return ["127.0.0.2"] if len(asked) == 1 else ["127.0.0.1"]

    with AppServer(certificate.server(), address="127.0.0.2") as judged:
        with AppServer(certificate.server(), port=judged.port) as inside:
            way = requests(["127.0.0.2"], context=certificate.client(), resolve=rebinding)
            assert way.get(f"https://{NAME}:{judged.port}/keys", []).status == 204
            assert inside.taken == []
        assert asked == [(NAME, judged.port)]
        assert judged.taken[0].headers["host"] == f"{NAME}:{judged.port}"
        assert complaint_of(Refused, f"https://{NAME}:{judged.port}/", way).endswith(PRIVATE)


def test_a_private_address_among_others_is_not_called(server: AppServer) -> None:
    """Of several addresses only those are tried that may be called, and each of these."""
    way = requests(["127.0.0.0/8"], resolve=lambda _name, _port: ["::1", "127.0.0.3", "127.0.0.1"])
    assert way.get(f"http://{NAME}:{server.port}/", []).status == 204


def test_http_leads_to_this_machine_only() -> None:
    way = requests(["10.0.0.0/8"], resolve=lambda _name, _port: ["10.0.0.1"])
    assert "needs https" in complaint_of(Refused, "http://localhost/", way)


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "file:///etc/passwd", "https://a@127.0.0.1/", "https:///", "//x"])
def test_only_addresses_of_the_web_are_called(url: str) -> None:
    assert "neither https nor http" in complaint_of(Refused, url, requests())


def test_a_redirect_is_not_followed(server: AppServer) -> None:
    with AppServer() as other:
        server.answers.append((307, other.url.encode()))
        assert requests().post(server.url, FORM, []).status == 307
        assert other.taken == []


def test_no_proxy_of_the_environment_is_used(server: AppServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with AppServer() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("all_proxy", proxy.url)
        assert requests().get(server.url, []).status == 204
        assert proxy.taken == []


def test_an_answer_without_an_end_is_read_to_a_limit(server: AppServer) -> None:
    server.answers.append((200, ENDLESS))
    answer = requests(longest=1000).get(server.url, [])
    assert (answer.status, len(answer.body)) == (200, 1000)


@pytest.mark.parametrize("body", [SILENT, DRIP])
def test_a_slow_server_is_given_up_after_the_time_out(server: AppServer, body: bytes) -> None:
    """A socket's own time-out would begin again with each byte."""
    server.answers.append((200, body))
    started = time.monotonic()
    assert complaint_of(Unreachable, server.url, requests(timeout=1)).endswith("took longer than 1 s")
    assert time.monotonic() - started < 3


def test_a_slow_name_server_is_given_up_after_the_time_out(server: AppServer) -> None:
    """getaddrinfo would wait half a minute, and a web worker with it."""
    answered = threading.Event()

    def slow(_name: str, _port: int) -> list[str]:
        answered.wait(20)
        return ["127.0.0.1"]

    started = time.monotonic()
    assert complaint_of(Unreachable, server.url, requests(timeout=1, resolve=slow)).endswith("took longer than 1 s")
    assert time.monotonic() - started < 3
    answered.set()
    assert server.taken == [], "its late answer calls nobody"


def test_tls_is_verified_for_the_name(certificate: Certificate) -> None:
    def here(_name: str, _port: int) -> list[str]:
        return ["127.0.0.1"]

    with AppServer(certificate.server()) as server:
        trusting = requests(context=certificate.client(), resolve=here)
        assert trusting.post(f"https://{NAME}:{server.port}/", FORM, []).status == 204
        assert "not trusted" in complaint_of(Unreachable, f"https://other.example:{server.port}/", trusting)
        assert "not trusted" in complaint_of(Unreachable, f"https://127.0.0.1:{server.port}/", trusting)
        unknown = requests(resolve=here)
        assert "not trusted" in complaint_of(Unreachable, f"https://{NAME}:{server.port}/", unknown)
        assert len(server.taken) == 1


def test_what_is_wrong_is_said_in_one_sentence(server: AppServer) -> None:
    assert "speaks no TLS" in complaint_of(Unreachable, f"https://127.0.0.1:{server.port}/", requests())
    assert "name that was not found" in complaint_of(Unreachable, "https://nowhere.invalid/", requests())
    with closing(socket.create_server(("127.0.0.1", 0))) as closed:
        port = closed.getsockname()[1]
    assert "refused" in complaint_of(Unreachable, f"http://127.0.0.1:{port}/", requests())
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        other.settimeout(5)
        url = f"http://127.0.0.1:{other.getsockname()[1]}/"
        way = requests(timeout=1)
        assert "took longer" in complaint_of(Unreachable, url, way)


def test_what_is_no_http_is_said_so() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as other:

        def answer() -> None:
            connection, _ = other.accept()
            with closing(connection):
                connection.recv(65536)
                connection.sendall(b"220 mail.example.org ESMTP\r\n")

        speaking = threading.Thread(target=answer)
        speaking.start()
        url = f"http://127.0.0.1:{other.getsockname()[1]}/"
        assert complaint_of(Unreachable, url, requests()).endswith("does not speak HTTP (BadStatusLine)")
        speaking.join()


def test_names_are_resolved_by_the_system() -> None:
    found = resolved("localhost", 80)
    assert found
    assert all(ip_address(address).is_loopback for address in found)
