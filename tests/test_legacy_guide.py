"""The configurations in docs/how-to/legacy-apps.md in front of a site, run by real nginx and Apache.

Only names, ports and certificates are replaced, so any other mistake in the guide fails here.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import ssl
import subprocess
import time
from base64 import b32encode
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPSConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest
from sqlalchemy import update

from tests.apps import basic
from tests.certificates import self_signed
from tests.served import PASSWORD, running, served
from tests.test_processes import free_port
from webapp.bootstrap import Services
from webapp.domain.origin import Origin
from webapp.models.accounts import Account
from webapp.models.apps import TemporaryPassword
from webapp.models.factors import Factor, factor_bound, sole_external_id
from webapp.settings import ROOT

GUIDE = ROOT / "docs" / "how-to" / "legacy-apps.md"
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
APACHE = shutil.which("apache2") or shutil.which("apache2", path="/usr/sbin:/usr/local/sbin")
APACHE_MODULES = Path("/usr/lib/apache2/modules")
HERE = Origin("127.0.0.1", "a browser")
SOON = 5  # seconds within which a revocation takes effect
AROUND = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    {server}
}}
"""
AROUND_APACHE = """
ServerRoot {folder}
ServerName localhost
PidFile {folder}/apache.pid
ErrorLog {folder}/error.log
Listen 127.0.0.1:{front}
User nobody
Group nogroup
{modules}
{server}
"""
LOADED = (
    *("mpm_event", "authn_core", "authz_core", "authz_user", "auth_basic", "authnz_external", "headers", "ssl"),
    *("proxy", "proxy_http"),
)


