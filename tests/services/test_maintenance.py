"""What the worker purges, and how long each table keeps its rows."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select

from tests.conftest import Site
from tests.people import Owner
from tests.relying_party import RelyingParty, Television
from webapp.models.accounts import Account
from webapp.models.app_logins import AppAuthorization, AppConnection, AuthorizationRequest, RefreshToken
from webapp.models.codes import Code, Link
from webapp.models.device_logins import DeviceRequest
from webapp.models.drafts import Draft
from webapp.models.factors import Factor
from webapp.models.messages import Message
from webapp.models.sessions import Activity, Attempt, KeptAct, PendingLogin, RememberedBrowser, Session

DAY = 86400


@pytest.fixture
def ada(site: Site) -> Owner:
    """With an app, a remembered browser, a kept act, a draft and a pending login."""
    ada = Owner.signed_up(site)
    ada.turn_on_app()
    ada.press("Got it")
    ada.log_out()
    ada.log_in()
    ada.press("Verify", code=ada.next_code(), remember="y")
    ada.open("/settings/security/two-factor/authentication-app/overview")
    ada.press("Replace")
    site.clock.pass_(660)
    ada.post("/settings/account/password", password="seven brass wheels turning")
    elsewhere = ada.other_browser()
    elsewhere.log_in()
    elsewhere.press("Verify", code=ada.code(ahead=DAY))
    site.emails()
    return ada


def count(site: Site, table: Any) -> int:
    with site.services.db.read() as tx:
        return int(tx.scalar(select(func.count()).select_from(table)) or 0)


def kept_after(site: Site, table: Any, seconds: int) -> int:
    site.clock.pass_(seconds)
    site.services.maintenance.purge()
    return count(site, table)


def test_rows_that_are_still_needed_are_not_purged(site: Site, ada: Owner) -> None:
    tables = (
        Session,
        PendingLogin,
        RememberedBrowser,
        KeptAct,
        Code,
        Link,
        Draft,
        Factor,
        Attempt,
        Activity,
        Message,
    )
    before = {table: count(site, table) for table in tables}
    assert all(before.values()), before
    site.services.maintenance.purge()
    assert {table: count(site, table) for table in tables} == before
    assert ada.open("/").h1 == "Welcome, Ada Lovelace"


@pytest.mark.parametrize(
    ("table", "kept_for", "left"),
    [
        (KeptAct, 600, 0),
        (Draft, 1800, 0),
        (PendingLogin, DAY, 0),
        (RememberedBrowser, 31 * DAY, 0),
        (Link, 8 * DAY, 0),
        (Code, DAY + 3600, 0),
        (Session, 2 * DAY, 0),
        (Message, 30 * DAY, 0),
        (Activity, 180 * DAY, 0),
        (Factor, 400 * DAY, 1),
    ],
    ids=lambda value: getattr(value, "__tablename__", None),
)
def test_rows_are_purged_after_their_time(site: Site, ada: Owner, table: Any, kept_for: int, left: int) -> None:
    assert kept_after(site, table, kept_for + 700) == left


def test_an_activity_event_loses_its_address_after_thirty_days_and_keeps_the_rest(site: Site, ada: Owner) -> None:
    def addresses() -> set[str | None]:
        with site.services.db.read() as tx:
            return set(tx.scalars(select(Activity.address)))

    kept_after(site, Activity, 30 * DAY - 800)
    assert addresses() == {"192.0.2.1"}
    assert kept_after(site, Activity, 1600) > 0
    assert addresses() == {None}


def test_an_owed_message_is_not_purged(site: Site) -> None:
    ada = Owner(site)
    ada.sign_up(confirm_email=False)
    ada.press("Next", email=ada.email)
    assert kept_after(site, Message, 60 * DAY) == 1


def test_consecutive_wrong_codes_count_until_a_full_log_in_however_long_that_takes(site: Site, ada: Owner) -> None:
    kept_after(site, Attempt, 400 * DAY)
    with site.services.db.read() as tx:
        assert set(tx.scalars(select(Attempt.bucket))) == {"second-factor:1"}


def test_a_factor_that_was_turned_off_is_purged_when_it_can_no_longer_be_turned_back_on(site: Site) -> None:
    ada = Owner.signed_up(site)
    ada.turn_on_app()
    ada.post("/settings/security/two-factor/authentication-app/turn-off")
    assert kept_after(site, Factor, 600) == 1
    assert kept_after(site, Factor, 1) == 0


# -- Accounts without a confirmed address ----------------------------------------------------------


def usernames(site: Site) -> list[str]:
    return [account.username for account in site.services.accounts.all()]


def test_an_account_that_was_never_confirmed_is_purged_after_thirty_days_without_use_and_its_name_is_free(
    site: Site,
) -> None:
    eve = Owner(site, "eve")
    eve.sign_up(confirm_email=False)
    eve.press("Next", email=eve.email)
    assert kept_after(site, Account, 30 * DAY - 1) == 1
    eve.other_browser().log_in("a wrong password")
    assert kept_after(site, Account, 1) == 0
    assert count(site, Activity) == count(site, Code) == count(site, Attempt) == 0
    assert Owner(site, "eve").sign_up(confirm_email=False).h1 == "Confirm your email"


def test_every_use_counts_from_anew(site: Site) -> None:
    eve = Owner(site, "eve")
    eve.sign_up(confirm_email=False)
    kept_after(site, Account, 29 * DAY)
    eve.log_in(keep="y")  # a session that lasts for 30 days
    for _ in range(4):
        assert kept_after(site, Account, 6 * DAY) == 1
        assert eve.open("/").h1 == "Welcome, Ada Lovelace"
    assert kept_after(site, Account, 29 * DAY) == 1
    assert kept_after(site, Account, DAY) == 0


def test_a_log_in_that_has_opened_no_page_yet_counts_as_a_use(site: Site) -> None:
    eve = Owner(site, "eve")
    eve.sign_up(confirm_email=False)
    site.clock.pass_(31 * DAY)
    eve.open("/log-in")
    eve.post("/log-in", follow=False, username="eve", password=eve.password)
    site.services.maintenance.purge()
    assert eve.open("/").h1 == "Welcome, Ada Lovelace"


def test_confirmed_accounts_and_those_of_the_operator_are_not_purged(site: Site) -> None:
    Owner(site).sign_up()
    for username, email in (("root", None), ("grace", "grace@example.org")):
        site.services.sign_up.create_by_operator("Grace", username, "violet tractors hum", email, confirmed=False)
    kept_after(site, Account, 400 * DAY)
    assert usernames(site) == ["ada", "grace", "root"]


def test_the_last_use_is_written_once_a_day(site: Site) -> None:
    ada = Owner.signed_up(site)
    ada.log_out()
    site.clock.pass_(DAY)
    ada.log_in()
    site.statements.clear()
    for _ in range(3):
        ada.open("/settings")
    assert not [statement for statement in site.statements if statement.startswith("UPDATE accounts")]
    assert site.services.accounts.named("ada").used_at == site.clock.now()


# -- Apps that log people in ---------------------------------------------------------------------------


def test_a_device_that_nobody_connects_is_purged_after_an_hour(site: Site) -> None:
    Television(site).show()
    assert kept_after(site, DeviceRequest, 3600) == 1, "it is still told that its code has expired"
    assert kept_after(site, DeviceRequest, 1) == 0


def test_what_apps_were_given_is_purged_after_its_time(site: Site) -> None:
    ada = Owner.signed_up(site)
    wiki = RelyingParty(site, trusted=True)
    wiki.code(ada)
    wiki.tokens(ada, scope="openid offline_access")
    wiki.send(ada, prompt="consent")
    assert (count(site, AuthorizationRequest), count(site, AppAuthorization)) == (1, 2)
    assert kept_after(site, AuthorizationRequest, 3600) == 1
    assert kept_after(site, AuthorizationRequest, 1) == 0
    assert kept_after(site, AppAuthorization, DAY) == 1, "of an unused code nothing can come any more"
    assert kept_after(site, RefreshToken, 30 * DAY - 3602) == 1
    assert kept_after(site, RefreshToken, 3602) == 0
    assert kept_after(site, AppAuthorization, 0) == 0
    assert count(site, AppConnection) == 1, "until its owner disconnects it"


def test_what_may_outlive_a_session_ends_with_one_that_was_ended(site: Site) -> None:
    ada = Owner.signed_up(site)
    wiki = RelyingParty(site, trusted=True)
    token = wiki.tokens(ada, scope="openid offline_access")["refresh_token"]
    ada.log_out()
    assert kept_after(site, Session, 2 * DAY) == 0
    assert wiki.refresh(token).status == 400
