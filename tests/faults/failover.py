"""The primary of three PostgreSQL servers dies or stops while people log in, and another one takes over."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from bench.server import Server, running
from tests.faults.log_ins import ACKNOWLEDGED, GIVEN_UP, REFUSED, LogIns
from tests.faults.postgres import TTL, Cluster, Node, cluster
from tests.test_processes import eventually

RECOVERS = 30  # seconds
LOAD_BEFORE, LOAD_AFTER = 5, 10
FAULTS = {"killed": Node.kill, "stopped": Node.freeze}
ACCOUNTS = 4000


@pytest.fixture(scope="module")
def three() -> Iterator[Cluster]:
    with cluster() as three:
        yield three


@pytest.fixture(scope="module")
def server(three: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("site")
    settings = {"NIGHTLATCH_DATABASE_URL": three.url, "NIGHTLATCH_TRUSTED_PROXIES": "1"}
    with running(folder, settings, workers=2, accounts=ACCOUNTS) as server:
        yield server


@pytest.fixture(scope="module")
def log_ins(server: Server) -> LogIns:
    return LogIns(server)


@pytest.mark.parametrize("fault", FAULTS)
def test_the_site_recovers_and_nothing_that_was_acknowledged_is_lost(
    three: Cluster, log_ins: LogIns, fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert eventually(three.is_whole, 60), three.log()
    leader = three.leader()
    assert leader is not None
    first = len(log_ins.done)
    with log_ins.going_on():
        time.sleep(LOAD_BEFORE)
        began = time.monotonic()
        FAULTS[fault](leader)
        others = [node for node in three.nodes if node is not leader]
        assert eventually(lambda: any(node.ask("/primary")[0] == 200 for node in others), 2 * TTL), three.log()
        elected = time.monotonic() - began
        time.sleep(LOAD_AFTER)
    back = log_ins.back_after(began)
    now = log_ins.done[first:]
    told = [made for made in now if made.outcome == ACKNOWLEDGED]
    after = [made for made in told if made.tried[-1][0] >= began + back]
    with capsys.disabled():
        print(
            f"\n{fault}: another leader after {elected:.1f} s, log-ins again after {back:.1f} s,"
            f" {len(told)} log-ins acknowledged, {len(after)} of them after that,"
            f" {len([m for m in now if m.outcome == REFUSED])} codes refused when they were sent again,"
            f" {len([m for m in now if m.outcome == GIVEN_UP])} given up"
        )
    if fault == "stopped":
        leader.thaw()  # it must not go on as a primary
    else:
        leader.start()
    assert eventually(three.is_whole, 60), three.log()
    assert back < RECOVERS
    assert after
    assert all(eventually(lambda made=made: log_ins.is_in(made), 5) for made in told), "an acknowledged session is lost"
    assert_no_code_was_accepted_twice(three, log_ins)


def assert_no_code_was_accepted_twice(three: Cluster, log_ins: LogIns) -> None:
    """Each account sent one code, several times when there was no answer."""
    engine = create_engine(three.url)
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT account_id, count(*) FROM sessions GROUP BY account_id")).all()
    engine.dispose()
    sessions = dict(map(tuple, rows))
    assert set(sessions.values()) == {1}
    assert {made.account for made in log_ins.of(ACKNOWLEDGED)} <= set(sessions)
    latest = log_ins.of(ACKNOWLEDGED)[-20:]
    assert not any(log_ins.try_once(made) for made in latest), "a code was accepted again"
