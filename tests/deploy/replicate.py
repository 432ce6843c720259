"""`make test-deploy`: docs/how-to/replicate-sqlite.md with a real Litestream. Only the paths are replaced."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from tests.served import PASSWORD, Served, served
from tests.wire import Client
from webapp import create_app
from webapp.settings import ROOT

GUIDE = (ROOT / "docs/how-to/replicate-sqlite.md").read_text()
LITESTREAM = ROOT / ".deploy/bin/litestream"
BEHIND = 5  # seconds that a copy may be behind, on a busy machine


@pytest.fixture
def put(tmp_path: Path) -> Callable[[str], str]:
    """A text of the guide with the paths of this test."""
    places = {
        "/var/lib/nightlatch/nightlatch.sqlite3": tmp_path / "site.sqlite3",
        "/var/lib/nightlatch": tmp_path,
        "/mnt/replica": tmp_path / "replica",
        "/etc/litestream.yml": tmp_path / "litestream.yml",
        "/tmp/trial": tmp_path / "trial",
    }

    def replaced(text: str) -> str:
        for place, here in places.items():
            text = text.replace(place, str(here))
        return text

    return replaced


def commands(word: str) -> list[str]:
    found = re.findall(rf"^litestream {word} .*$", GUIDE, re.MULTILINE)
    assert found
    return found


def test_a_lost_database_comes_back_with_all_but_its_last_seconds(tmp_path: Path, put: Callable[[str], str]) -> None:
    (configuration,) = re.findall(r"^```yaml\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
    (tmp_path / "litestream.yml").write_text(put(configuration))
    assert yaml.safe_load(configuration)["dbs"]
    restore, trial = (put(command).replace("litestream", str(LITESTREAM), 1).split() for command in commands("restore"))
    replicate = [str(LITESTREAM), *put(commands("replicate")[0]).split()[1:]]
    database = tmp_path / "site.sqlite3"
    with served(tmp_path) as server:
        litestream = subprocess.Popen(replicate, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            session = [logged_in(server) for _ in range(12)][-1]
            before = newest(database)
            time.sleep(BEHIND)
            subprocess.run(trial, check=True, capture_output=True)
            assert newest(tmp_path / "trial.sqlite3") == before
            logged_in(server)
        finally:
            litestream.send_signal(signal.SIGKILL)
            litestream.wait(30)
        os.kill(server.process.pid, signal.SIGKILL)
        settings = server.services.settings
    for file in (database, *tmp_path.glob("site.sqlite3-*")):
        file.unlink()
    subprocess.run(restore, check=True, capture_output=True)
    (tmp_path / "restored.sqlite3").rename(database)
    assert newest(database) >= before
    app = create_app(settings)
    assert "Every session" in app.test_cli_runner().invoke(args=["restored"]).output
    browser, url = app.test_client(), settings.main_url
    browser.set_cookie("session", session, domain=settings.main_host.partition(":")[0])
    assert browser.get("/settings", base_url=url).status_code == 303, "the session ended"
    assert "This site was restored from a backup" in browser.get("/log-in", base_url=url).text
    app.extensions["nightlatch"].db.engine.dispose()


def logged_in(server: Served) -> str:
    """The cookie of a new session of Ada's."""
    client = Client(server.port, server.host)
    client.log_in("ada", PASSWORD)
    client.close()
    return client.cookies["session"]


def newest(database: Path) -> int:
    """The number of the newest event, in a database that is whole."""
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return int(connection.execute("SELECT max(id) FROM activity").fetchone()[0])
