"""Renaming, deleting and downloading at the same time as something else: each is judged in its transaction.

One transaction is paused before its COMMIT until another waits for it.
"""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from tests.attacks.test_meanwhile import while_paused
from tests.attacks.test_stale_requests import ROTATION
from tests.attacks.tools import account_id, enrolled, is_in, live_sessions, thief_of
from tests.conftest import Site
from tests.journeys.test_keys_and_passkeys import with_passkey
from tests.people import Owner, Person
from webapp.models.accounts import Account
from webapp.models.names import FormerUsername

NAME = "/settings/account/username"
DELETE = "/settings/account/delete"
RENAMED, DELETED = "UPDATE accounts SET new_username", "UPDATE accounts SET new_username"
DAY = 86400


@pytest.fixture
def ada(site: Site) -> Owner:
    return Owner.signed_up(site)


def delete_at(site: Site) -> int | None:
    with site.services.db.read() as tx:
        return tx.scalar(select(Account.delete_at).where(Account.username == "ada"))


def page_of(person: Person) -> tuple[str, int, list[str]]:
    assert person.page is not None
    return person.page.path, person.page.status, person.page.problems


def test_two_renames_at_once_are_one_change(site: Site, ada: Owner) -> None:
    other = ada.log_in_elsewhere()
    ada.open(NAME)
    other.open(NAME)
    while_paused(
        site,
        lambda: ada.press("Save", username="countess"),
        RENAMED,
        lambda: other.press("Save", username="lady"),
    )
    assert page_of(ada)[1:] == (200, [])
    assert page_of(other)[1:] == (422, ["A change of your username is already waiting. Nothing else was changed."])
    site.clock.pass_(DAY)
    assert site.services.renames.finish_due() == 1
    assert [account.username for account in site.services.accounts.all()] == ["countess"]


def test_two_accounts_that_ask_for_one_name_at_once_do_not_both_get_it(site: Site, ada: Owner) -> None:
    grace = Owner.signed_up(site, "grace")
    for owner in (ada, grace):
        owner.open(NAME)
    while_paused(
        site,
        lambda: ada.press("Save", username="countess"),
        RENAMED,
        lambda: grace.press("Save", username="COUNTESS"),
    )
    assert page_of(grace)[1:] == (422, ["That username is taken. Try another."])


@pytest.mark.parametrize("first", ["rename", "sign-up"])
def test_a_rename_and_a_sign_up_at_once_do_not_both_get_the_name(site: Site, ada: Owner, first: str) -> None:
    eve = Person(site.app)
    eve.open("/sign-up")
    ada.open(NAME)
    acts = {
        "rename": (lambda: ada.press("Save", username="countess"), RENAMED),
        "sign-up": (
            lambda: eve.press("Sign up", name="Eve", username="countess", password="violet tractors hum along"),
            "INSERT INTO accounts",
        ),
    }
    act, statement = acts.pop(first)
    (later, _statement), *_ = acts.values()
    while_paused(site, act, statement, later)
    refused = eve if first == "rename" else ada
    assert page_of(refused)[1:] == (422, ["That username is taken. Try another."])


def test_a_name_that_is_just_replaced_is_not_free_meanwhile(site: Site, ada: Owner) -> None:
    ada.open(NAME)
    ada.press("Save", username="countess")
    site.clock.pass_(DAY)
    eve = Person(site.app)
    eve.open("/sign-up")
    while_paused(
        site,
        site.services.renames.finish_due,
        "INSERT INTO former_usernames",
        lambda: eve.press("Sign up", name="Eve", username="ada", password="violet tractors hum along"),
    )
    assert page_of(eve)[1:] == (422, ["That username is taken. Try another."])
    with site.services.db.read() as tx:
        assert tx.scalar(select(func.count()).select_from(FormerUsername)) == 1


def test_the_link_that_stops_a_change_and_its_end_at_once_are_one_result(site: Site, ada: Owner) -> None:
    ada.open(NAME)
    ada.press("Save", username="countess")
    site.clock.pass_(DAY - 1)
    reader = Person(site.app)
    reader.open(site.emailed_path(ada.email, "/keep-username/"))
    site.clock.pass_(1)
    while_paused(site, site.services.renames.finish_due, "UPDATE accounts SET", lambda: reader.press("Stop the change"))
    assert page_of(reader)[1] == 404
    assert [account.username for account in site.services.accounts.all()] == ["countess"]


