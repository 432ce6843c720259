"""A guarded host: a real proxy with its shipped configuration, a real Nightlatch, and the echo app behind them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest

from tests.served import PASSWORD, Served, running
from tests.test_legacy_guide import certificate
from tests.test_processes import free_port
from tests.wire import Answer, Client
from webapp.models.registered_apps import GUARDED
from webapp.services.guarded.configurations import configuration
from webapp.services.guarded.doctor import Doctor, Finding
from webapp.services.guarded.echo import Echo, echo_server
from webapp.services.operators import AppOptions
from webapp.settings import ROOT
from webapp.web.guarded_hosts import scheme

NAVIGATION = ("Accept: text/html", "Sec-Fetch-Mode: navigate")
BINARIES = ROOT / ".proxies"
"""Where `make test-apps` installs the newest ones."""
INSTALLED = "/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin"
PROGRAMS = {
    "nginx": shutil.which("nginx", path=INSTALLED),
    "caddy": shutil.which("caddy", path=INSTALLED),
    "newest-caddy": shutil.which("caddy", path=str(BINARIES / "bin")),
    "traefik": shutil.which("traefik", path=str(BINARIES / "bin")),
    "envoy": shutil.which("envoy", path=str(BINARIES / "envoy" / "_bin")),
}
WEBSOCKET = (
    *("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"),
    f"Sec-WebSocket-Key: {b64encode(b'0123456789abcdef').decode()}",
)
PING = b"\x89\x00"
"""Of a WebSocket (RFC 6455 section 5.5.2)."""
Change = Callable[[str], str]


def unchanged(text: str) -> str:
    return text


def command(program: str, folder: Path, text: str) -> list[str]:
    """Writes the configuration into the folder; only what would disturb this machine is changed or added."""
    found = PROGRAMS[program]
    if found is None:
        pytest.skip(
            f"{program} is not installed; nginx and Caddy are packages of Debian, others come by make test-apps"
        )
    file = folder / f"{program}.yml"
    if program == "nginx":
        temporary = "".join(
            f"{kind}_temp_path {folder}/{kind}; " for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        text = text.replace("http {", f"http {{\n{temporary} access_log off;", 1)
        file.write_text(f"daemon off; pid {folder}/pid; error_log {folder}/error.log;\n{text}")
        return [found, "-c", str(file)]
    if program.endswith("caddy"):
        own = "admin off\n"
        text = text.replace("{\n\tauto_https", f"{{\n\t{own}\tauto_https", 1)
        assert own in text
        file.write_text(text)
        return [found, "run", "--config", str(file), "--adapter", "caddyfile"]
    if program == "traefik":
        assert "/etc/traefik/traefik.yml\n---" in text
        file.write_text(text.replace("filename: /etc/traefik/traefik.yml", f"filename: {file}"))
        return [found, f"--configFile={file}"]
    file.write_text(text)
    return [found, "-c", str(file), "--use-dynamic-base-id", "--concurrency", "1"]


@dataclass
class Stack:
    """The host as people and the doctor meet it."""

    server: Served
    program: str
    host: str
    front: int
    app_id: str

    @cached_property
    def proxy(self) -> str:
        return self.program.removeprefix("newest-")

    @property
    def url(self) -> str:
        return f"{scheme(self.host)}://{self.host}"

    def browser(self) -> Browser:
        return Browser({self.host: self.front, self.server.host: self.server.port})

    def examine(self, **options: Any) -> list[Finding]:
        services = self.server.services
        found = Doctor(services.core, services.operators.apps).examine(
            self.host, f"127.0.0.1:{self.front}", self.proxy, **options
        )
        return list(found)


@dataclass
class Browser:
    """Follows redirects between the hosts, with the cookies of each."""

    ports: dict[str, int]
    """By host: where its server listens, because not every resolver knows names under .localhost."""
    cookies: dict[str, dict[str, str]] = field(default_factory=dict)
    set_cookies: list[tuple[str, str]] = field(default_factory=list)
    """Every Set-Cookie header so far, with the host that sent it."""

    def ask(self, url: str, *headers: str, form: dict[str, str] | None = None) -> Answer:
        parts = urlsplit(url)
        target = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
        with closing(Client(self.ports[parts.netloc], parts.netloc, tls=parts.scheme == "https")) as client:
            client.cookies = self.cookies.setdefault(parts.netloc, {})
            answer = client.ask(target, *headers, "Connection: close", form=form)
            self.cookies[parts.netloc] = client.cookies
        self.set_cookies += [(parts.netloc, line) for line in answer.set_cookies]
        return answer

    def open(self, url: str) -> tuple[str, Answer]:
        """The page that a person sees in the end, and its address."""
        for _ in range(12):
            answer = self.ask(url, *NAVIGATION)
            further = self.further(answer)
            if further is None:
                return url, answer
            url = urljoin(url, further)
        raise AssertionError(f"it never ends: {url}")

    def further(self, answer: Answer) -> str | None:
        if answer.status in (302, 303, 307, 308):
            return answer.headers["location"]
        refresh = answer.headers.get("refresh", "")
        found = re.search(r"url=(\S+)", refresh, re.IGNORECASE) if answer.status == 200 else None
        return found[1] if found else None

    def log_in(self, url: str) -> tuple[str, Answer]:
        """Opens a page that asks for a log-in, logs in as Ada, and follows to where that leads."""
        at, page = self.open(url)
        assert 'name="password"' in page.text, (at, page.status, page.text[:500])
        form = {"csrf_token": page.token, "username": "ada", "password": PASSWORD}
        answer = self.ask(at, form=form)
        further = self.further(answer)
        assert further is not None, answer.text[:2000]
        return self.open(urljoin(at, further))


def received(answer: Answer) -> dict[str, Any]:
    """What the echo app says it received."""
    assert answer.status == 200, (answer.status, answer.text[:500])
    return dict(json.loads(answer.text))


def headers_of(answer: Answer) -> dict[str, str]:
    return {name.lower(): value for name, value in received(answer)["headers"].items()}


class Talker(Echo):
    """Keeps a WebSocket open for ten seconds, and sends something all the time."""

    def _answer(self) -> None:
        super()._answer()
        with suppress(OSError):
            for _ in range(100 if "Upgrade" in self.headers else 0):
                self.wfile.write(PING)
                time.sleep(0.1)


class Silent(Echo):
    """Keeps a WebSocket open for ten seconds."""

    def _answer(self) -> None:
        super()._answer()
        if "Upgrade" in self.headers:
            self.rfile.read(1)


@contextmanager
def echo(app: type[Echo] = Echo) -> Iterator[int]:
    with echo_server("127.0.0.1", 0, app) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@contextmanager
def guarded(
    server: Served,
    program: str,
    folder: Path,
    *,
    rules: Sequence[str] = (),
    change: Change = unchanged,
    host: str = "",
    upstream: type[Echo] = Echo,
    **options: Any,
) -> Iterator[Stack]:
    """A host of its own in front of the echo app. `change` is made to the shipped configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    front = free_port()
    host = host or f"wiki.localhost:{front}"
    services = server.services
    app = services.operators.apps.create(GUARDED, AppOptions("Wiki", host=host, rules=tuple(rules), **options)).app
    stack = Stack(server, program, host, front, app.client_id)
    with echo(upstream) as port:
        text = configuration(
            stack.proxy,
            services.operators.apps.named(app.client_id),
            services.core,
            bind=f"127.0.0.1:{server.port}",
            main_url=f"http://{server.host}",
            upstream=f"http://127.0.0.1:{port}",
            listen=f"127.0.0.1:{front}",
        )
        for wanted, own in certificate(folder, host).items():
            text = text.replace(wanted, own)
        homes = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
        started = command(program, folder, change(text))
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": {**os.environ, **homes}}
        with running(started, lambda: listens(front, host), **quiet):
            yield stack
    services.operators.apps.delete(app.client_id)


def listens(port: int, host: str) -> bool:
    """Whether the proxy knows its routes; Traefik reads them after it has begun to listen."""
    with closing(Client(port, host, tls=scheme(host) == "https")) as client:
        return client.ask("/", "Connection: close").status != 404
