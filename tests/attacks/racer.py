"""A process of the site for the tests of concurrency: it reads requests, waits for "go", and sends all of them at once.

Run by `races.py`; one JSON line in, one out.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

from tests.doubles import CheapHasher, FakeClock
from webapp import create_app
from webapp.settings import Settings


def race(job: dict[str, Any]) -> None:
    settings = Settings.read(job["environ"], Path(job["instance"]))
    app = create_app(settings, clock=FakeClock(job["now"]), hasher=CheapHasher())
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
    app.extensions["nightlatch"].db.engine.dispose()
    print(json.dumps(answers), flush=True)  # noqa: T201


if __name__ == "__main__":
    for line in sys.stdin:
        race(json.loads(line))
