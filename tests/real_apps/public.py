"""Nightlatch and apps at the addresses of docs/how-to/connect-an-app.md over HTTPS, so that nothing of it is replaced.

HAProxy has the certificate and knows the names, which no name server does. So browsers and apps reach them through a
tunnel, as they would through the proxy of an office (RFC 9110 section 9.3.6).
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread

import requests
from playwright.sync_api import Page, sync_playwright

from tests.browser.live import start_browser
from tests.proxies.stacks import INSTALLED
from tests.served import HOST, PASSWORD, Served, running, served
from tests.test_deploy import answers
from tests.test_processes import free_port

HAPROXY = shutil.which("haproxy", path=INSTALLED)
SITE = f"https://{HOST}"
DOMAIN = HOST.partition(".")[2]
PYTHON_APPS = Path(__file__).parents[2] / ".real-apps" / "bin"
"""Where `make test-apps` installs them."""
CONFIGURATION = """
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout tunnel 60s
frontend tls
    bind 127.0.0.1:{port} ssl crt {certificate}
    http-request set-header X-Forwarded-For %[src]
    http-request set-header X-Forwarded-Proto https
    use_backend %[req.hdr(host),lower]
"""
BACKEND = """
backend {name}
    server one 127.0.0.1:{port}
"""


class Tunnel(StreamRequestHandler):
    """CONNECT to any name is a connection to HAProxy."""

    def handle(self) -> None:
        while self.rfile.readline().strip():
            pass
        with socket.create_connection(self.server.leads_to) as far:
            self.wfile.write(b"HTTP/1.1 200 Connected\r\n\r\n")
            answers = Thread(target=pass_on, args=(far, self.connection), daemon=True)
            answers.start()
            pass_on(self.connection, far)
            answers.join()


def pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


class Tunnels(ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, leads_to: tuple[str, int]) -> None:
        super().__init__(("127.0.0.1", 0), Tunnel)
        self.leads_to = leads_to


@contextmanager
def tunnel(port: int) -> Iterator[str]:
    """Its address; it leads to this port."""
    with Tunnels(("127.0.0.1", port)) as tunnels:
        Thread(target=tunnels.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{tunnels.server_address[1]}"
        finally:
            tunnels.shutdown()


@dataclass(frozen=True)
class Public:
    server: Served
    proxy: str
    """The tunnel, as programs are told of it."""
    certificate: Path

    @property
    def environ(self) -> dict[str, str]:
        """With it a program finds the names and trusts the certificate."""
        inherited = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        return {**inherited, "https_proxy": self.proxy, "SSL_CERT_FILE": str(self.certificate)}

    def ask(self, method: str, url: str, **options: object) -> requests.Response:
        proxies, trusted = {"https": self.proxy}, str(self.certificate)
        return requests.request(method, url, proxies=proxies, verify=trusted, timeout=30, **options)

    @contextmanager
    def browser(self) -> Iterator[Page]:
        with sync_playwright() as playwright, start_browser(playwright) as chromium:
            yield chromium.new_page(proxy={"server": self.proxy}, ignore_https_errors=True)


@contextmanager
def public(folder: Path, **apps: int) -> Iterator[Public]:
    """`apps` are ports by the first part of the name."""
    front, certificate = free_port(), folder / "site.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-subj", "/CN=a",
         "-addext", f"subjectAltName=DNS:*.{DOMAIN}", "-addext", "keyUsage=digitalSignature,keyCertSign",
         "-out", certificate, "-keyout", f"{certificate}.key"],
        check=True, capture_output=True,
    )  # fmt: skip
    with served(folder, host=HOST, NIGHTLATCH_TRUSTED_PROXIES="1") as server, tunnel(front) as proxy:
        ports = {HOST: server.port, **{f"{name}.{DOMAIN}": port for name, port in apps.items()}}
        backends = [BACKEND.format(name=name, port=port) for name, port in ports.items()]
        file = folder / "haproxy.cfg"
        file.write_text(CONFIGURATION.format(port=front, certificate=certificate) + "".join(backends))
        assert HAPROXY is not None, "HAProxy is not installed"
        with running([HAPROXY, "-f", str(file)], answers(front)):
            yield Public(server, proxy, certificate)


@contextmanager
def answering(program: Sequence[str | Path], url: str, folder: Path, environ: dict[str, str]) -> Iterator[None]:
    """Runs an app in its folder, from when it answers at the URL."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with running(program, lambda: requests.get(url, timeout=5).ok, cwd=folder, env=environ, **quiet):
        yield


def log_in(page: Page, app: str) -> None:
    """As Ada, and allows the app to learn what it asks for."""
    page.get_by_label("Username", exact=True).fill("ada")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Log in", exact=True).click()
    page.get_by_role("heading", name=f"Log in to {app}").wait_for()
    page.get_by_role("button", name="Continue", exact=True).click()
    page.wait_for_url(lambda url: not url.startswith(SITE))
