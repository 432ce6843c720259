"""The processes that people start: the production server with its worker, and the development site."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from http.client import HTTPConnection
from pathlib import Path
from socket import socket
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from webapp.keys import generate_keys
from webapp.models.migrate import migrate
from webapp.models.revisions import is_known_current
from webapp.settings import ROOT, Settings

Start = Callable[..., subprocess.Popen[str]]
IMPORTED_ON_USE = {
    *("alembic", "opentelemetry", "pydantic", "pywebpush", "redis", "requests", "vonage", "webauthn"),
    "sqlalchemy.dialects.postgresql",
}
"""Few requests need these; a start without them saves 20 ms and 5 MiB (docs/decisions/lazy-imports.md)."""


def free_port() -> int:
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[subprocess.Popen[str]] = []

    def begin(*command: str, **settings: str) -> subprocess.Popen[str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("NIGHTLATCH_")}
        environ = {**inherited, "NIGHTLATCH_DATABASE_URL": f"sqlite:///{tmp_path / 'site.sqlite3'}", **settings}
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        command = (sys.executable, "-m", *command)
        started.append(subprocess.Popen(command, env=environ, cwd=ROOT, text=True, start_new_session=True, **pipes))
        return started[-1]

    yield begin
    for process in started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # with all processes it started
        process.communicate(timeout=30)


def serving(port: int, **more: str) -> dict[str, str]:
    keys = {f"NIGHTLATCH_{name}": value for name, value in generate_keys().items()}
    name = {"NIGHTLATCH_SERVING": "1", "NIGHTLATCH_SERVER_NAME": f"nightlatch.localhost:{port}"}
    return {**keys, **name, "NIGHTLATCH_BIND": f"127.0.0.1:{port}", "NIGHTLATCH_WORKERS": "1", **more}


def ask(port: int, path: str) -> tuple[int, str]:
    with closing(HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        connection.request("GET", path, headers={"Host": f"nightlatch.localhost:{port}"})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def eventually(holds: Callable[[], bool], seconds: float = 30) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if holds():
                return True
        except OSError:
            pass
        time.sleep(0.05)
    return False


class Mailbox:
    def __init__(self) -> None:
        self.received: list[str] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.received.append(envelope.content.decode())
        return "250 kept"


def test_starting_imports_no_module_that_few_requests_need(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'site.sqlite3'}"
    migrate(url)
    served = {**serving(free_port()), "NIGHTLATCH_DATABASE_URL": url, "NIGHTLATCH_MAIL_URL": "smtp://127.0.0.1:1"}
    code = "import wsgi, sys; print(*(name for name, module in sys.modules.items() if module is not None))"
    told = subprocess.check_output([sys.executable, "-c", code], env={**os.environ, **served}, cwd=ROOT, text=True)
    loaded = set(told.split())
    assert "webapp.bootstrap" in loaded
    assert not loaded & IMPORTED_ON_USE


def test_an_empty_database_can_be_migrated_with_the_settings_of_a_server(tmp_path: Path, start: Start) -> None:
    url = f"sqlite:///{tmp_path / 'new.sqlite3'}"
    more = {"NIGHTLATCH_DATABASE_URL": url, "NIGHTLATCH_MAIL_URL": "smtp://127.0.0.1:1"}
    migrating = start("flask", "--app", "wsgi", "migrate", **serving(free_port(), **more))
    _, err = migrating.communicate(timeout=30)
    assert (migrating.returncode, is_known_current(url)) == (0, True), err


def test_the_process_that_starts_the_server_is_small() -> None:
    code = "import webapp.serve, sys; print(*sys.modules)"
    loaded = set(subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True).split())
    assert "webapp.serve" in loaded
    assert not loaded & {"alembic", "flask", "sqlalchemy", "werkzeug", "webapp.bootstrap"}


def test_the_server_answers_its_worker_sends_and_both_stop_on_sigterm(start: Start, port: int) -> None:
    mailbox = Mailbox()
    mail_server = Controller(mailbox, hostname="127.0.0.1", port=free_port())
    mail_server.start()
    try:
        settings = serving(port, NIGHTLATCH_MAIL_URL=f"smtp://127.0.0.1:{mail_server.port}")
        server = start("webapp.serve", **settings)
        assert eventually(lambda: ask(port, "/healthz") == (200, "ok\n"))
        assert ask(port, "/log-in")[0] == 200
        create = ("flask", "--app", "wsgi", "accounts", "create", "--username", "ada", "--name", "Ada Lovelace")
        made = start(*create, "--email", "ada@example.org", "--email-confirmed", **settings)
        assert made.communicate("violet tractors hum\n", timeout=30)[0].endswith("Created ada.\n")
        reset = start("flask", "--app", "wsgi", "accounts", "log-out", "ada", **settings)
        assert reset.wait(30) == 0
        assert eventually(lambda: bool(mailbox.received))
        assert "logged you out on all devices" in mailbox.received[0]
        server.send_signal(signal.SIGTERM)
        out, _ = server.communicate(timeout=30)
        assert server.returncode == 0
        assert all(line.startswith("{") for line in out.splitlines())
    finally:
        mail_server.stop()


def test_a_missing_setting_stops_the_server_with_one_sentence(start: Start, port: int) -> None:
    server = start("webapp.serve", **serving(port))
    out, err = server.communicate(timeout=30)
    assert (server.returncode, out) == (2, "")
    assert "NIGHTLATCH_MAIL_URL" in err
    assert len(err.strip().splitlines()) == 1


def test_keys_are_generated_beside_settings_that_lack_them(start: Start, tmp_path: Path) -> None:
    """The sentence about a missing key names this command."""
    incomplete = {"NIGHTLATCH_SERVER_NAME": "login.example.org", "NIGHTLATCH_MAIL_URL": "smtp://127.0.0.1:1"}
    printed, err = start("flask", "--app", "wsgi", "keys", "generate", **incomplete).communicate(timeout=60)
    lines = dict(line.split("=", 1) for line in printed.splitlines())
    assert Settings.read({**incomplete, **lines}, tmp_path).secret_key == lines["NIGHTLATCH_SECRET_KEY"], err
    command = start("flask", "--app", "wsgi", "accounts", "list", **incomplete)
    assert "NIGHTLATCH_SECRET_KEY is not set" in command.communicate(timeout=60)[1], "every other one needs them"


def test_a_database_that_cannot_be_used_stops_the_server_with_one_sentence(start: Start, tmp_path: Path) -> None:
    more = {"NIGHTLATCH_MAIL_URL": "smtp://127.0.0.1:1", "NIGHTLATCH_DATABASE_URL": f"sqlite:///{tmp_path}/no/folder"}
    server = start("webapp.serve", **serving(free_port(), **more))
    out, err = server.communicate(timeout=30)
    said = f"The database {tmp_path}/no/folder can't be migrated: unable to open database file.\n"
    assert (server.returncode, out, err) == (1, "", said)


@pytest.fixture
def interruptible() -> Iterator[None]:
    """A job in the background ignores SIGINT, and so would the processes that it starts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_a_site_under_a_public_name_gets_no_demo_account(start: Start, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/site.sqlite3"
    more = {"NIGHTLATCH_MAIL_URL": "smtp://127.0.0.1:1", "NIGHTLATCH_DATABASE_URL": url}
    named = {**serving(free_port(), **more), "NIGHTLATCH_SERVER_NAME": "login.example.org"}
    named["NIGHTLATCH_PREFERRED_URL_SCHEME"] = "https"
    site = start("flask", "--app", "wsgi", "develop", **named)
    _, err = site.communicate(timeout=30)
    said = "Error: It is for a name under .localhost; make serve starts login.example.org.\n"
    assert (site.returncode, err) == (1, said)


def test_a_password_is_asked_for_at_a_terminal_and_not_shown(tmp_path: Path) -> None:
    migrate(f"sqlite:///{tmp_path}/site.sqlite3")
    controller, terminal = os.openpty()
    create = ("accounts", "create", "--username", "ada", "--name", "Ada Lovelace")
    environ = {**os.environ, "NIGHTLATCH_DATABASE_URL": f"sqlite:///{tmp_path}/site.sqlite3"}
    command = [sys.executable, "-m", "flask", "--app", "wsgi", *create]
    pipes = {"stdin": terminal, "stdout": terminal, "stderr": terminal, "start_new_session": True}
    with subprocess.Popen(command, cwd=ROOT, env=environ, **pipes) as made:
        os.close(terminal)
        shown = b""
        while b"Password: " not in shown:
            shown += os.read(controller, 1000)
        os.write(controller, b"violet tractors hum\n")
        with suppress(OSError):  # the end of a terminal
            while more := os.read(controller, 1000):
                shown += more
    os.close(controller)
    assert (made.returncode, b"Created ada." in shown, b"violet" in shown) == (0, True, False)


@pytest.mark.usefixtures("interruptible")
def test_the_development_site_prints_its_address_and_opens_it(start: Start, port: int, tmp_path: Path) -> None:
    site = start(
        "flask", "--app", "wsgi", "develop", NIGHTLATCH_SERVER_NAME=f"nightlatch.localhost:{port}", PYTHONUNBUFFERED="1"
    )
    assert eventually(lambda: ask(port, "/healthz")[0] == 200)
    assert ask(port, "/outbox")[0] == 200
    assert ask(port, "/log-in")[0] == 200
    site.send_signal(signal.SIGINT)
    out, _ = site.communicate(timeout=30)
    said = dict(re.findall(r"^(\w+): (\S+)$", out, re.MULTILINE))
    assert said["Desktop"] == f"http://nightlatch.localhost:{port}"
    assert said["Mobile"] == f"http://mobile.nightlatch.localhost:{port}"
    assert said["Username"] == "demo"
    assert said["Outbox"].endswith("/outbox")
