"""The time of the page after a text message was requested, while the gateway is slow."""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

from webapp.settings import ROOT

from .person import Person
from .server import running

STALL_SECONDS = 5
PEOPLE = 15  # at most 20 text messages an hour go out for one network address


class Stalling(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        time.sleep(STALL_SECONDS)
        self.send_error(503)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def stalling_gateway() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Stalling) as server:
        server.daemon_threads = True
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def page_after_a_text() -> float:
    """Seconds from the POST of a phone number to the page for its code; the median."""
    with TemporaryDirectory() as folder, stalling_gateway() as url:
        settings = {
            "NIGHTLATCH_VONAGE_API_KEY": "bench",
            "NIGHTLATCH_VONAGE_API_SECRET": "bench",
            "NIGHTLATCH_SMS_FROM": "Nightlatch",
            "NIGHTLATCH_VONAGE_URL": url,
        }
        with running(Path(folder), settings, workers=1, accounts=PEOPLE) as server:
            command = [sys.executable, "-m", "flask", "--app", "wsgi", "messages", "work"]
            worker = subprocess.Popen(command, env=server.environ, cwd=ROOT, stdout=subprocess.DEVNULL)
            try:
                return statistics.median(_ask(Person(server), number) for number in range(1, PEOPLE + 1))
            finally:
                worker.terminate()
                worker.wait()


def _ask(person: Person, number: int) -> float:
    person.log_in(number)
    page = person.send("/settings/account/phone")[1]
    token = re.search(rb'name="csrf_token" value="([^"]+)"', page)
    assert token is not None, page
    form = {"csrf_token": token[1].decode(), "country": "GB", "phone": f"07400 {number:02d}3456"}
    begun = time.perf_counter()
    status, body = person.send("/settings/account/phone", form)
    assert status == 303, (status, body)
    status, body = person.send("/settings/account/phone/code")
    took = time.perf_counter() - begun
    assert status == 200, (status, body)
    assert b"Check your phone" in body, body
    return took
