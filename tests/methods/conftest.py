"""Hashing is cheap in these tests."""

from __future__ import annotations

from typing import Any

import pytest

from tests.doubles import CheapHasher


@pytest.fixture
def overrides() -> dict[str, Any]:
    return {"hasher": CheapHasher()}
