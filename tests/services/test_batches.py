"""Tables of any size are worked through in parts: here each part has one or two rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import insert, select

from tests.adapters.app_server import AppServer
from tests.conftest import Site
from tests.people import Owner
from tests.relying_party import ToldParty
from webapp.models import batches
from webapp.models.accounts import Account
from webapp.models.app_logins import AppAuthorization
from webapp.models.sessions import Attempt


@pytest.fixture
def server() -> Iterator[AppServer]:
    with AppServer() as server:
        yield server


def add(site: Site, *names: str) -> None:
    given = {"created_at": site.clock.now(), "name": "Ada", "password_hash": "x", "language": "en"}
    with site.services.db.write() as tx:
        tx.execute(insert(Account), [{**given, "username": name, "username_key": name} for name in names])


def test_each_row_is_in_one_part(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "ROWS", 2)
    db, parts = site.services.db, list[list[str]]()
    assert list(batches.parts_of(db, Account)) == []
    add(site, "e", "d", "c", "b", "a")
    for part in batches.parts_of(db, Account):
        with db.read() as tx:
            parts.append(list(tx.scalars(select(Account.username).where(part).order_by(Account.id))))
    assert parts == [["e", "d"], ["c", "b"], ["a"]]


def test_all_accounts_are_listed_by_username(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "ROWS", 2)
    add(site, "e", "d", "c", "b", "a")
    assert [account.username for account in site.services.accounts.all()] == ["a", "b", "c", "d", "e"]


def test_a_purge_deletes_what_is_over_in_every_part(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "ROWS", 2)
    add(site, "e", "d", "c", "b", "a")
    now, old = site.clock.now(), site.clock.now() - 10 * 86400
    with site.services.db.write() as tx:
        tx.execute(
            insert(Attempt), [{"bucket": f"x:{number}", "at": old if number % 2 else now} for number in range(9)]
        )
    assert site.services.maintenance.purge()["attempts"] == 4
    site.clock.pass_(40 * 86400)
    deleted = site.services.maintenance.purge()
    assert (deleted["accounts"], deleted["attempts"]) == (5, 5)


def test_a_much_used_app_is_told_of_every_session_when_it_is_deleted(
    site: Site, server: AppServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "ROWS", 2)
    ada = Owner.signed_up(site)
    wiki, other = ToldParty(site, server), ToldParty(site, server)
    browsers = [ada.other_browser() for _ in range(5)]
    for browser in browsers:
        browser.log_in()
        wiki.tokens(browser)
    other.tokens(browsers[0])
    assert site.services.operators.apps.delete(wiki.client_id) == "Wiki"
    assert len({told["sid"] for told in wiki.told()}) == 5
    with site.services.db.read() as tx:
        assert len(tx.scalars(select(AppAuthorization.id)).all()) == 1, "those of the other app stay"


def test_a_much_used_app_that_is_closed_ends_what_it_was_given_in_every_part(
    site: Site, server: AppServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "ROWS", 2)
    ada, apps = Owner.signed_up(site), site.services.operators.apps
    wiki, other = ToldParty(site, server), ToldParty(site, server)
    browsers = [ada.other_browser() for _ in range(5)]
    for browser in browsers:
        browser.log_in()
        wiki.tokens(browser)
    kept = other.tokens(browsers[0])
    site.services.operators.groups.create("board")
    apps.change(wiki.client_id, replace(apps.named(wiki.client_id).options, groups=("board",)))
    assert len({told["sid"] for told in wiki.told()}) == 5
    assert other.userinfo(kept["access_token"]).status == 200
    with site.services.db.read() as tx:
        assert len(tx.scalars(select(AppAuthorization.id).where(AppAuthorization.ended_at.is_(None))).all()) == 1
