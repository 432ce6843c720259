"""More log-ins at once than the processors can hash: the rest is answered 503 in time, and pages go on."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.served import Served, served
from tests.wire import Answer, Client
from webapp.policy import Policy

AT_ONCE = 48
SLOW = {"NIGHTLATCH_POLICY_ARGON2_MEMORY_KIB": "97280", "NIGHTLATCH_POLICY_ARGON2_PASSES": "10"}
"""A hash takes about 25 times as long as by default, so that few clients are too many."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path, NIGHTLATCH_TRUSTED_PROXIES="1", **SLOW) as server:
        yield server


def log_in(server: Served, number: int, token: str, cookies: dict[str, str]) -> Answer:
    client = Client(server.port, server.host)
    client.cookies = dict(cookies)
    form = {"csrf_token": token, "username": f"person-{number}", "password": "a wrong password"}
    answer = client.ask("/log-in", f"X-Forwarded-For: 198.51.{number}.7", form=form)
    client.close()
    return answer


def test_too_many_log_ins_at_once_are_answered_503_in_time_and_pages_are_not_delayed(server: Served) -> None:
    reader = Client(server.port, server.host)
    token, pages = reader.ask("/log-in").token, 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        sent = [pool.submit(log_in, server, number, token, reader.cookies) for number in range(AT_ONCE)]
        while not all(future.done() for future in sent):
            assert reader.ask("/about").status == 200
            pages += 1
            time.sleep(0.05)
    reader.close()
    answers = [future.result() for future in sent]
    statuses = Counter(answer.status for answer in answers)
    assert set(statuses) == {422, 503}, statuses
    assert statuses[422] >= Policy().hashes_at_once
    assert all(int(answer.headers["retry-after"]) > 0 for answer in answers if answer.status == 503)
    assert pages > 3, "a page waits for no log-in"
