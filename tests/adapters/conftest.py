"""What tests of several adapters share."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from threading import Event
from typing import Any

import pytest


@pytest.fixture
def silent_resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Until the test ends no name server answers: getaddrinfo then waits, as the system does for half a minute."""
    over = Event()

    def wait(*_name: Any, **_options: Any) -> None:
        over.wait(30)
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", wait)
    yield
    over.set()
