"""A restored database must not restore what was ended or used after the backup."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import Site
from tests.people import Owner
from webapp.adapters.heartbeat import FileHeartbeat


def heartbeat(site: Site) -> FileHeartbeat:
    return FileHeartbeat(site.services.settings.instance, site.services.settings.database_url)


def test_a_running_site_is_not_taken_for_a_restored_one(site: Site) -> None:
    restoration = site.services.restoration
    assert not restoration.void_if_restored()
    restoration.count_heartbeat()
    restoration.count_heartbeat()
    assert not restoration.void_if_restored()
    assert not restoration.was_lately()


def test_after_a_restore_nothing_that_was_ended_or_used_is_valid_again(site: Site) -> None:
    ada = Owner(site)
    ada.sign_up()
    ada.turn_on_app()
    ada.press("Got it")
    site.services.restoration.count_heartbeat()
    heartbeat(site).keep(7)  # the database counted to seven before it was replaced by the backup

    site.app.config["RESTORED_LATELY"] = site.services.restoration.check()

    assert ada.open("/").h1 == "Log in"
    assert ada.page is not None
    assert ada.page.says("This site was restored from a backup")
    code = ada.code()
    ada.log_in()
    assert ada.press("Verify", code=code).problems == ["That code was already used. Enter a new one."]
    ada.follow("Use a backup code")
    assert ada.press("Verify", code=ada.kept_code).status == 422
    site.clock.pass_(60)
    ada.log_in()
    assert ada.press("Verify", code=ada.next_code()).h1 == "Welcome, Ada Lovelace"
    assert not site.services.restoration.void_if_restored(), "it is noticed once"


def test_a_new_database_is_not_taken_for_a_restored_one(site: Site) -> None:
    heartbeat(site).keep(7)
    assert not site.services.restoration.void_if_restored()


def test_the_banner_is_removed_after_three_days(site: Site) -> None:
    site.services.restoration.count_heartbeat()
    heartbeat(site).keep(2)
    assert site.services.restoration.void_if_restored()
    assert site.services.restoration.was_lately()
    site.clock.pass_(3 * 86400)
    assert not site.services.restoration.was_lately()


def test_a_heartbeat_file_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    heartbeat = FileHeartbeat(tmp_path / "file", "sqlite://")
    heartbeat.keep(3)
    assert heartbeat.newest() == 0
