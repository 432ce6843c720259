"""Few function calls lie between a page and the statements of a TOTP log-in."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import event

import webapp
from tests.conftest import Site
from tests.people import Owner

FRAMES_MAXIMUM = 5
OURS = str(Path(webapp.__file__).parent)


def frames() -> list[str]:
    """Our functions from the page down to this statement, outermost first."""
    found, frame = [], sys._getframe(1)
    while frame is not None and frame.f_code.co_name != "full_dispatch_request":
        if frame.f_code.co_filename.startswith(OURS):
            found.append(f"{Path(frame.f_code.co_filename).stem}.{frame.f_code.co_qualname}")
        frame = frame.f_back  # type: ignore[assignment]  # None above the outermost frame
    assert frame is not None, "a statement outside of a request"
    return found[::-1]


@pytest.fixture
def calls(site: Site) -> Iterator[list[tuple[str, list[str]]]]:
    """Each statement that reads or writes rows, with the functions that lead to it."""
    seen: list[tuple[str, list[str]]] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.partition(" ")[0].strip() in ("SELECT", "INSERT", "UPDATE", "DELETE"):
            seen.append((statement, frames()))

    event.listen(site.services.db.engine, "before_cursor_execute", note)
    yield seen
    event.remove(site.services.db.engine, "before_cursor_execute", note)


def test_a_page_reaches_its_rows_in_at_most_five_function_calls(
    enrolled: Owner, site: Site, calls: list[tuple[str, list[str]]]
) -> None:
    enrolled.log_out()
    site.clock.pass_(60)
    calls.clear()
    enrolled.log_in()
    assert enrolled.press("Verify", code=enrolled.next_code()).h1 == "Welcome, Ada Lovelace"
    assert {statement.split(" ")[0] for statement, _ in calls} == {"SELECT", "INSERT", "UPDATE", "DELETE"}
    assert any("login.Login.with_password" in functions for _, functions in calls)
    assert any("proof.ProofFlow.verify" in functions for _, functions in calls)
    deep = {" > ".join(functions): statement for statement, functions in calls if len(functions) > FRAMES_MAXIMUM}
    assert not deep
