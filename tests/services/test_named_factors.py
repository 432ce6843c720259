"""Keys are renamed and deleted in a fresh session only, and each change is made once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import delete, select

from tests.conftest import Site
from tests.people import Owner
from webapp.domain.account_refusals import NameMalformed
from webapp.domain.origin import Origin
from webapp.domain.refusals import LabelTaken, LoginExpired, NotFound, NotFresh
from webapp.models.accounts import Account
from webapp.models.factors import Factor
from webapp.models.sessions import Activity, Session
from webapp.models.user import User

HERE = Origin("192.0.2.1", "Firefox")


@pytest.fixture
def user(site: Site) -> User:
    """Ada with two keys, as a request finds her by her cookie."""
    ada = Owner.signed_up(site)
    ada.turn_on_key(name="Blue key")
    ada.press("Got it")
    ada.turn_on_key(ada.new_key(), name="Green key")
    with site.services.db.read() as tx:
        session = tx.objects.scalars(select(Session).order_by(Session.id.desc())).first()
        assert session is not None
        factors = list(tx.objects.scalars(select(Factor).order_by(Factor.id)))
        return User(session, tx.objects.get_one(Account, 1), factors, [])


def key(site: Site) -> Any:
    found = site.services.methods.named("security-key")
    assert found is not None
    return found


def rename(site: Site, user: User, number: int = 1) -> None:
    site.services.named_factors.rename(user, key(site), number, "Red key", HERE)


def erase(site: Site, user: User, number: int = 1) -> None:
    site.services.named_factors.delete(user, key(site), number, HERE)


each_act = pytest.mark.parametrize("act", [rename, erase])
Act = Callable[..., None]


def kinds(site: Site) -> list[str]:
    with site.services.db.read() as tx:
        return list(tx.scalars(select(Activity.kind).order_by(Activity.id)))


@each_act
def test_a_session_that_is_not_fresh_changes_nothing(site: Site, user: User, act: Act) -> None:
    site.clock.pass_(600)
    before = kinds(site)
    with pytest.raises(NotFresh):
        act(site, user)
    assert kinds(site) == before


@each_act
def test_an_unknown_key_is_not_found(site: Site, user: User, act: Act) -> None:
    for number in (0, 3, -1):
        with pytest.raises(NotFound):
            act(site, user, number)


@each_act
def test_a_key_that_another_tab_deleted_is_not_found_and_not_notified_twice(site: Site, user: User, act: Act) -> None:
    with site.services.db.write() as tx:
        tx.execute(delete(Factor).where(Factor.id == 1))
    before, mails = kinds(site), len(site.emails())
    with pytest.raises(NotFound):
        act(site, user)
    assert kinds(site) == before
    assert len(site.emails()) == mails


def test_an_invalid_name_is_refused(site: Site, user: User) -> None:
    named = site.services.named_factors
    with pytest.raises(NameMalformed):
        named.rename(user, key(site), 1, " ", HERE)
    with pytest.raises(LabelTaken):
        named.rename(user, key(site), 1, "green KEY", HERE)
    assert [factor.label for factor in named.of(user, key(site))] == ["Blue key", "Green key"]


def test_two_keys_that_are_renamed_at_once_get_different_names(site: Site, user: User) -> None:
    rename(site, user, 1)
    with pytest.raises(LabelTaken):
        rename(site, user, 2)


@each_act
def test_a_session_that_was_ended_meanwhile_changes_no_key(site: Site, user: User, act: Act) -> None:
    with site.services.db.write() as tx:
        site.services.sessions.end_others(tx, user.account.id, None)
    before = kinds(site)
    with pytest.raises(LoginExpired):
        act(site, user)
    assert kinds(site) == before


def test_the_last_key_is_recognized_as_the_last(site: Site, user: User) -> None:
    named = site.services.named_factors
    assert not named.is_last(user)
    assert named.is_last(replace(user, factors=user.factors[:1]))
    assert list(named.of(replace(user, factors=[]), key(site))) == []
