"""What the worker does every minute: one task that fails must not keep the others from being done."""

from __future__ import annotations

import json
from threading import Event

import pytest

from tests.conftest import Site
from tests.people import Owner
from webapp import worker
from webapp.services.email_undos import EmailUndos
from webapp.services.operation.restoration import Restoration

USERNAME = "/settings/account/username"


class Once(Event):
    """Tells the worker to stop at its first pause."""

    def wait(self, timeout: float | None = None) -> bool:
        self.set()
        return True


def fail(*_: object) -> int:
    raise OSError


def failures(capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == "upkeep_failed"]


@pytest.fixture
def renaming(site: Site) -> Owner:
    """With a new username that is due."""
    ada = Owner.signed_up(site)
    ada.open(USERNAME)
    ada.press("Save", username="countess")
    site.clock.pass_(86400)
    return ada


def username(site: Site) -> str | None:
    return next(site.services.accounts.all()).username


def test_a_task_that_fails_does_not_keep_the_others_from_being_done(
    renaming: Owner, site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(EmailUndos, "finish_due", fail)
    worker.upkeep(site.services, Once())
    assert username(site) == "countess"
    assert [failure["error"] for failure in failures(capsys)] == ["OSError"]


def test_without_a_heartbeat_nothing_is_done(
    renaming: Owner, site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Restoration, "count_heartbeat", fail)
    worker.upkeep(site.services, Once())
    assert username(site) == "ada", "the database may be an older copy"
    assert [failure["error"] for failure in failures(capsys)] == ["OSError"]
