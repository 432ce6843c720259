"""Processes of the site that answer at the same time: what may happen once must happen once in all together."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from tests.attacks.tools import cookies_of
from tests.conftest import Site
from tests.people import Person
from webapp.settings import ROOT


class Racers:
    """Processes that serve all tests of a module."""

    def __init__(self, processes: int = 2) -> None:
        command = [sys.executable, "-m", "tests.attacks.racer"]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self._all = [subprocess.Popen(command, cwd=ROOT, **pipes) for _ in range(processes)]

    def race(
        self, site: Site, environ: dict[str, str], requests: list[dict[str, Any]], *, may_be_busy: bool = False
    ) -> list[dict[str, Any]]:
        """The answers. With `may_be_busy` some may be 503, where so many wait for one lock."""
        job = {"environ": environ, "instance": str(site.services.settings.instance), "now": site.clock.now()}
        for number, process in enumerate(self._all):
            self._say(process, json.dumps({**job, "requests": requests[number :: len(self._all)]}))
        for process in self._all:
            assert self._hear(process) == "ready\n"
        for process in self._all:
            self._say(process, "go")
        answers = [answer for process in self._all for answer in json.loads(self._hear(process))]
        assert len(answers) == len(requests)
        statuses = [answer["status"] for answer in answers]
        assert all(status < 500 or (status == 503 and may_be_busy) for status in statuses), statuses
        return answers

    def close(self) -> None:
        for process in self._all:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.close()
            process.wait(20)
            process.stdout.close()

    def _say(self, process: subprocess.Popen[str], line: str) -> None:
        assert process.stdin is not None
        process.stdin.write(f"{line}\n")
        process.stdin.flush()

    def _hear(self, process: subprocess.Popen[str]) -> str:
        assert process.stdout is not None
        return process.stdout.readline()


def request_of(browser: Person, path: str, number: int = 0, **fields: str) -> dict[str, Any]:
    """The request that the form of the present page would send."""
    data = {"csrf_token": browser.token(), **fields}
    return {"path": path, "cookies": cookies_of(browser), "data": data, "address": f"198.51.100.{number}"}
