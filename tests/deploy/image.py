"""`make test-deploy`: builds deploy/Containerfile on a Debian of its own, and runs the site that is in it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import pytest

from tests.deploy.machine import Machine
from tests.test_processes import serving
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


CODE = """
import os
from webapp.models.migrate import migrate
from webapp.settings import Settings
migrate(Settings.read(os.environ).database_url)
import wsgi
answer = wsgi.app.test_client().get("/log-in", base_url=wsgi.settings.main_url)
try:
    open("/opt/nightlatch/new", "w")
except OSError as error:
    print(answer.status, os.getuid(), error.strerror)
"""


def test_the_image_answers_without_root_and_with_a_root_that_cannot_be_written(image: str) -> None:
    """In namespaces of its own, since no container starts where control groups are of both versions, as in CI."""
    (found,) = json.loads(podman("inspect", image))
    assert found["Config"]["User"] == "10001:10001"
    assert found["Config"]["Cmd"] == ["python", "-m", "webapp.serve"]
    given = dict(line.split("=", 1) for line in found["Config"]["Env"])
    settings = {**given, **serving(8000, NIGHTLATCH_MAIL_URL="smtp://127.0.0.1:1"), "NIGHTLATCH_SERVING": "1"}
    root = podman("image", "mount", image).strip()
    begin = (
        'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && mount -t tmpfs tmpfs "$0/tmp"'
        ' && mount -t tmpfs -o uid=10001,gid=10001,mode=700 tmpfs "$0/var/lib/nightlatch"'
        ' && exec chroot --userspec=10001:10001 "$0" sh -c \'cd /opt/nightlatch && exec python -c "$0"\' "$1"'
    )
    command = ["unshare", "--mount", "--net", "sh", "-c", begin, root, CODE]
    told = subprocess.run(command, env=settings, text=True, capture_output=True, check=False)
    podman("image", "unmount", image)
    assert told.stdout.splitlines()[-1:] == ["200 OK 10001 Read-only file system"], told.stdout + told.stderr
