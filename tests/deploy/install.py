"""`make test-deploy`: deploy/install.sh on a fresh Debian, run by its own systemd, behind its own nginx, then Caddy.

It needs root, mmdebstrap and a network, and takes some minutes.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.machine import HUGE_PAGES, Machine
from tests.test_processes import eventually
from webapp.settings import ROOT

HOST = "login.example.org"
SETTINGS = "etc/nightlatch/environment"
PYTHON = "/opt/nightlatch/current/.venv/bin/python"
UNITS = ("nightlatch-web.socket", "nightlatch-web.service", "nightlatch-worker.service", "nightlatch-purge.timer")
PASSWORD = "analytical engine notes"
MANY_CONNECTIONS = """
import json, socket
open_, refused = [], 0
for _ in range(120):
    try:
        open_.append(socket.create_connection(("127.0.0.1", 443), timeout=5))
    except ConnectionRefusedError:
        refused += 1
print(json.dumps([len(open_), refused]))
"""
FILES = {"nginx": "etc/nginx/sites-available/nightlatch", "caddy": "etc/caddy/Caddyfile"}
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "instance", "node_modules", "__pycache__", ".*_cache", "*.mo")


@pytest.fixture(scope="module", params=sorted(FILES, reverse=True))
def proxy(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def machine(proxy: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """With the checkout; not booted."""
    folder = tmp_path_factory.mktemp("machine")
    machine = Machine(folder / "root")
    shutil.copytree(ROOT, machine.root / "checkout", ignore=LEFT_OUT)
    shutil.copy(Path(__file__).parent / "visitor.py", machine.root / "visitor.py")
    yield machine
    shutil.rmtree(folder, ignore_errors=True)


def install(machine: Machine, proxy: str, *, check: bool = True) -> str:
    return machine.run("/checkout/deploy/install.sh", HOST, proxy, check=check)


def releases(machine: Machine) -> list[str]:
    return sorted(path.name for path in (machine.root / "opt/nightlatch/releases").iterdir())


def current(machine: Machine) -> str:
    return (machine.root / "opt/nightlatch/current").readlink().name


def states(machine: Machine) -> list[str]:
    return machine.run("systemctl", "is-active", *UNITS, check=False).split()


def log_in(machine: Machine) -> list[object]:
    """Status and target of the answer to Ada's password."""
    told: list[object] = json.loads(machine.run(PYTHON, "/visitor.py", HOST, "ada", typed=f"{PASSWORD}\n"))
    return told


def under_load(machine: Machine, *command: str) -> dict[str, int]:
    """What visitors got while the command ran."""
    visitors = machine.start(PYTHON, "/visitor.py", HOST, "load")
    time.sleep(2)  # so that they are under way
    machine.run(*command)
    time.sleep(2)
    seen: dict[str, int] = json.loads(visitors.communicate("\n")[0])
    return seen


def written_once(machine: Machine, proxy: str) -> list[str]:
    """The settings and the file of the proxy, which an upgrade leaves as they are."""
    return [(machine.root / name).read_text() for name in (SETTINGS, FILES[proxy])]


def test_it_installs_and_asks_for_the_mail_server(machine: Machine, proxy: str) -> None:
    assert "Set NIGHTLATCH_MAIL_URL in /etc/nightlatch/environment" in install(machine, proxy)
    settings, file = machine.root / SETTINGS, machine.root / FILES[proxy]
    assert settings.stat().st_mode & 0o777 == 0o600
    written = settings.read_text()
    keys = re.findall(r"^NIGHTLATCH_(?:SECRET_KEY|ENCRYPTION_KEYS|VAPID_PRIVATE_KEY)=\S+$", written, re.MULTILINE)
    assert len(keys) == 3
    settings.write_text(written.replace("NIGHTLATCH_MAIL_URL=", "NIGHTLATCH_MAIL_URL=smtp://127.0.0.1:2525"))
    # no authority answers here: Caddy signs certificates itself, as nginx has one that install.sh made
    file.write_text(file.read_text().replace("{\n\tservers", "{\n\tlocal_certs\n\tservers", 1))


def test_a_release_that_cannot_be_installed_changes_nothing(machine: Machine, proxy: str) -> None:
    before, lock = (current(machine), releases(machine)), machine.root / "checkout/requirements.lock"
    right = lock.read_text()
    lock.write_text("flask==0.0.0\n")
    assert "Installing" in install(machine, proxy, check=False)
    lock.write_text(right)
    assert (current(machine), releases(machine)) == before


def test_a_caddyfile_with_other_sites_is_left_as_it_is(machine: Machine, proxy: str) -> None:
    if proxy == "nginx":
        return  # it has a file for each site
    file = machine.root / FILES[proxy]
    ours = file.read_text()
    file.write_text("wiki.example.org {\n\trespond wiki\n}\n")
    assert "is in use: add what is in deploy/Caddyfile" in install(machine, proxy, check=False)
    assert file.read_text() == "wiki.example.org {\n\trespond wiki\n}\n"
    file.write_text(ours)


def test_systemd_runs_it_people_log_in_and_an_upgrade_refuses_no_visitor(machine: Machine, proxy: str) -> None:
    with machine.boot():
        assert eventually(lambda: states(machine) == ["active"] * 4, 60), machine.run("journalctl", "-n", "60")
        assert machine.run("systemd-analyze", "verify", *(f"/etc/systemd/system/{unit}" for unit in UNITS)) == ""
        assert (machine.root / HUGE_PAGES).read_text() == "always"
        account = ("accounts", "create", "--username", "ada", "--name", "Ada", "--email", "ada@example.org")
        assert "Created ada." in machine.run("nightlatch", *account, "--email-confirmed", typed=f"{PASSWORD}\n")
        assert log_in(machine) == [303, "/"]
        assert "Database: fine" in machine.run("nightlatch", "check", check=False)

        seen = under_load(machine, "systemctl", "reload", "nightlatch-web")
        assert set(seen) == {"200"}, seen
        before, written = current(machine), written_once(machine, proxy)
        seen = under_load(machine, "/checkout/deploy/install.sh", HOST, proxy)
        assert set(seen) == {"200"}, seen
        assert current(machine) == releases(machine)[-1] != before
        assert written_once(machine, proxy) == written
        assert states(machine) == ["active"] * 4
        assert log_in(machine) == [303, "/"], "the account is there after the upgrade"
        machine.run("systemctl", "start", "nightlatch-purge.service")
        if proxy == "caddy":  # nginx counts itself, which tests/test_deploy.py asks
            assert json.loads(machine.run(PYTHON, "-c", MANY_CONNECTIONS)) == [100, 20]
        (machine.root / SETTINGS).write_text(f"{written[0]}NIGHTLATCH_SIGNUP=closed\n")
        before = current(machine)
        said = machine.run("/checkout/deploy/install.sh", HOST, proxy, check=False)
        assert "NIGHTLATCH_SIGNUP is not a setting; the most similar one is NIGHTLATCH_SIGN_UP. Change it" in said
        assert (current(machine), states(machine)) == (before, ["active"] * 4)
        owner = machine.run("stat", "-c", "%U %a", "/var/lib/nightlatch", "/var/lib/nightlatch/nightlatch.sqlite3")
        assert owner.splitlines() == ["nightlatch 700", "nightlatch 600"]
