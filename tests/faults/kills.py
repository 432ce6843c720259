"""200 processes of the site are killed at random moments of enrollments and log-ins, on each database."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.models.test_migrations import url as url  # the fixture
from webapp.settings import ROOT

KILLS = 200


@pytest.mark.parametrize("seed", [20261127])
def test_a_killed_process_leaves_all_of_a_change_or_nothing_and_loses_nothing_confirmed(
    tmp_path: Path, url: str, seed: int
) -> None:
    command = [sys.executable, "-m", "tests.faults.killed", url, str(tmp_path), str(KILLS), str(seed)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1800, check=False)
    assert done.returncode == 0, done.stderr
    came = json.loads(done.stdout.splitlines()[-1])
    assert sum(came.values()) == KILLS
    assert len(came) >= 3, "the moments are not spread"