@pytest.mark.parametrize(
    ("path", "button", "fields"),
    [
        (DELETE, "Delete my account", {}),
        (NAME, "Save", {"username": "eve"}),
        ("/settings/account/name", "Save", {"name": "Eve"}),
        ("/settings/account/data", "Download", {}),
    ],
)
def test_a_session_that_its_owner_ends_meanwhile_does_nothing_more(
    site: Site, ada: Owner, path: str, button: str, fields: dict[str, str]
) -> None:
    """A stolen copy of the session, fresh too, while its owner logs out all others."""
    thief = thief_of(ada)
    thief.open(path)
    ada.open("/settings/security/sessions")
    while_paused(
        site,
        lambda: ada.press("Log out all others"),
        ROTATION,
        lambda: thief.press(button, **fields),
    )
    assert is_in(ada)
    assert not is_in(thief)
    account = site.services.accounts.named("ada")
    assert (account.name, account.delete_at, account.rename_at) == ("Ada Lovelace", None, None)
    assert thief.page is not None
    assert "copied_at" not in thief.page.text


def test_a_login_that_commits_during_a_deletion_is_ended_with_the_others(site: Site, ada: Owner) -> None:
    other = ada.other_browser()
    other.open("/log-in")
    ada.open(DELETE)
    while_paused(
        site,
        lambda: other.press("Log in", username="ada", password=ada.password),
        "INSERT INTO sessions",
        lambda: ada.press("Delete my account"),
    )
    assert delete_at(site) is not None
    assert live_sessions(site) == 0
    assert not is_in(other)


@pytest.mark.parametrize("way", ["password", "passkey"])
def test_a_login_that_began_before_a_deletion_commits_opens_no_session(site: Site, ada: Owner, way: str) -> None:
    """An account that waits to be deleted has no session: either both happen, and it is not deleted, or neither."""
    if way == "passkey":
        ada.turn_on_key()
        ada.press("Got it")
    other = ada.other_browser()
    ada.open(DELETE)

    def log_in() -> None:
        if way == "passkey":
            assert ada.key is not None
            with_passkey(other, ada.key)
        else:
            other.log_in()

    while_paused(site, lambda: ada.press("Delete my account"), DELETED, log_in)
    assert (live_sessions(site) == 0) == (delete_at(site) is not None)


def test_a_pending_login_that_began_before_a_deletion_ends_with_it(site: Site) -> None:
    ada = enrolled(site, "ada")
    ada.log_in_whole()
    site.clock.pass_(30)
    other = ada.log_in_elsewhere()
    ada.open(DELETE)
    code = ada.next_code()
    while_paused(site, lambda: ada.press("Delete my account"), DELETED, lambda: other.press("Verify", code=code))
    assert delete_at(site) is not None
    assert live_sessions(site) == 0
    assert not is_in(other)


@pytest.mark.parametrize("first", ["login", "purge"])
def test_the_purge_and_a_login_at_once_are_one_result(site: Site, ada: Owner, first: str) -> None:
    ada.open(DELETE)
    ada.press("Delete my account")
    site.clock.pass_(30 * DAY - 1)
    ada.open("/log-in")
    purged: list[int] = []

    def purge() -> None:
        site.clock.pass_(1)
        purged.append(site.services.deletions.finish_due())

    def log_in() -> None:
        ada.press("Log in", username="ada", password=ada.password)

    if first == "login":
        while_paused(site, log_in, "INSERT INTO sessions", purge)
        assert purged == [0]
        assert is_in(ada)
        return
    while_paused(site, purge, "DELETE FROM accounts", log_in)
    assert purged == [1]
    assert page_of(ada)[1] == 422


def test_two_logins_at_once_undo_a_deletion_once(site: Site, ada: Owner) -> None:
    other = ada.other_browser()
    ada.open(DELETE)
    ada.press("Delete my account")
    ada.open("/log-in")
    while_paused(
        site,
        lambda: ada.press("Log in", username="ada", password=ada.password),
        "INSERT INTO sessions",
        other.log_in,
    )
    assert is_in(ada)
    assert is_in(other)
    assert [m.subject for m in site.emails(ada.email)].count(
        "You logged in, so your account is no longer being deleted (Nightlatch)"
    ) == 1


def test_two_deletions_at_once_are_one(site: Site, ada: Owner) -> None:
    other = ada.log_in_elsewhere()
    for browser in (ada, other):
        browser.open(DELETE)
    while_paused(
        site,
        lambda: ada.press("Delete my account"),
        DELETED,
        lambda: other.press("Delete my account"),
    )
    told = [m.subject for m in site.emails(ada.email)].count("Your Nightlatch account will be deleted")
    assert told == 1
    assert account_id(site)
