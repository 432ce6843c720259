"""The lock files: whole, with hashes, and of one version each; the list of licences is of the same versions."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SITE, DEV, TRACING = "requirements.lock", "requirements-dev.lock", "requirements-tracing.lock"
OWN = PROJECT["project"]["dependencies"]
TRACES = PROJECT["project"]["optional-dependencies"]["tracing"]
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def locked(name: str) -> Iterator[tuple[Requirement, str]]:
    """Each requirement of a lock file, and its hashes."""
    text = re.sub(r"^#.*\n", "", (ROOT / name).read_text(), flags=re.MULTILINE)
    for entry in re.split(r"(?<!\\)\n", text.strip()):
        requirement, _, hashes = entry.replace("\\\n", "").partition(" --hash=")
        yield Requirement(requirement.strip()), f"--hash={hashes}"


def versions(name: str) -> dict[str, str]:
    """The version of each package that is installed here."""
    here = (r for r, _ in locked(name) if r.marker is None or r.marker.evaluate())
    return {canonicalize_name(r.name): str(r.specifier).removeprefix("==") for r in here}


@pytest.mark.parametrize("name", [SITE, DEV, TRACING])
def test_each_line_has_one_version_and_hashes(name: str) -> None:
    for requirement, hashes in locked(name):
        assert re.fullmatch(r"==[\w.+!]+", str(requirement.specifier)), requirement
        assert all(HASH.fullmatch(one) for one in hashes.split()), requirement
    assert "://" not in (ROOT / name).read_text(), "an index of one machine is no part of a lock file"


@pytest.mark.parametrize(
    ("name", "wanted"),
    [(SITE, OWN), (TRACING, OWN + TRACES), (DEV, OWN + TRACES + PROJECT["dependency-groups"]["dev"])],
)
def test_what_the_project_names_is_locked_in_a_version_that_it_allows(name: str, wanted: list[str]) -> None:
    there = versions(name)
    for requirement in map(Requirement, wanted):
        version = there[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version, prereleases=True), requirement


def test_the_lock_files_agree() -> None:
    everything = versions(DEV).items()
    assert versions(SITE).items() <= versions(TRACING).items() <= everything


def test_the_list_of_licences_is_of_the_locked_versions() -> None:
    """What only some Pythons or systems need is on it where the one that wrote it needs it."""
    rows = re.findall(r"^\| (\S+) +\| (\S+) +\| (.+?) +\|$", (ROOT / "docs/licences.md").read_text(), re.MULTILINE)
    listed = {canonicalize_name(name): version for name, version, _ in rows if name != "Name"}
    locks = [(canonicalize_name(r.name), str(r.specifier).removeprefix("=="), r.marker) for r, _ in locked(SITE)]
    assert listed.items() <= {(name, version) for name, version, _ in locks}, "run make licences"
    assert {name for name, _, marker in locks if marker is None} <= listed.keys(), "run make licences"
    assert "UNKNOWN" not in {licence for _, _, licence in rows}
