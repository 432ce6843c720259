"""`make test-deploy`: what hadolint and podman-compose say of the files for containers."""

from __future__ import annotations

import os
import subprocess

import yaml

from webapp.settings import ROOT

TOOLS = ROOT / ".deploy"
OPTIONS = {"cwd": ROOT, "text": True, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "check": False}


def test_hadolint_finds_nothing() -> None:
    told = subprocess.run([TOOLS / "bin/hadolint", "--no-color", "deploy/Containerfile"], **OPTIONS)
    assert (told.returncode, told.stdout) == (0, "")


def test_the_services_are_read_as_they_are_meant() -> None:
    environ = {**os.environ, "PYTHONPATH": str(TOOLS), "POSTGRES_PASSWORD": "only-for-this-test"}
    command = [TOOLS / "bin/podman-compose", "-f", "deploy/compose.yaml", "config"]
    told = subprocess.run(command, env=environ, **OPTIONS)
    assert told.returncode == 0, told.stdout
    services = yaml.safe_load(told.stdout)["services"]
    assert sorted(services) == ["postgres", "valkey", "web", "worker"]
    url = "postgresql+psycopg://nightlatch:only-for-this-test@postgres/nightlatch"
    assert {services[name]["environment"]["NIGHTLATCH_DATABASE_URL"] for name in ("web", "worker")} == {url}
