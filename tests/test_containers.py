"""deploy/Containerfile and deploy/compose.yaml: what holds without an engine. `make test-deploy` lints both too."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.test_processes import serving
from webapp.settings import ROOT

CONTAINERFILE = (ROOT / "deploy/Containerfile").read_text()
COMPOSE = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PINNED = re.compile(r"[\w.-]+(/[\w.-]+)+:\d+\.\d+(\.\d+)?(-[a-z]+)+")
"""A registry, a name, and a version with the release of Debian."""


def instructions() -> list[tuple[str, str]]:
    lines = re.sub(r"^#.*\n", "", CONTAINERFILE, flags=re.MULTILINE).replace("\\\n", "")
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in lines.splitlines() if line)]


def last(name: str) -> str:
    return [rest for given, rest in instructions() if given == name][-1]


def copied() -> list[str]:
    """The files and folders that the image has, relative to the root."""
    given = [rest.split()[:-1] for name, rest in instructions() if name == "COPY" and "--from" not in rest]
    return [source for sources in given for source in sources]


def test_the_base_is_pinned_and_the_user_is_not_root() -> None:
    assert PINNED.fullmatch(last("ARG").removeprefix("BASE="))
    assert {rest.split()[0] for name, rest in instructions() if name == "FROM"} == {"${BASE}"}
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", last("USER"))
    names = [name for name, _ in instructions()]
    assert "RUN" not in names[len(names) - names[::-1].index("USER") :], "nothing is done after it"


def test_the_image_has_all_that_the_site_needs_and_the_context_nothing_else(tmp_path: Path) -> None:
    allowed = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    assert sorted(allowed) == sorted(copied())
    for source in copied():
        copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy
        copy(ROOT / source, tmp_path / source)
    given = serving(8000, NIGHTLATCH_MAIL_URL="smtp://127.0.0.1:1")
    settings = {**given, "NIGHTLATCH_DATABASE_URL": f"sqlite:///{tmp_path / 'site.sqlite3'}"}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("NIGHTLATCH_")}
    code = (
        "from webapp.models.migrate import migrate; from webapp.settings import Settings; import os\n"
        "migrate(Settings.read(os.environ).database_url)\n"
        "import wsgi; print(wsgi.app.test_client().get('/log-in', base_url=wsgi.settings.main_url).status)"
    )
    options: dict[str, Any] = {"cwd": tmp_path, "env": {**inherited, **settings}, "text": True}
    assert (
        subprocess.check_output([sys.executable, "-P", "-c", f"import sys; sys.path.insert(0, '.')\n{code}"], **options)
        == "200 OK\n"
    )


def test_the_image_says_whether_it_is_healthy() -> None:
    health = last("HEALTHCHECK")
    command = json.loads(health[health.index("[") :])
    assert command[0] == "python"
    compile(command[2], "health check", "exec")
    assert "/healthz" in command[2]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_pinned_and_cannot_gain_privileges(name: str) -> None:
    service = SERVICES[name]
    assert "build" in service or PINNED.fullmatch(service["image"])
    assert "no-new-privileges:true" in service["security_opt"]
    assert not service.get("privileged")
    assert name == "postgres" or (service["read_only"], service["cap_drop"]) == (
        True,
        ["ALL"],
    )  # its start changes user
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    assert service["networks"] == ["inside", "outside"] if "build" in service else ["inside"]
    for other, state in service.get("depends_on", {}).items():
        assert state == {"condition": "service_healthy"}
        assert "healthcheck" in SERVICES[other] or "build" in SERVICES[other], "the image of the site has its own"


def test_databases_are_not_reachable_from_outside() -> None:
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    published = [name for name, service in SERVICES.items() if "ports" in service]
    assert published == ["web"]


def test_no_secret_is_in_the_files_and_every_setting_is_known() -> None:
    documented = set(re.findall(r"NIGHTLATCH_[A-Z_]+", (ROOT / "README.md").read_text())) | {"NIGHTLATCH_SERVING"}
    example = (ROOT / "deploy/systemd/environment.example").read_text()
    assert set(re.findall(r"^NIGHTLATCH_[A-Z_]+", example, re.MULTILINE)) <= documented
    for name, service in SERVICES.items():
        for variable, value in service.get("environment", {}).items():
            assert variable in {*documented, "PROMETHEUS_MULTIPROC_DIR"} or name == "postgres", variable
            assert "PASSWORD" not in variable or value.startswith("${"), variable
    assert not re.search(r"(SECRET_KEY|ENCRYPTION_KEYS|PASSWORD|TOKEN)=\S", CONTAINERFILE + example)
