"""A backup is put back, in each way in which the site learns of it: what was used or ended since stays so."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.attacks.tools import count, is_in
from tests.conftest import Site
from tests.people import PHONE, Owner
from tests.prepared import Rows


def at_the_start(site: Site) -> None:
    """The site was stopped. `wsgi.py` does this before the first request."""
    assert site.services.restoration.void_if_restored()


def under_a_running_site(site: Site) -> None:
    """The worker counts its next heartbeat."""
    site.services.restoration.count_heartbeat(2)


def on_another_machine(site: Site) -> None:
    """A machine without the file asks, and its operator says that the database is a backup."""
    (file,) = site.services.settings.instance.glob("heartbeat-*")
    file.unlink()
    assert site.app.test_client().get("/readyz").status_code == 503
    told = site.app.test_cli_runner().invoke(args=["restored"])
    assert told.exit_code == 0, told.output
    assert site.app.test_client().get("/readyz").status_code == 200


@pytest.mark.parametrize("learn", [at_the_start, under_a_running_site, on_another_machine])
def test_no_code_and_no_session_of_a_backup_is_valid_again(
    site: Site, ada: Owner, learn: Callable[[Site], None]
) -> None:
    site.services.restoration.count_heartbeat()
    backup = Rows.read(site.services.db)
    second, third = ada.other_browser(), ada.other_browser()
    second.log_in()
    used = ada.next_code()
    assert second.press("Verify", code=used).h1 == "Welcome, Ada Lovelace"
    ada.log_out()
    third.log_in()
    third.post("/log-in/backup-code", code=ada.kept_code)
    assert is_in(third)
    site.services.restoration.count_heartbeat()

    backup.write(site.services.db)
    learn(site)

    thief = ada.other_browser()
    assert [is_in(browser) for browser in (ada, second, third)] == [False] * 3
    thief.log_in()
    assert thief.press("Verify", code=used).problems == ["That code was already used. Enter a new one."]
    assert thief.post("/log-in/backup-code", code=ada.kept_code).status == 422
    site.clock.pass_(60)
    assert thief.open("/log-in").says("This site was restored from a backup")
    thief.log_in()
    assert thief.press("Verify", code=ada.next_code()).h1 == "Welcome, Ada Lovelace", "the owner gets in"


def test_a_new_text_code_has_no_wrong_tries_of_one_before_the_restoration(site: Site) -> None:
    """SQLite gives the number of a deleted code again."""
    ada = Owner.signed_up(site)
    ada.turn_on_texts(PHONE)
    ada.press("Got it")
    ada.log_out()
    site.clock.pass_(600)
    ada.log_in()
    for _ in range(5):
        ada.press("Verify", code="000000")
    spent = count(site, "SELECT max(id) FROM codes")
    assert site.app.test_cli_runner().invoke(args=["restored"]).exit_code == 0
    while count(site, "SELECT coalesce(max(id), 0) FROM codes") < spent:
        site.clock.pass_(600)
        ada.log_in()
    page = ada.press("Verify", code=site.texted_code(PHONE))
    assert (page.problems, page.h1) == ([], "Welcome, Ada Lovelace")
