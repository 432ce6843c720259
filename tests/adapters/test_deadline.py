"""The time that a whole call of another server may take."""

from __future__ import annotations

import socket
import time

import pytest

from webapp.adapters.deadline import Deadline


def test_what_comes_in_time_is_waited_for() -> None:
    def slowly() -> str:
        time.sleep(0.2)
        return "192.0.2.1"

    with Deadline(30) as deadline:
        assert 29 < deadline.left <= 30
        assert deadline.within(slowly) == "192.0.2.1"
        assert deadline.left < 29.9
        assert not deadline.has_passed


def test_what_comes_later_is_given_up_and_nothing_begins_after_it() -> None:
    with Deadline(0.1) as deadline, socket.socket() as connection:
        with pytest.raises(TimeoutError):
            deadline.within(lambda: time.sleep(1))
        assert (deadline.has_passed, deadline.left) == (True, 0.01)
        with pytest.raises(TimeoutError):
            deadline.watch(connection)


def test_an_error_of_the_call_is_its_own() -> None:
    def fails() -> None:
        raise socket.gaierror("no such name")

    with Deadline(30) as deadline, pytest.raises(socket.gaierror, match="no such name"):
        deadline.within(fails)
