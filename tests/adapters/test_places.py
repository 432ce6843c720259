"""With a missing or broken database of places, or an unknown address, the place is empty and nothing is raised."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from webapp.adapters.embedded import NoPlaces
from webapp.adapters.places import FilePlaces
from webapp.domain.language import Language, speaking
from webapp.settings import ROOT

MARK = b"\xab\xcd\xefMaxMind.com"


def written(value: Any) -> bytes:
    """A value in the format of the MaxMind DB File Format Specification 2.0."""
    if isinstance(value, str):
        raw = value.encode()
        size = bytes([2 << 5 | len(raw)]) if len(raw) < 29 else bytes([2 << 5 | 29, len(raw) - 29])
        return size + raw
    if isinstance(value, dict):
        return bytes([7 << 5 | len(value)]) + b"".join(written(k) + written(v) for k, v in value.items())
    if isinstance(value, list):
        return bytes([len(value), 11 - 7]) + b"".join(written(v) for v in value)
    raw = struct.pack("!I", value)
    return bytes([6 << 5 | 4]) + raw


def database(folder: Path, found: Any) -> Path:
    """A database with this entry for every address below 128.0.0.0 and none for the others."""
    node = (1 + 16).to_bytes(3) + (1).to_bytes(3)
    facts = {
        "node_count": 1,
        "record_size": 24,
        "ip_version": 4,
        "database_type": "Test",
        "languages": ["en"],
        "binary_format_major_version": 2,
        "binary_format_minor_version": 0,
        "build_epoch": 1,
        "description": {"en": "Test"},
    }
    path = folder / "places.mmdb"
    path.write_bytes(node + bytes(16) + written(found) + MARK + written(facts))
    return path


BERLIN = {"city": {"names": {"en": "Berlin", "fr": "Berlin (fr)"}}, "country": {"names": {"en": "Germany"}}}


def test_a_place_is_a_city_and_a_country_in_the_readers_language(tmp_path: Path) -> None:
    places = FilePlaces(database(tmp_path, BERLIN))
    assert places.near("10.1.2.3") == "Berlin, Germany"
    with speaking(Language("fr", "Français")):
        assert places.near("10.1.2.3") == "Berlin (fr), Germany"
    with speaking(Language("de_AT", "Deutsch")):
        assert places.near("10.1.2.3") == "Berlin, Germany"


@pytest.mark.parametrize("address", ["203.0.113.9", "2001:db8::1", "nowhere", ""])
def test_an_address_without_an_entry_has_no_place(tmp_path: Path, address: str) -> None:
    assert FilePlaces(database(tmp_path, BERLIN)).near(address) is None


@pytest.mark.parametrize("found", ["Berlin", {}, {"city": "Berlin"}, {"city": {"names": "x"}}, {"city": {"names": {}}}])
def test_an_entry_of_another_shape_gives_no_place(tmp_path: Path, found: Any) -> None:
    assert FilePlaces(database(tmp_path, found)).near("10.1.2.3") is None


def test_a_file_that_is_overwritten_while_it_is_read_ends_no_process(tmp_path: Path) -> None:
    """As `wget -O` and `cp` do; in a process of its own, because the signal cannot be handled."""
    path = database(tmp_path, BERLIN)
    code = (
        "import sys; from pathlib import Path; from webapp.adapters.places import FilePlaces;"
        "places = FilePlaces(Path(sys.argv[1])); print(places.near('10.1.2.3'));"
        "Path(sys.argv[1]).open('w').close(); print(places.near('10.1.2.3'))"
    )
    told = subprocess.run([sys.executable, "-c", code, str(path)], cwd=ROOT, capture_output=True, text=True)
    assert (told.returncode, told.stdout) == (0, "Berlin, Germany\nNone\n")


def test_a_file_that_is_no_database_gives_no_place(tmp_path: Path) -> None:
    (tmp_path / "places.mmdb").write_text("nothing of the kind")
    assert FilePlaces(tmp_path / "places.mmdb").near("10.1.2.3") is None
    assert FilePlaces(tmp_path / "none.mmdb").near("10.1.2.3") is None
    assert NoPlaces().near("10.1.2.3") is None
