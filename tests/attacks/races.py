"""Two processes of the site that answer at the same time: what may happen once must happen once in both together."""

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
    """Two processes that serve all tests of a module."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.attacks.racer"]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self._two = [subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL, **pipes) for _ in range(2)]

    def race(self, site: Site, environ: dict[str, str], requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
        job = {"environ": environ, "instance": str(site.services.settings.instance), "now": site.clock.now()}
        for number, process in enumerate(self._two):
            self._say(process, json.dumps({**job, "requests": requests[number::2]}))
        for process in self._two:
            assert self._hear(process) == "ready\n"
        for process in self._two:
            self._say(process, "go")
        answers = [answer for process in self._two for answer in json.loads(self._hear(process))]
        assert len(answers) == len(requests)
        assert all(answer["status"] < 500 for answer in answers), answers
        return answers

    def close(self) -> None:
        for process in self._two:
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
