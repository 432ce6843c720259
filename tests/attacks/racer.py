"""A process of the site for the tests of concurrency: it reads requests, waits for "go", and sends all of them at once.

Run by `races.py`; one JSON line in, one out.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

from flask import Flask

from tests.doubles import CheapHasher, FakeClock
from webapp import create_app
from webapp.settings import Settings

CLOCK = FakeClock()
APPS: dict[str, Flask] = {}


def app_of(job: dict[str, Any]) -> Flask:
    """The site, which is the same for all races of a test."""
    key = json.dumps([job["environ"], job["instance"]])
    if key not in APPS:
        for earlier in APPS.values():
            earlier.extensions["nightlatch"].db.engine.dispose()
        APPS.clear()
        settings = Settings.read(job["environ"], Path(job["instance"]))
        APPS[key] = create_app(settings, clock=CLOCK, hasher=CheapHasher())
    return APPS[key]


def race(job: dict[str, Any]) -> None:
    app = app_of(job)
    CLOCK.turn_to(job["now"])
    barrier, answers = Barrier(len(job["requests"]) + 1), []

    def run(wanted: dict[str, Any]) -> None:
        client, host = app.test_client(), wanted.get("host", "nightlatch.localhost:5000")
        for name, value in wanted["cookies"].items():
            client.set_cookie(name, value, domain=host.split(":")[0])
        barrier.wait()
        response = client.open(
            wanted["path"],
            method=wanted.get("method", "POST"),
            data=wanted["data"],
            headers=wanted.get("headers"),
            base_url=f"http://{host}",
            environ_overrides={"REMOTE_ADDR": wanted["address"]},
        )
        session = client.get_cookie("session", domain="nightlatch.localhost")
        answers.append(
            {
                "status": response.status_code,
                "to": response.headers.get("Location"),
                "session": session.value if session else None,
                "data": wanted["data"],
            }
        )

    threads = [Thread(target=run, args=(wanted,)) for wanted in job["requests"]]
    for thread in threads:
        thread.start()
    print("ready", flush=True)  # noqa: T201
    sys.stdin.readline()
    barrier.wait()
    for thread in threads:
        thread.join()
    db = app.extensions["nightlatch"].db
    if db.is_sqlite:  # else its log stays beside the file
        db.engine.dispose()
    print(json.dumps(answers), flush=True)  # noqa: T201


if __name__ == "__main__":
    for line in sys.stdin:
        race(json.loads(line))
