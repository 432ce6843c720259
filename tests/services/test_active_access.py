"""Exactly what grants access is listed, and only the owner's own entries can be ended."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import update

from tests.conftest import Site
from tests.people import Owner
from webapp.domain.origin import Origin
from webapp.domain.refusals import AlreadyDone, LoginExpired, NotFound
from webapp.models.sessions import Session
from webapp.models.user import SessionToken, User
from webapp.policy import Policy
from webapp.services.login.remembered_browsers import RememberedBrowsers

HERE = Origin("192.0.2.1", "Firefox")
MINUTE, HOUR, DAY = 60, 3600, 86400


def opened(site: Site, username: str = "ada", *, persistent: bool = False) -> SessionToken:
    account = site.services.accounts.named(username)
    with site.services.db.write() as tx:
        return site.services.sessions.open(tx, account.id, HERE, persistent=persistent, proofs=["password"])


def user_of(site: Site, session: SessionToken) -> User:
    found = site.services.sessions.find(session.token)
    assert found is not None
    return found


def listed(site: Site, who: User, kind: str, *tokens: str) -> set[int]:
    return {way.id for way in site.services.active_access.open_now(who, tokens).entries if way.kind == kind}


@pytest.mark.parametrize(("persistent", "used_every"), [(False, 0), (False, 50 * MINUTE), (True, 0), (True, 6 * DAY)])
def test_a_session_is_listed_as_long_as_its_token_is_valid(
    site: Site, ada: Owner, persistent: bool, used_every: int
) -> None:
    session, begun, ended = opened(site, persistent=persistent), site.clock.now(), 0
    for second in sorted({*range(0, 31 * DAY, used_every or 7 * DAY), HOUR, DAY, 7 * DAY, 30 * DAY}):
        for moment in (second - 1, second):
            site.clock.pass_(max(0, begun + moment - site.clock.now()))
            found = site.services.sessions.find(session.token)
            reader = user_of(site, opened(site))
            assert (session.session_id in listed(site, reader, "log-in")) == (found is not None), moment
        if found is None:
            ended += 1
        elif used_every and second % used_every == 0:
            site.services.sessions.see(found)
        if ended == 3:
            break
    assert ended


def test_a_browser_is_listed_as_long_as_it_skips_the_second_factor(site: Site, ada: Owner) -> None:
    services, account = site.services, site.services.accounts.named("ada")
    browsers = RememberedBrowsers(services.core)
    with services.db.write() as tx:
        token = browsers.add(tx, account.id, HERE)
    assert token is not None
    for pause in (0, 30 * DAY - 1, 1):
        site.clock.pass_(pause)
        reader = user_of(site, opened(site))
        with services.db.write() as tx:
            skips = browsers.use(tx, account.id, [token])
        assert bool(listed(site, reader, "remembered-browser")) == skips
    assert not listed(site, reader, "remembered-browser")


def test_only_the_browser_that_sends_the_token_is_marked_as_this_one(site: Site, ada: Owner) -> None:
    services, account = site.services, site.services.accounts.named("ada")
    browsers = RememberedBrowsers(services.core)
    with services.db.write() as tx:
        token = browsers.add(tx, account.id, HERE)
    reader = user_of(site, opened(site))
    for shown, current in (([], False), (["0" * 64], False), ([str(token), "0" * 64], True)):
        ways = services.active_access.open_now(reader, shown).entries
        assert [way.is_current for way in ways if way.kind == "remembered-browser"] == [current]
        assert [way.id for way in ways if way.kind == "log-in" and way.is_current] == [reader.session.id]


@pytest.fixture
def without_remembered_browsers(environ: dict[str, str], request: pytest.FixtureRequest) -> Site:
    """A site whose settings turn remembered browsers off."""
    environ["NIGHTLATCH_POLICY_REMEMBER_BROWSERS"] = "0"
    return request.getfixturevalue("site")


def test_when_remembering_is_off_no_browser_is_listed_or_offered_to_be_forgotten(
    without_remembered_browsers: Site,
) -> None:
    ada = Owner.signed_up(without_remembered_browsers)
    services, account = without_remembered_browsers.services, without_remembered_browsers.services.accounts.named("ada")
    browsers = RememberedBrowsers(replace(services.core, policy=Policy()))
    with services.db.write() as tx:
        assert browsers.add(tx, account.id, HERE)  # from before the setting was changed
    page = ada.open("/settings/security/sessions")
    assert len(page.soup.select(".detailed li")) == 1
    assert "Also remove remembered browsers" not in page.text
    assert ada.press("Log out all others").receipts == ["All your other devices were logged out."]


# -- Ending ----------------------------------------------------------------------------------------


def test_an_entry_is_ended_once_and_by_its_owner(site: Site, ada: Owner) -> None:
    Owner.signed_up(site, "grace")
    mine, others, hers = user_of(site, opened(site)), opened(site), user_of(site, opened(site, "grace"))
    for who, kind, number in (
        (hers, "log-in", others.session_id),
        (mine, "log-in", 10**17),
        (mine, "remembered-browser", others.session_id),
        (mine, "nothing", others.session_id),
    ):
        with pytest.raises(NotFound):
            site.services.active_access.end(who, kind, number, HERE)
    assert site.services.sessions.find(others.token) is not None
    assert site.services.active_access.end(mine, "log-in", others.session_id, HERE) == "Firefox"
    assert site.services.sessions.find(others.token) is None
    with pytest.raises(AlreadyDone):
        site.services.active_access.end(mine, "log-in", others.session_id, HERE)


def test_a_user_who_was_logged_out_during_the_request_ends_no_session(site: Site, ada: Owner) -> None:
    mine, other = user_of(site, opened(site)), opened(site)
    with site.services.db.write() as tx:
        tx.execute(update(Session).where(Session.id == mine.session.id).values(ended_at=1))
    with pytest.raises(LoginExpired):
        site.services.active_access.end_others(mine, HERE, forget=True)
    with pytest.raises(LoginExpired):
        site.services.not_you.logged_in(mine, HERE)
    assert site.services.sessions.find(other.token) is not None
