"""`make test-deploy`: builds deploy/Containerfile on a Debian of its own, and runs it as deploy/compose.yaml does."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import pytest

from tests.deploy.machine import Machine
from tests.test_processes import eventually, serving
from webapp.settings import ROOT

BASE, IMAGE = "localhost/nightlatch-test-base", "localhost/nightlatch-test"


def podman(*words: str, check: bool = True) -> str:
    told = subprocess.run(["podman", *words], cwd=ROOT, text=True, capture_output=True, check=False)
    assert not check or told.returncode == 0, told.stdout[-1000:] + told.stderr[-2000:]
    return told.stdout


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("image")
    machine = Machine(folder / "root", "python3-venv")  # as the usual base has it
    tar = folder / "base.tar"
    subprocess.run(["tar", "-C", str(machine.root), "-cf", str(tar), "."], check=True)
    changes = [f"--change=ENV {name}={value}" for name, value in machine.environment.items()]
    try:
        podman("import", *changes, str(tar), BASE)
        build = ("build", "--network=host", "--format=docker", "--isolation=chroot", f"--build-arg=BASE={BASE}")
        podman(*build, "-f", "deploy/Containerfile", "-t", IMAGE, ".")
        yield IMAGE
    finally:
        podman("rmi", "--force", IMAGE, BASE, check=False)


def test_the_image_serves_without_root_and_with_a_root_that_cannot_be_written(image: str) -> None:
    given = serving(8000, NIGHTLATCH_MAIL_URL="smtp://127.0.0.1:1", NIGHTLATCH_BIND="0.0.0.0:8000")
    settings = [f"--env={name}={value}" for name, value in given.items()]
    how = ("--detach", "--network=none", "--cgroups=disabled", "--read-only", "--tmpfs=/tmp", "--cap-drop=ALL")
    container = podman("run", *how, "--security-opt=no-new-privileges", *settings, image).strip()
    try:
        assert eventually(lambda: '"database": true' in ask(container, "/readyz"), 60), podman("logs", container)
        podman("healthcheck", "run", container)
        assert podman("exec", container, "id", "-u").strip() == "10001"
        assert podman("exec", container, "sh", "-c", "touch /opt/nightlatch/x 2>&1 || true").endswith(
            "Read-only file system\n"
        )
        (found,) = json.loads(podman("inspect", container))
        assert found["Config"]["User"] == "10001:10001"
    finally:
        podman("rm", "--force", "--time=5", container)


def ask(container: str, path: str) -> str:
    code = f"from urllib.request import urlopen; print(urlopen('http://127.0.0.1:8000{path}').read().decode())"
    return podman("exec", container, "python", "-c", code, check=False).strip()