def block(language: str) -> str:
    found = re.findall(rf"^```{language}\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    assert found, f"the guide has no {language}"
    return str(found[0])


def with_facts(text: str, facts: dict[str, str]) -> str:
    for fact, value in facts.items():
        assert fact in text, f"the guide no longer says {fact}"
        text = text.replace(fact, value)
    return text


@dataclass
class Answer:
    status: int
    headers: Any
    seen: dict[str, str]
    """The headers that the guarded site received."""


@dataclass
class Stack:
    """A proxy, the site that it protects, and the port of the legacy access."""

    services: Services
    legacy_port: int
    front: int

    def get(self, authorization: str | None, **headers: str) -> Answer:
        if authorization is not None:
            headers["Authorization"] = authorization
        context = ssl._create_unverified_context()
        with closing(HTTPSConnection("127.0.0.1", self.front, timeout=20, context=context)) as connection:
            connection.request("GET", "/", headers=headers)
            answer = connection.getresponse()
            body = answer.read()
        seen = json.loads(body) if answer.status == 200 else {}
        return Answer(answer.status, answer.headers, seen)

    def refuses_soon(self, authorization: str) -> bool:
        began = time.monotonic()
        while self.get(authorization).status != 401:
            if time.monotonic() - began > SOON:
                return False
            time.sleep(0.2)
        return True


class Guarded(BaseHTTPRequestHandler):
    """A small site that answers with the headers it received."""

    def do_GET(self) -> None:
        body = json.dumps({name.lower(): value for name, value in self.headers.items()}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def guarded_site() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Guarded) as server:
        server.daemon_threads = True
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def certificate(folder: Path, host: str = "calendar.example.org") -> dict[str, str]:
    """Writes a certificate for the host and its key; returns their paths by those that the guides name."""
    made, wanted = self_signed(folder, host), f"/etc/ssl/{host}"
    return {f"{wanted}.pem": str(made.path), f"{wanted}.key": str(made.key)}


@pytest.fixture
def login_site(tmp_path: Path) -> Iterator[tuple[int, Services]]:
    """A production server with Ada's account, and this process's own services on its database."""
    with served(tmp_path, NIGHTLATCH_TRUSTED_PROXIES="1", NIGHTLATCH_LEGACY_ACCESS="on") as server:
        yield server.port, server.services


@pytest.fixture
def stack(login_site: tuple[int, Services], tmp_path: Path) -> Iterator[Stack]:
    if NGINX is None:
        pytest.skip("nginx is not installed; on Debian or Ubuntu: apt-get install nginx-light")
    port, services = login_site
    front = free_port()
    with guarded_site() as guarded:
        facts = {
            "listen 443 ssl": f"listen 127.0.0.1:{front} ssl",
            "127.0.0.1:8000": f"127.0.0.1:{port}",
            "127.0.0.1:8080": f"127.0.0.1:{guarded}",
            "login.example.org": f"nightlatch.localhost:{port}",
            **certificate(tmp_path),
        }
        config = tmp_path / "nginx.conf"
        config.write_text(AROUND.format(folder=tmp_path, server=with_facts(block("nginx"), facts)))
        made = Stack(services, port, front)
        with running([NGINX, "-c", str(config)], lambda: made.get(None).status == 401, stderr=subprocess.DEVNULL):
            yield made


@pytest.fixture
def apache(login_site: tuple[int, Services], tmp_path: Path) -> Iterator[Stack]:
    if APACHE is None or not (APACHE_MODULES / "mod_authnz_external.so").exists():
        pytest.skip("Apache is not installed; on Debian or Ubuntu: apt-get install libapache2-mod-authnz-external")
    port, services = login_site
    front = free_port()
    with guarded_site() as guarded, TemporaryDirectory() as open_to_all:
        folder = Path(open_to_all)
        folder.chmod(0o755)  # Apache's processes run as another user
        program = folder / "verify"
        facts = {"127.0.0.1:8000": f"127.0.0.1:{port}", "login.example.org": f"nightlatch.localhost:{port}"}
        program.write_text(with_facts(block("sh"), facts))
        program.chmod(0o755)
        facts = {
            "*:443": f"127.0.0.1:{front}",
            "127.0.0.1:8080": f"127.0.0.1:{guarded}",
            "/usr/local/bin/nightlatch-verify": str(program),
            **certificate(tmp_path),
        }
        modules = "\n".join(f"LoadModule {name}_module {APACHE_MODULES}/mod_{name}.so" for name in LOADED)
        config = folder / "apache.conf"
        server = with_facts(block("apache"), facts)
        config.write_text(AROUND_APACHE.format(folder=folder, front=front, modules=modules, server=server))
        made = Stack(services, port, front)
        command = [APACHE, "-f", str(config), "-D", "FOREGROUND"]
        with running(command, lambda: made.get(None).status == 401, stderr=subprocess.DEVNULL):
            yield made


def ada(services: Services) -> Account:
    return services.accounts.named("ada")


def turn_factor_on(services: Services) -> None:
    """Ends what turning a factor on through the pages ends."""
    account, now = ada(services), services.clock.now()
    bound = factor_bound(account.id, "authentication-app")
    sealed = services.core.keyring.seal(b32encode(b"0" * 20).decode(), bound)
    with services.db.write() as tx:
        tx.objects.add(
            Factor(
                account_id=account.id,
                method="authentication-app",
                external_id=sole_external_id(account.id),
                sealed=sealed,
                added_at=now,
            )
        )
        services.sessions.end_others(tx, account.id, None)


def made(services: Services) -> str:
    with services.db.write() as tx:
        opened = services.sessions.open(
            tx, ada(services).id, HERE, persistent=False, proofs=["password", "authentication-app"]
        )
    user = services.sessions.find(opened.token)
    assert user is not None
    return services.temporary_passwords.make(user, HERE)


def a_temporary_password_is_accepted_until_it_ends(stack: Stack) -> None:
    services = stack.services
    temporary = basic("ada", made(services))
    assert [stack.get(temporary).status for _ in range(3)] == [200] * 3
    with services.db.write() as tx:
        tx.execute(update(TemporaryPassword).values(expires_at=services.clock.now()))
    assert stack.refuses_soon(temporary)

    temporary = basic("ada@example.org", made(services))
    assert stack.get(temporary).status == 200
    (live,) = services.temporary_passwords.live(ada(services).id)
    services.temporary_passwords.end(ada(services), live.id, HERE)
    assert stack.refuses_soon(temporary)


def test_nginx_asks_the_legacy_access_as_the_guide_says(stack: Stack) -> None:
    services = stack.services
    answer = stack.get(None)
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="Nightlatch", charset="UTF-8"'

    usual = basic("ada", PASSWORD)
    answer = stack.get(usual, **{"Remote-User": "root", "Remote-Email": "root@example.org", "Cookie": "session=x"})
    assert answer.status == 200
    assert answer.seen["remote-user"] == "ada"
    assert answer.seen["remote-name"].encode("latin-1").decode() == "Zoë 李"
    assert answer.seen["remote-email"] == "ada@example.org"
    assert "authorization" not in answer.seen

    turn_factor_on(services)
    assert stack.refuses_soon(usual)

    a_temporary_password_is_accepted_until_it_ends(stack)

    form = {"grant_type": "password", "username": "ada", "password": made(services)}
    headers = {"Host": f"nightlatch.localhost:{stack.legacy_port}"}  # a name that no resolver knows
    with urlopen(
        Request(f"http://127.0.0.1:{stack.legacy_port}/legacy/token", urlencode(form).encode(), headers)
    ) as granted:
        token = f"Bearer {json.load(granted)['access_token']}"
    assert stack.get(token).seen["remote-user"] == "ada"
    assert stack.get(basic("ada", form["password"])).status == 401, "the trade used it up"
    services.accounts.log_out("ada")
    assert stack.refuses_soon(token)


def test_an_exhausted_rate_limit_does_not_look_like_a_fault_of_the_protected_site(stack: Stack) -> None:
    wrong = basic("ada", "a wrong password")
    assert [stack.get(wrong).status for _ in range(10)] == [401] * 10
    answer = stack.get(wrong)
    assert answer.status == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 30


def test_apache_asks_the_legacy_access_as_the_guide_says(apache: Stack) -> None:
    services, usual = apache.services, basic("ada", PASSWORD)
    answer = apache.get(usual, **{"Remote-User": "root", "Remote-Name": "Root", "Remote-Email": "root@example.org"})
    assert answer.status == 200
    assert answer.seen["remote-user"] == "ada"
    assert not {"remote-name", "remote-email", "authorization"} & set(answer.seen), "an app does not name itself"
    assert apache.get(basic("ada", "a wrong password")).status == 401
    turn_factor_on(services)
    assert apache.refuses_soon(usual)
    a_temporary_password_is_accepted_until_it_ends(apache)


def test_the_program_for_apache_answers_by_its_exit_status(login_site: tuple[int, Services], tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    port, _services = login_site
    program = tmp_path / "verify"
    facts = {"127.0.0.1:8000": f"127.0.0.1:{port}", "login.example.org": f"nightlatch.localhost:{port}"}
    program.write_text(with_facts(block("sh"), facts))

    def run(*lines: str) -> int:
        typed = "".join(f"{line}\n" for line in lines)
        environ = {"PATH": os.environ["PATH"], "IP": "203.0.113.5"}
        return subprocess.run(["sh", str(program)], input=typed, text=True, env=environ, timeout=30).returncode

    assert run("ada", PASSWORD) == 0
    for lines in (("ada", "a wrong password"), ("ada", '"; rm -rf x'), ("ada",), ("nobody", PASSWORD)):
        assert run(*lines) != 0, lines
