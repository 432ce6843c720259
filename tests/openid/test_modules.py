"""Every module of the mirrored plans has a test of the same name, and the list of modules is whole."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
LIST = HERE / "modules.tsv"
MODULES = {"Basic OP": 38, "Config OP": 1, "RP-Initiated Logout OP": 11, "Back-Channel Logout OP": 2, "FAPI 2.0": 54}
"""How many modules a plan has; of FAPI 2.0, without request objects and national profiles."""


@dataclass(frozen=True)
class Row:
    plan: str
    module: str
    test: str

    @property
    def name(self) -> str:
        short = self.module.replace("fapi2-security-profile-final-", "fapi2-")
        return f"test_{short.replace('-', '_').lower()}"


def rows() -> list[Row]:
    lines = [line for line in LIST.read_text().splitlines() if line and not line.startswith("#")]
    return [Row(*line.split("\t")) for line in lines]


def test_the_list_has_every_module_once() -> None:
    assert Counter(row.plan for row in rows()) == MODULES
    assert set(Counter(row.module for row in rows()).values()) == {1}


def test_every_module_has_a_test_of_its_name() -> None:
    missing = []
    for row in rows():
        path, _, name = row.test.partition("::")
        source = (HERE.parent / path).read_text()
        if name != row.name or not re.search(rf"^def {name}\(", source, re.MULTILINE):
            missing.append(row.module)
    assert missing == []
