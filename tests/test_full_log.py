"""A site whose log cannot be written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.served import running
from tests.test_metrics_of_processes import told
from tests.test_processes import ask, eventually, free_port, serving
from webapp.settings import ROOT

INVITE = [sys.executable, "-m", "flask", "--app", "wsgi", "accounts", "invite", "--email", "ada@example.org"]


def test_a_log_on_a_full_disk_ends_neither_a_request_nor_the_worker(tmp_path: Path) -> None:
    port = free_port()
    more = {"NIGHTLATCH_MAIL_URL": "smtp://127.0.0.1:1", "NIGHTLATCH_DATABASE_URL": f"sqlite:///{tmp_path / 'site'}"}
    environ = {**os.environ, **serving(port, **more)}
    command, options = [sys.executable, "-m", "webapp.serve"], {"cwd": ROOT, "env": environ}
    with (
        Path("/dev/full").open("w") as full,
        running(
            command, lambda: ask(port, "/healthz")[0] == 200, stdout=full, stderr=subprocess.DEVNULL, **options
        ) as server,
    ):
        assert ask(port, "/oauth/authorize?client_id=none")[0] == 400, "this refusal is in the log"
        subprocess.run(INVITE, check=True, capture_output=True, **options)
        put_off = {"channel": "email", "outcome": "put-off"}
        assert eventually(lambda: told(port, "nightlatch_messages_total", **put_off) == 1), "and so is this"
        assert server.poll() is None
