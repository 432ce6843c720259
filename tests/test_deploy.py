"""The shipped configurations of nginx and Caddy, run by the real programs before the real server.

Only names, ports and certificates are replaced, so any other mistake in deploy/ fails here.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509

from tests.certificates import self_signed
from tests.served import HOST, PASSWORD, Served, running, served
from tests.test_processes import eventually, free_port
from tests.wire import FORM, Answer, Client, chunked, request
from webapp.settings import ROOT

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
CADDY = shutil.which("caddy") or shutil.which("caddy", path="/usr/sbin:/usr/local/sbin")
THREADS = 4
"""Fewer than the server has by default, so that fewer clients would block it."""
SLOW_CLIENTS = 3 * THREADS
AROUND_NGINX = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    include {folder}/shipped.conf;
}}
"""


@dataclass
class Proxied:
    """The server, and the ports of the proxy in front of it."""

    server: Served
    https: int
    http: int


def shipped(name: str, facts: dict[str, str]) -> str:
    """The file as it is shipped, with names, ports and paths of this machine."""
    text = (ROOT / "deploy" / name).read_text()
    for fact, value in facts.items():
        assert fact in text, f"deploy/{name} no longer says {fact}"
        text = text.replace(fact, value)
    return text


def places(folder: Path, backend: int) -> dict[str, str]:
    wanted = f"/etc/ssl/{HOST}"
    return {
        "127.0.0.1:8000": f"127.0.0.1:{backend}",
        f"{wanted}.pem": str(folder / "site.pem"),
        f"{wanted}.key": str(folder / "site.key"),
    }


def answers(port: int) -> Callable[[], bool]:
    def asked() -> bool:
        client = Client(port, HOST, tls=True)
        try:
            return client.ask("/healthz").status == 200
        finally:
            client.close()

    return asked


@contextmanager
def nginx(folder: Path, server: Served) -> Iterator[Proxied]:
    if NGINX is None:
        pytest.skip("nginx is not installed; on Debian or Ubuntu: apt-get install nginx-light")
    proxied = Proxied(server, free_port(), free_port())
    facts = {
        "listen 443 ssl": f"listen 127.0.0.1:{proxied.https} ssl",
        "listen 80;": f"listen 127.0.0.1:{proxied.http};",
    }
    (folder / "shipped.conf").write_text(shipped("nginx.conf", {**facts, **places(folder, server.port)}))
    (folder / "nginx.conf").write_text(AROUND_NGINX.format(folder=folder))
    command = [NGINX, "-c", str(folder / "nginx.conf")]
    with running(command, answers(proxied.https), stderr=subprocess.DEVNULL):
        yield proxied


