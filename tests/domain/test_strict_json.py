from __future__ import annotations

import pytest

from webapp.domain import strict_json


def test_json_is_read() -> None:
    assert strict_json.read(b'{"a": [1, 2.5, null, "\\u00e9"]}') == {"a": [1, 2.5, None, "é"]}


@pytest.mark.parametrize("text", ["", "{", "NaN", "[-Infinity]", "1e999", "[" * 100_000, "9" * 5000, b"\xff"])
def test_what_no_other_program_reads_is_refused(text: str | bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # of several parsers
        strict_json.read(text)
