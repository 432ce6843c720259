"""No secret is committed: detect-secrets reads every text file that git knows.

Tests contain invented passwords, keys and tokens, so in tests/ only the token formats of real services and private
keys are searched for. tests/allowed_secrets.toml lists the exceptions elsewhere, with the reason.
"""

from __future__ import annotations

import subprocess
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest
from detect_secrets import SecretsCollection
from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
from detect_secrets.settings import transient_settings

ROOT = Path(__file__).resolve().parent.parent
ALLOWED = tomllib.loads((ROOT / "tests/allowed_secrets.toml").read_text())["allowed"]
DETECTORS = {detector.__name__ for detector in get_mapping_from_secret_type_to_class().values()}
GUESSES = {"KeywordDetector", "Base64HighEntropyString", "HexHighEntropyString", "BasicAuthDetector"}
"""These detectors judge by the name beside a value, or by how random a value looks."""
NO_SECRETS = {"IPPublicDetector"}
PUBLISHED = {
    "webapp/services/common_passwords.txt",  # a public list of passwords that are refused
    "webapp/methods/authenticators.tsv",  # identifiers that vendors publish
    "tests/webauthn_vectors.json",  # the test vectors of the WebAuthn specification
}
NOT_READ = {".png", ".ico", ".po", ".pot"}
"""Images, and catalogues: they repeat sentences of files that are read, and take minutes."""


def committed() -> list[str]:
    told = subprocess.check_output(["git", "ls-files", "-z"], cwd=ROOT, text=True)
    files = [file for file in told.split("\0") if file and (ROOT / file).is_file()]
    return [file for file in files if file not in PUBLISHED and Path(file).suffix not in NOT_READ]


def found(files: list[Path], detectors: set[str]) -> Iterator[tuple[str, str, str]]:
    """The file (relative to the root where it is below it), the detector's name for the kind, and the line."""
    secrets = SecretsCollection()
    with transient_settings({"plugins_used": [{"name": name} for name in sorted(detectors)]}):
        for file in files:
            secrets.scan_file(str(file))
    for name, secret in secrets:
        path = Path(name)
        shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
        yield shown.as_posix(), secret.type, path.read_text().splitlines()[secret.line_number - 1].strip()


def matches(entry: dict[str, str], file: str, kind: str, line: str) -> bool:
    return fnmatch(file, entry["file"]) and entry["kind"] == kind and entry["line"] in line


def test_no_file_has_a_secret_and_every_exception_is_still_used() -> None:
    ours = [ROOT / file for file in committed() if not file.startswith("tests/")]
    assert ours
    secrets = list(found(ours, DETECTORS - NO_SECRETS))
    new = [secret for secret in secrets if not any(matches(entry, *secret) for entry in ALLOWED)]
    stale = [entry for entry in ALLOWED if not any(matches(entry, *secret) for secret in secrets)]
    assert not new
    assert not stale


def test_no_test_has_a_token_of_a_real_service() -> None:
    tests = [ROOT / file for file in committed() if file.startswith("tests/")]
    assert tests
    assert not list(found(tests, DETECTORS - NO_SECRETS - GUESSES))


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("-----BEGIN " + "EC PRIVATE KEY-----", "Private Key"),
        ("key: AKIA" + "Q3EGRI7NOTREAL12", "AWS Access Key"),
        ("token: ghp_" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0dF3gHi", "GitHub Token"),
    ],
)
def test_a_secret_is_found(tmp_path: Path, line: str, kind: str) -> None:
    file = tmp_path / "notes.txt"
    file.write_text(f"{line}\n")
    assert kind in {secret[1] for secret in found([file], DETECTORS - NO_SECRETS - GUESSES)}


def test_an_exception_is_for_its_line_only(tmp_path: Path) -> None:
    entry = ALLOWED[0]
    assert matches(entry, "README.md", entry["kind"], f"before {entry['line']} after")
    assert not matches(entry, "README.md", entry["kind"], "smtp://ada:engine@mail.example.org")
