"""A restored database must not restore what was ended or used after the backup."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from click.testing import Result
from sqlalchemy import func, select
from structlog.testing import capture_logs

from tests.conftest import Site
from tests.people import Owner, Person
from tests.prepared import Rows
from tests.relying_party import RelyingParty, Television, json_of
from webapp.adapters.heartbeat import FileHeartbeat
from webapp.models.app_logins import AuthorizationRequest
from webapp.models.device_logins import DeviceRequest
from webapp.models.site_values import set_site_value
from webapp.services.operation.restoration import BEATS

DAY = 86400
UNDO = "/settings/account/email/undo"


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
    ada = Owner.signed_up(site)
    ada.turn_on_app()
    ada.press("Got it")
    site.services.restoration.count_heartbeat()
    heartbeat(site).keep(7)  # the database counted to seven before it was replaced by the backup

    assert site.services.restoration.void_if_restored()

    assert ada.open("/").h1 == "Log in"
    assert ada.page is not None
    assert ada.page.says("This site was restored from a backup")
    code = ada.code()
    ada.log_in()
    assert ada.press("Verify", code=code).problems == ["That code was already used. Enter a new one."]
    assert "Use a backup code" not in ada.page.links, "the account has none"
    assert ada.post("/log-in/backup-code", code=ada.kept_code).status == 422
    site.clock.pass_(60)
    ada.log_in()
    assert ada.press("Verify", code=ada.next_code()).h1 == "Welcome, Ada Lovelace"
    assert not site.services.restoration.void_if_restored(), "it is noticed once"


def test_after_a_restore_no_app_keeps_what_it_was_given(site: Site) -> None:
    ada = Owner.signed_up(site)
    wiki = RelyingParty(site, trusted=True)
    code = wiki.code(ada)
    kept = wiki.tokens(ada, scope="openid offline_access")
    wiki.send(ada, prompt="consent")
    asked = dict(parse_qsl(urlsplit(wiki.address()).query))
    pushed = json_of(wiki.call("/oauth/par", **asked))["request_uri"]
    site.services.restoration.declare_restored()
    assert wiki.exchange(code).status == 400
    assert wiki.refresh(kept["refresh_token"]).status == 400
    assert wiki.userinfo(kept["access_token"]).status == 401
    with site.services.db.read() as tx:
        assert tx.scalar(select(func.count()).select_from(AuthorizationRequest)) == 0
    leading = urlencode({"client_id": wiki.client_id, "request_uri": pushed})
    assert ada.open(f"/oauth/authorize?{leading}").status == 400


def test_after_a_restore_no_username_changes_that_its_link_would_no_longer_keep(site: Site) -> None:
    ada = Owner.signed_up(site)
    ada.open("/settings/account/username")
    ada.press("Save", username="countess")
    link = site.emailed_path(ada.email, "/keep-username/")
    site.services.restoration.declare_restored()
    assert ada.open(link).status == 404
    site.clock.pass_(86400)
    assert site.services.renames.finish_due() == 0
    assert site.services.accounts.named("ada").new_username is None


def test_after_a_restore_an_account_whose_owner_came_back_since_is_not_deleted(site: Site) -> None:
    """The backup is of the days in which it waited to be deleted."""
    ada = Owner.signed_up(site)
    ada.open("/settings/account/delete")
    ada.press("Delete my account")
    site.clock.pass_(29 * DAY)
    backup = Rows.read(site.services.db)
    ada.log_in()
    site.clock.pass_(2 * DAY)
    backup.write(site.services.db)
    site.services.restoration.declare_restored()
    assert site.services.maintenance.purge()["accounts"] == 0
    site.clock.pass_(30 * DAY - 1)
    assert site.services.maintenance.purge()["accounts"] == 0
    assert ada.log_in().receipts == ["Welcome back. Your account is no longer being deleted."]
    site.clock.pass_(1)
    assert site.services.maintenance.purge()["accounts"] == 0


def test_after_a_restore_an_undo_of_an_address_that_was_stopped_since_can_be_stopped_again(site: Site) -> None:
    ada = Owner.signed_up(site)
    ada.turn_on_app()
    ada.press("Got it")
    site.clock.pass_(30)
    ada.open("/settings/account/email")
    ada.press("Save", email="countess@example.org")
    ada.press("Verify", code=site.emailed_code("countess@example.org"))
    site.clock.pass_(30)
    Person(site.app).post(site.emailed_path(ada.email, "/undo-email/"))
    backup = Rows.read(site.services.db)
    ada.log_in_whole()
    ada.open(UNDO)
    ada.press("Keep this address")
    site.clock.pass_(DAY)
    backup.write(site.services.db)
    site.services.restoration.declare_restored()
    assert site.services.email_undos.finish_due() == 0
    site.clock.pass_(60)
    ada.log_in_whole()
    ada.open(UNDO)
    assert ada.press("Keep this address").receipts == ["Your email address stays as it is."]
    site.clock.pass_(DAY)
    assert site.services.email_undos.finish_due() == 0
    assert site.services.accounts.named("ada").email == "countess@example.org"


def test_after_a_restore_no_device_waits(site: Site) -> None:
    Television(site).show()
    site.services.restoration.declare_restored()
    with site.services.db.read() as tx:
        assert tx.scalar(select(func.count()).select_from(DeviceRequest)) == 0


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
    assert heartbeat.newest() is None


def test_a_new_password_of_the_database_is_not_another_database(tmp_path: Path) -> None:
    base = "postgresql+psycopg://site:{}@db/nightlatch?target_session_attrs=read-write"
    FileHeartbeat(tmp_path, base.format("first")).keep(3)
    assert FileHeartbeat(tmp_path, base.format("second")).newest() == 3
    assert FileHeartbeat(tmp_path, base.format("second") + "&password=third").newest() == 3
    assert FileHeartbeat(tmp_path, base.format("first").replace("@db", "@other")).newest() is None


@pytest.mark.parametrize("url", ["postgresql+psycopg://site:secret@db/nightlatch", "sqlite:///instance/site.sqlite3"])
def test_a_file_with_the_former_name_is_read_until_the_next_count(tmp_path: Path, url: str) -> None:
    former = tmp_path / f"heartbeat-{sha256(url.encode()).hexdigest()[:12]}"
    former.write_text("3\n")
    heartbeat = FileHeartbeat(tmp_path, url)
    assert heartbeat.newest() == 3
    heartbeat.keep(4)
    assert heartbeat.newest() == 4
    assert len(list(tmp_path.iterdir())) == 1


def test_a_restore_under_a_running_site_is_noticed_by_the_next_heartbeat(site: Site) -> None:
    ada = Owner.signed_up(site)
    restoration = site.services.restoration
    restoration.count_heartbeat()
    assert ada.open("/log-in", follow=False).status == 303
    heartbeat(site).keep(7)  # the database was replaced by a backup of its first minute
    assert restoration.count_heartbeat() == 8
    assert heartbeat(site).newest() == 8, "the newest count is never lowered"
    site.clock.pass_(60)
    page = ada.open("/")
    assert page.path == "/log-in"
    assert page.says("This site was restored from a backup")
    assert restoration.count_heartbeat() == 9
    assert ada.log_in().h1 == "Welcome, Ada Lovelace"


def forget(site: Site) -> None:
    """A new machine, or a fresh instance folder."""
    for path in site.services.settings.instance.glob("heartbeat-*"):
        path.unlink()


def test_a_machine_without_its_file_voids_nothing_counts_nothing_and_is_not_ready(site: Site) -> None:
    ada, restoration, machine = Owner(site), site.services.restoration, Person(site.app)
    ada.sign_up()
    restoration.count_heartbeat()
    assert machine.open("/readyz").status == 200
    forget(site)
    assert not restoration.void_if_restored()
    before = None
    with capture_logs() as logs:
        for _ in range(3):
            before = restoration.count_heartbeat(before)
    assert before == 1
    assert [entry["event"] for entry in logs] == ["heartbeat_missing"], "once for each start"
    page = machine.open("/readyz")
    assert page.status == 503
    said = page.response.get_json()
    assert said["database"] is True
    assert "flask --app wsgi restored" in said["heartbeat"]
    assert "flask --app wsgi moved" in said["heartbeat"]
    assert "Heartbeat: this machine has no heartbeat file" in run(site, "check").output
    assert ada.open("/").h1 == "Welcome, Ada Lovelace"


def test_a_machine_without_its_file_joins_when_another_one_counts(site: Site) -> None:
    restoration = site.services.restoration
    restoration.count_heartbeat()
    forget(site)
    before = restoration.count_heartbeat()
    with site.services.db.write() as tx:
        set_site_value(tx, BEATS, 2)
    assert restoration.count_heartbeat(before) == 3
    assert Person(site.app).open("/readyz").status == 200


def test_flask_restored_voids_and_makes_the_machine_ready(site: Site) -> None:
    ada = Owner.signed_up(site)
    site.services.restoration.count_heartbeat()
    forget(site)
    assert run(site, "restored").exit_code == 0
    assert ada.open("/").path == "/log-in"
    assert site.services.restoration.was_lately()
    assert Person(site.app).open("/readyz").status == 200
    assert not site.services.restoration.void_if_restored()


def test_flask_moved_voids_nothing_and_makes_the_machine_ready(site: Site) -> None:
    ada = Owner.signed_up(site)
    site.services.restoration.count_heartbeat()
    forget(site)
    assert run(site, "moved").output == "This machine knows this database now.\n"
    assert ada.open("/").h1 == "Welcome, Ada Lovelace"
    assert Person(site.app).open("/readyz").status == 200
    heartbeat(site).keep(7)
    assert "knows this database already" in run(site, "moved").output
    assert site.services.restoration.void_if_restored(), "the newest count is never lowered"


def run(site: Site, command: str) -> Result:
    return site.app.test_cli_runner().invoke(args=[command])
