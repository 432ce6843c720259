"""The units of deploy/systemd: what systemd itself says about them. `make test-deploy` boots a machine with them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.served import running
from tests.test_processes import ask, free_port, serving
from webapp.settings import ROOT

UNITS = ROOT / "deploy/systemd"
SERVICES = ["nightlatch-web.service", "nightlatch-worker.service", "nightlatch-purge.service"]
EXPOSED = 15
"""Tenths, of 100: the exposure that docs/operating.md states, with room for another version of systemd."""


def tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed; on Debian or Ubuntu: apt-get install systemd")
    return found


@pytest.mark.parametrize("unit", SERVICES)
def test_a_unit_leaves_little_exposed(tmp_path: Path, unit: str) -> None:
    shutil.copytree(UNITS, tmp_path / "etc/systemd/system")
    command = [tool("systemd-analyze"), "security", "--offline=true", f"--root={tmp_path}", f"--threshold={EXPOSED}"]
    told = subprocess.run([*command, "--no-pager", unit], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout[-200:] + told.stderr
    assert "Overall exposure level" in told.stdout


def test_the_web_server_reads_what_the_worker_counts() -> None:
    units = {name: (UNITS / f"nightlatch-{name}.service").read_text() for name in ("web", "worker")}
    folder = re.search("RuntimeDirectory=(.+)", units["worker"])
    assert folder is not None
    assert f"\nEnvironment=PROMETHEUS_MULTIPROC_DIR=/run/{folder[1]}\n" in units["worker"]
    assert f"\nEnvironment=NIGHTLATCH_WORKER_METRICS=/run/{folder[1]}\n" in units["web"]


def test_the_socket_of_systemd_is_served_and_a_connection_that_waits_for_the_start_is_answered(tmp_path: Path) -> None:
    port = free_port()
    settings = serving(
        port,
        NIGHTLATCH_MAIL_URL="smtp://127.0.0.1:1",
        NIGHTLATCH_DATABASE_URL=f"sqlite:///{tmp_path / 'site.sqlite3'}",
        NIGHTLATCH_BIND="127.0.0.1:1",  # which does not count
    )
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("NIGHTLATCH_")}
    options = {"env": {**inherited, **settings}, "cwd": ROOT, "stderr": subprocess.DEVNULL}
    names = [f"--setenv={name}" for name in settings]
    command = [tool("systemd-socket-activate"), f"--listen=127.0.0.1:{port}", *names, sys.executable, "-m"]
    # the first connection starts the program
    with running([*command, "webapp.serve", "web"], lambda: ask(port, "/healthz")[0] == 200, **options) as server:
        children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
        assert len(children) == 1, "the web server, and no worker"
