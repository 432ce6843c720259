"""What the worker purges, and how long each table keeps its rows."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import insert, select

from tests.conftest import Site, one_database
from tests.doubles import START
from tests.people import Owner
from tests.relying_party import RelyingParty, Television
from webapp.models.accounts import Account
from webapp.models.app_logins import (
    AppAuthorization,
    AppConnection,
    AuthorizationRequest,
    LogOutRequest,
    RefreshToken,
)
from webapp.models.app_proofs import PushedRequest, UsedProof
from webapp.models.apps import AppSession, KnownNetwork, RefusedAccess, TemporaryPassword
from webapp.models.codes import Code, Link
from webapp.models.contacts import ContactLookups
from webapp.models.device_logins import DeviceRequest
from webapp.models.drafts import Draft
from webapp.models.factors import Factor
from webapp.models.guarded_hosts import GuardedLogin, GuardedSession
from webapp.models.login_requests import LoginRequest
from webapp.models.messages import SENT, Message, TextCount
from webapp.models.refusals import RefusedRequest
from webapp.models.sessions import Activity, Attempt, KeptAct, PendingLogin, RememberedBrowser, Session
from webapp.models.signing_keys import SigningKey

DAY = 86400


@pytest.fixture
def ada(site: Site) -> Owner:
    """With an app, a remembered browser, a kept act, a draft and a pending login."""
    ada = Owner.signed_up(site)
    ada.turn_on_app()
    ada.press("Got it")
    ada.log_in_again()
    ada.press("Verify", code=ada.next_code(), remember="y")
    ada.open("/settings/security/two-factor/authentication-app/overview")
    ada.press("Start")
    site.clock.pass_(660)
    ada.post("/settings/account/password", password="seven brass wheels turning")
    elsewhere = ada.log_in_elsewhere()
    elsewhere.press("Verify", code=ada.code(ahead=DAY))
    site.emails()
    return ada


def kept_after(site: Site, table: Any, seconds: int) -> int:
    site.clock.pass_(seconds)
    site.services.maintenance.purge()
    return site.count(table)


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
    before = {table: site.count(table) for table in tables}
    assert all(before.values()), before
    site.services.maintenance.purge()
    assert {table: site.count(table) for table in tables} == before
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
    ada = Owner.signed_up(site, confirm_email=False)
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
    eve = Owner.signed_up(site, "eve", confirm_email=False)
    eve.press("Next", email=eve.email)
    assert kept_after(site, Account, 30 * DAY - 1) == 1
    eve.other_browser().log_in("a wrong password")
    assert kept_after(site, Account, 1) == 0
    assert site.count(Activity) == site.count(Code) == site.count(Attempt) == 0
    assert Owner(site, "eve").sign_up(confirm_email=False).h1 == "Confirm your email"


def test_every_use_counts_from_anew(site: Site) -> None:
    eve = Owner.signed_up(site, "eve", confirm_email=False)
    kept_after(site, Account, 29 * DAY)
    eve.log_in(keep="y")  # a session that lasts for 30 days
    for _ in range(4):
        assert kept_after(site, Account, 6 * DAY) == 1
        assert eve.open("/").h1 == "Welcome, Ada Lovelace"
    assert kept_after(site, Account, 29 * DAY) == 1
    assert kept_after(site, Account, DAY) == 0


def test_a_log_in_that_has_opened_no_page_yet_counts_as_a_use(site: Site) -> None:
    eve = Owner.signed_up(site, "eve", confirm_email=False)
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
    assert (site.count(AuthorizationRequest), site.count(AppAuthorization)) == (1, 2)
    assert kept_after(site, AuthorizationRequest, 3600) == 1
    assert kept_after(site, AuthorizationRequest, 1) == 0
    assert kept_after(site, AppAuthorization, DAY) == 1, "of an unused code nothing can come any more"
    assert kept_after(site, RefreshToken, 30 * DAY - 3602) == 1
    assert kept_after(site, RefreshToken, 3602) == 0
    assert kept_after(site, AppAuthorization, 0) == 0
    assert site.count(AppConnection) == 1, "until its owner disconnects it"


def test_what_may_outlive_a_session_ends_with_one_that_was_ended(site: Site) -> None:
    ada = Owner.signed_up(site)
    wiki = RelyingParty(site, trusted=True)
    token = wiki.tokens(ada, scope="openid offline_access")["refresh_token"]
    ada.log_out()
    assert kept_after(site, Session, 2 * DAY) == 0
    assert wiki.refresh(token).status == 400


# -- To the second -------------------------------------------------------------------------------------

NEVER = START + 20 * 365 * DAY
SHORT: dict[str, Any] = {"persistent": False}
LONG: dict[str, Any] = {"persistent": True}
LAST_SECONDS: tuple[tuple[Any, str, int, dict[str, Any]], ...] = (
    (KeptAct, "at", 600, {}),
    (Session, "ended_at", DAY, LONG),
    (Session, "started_at", DAY + 30 * DAY, LONG),
    (Session, "seen_at", DAY + 7 * DAY, LONG),
    (Session, "started_at", DAY + DAY, SHORT),
    (Session, "seen_at", DAY + 3600, SHORT),
    (PendingLogin, "started_at", DAY, {}),
    (LoginRequest, "made_at", DAY, {}),
    (RememberedBrowser, "ended_at", DAY, {}),
    (RememberedBrowser, "added_at", DAY + 30 * DAY, {}),
    (TemporaryPassword, "ended_at", DAY, {}),
    (TemporaryPassword, "expires_at", DAY, {}),
    (AppSession, "ended_at", DAY, {}),
    (AppSession, "started_at", DAY + 30 * DAY, {}),
    (AppSession, "seen_at", DAY + 7 * DAY, {}),
    (AuthorizationRequest, "asked_at", 3600, {}),
    (AppAuthorization, "ended_at", DAY, {}),
    (AppAuthorization, "made_at", DAY, {}),
    (GuardedLogin, "asked_at", 600 + 60, {}),
    (GuardedSession, "ended_at", DAY, {}),
    (LogOutRequest, "asked_at", 3600, {}),
    (PushedRequest, "made_at", 59, {}),
    (UsedProof, "expires_at", -1, {}),
    (DeviceRequest, "asked_at", 3600, {}),
    (RefreshToken, "made_at", DAY + 30 * DAY, {}),
    (RefusedAccess, "at", 600, {}),
    (RefusedRequest, "at", 7 * DAY, {}),
    (Code, "made_at", DAY + 3600, {}),
    (Link, "expires_at", DAY, {}),
    (Link, "used_at", DAY, {}),
    (Draft, "touched_at", 1800, {}),
    (Factor, "turned_off_at", 600, {}),
    (Attempt, "at", DAY, {"bucket": "code:1"}),
    (SigningKey, "signs_until", DAY + 90 * DAY, {}),
    (KnownNetwork, "at", 30 * DAY, {}),
    (ContactLookups, "at", DAY - 1, {}),
    (Activity, "at", 180 * DAY, {}),
    (Message, "made_at", 30 * DAY, {"state": SENT}),
)
"""A table, a time in it, for how many seconds after that a row is kept, and other values of the row."""
BLANK: dict[type, Any] = {int: NEVER, bool: False, str: "", bytes: b""}


def add_row(site: Site, table: Any, **values: Any) -> None:
    """A row whose other times are far ahead. What it names need not be there."""
    columns = [one for one in table.__table__.columns if one.name != "id" and not one.nullable]
    others = {one.name: BLANK.get(one.type.python_type, {}) for one in columns}
    with site.services.db.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
        connection.execute(insert(table).values(**{**others, **values}))
        connection.commit()
        connection.exec_driver_sql("PRAGMA foreign_keys = ON")


@one_database
@pytest.mark.parametrize(
    ("table", "column", "seconds", "others"),
    LAST_SECONDS,
    ids=[f"{table.__tablename__}-{column}-{seconds}" for table, column, seconds, _ in LAST_SECONDS],
)
def test_a_row_is_purged_in_the_second_after_its_last(
    site: Site, table: Any, column: str, seconds: int, others: dict[str, Any]
) -> None:
    add_row(site, table, **{column: START, **others})
    assert kept_after(site, table, seconds) == 1
    assert kept_after(site, table, 1) == 0


def test_every_table_that_is_purged_by_one_time_is_in_the_list(site: Site) -> None:
    told = set(site.services.maintenance.purge()) - {Account.__tablename__, TextCount.__tablename__}
    assert told == {table.__tablename__ for table, *_ in LAST_SECONDS}
