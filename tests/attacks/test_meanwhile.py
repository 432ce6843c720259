"""Concurrent transactions: a revocation or a new factor that commits during a log-in takes effect for that log-in.

One transaction is paused just before its COMMIT until another waits for it. PostgreSQL and SQLite wait at different
statements, and the result must be the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Event, Thread, current_thread
from typing import Any

import pytest
from sqlalchemy import event

from tests.attacks.tools import cookies_of, enroll, give, is_in, live_sessions
from tests.conftest import Site
from tests.people import ANDROID, TWO_FACTOR, Owner
from tests.prepared import prepare

NEW = "a much longer new password"
WAITS = 0.5  # seconds that suffice for the second thread to reach the lock


class PausedAtCommit:
    """Runs `action` in a thread; a transaction in it that executed `statement` pauses before its COMMIT."""

    def __init__(self, site: Site, action: Callable[[], object], statement: str) -> None:
        self._statement = statement
        self._at_commit, self._go = Event(), Event()
        self._thread = Thread(target=action)
        self._listeners = (
            (site.services.db.engine, "before_cursor_execute", self._seen),
            (site.services.db.engine, "commit", self._committing),
        )

    def __enter__(self) -> PausedAtCommit:
        for listener in self._listeners:
            event.listen(*listener)
        self._thread.start()
        assert self._at_commit.wait(10)
        return self

    def resume(self) -> None:
        self._go.set()
        self._thread.join()

    def __exit__(self, *_error: object) -> None:
        self.resume()
        for listener in self._listeners:
            event.remove(*listener)

    def _seen(self, connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if current_thread() is self._thread and statement.startswith(self._statement):
            connection.info["paused"] = True

    def _committing(self, connection: Any) -> None:
        if connection.info.pop("paused", False) and not self._at_commit.is_set():
            self._at_commit.set()
            self._go.wait(10)


@pytest.fixture
def ada(site: Site) -> Iterator[Owner]:
    ada = Owner(site)
    prepare(ada, "enroll and log in", lambda: enroll(ada).log_in_whole())
    site.clock.pass_(30)
    return ada


def while_paused(site: Site, paused: Callable[[], object], statement: str, then: Callable[[], object]) -> None:
    later = Thread(target=then)
    with PausedAtCommit(site, paused, statement) as at_commit:
        later.start()
        later.join(WAITS)
        at_commit.resume()
        later.join()


def test_the_password_alone_logs_in_no_browser_while_a_first_factor_is_turned_on(site: Site) -> None:
    bob = Owner.signed_up(site, "bob")
    bob.open(TWO_FACTOR)
    bob.press("Authentication app")
    bob.secret = bob.press("Start").setup_key
    bob.press("Next")
    thief, code = bob.other_browser(), bob.code()
    thief.open("/log-in")
    while_paused(
        site,
        lambda: bob.press("Verify", code=code),
        "INSERT INTO factors",
        lambda: thief.press("Log in", username="bob", password=bob.password),
    )
    assert bob.page is not None
    assert bob.page.h1 == "You're all set"
    assert not is_in(thief)
    assert live_sessions(site, "bob") == 1


def test_a_log_in_that_commits_during_a_password_change_is_ended_with_the_others(site: Site, ada: Owner) -> None:
    thief = ada.log_in_elsewhere()
    ada.open("/settings/account/password")
    code = ada.next_code()
    while_paused(
        site,
        lambda: thief.press("Verify", code=code),
        "INSERT INTO sessions",
        lambda: ada.press("Save", password=NEW),
    )
    assert not is_in(thief)
    assert live_sessions(site, "ada") == 1


@pytest.mark.parametrize("action", ["password", "others", "browser"])
def test_a_remembered_browser_that_was_ended_does_not_skip_the_second_factor(
    site: Site, ada: Owner, action: str
) -> None:
    thief = ada.log_in_elsewhere()
    thief.press("Verify", code=ada.next_code(), remember="y")
    thief.log_out()
    thief.open("/log-in")
    page, button, fields = {
        "password": ("/settings/account/password", "Save", {"password": NEW}),
        "others": ("/settings/security/sessions", "Log out all others", {}),
        "browser": ("/settings/security/sessions", "Forget Chrome on Linux", {}),
    }[action]
    ada.open(page)
    while_paused(
        site,
        lambda: ada.press(button, **fields),
        "UPDATE remembered_browsers SET ended_at",
        lambda: thief.press("Log in", username="ada", password=ada.password),
    )
    assert not is_in(thief)
    assert live_sessions(site, "ada") == 1


def test_two_browsers_that_begin_the_same_enrollment_at_once_both_get_a_page(site: Site) -> None:
    """The later one goes on; the other begins again."""
    bob = Owner.signed_up(site, "bob")
    other = bob.log_in_elsewhere()
    for browser in (bob, other):
        browser.open(f"{TWO_FACTOR}/authentication-app")
    while_paused(site, lambda: bob.press("Start"), "INSERT INTO drafts", lambda: other.press("Start"))
    assert other.page is not None
    assert (other.page.status, other.page.step) == (200, "Step 2 of 4")
    assert bob.page is not None
    assert bob.page.status == 200


def test_a_phone_that_is_turned_on_in_two_tabs_at_once_keeps_the_token_of_the_one_that_did_it(site: Site) -> None:
    phone = Owner.signed_up(site, layout=ANDROID)
    phone.open(TWO_FACTOR)
    phone.press("Login requests on this phone")
    phone.press("Next")
    page = phone.press("Verify", password=phone.password)
    tab = phone.other_browser()
    give(tab, **cookies_of(phone))
    tab.page = page
    while_paused(site, lambda: phone.press("Not now"), "INSERT INTO factors", lambda: tab.press("Not now"))
    assert phone.cookie("phone")
    assert tab.cookie("phone") is None, "it would replace the other in the same browser"


def test_a_key_that_is_deleted_in_two_tabs_at_once_is_gone_for_both(site: Site, ada: Owner) -> None:
    ada.turn_on_key(ada.new_key())
    page = ada.follow("Delete Blue key")
    tab = ada.other_browser()
    give(tab, **cookies_of(ada))
    tab.page = page
    while_paused(site, lambda: ada.press("Delete"), "DELETE FROM factors", lambda: tab.press("Delete"))
    assert tab.page is not None
    assert (tab.page.h1, tab.page.status) == ("Manage security keys", 200)
    assert tab.page.problems == ["That's already done, maybe in another tab. Here's the current status."]