@contextmanager
def caddy(folder: Path, server: Served) -> Iterator[Proxied]:
    if CADDY is None:
        pytest.skip("Caddy is not installed; on Debian or Ubuntu: apt-get install caddy")
    proxied = Proxied(server, free_port(), free_port())
    here = (
        f"admin off\n\thttp_port {proxied.http}\n\thttps_port {proxied.https}\n\tdefault_bind 127.0.0.1\n\tservers {{"
    )
    text = shipped("Caddyfile", {"servers {": here, **places(folder, server.port)})
    version = subprocess.check_output([CADDY, "version"], text=True)
    number = re.match(r"v?(\d+)\.(\d+)\.(\d+)", version)
    if number is not None and tuple(map(int, number.groups())) >= (
        2,
        6,
        3,
    ):  # as the comment in the file tells its reader to do
        text = text.replace("max_buffer_size 2097152", "request_buffers 2MB\n\t\tresponse_buffers 2MB")
        text = re.sub(r"(?m)^\s*buffer_(requests|responses)$", "", text)
    (folder / "Caddyfile").write_text(text)
    homes = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    command = [CADDY, "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]
    options = {"env": {**os.environ, **homes}, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with running(command, answers(proxied.https), **options):
        yield proxied


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    options = ("--threads", str(THREADS))
    with served(tmp_path_factory.mktemp("site"), *options, host=HOST, NIGHTLATCH_TRUSTED_PROXIES="1") as running_server:
        yield running_server


@pytest.fixture(scope="module", params=[nginx, caddy], ids=["nginx", "Caddy"])
def proxied(
    request: pytest.FixtureRequest, server: Served, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxied]:
    folder = tmp_path_factory.mktemp("proxy")
    self_signed(folder, HOST, f"mobile.{HOST}")
    with request.param(folder, server) as found:
        yield found


@pytest.fixture
def connect(proxied: Proxied) -> Iterator[Callable[..., Client]]:
    clients: list[Client] = []

    def client(host: str = HOST) -> Client:
        clients.append(Client(proxied.https, host, tls=True))
        return clients[-1]

    yield client
    for made in clients:
        made.close()


Connect = Callable[..., Client]


def soon(client: Client, path: str = "/log-in") -> Answer:
    begun = time.monotonic()
    answer = client.ask(path)
    assert time.monotonic() - begun < 5
    return answer


def test_both_hosts_are_served_over_https(connect: Connect) -> None:
    for host in (HOST, f"mobile.{HOST}"):
        client = connect(host)
        assert client.ask("/log-in").status == 200
        assert set(client.cookies) == {"__Host-form"}
    stranger = connect()
    stranger.send(request("evil.example", "/log-in"))
    assert "csrf_token" not in stranger.answer().text


def test_http_is_redirected_to_https(proxied: Proxied) -> None:
    client = Client(proxied.http, HOST)
    try:
        answer = client.ask("/log-in?next=/settings")
    finally:
        client.close()
    assert answer.status in (301, 308)
    assert re.fullmatch(rf"https://{HOST}(:{proxied.https})?/log-in\?next=/settings", answer.headers["location"])


def test_the_client_address_is_forwarded_and_forged_ones_are_not(proxied: Proxied, connect: Connect) -> None:
    forged = [
        f"{name}: 198.51.100.7"
        for name in ("X-Forwarded-For", "X_Forwarded_For", "X-Forwarded_For", "X-Real-IP", "True-Client-IP")
    ]
    connect().log_in("ada", PASSWORD, *forged, "Forwarded: for=198.51.100.7")
    assert proxied.server.last_address() == "127.0.0.1"


def test_forged_headers_have_no_effect(connect: Connect) -> None:
    forged = [
        *("X-Forwarded-Proto: http", "X-Forwarded-Host: evil.example", "X-Forwarded-Port: 444", "X-Forwarded-Ssl: off"),
        *("X-Forwarded-Prefix: /x", "SCRIPT_NAME: /x", "Script-Name: /x", "REMOTE_USER: ada", "Remote-User: ada"),
        "Forwarded: for=198.51.100.7;host=evil.example;proto=http",
    ]
    client = connect()
    answer = client.ask("/settings/security", *forged)
    assert (answer.status, answer.headers["location"]) == (303, "/log-in?next=/settings/security")
    page = client.ask("/log-in", *forged)
    assert page.status == 200
    assert set(page.cookies) == {"__Host-form"}
    assert "evil.example" not in page.text
    assert "/x/" not in page.text
    assert client.ask("/x/log-in", *forged).status == 404


def test_metrics_are_not_served_to_the_network(proxied: Proxied, connect: Connect) -> None:
    for path in ("/metrics", "//metrics", "/%6detrics", "/log-in/../metrics", "/metrics?x", "/METRICS", "/metrics/"):
        answer = connect().ask(path, "X-Forwarded-For: 127.0.0.1")
        assert answer.status in (308, 404), path
        assert b"# HELP" not in answer.body


def test_the_addresses_for_proxies_of_guarded_hosts_are_not_served_to_the_network(
    proxied: Proxied, connect: Connect
) -> None:
    """The server itself answers them with 404 too, so its answer is told from the proxy's by its headers."""
    paths = ("/forward", "/forward/nginx/x", "//forward/nginx/x", "/%66orward/nginx/x", "/log-in/../forward/envoy/x/y")
    for path in (*paths, "/forward/caddy/x?y", "/forward%2fcaddy/x"):
        answer = connect().ask(path, f"X-Forwarded-Host: {HOST}")
        assert answer.status == 404, path
        assert "content-security-policy" not in answer.headers, path


def test_a_chunked_body_arrives_complete(connect: Connect) -> None:
    client = connect()
    token = client.ask("/log-in").token
    cookie = f"Cookie: __Host-form={client.cookies['__Host-form']}"
    origin = f"Referer: https://{HOST}/log-in"
    head = request(HOST, "/log-in", FORM, cookie, origin, "Transfer-Encoding: chunked", method="POST")
    body = f"csrf_token={token}&username=ada&password={PASSWORD.replace(' ', '+')}"
    client.send(head + chunked(body.encode(), size=9))
    answer = client.answer()
    assert (answer.status, answer.headers["location"]) == (303, "/")


def test_a_body_over_the_limit_is_refused_by_the_sites_page_and_a_huge_one_by_the_proxy(connect: Connect) -> None:
    client = connect()
    client.send(request(HOST, "/log-in", FORM, method="POST", body=b"a=" + b"x" * 70_000))
    answer = client.answer()
    assert (answer.status, "<h1" in answer.text) == (413, True)
    client = connect()
    client.send(request(HOST, "/log-in", FORM, "Content-Length: 3000000", method="POST"))
    with suppress(OSError):  # nginx answers before it has received all of it
        client.send(b"x" * 3_000_000)
    assert client.answer().status in (413, 502)  # Debian's Caddy answers 502


def test_slow_clients_do_not_delay_others(connect: Connect) -> None:
    whole = request(HOST, "/log-in", FORM, method="POST", body=b"username=ada&password=" + b"x" * 20_000)
    in_chunks = request(HOST, "/log-in", FORM, "Transfer-Encoding: chunked", method="POST") + b"8\r\nusername\r\n"
    slow = {
        "sends nothing": b"",
        "stops in the head": whole[:30],
        "stops in the body": whole[:-1],
        "stops between chunks": in_chunks,
        "reads nothing": request(HOST, "/log-in") * 20,
    }
    for habit, sent in slow.items():
        for _ in range(SLOW_CLIENTS):
            connect().send(sent)
        time.sleep(0.3)
        for _ in range(5):
            answer = soon(connect())
            assert answer.status == 200, habit
        fast = connect()
        fast.log_in("ada", PASSWORD)
        assert soon(fast, "/settings/security").status == 200, habit


@pytest.mark.parametrize("proxied", [nginx], ids=["nginx"], indirect=True)
def test_one_address_has_a_bounded_number_of_requests_in_progress(connect: Connect) -> None:
    """Caddy has no such limit; for it there is deploy/nftables.conf, whose limit tests/deploy/install.py meets."""
    (most,) = re.findall(r"limit_conn nightlatch (\d+);", (ROOT / "deploy/nginx.conf").read_text())
    waiting: list[Client] = []

    def one_byte_more() -> None:
        """From each, for nginx ends a request whose body does not go on within 15 s."""
        for client in waiting:
            client.send(b"x")

    for _ in range(int(most)):
        waiting.append(connect())
        waiting[-1].send(request(HOST, "/log-in", FORM, "Content-Length: 50000", method="POST"))
        one_byte_more()

    def is_refused() -> bool:
        one_byte_more()
        return connect().ask("/log-in").status == 429

    assert eventually(is_refused)
    for client in waiting:
        client.close()
    assert eventually(lambda: connect().ask("/log-in").status == 200)


def test_a_host_of_any_length_gets_a_first_certificate(tmp_path: Path) -> None:
    """A common name has at most 64 characters."""
    host = f"login.{'a-department-of-' * 4}some-company.example.org"
    script = (ROOT / "deploy/install.sh").read_text()
    (command,) = re.findall(r"umask 077 && (openssl .*?) 2>/dev/null\)", script, re.DOTALL)
    environ = {**os.environ, "host": host, "certificate": str(tmp_path / "site")}
    subprocess.run(["bash", "-c", command], env=environ, check=True, capture_output=True)
    made = x509.load_pem_x509_certificate((tmp_path / "site.pem").read_bytes())
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [host, f"mobile.{host}"]
