"""Each process of `make serve` answers `/metrics` for all of them."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.test_processes import Start, ask, eventually, serving
from tests.test_processes import port as port
from tests.test_processes import start as start
from tests.test_server import child_of, children_of
from tests.wire import Client

PAGES = 24


def told(port: int, name: str, **labels: str) -> float:
    status, text = ask(port, "/metrics")
    assert status == 200
    found = [s for family in text_string_to_metric_families(text) for s in family.samples if s.name == name]
    return sum(s.value for s in found if labels.items() <= s.labels.items())


def pages(port: int) -> float:
    name, labels = "nightlatch_request_duration_seconds_count", {"endpoint": "entrance.log_in", "status": "200"}
    return told(port, name, **labels)


def folder_of(pid: int) -> Path:
    variables = dict(part.partition("=")[::2] for part in Path(f"/proc/{pid}/environ").read_text().split("\0"))
    return Path(variables["PROMETHEUS_MULTIPROC_DIR"])


def ask_for_a_code(client: Client) -> None:
    person = {"name": "Ada", "username": "ada", "password": "analytical engine notes"}
    form = {"csrf_token": client.ask("/sign-up").token, **person}
    assert client.ask("/sign-up", form=form).status == 303
    form = {"csrf_token": client.ask("/sign-up/email").token, "email": "ada@example.org"}
    assert client.ask("/sign-up/email", form=form).status == 303
    client.close()


def test_counts_of_a_worker_that_runs_apart_are_told_by_the_web_server(start: Start, port: int, tmp_path: Path) -> None:
    """As under systemd and in containers."""
    folder = tmp_path / "nightlatch-worker"
    folder.mkdir()
    of_worker = {"NIGHTLATCH_WORKER_METRICS": str(folder)}
    settings: dict[str, Any] = serving(port, NIGHTLATCH_MAIL_URL="smtp://127.0.0.1:1", **of_worker)
    start("webapp.serve", "web", **settings)
    assert eventually(lambda: ask(port, "/healthz")[0] == 200)
    ask_for_a_code(Client(port, f"nightlatch.localhost:{port}"))
    put_off = {"channel": "email", "outcome": "put-off"}
    assert told(port, "nightlatch_messages_total", **put_off) == 0
    start("flask", "--app", "wsgi", "messages", "work", **settings, PROMETHEUS_MULTIPROC_DIR=str(folder))
    assert eventually(lambda: told(port, "nightlatch_messages_total", **put_off) == 1)


def test_counts_of_all_processes_are_added_and_survive_a_killed_one(start: Start, port: int) -> None:
    settings: dict[str, Any] = serving(port, NIGHTLATCH_MAIL_URL="smtp://127.0.0.1:1") | {"NIGHTLATCH_WORKERS": "2"}
    server = start("webapp.serve", **settings)
    assert eventually(lambda: ask(port, "/healthz")[0] == 200)
    web = child_of(server.pid, "gunicorn")
    folder = folder_of(web)
    asked = 0
    while asked < PAGES or not all((folder / f"histogram_{pid}.db").exists() for pid in children_of(web)):
        assert ask(port, "/log-in")[0] == 200
        asked += 1
        assert asked < 40 * PAGES, "one of the processes answers nothing"
    assert [pages(port) for _ in range(6)] == [asked] * 6

    ask_for_a_code(Client(port, f"nightlatch.localhost:{port}"))
    put_off = {"channel": "email", "outcome": "put-off"}
    assert eventually(lambda: told(port, "nightlatch_messages_total", **put_off) == 1), "counted by the worker"
    assert told(port, "nightlatch_messages_waiting", channel="email") == 1

    killed = next(iter(children_of(web)))
    (folder / f"gauge_livesum_{killed}.db").touch()  # as if it had hashed a password when it was killed
    os.kill(killed, signal.SIGKILL)
    assert eventually(lambda: len(children_of(web)) == 2 and killed not in children_of(web))
    assert eventually(lambda: not (folder / f"gauge_livesum_{killed}.db").exists())
    assert [pages(port) for _ in range(6)] == [asked] * 6

    server.send_signal(signal.SIGTERM)
    assert server.wait(30) == 0
    assert not folder.exists()
