"""Apps are told of the end of every session in which they took part (OpenID Connect Back-Channel Logout 1.0)."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import delete, select, update

from tests.adapters.app_server import SILENT, AppServer
from tests.attacks.tools import count, token_of, user_of
from tests.conftest import Site
from tests.people import Owner
from tests.relying_party import ISSUER, RelyingParty, ToldParty, json_of
from webapp.domain.origin import NO_BROWSER
from webapp.models.app_logins import SessionApp
from webapp.models.messages import Message
from webapp.models.sessions import Session
from webapp.services.delivery import CHANNELS
from webapp.services.operators.acts import COMMAND_LINE


@pytest.fixture
def server() -> Iterator[AppServer]:
    with AppServer() as server:
        yield server


@pytest.fixture
def wiki(site: Site, server: AppServer) -> ToldParty:
    return ToldParty(site, server)


@pytest.fixture
def ada(site: Site) -> Owner:
    """One layout is enough: no page is different."""
    return Owner.signed_up(site)


def states(site: Site) -> list[tuple[str, int, str | None]]:
    with site.services.db.read() as tx:
        of_apps = select(Message.state, Message.attempts, Message.complaint).where(Message.channel == "log-out")
        return [tuple(row) for row in tx.execute(of_apps.order_by(Message.id))]


def test_the_app_is_told_which_session_of_whom_ended(site: Site, ada: Owner, wiki: ToldParty) -> None:
    identity = wiki.read(wiki.tokens(ada)["id_token"])
    assert wiki.told() == []
    ada.log_out()
    (told,) = wiki.told()
    assert {name: told[name] for name in ("iss", "sub", "aud", "sid")} == {
        "iss": ISSUER,
        "sub": identity["sub"],
        "aud": wiki.client_id,
        "sid": identity["sid"],
    }
    assert told["exp"] - told["iat"] == 120
    assert set(told) == {"iss", "sub", "aud", "iat", "exp", "jti", "events", "sid"}
    assert wiki.told() == [], "once"
    assert states(site) == [("sent", 1, None)]
    request = wiki.http.taken[0]
    assert (request.verb, request.path, set(request.form)) == ("POST", "/log-out", {"logout_token"})


def test_the_token_has_the_algorithm_of_the_app(site: Site, ada: Owner, server: AppServer) -> None:
    wiki = ToldParty(site, server, signing_algorithm="ES256")
    wiki.tokens(ada)
    ada.log_out()
    assert len(wiki.told()) == 1


class Ending:
    """The ways in which the session of `ada` ends; `other` is a later session of the same account."""

    def __init__(self, site: Site, ada: Owner, wiki: ToldParty) -> None:
        self.ada, self.wiki, self.services, self.site = ada, wiki, site.services, site
        self.user = user_of(site, ada)

    def other(self) -> Owner:
        other = self.ada.other_browser()
        other.log_in_whole()
        return other

    def log_out(self) -> None:
        self.ada.log_out()

    def another_log_in(self) -> None:
        self.ada.open("/log-in")
        self.services.sessions.forget(session=token_of(self.site, self.ada))

    def ended_by_the_owner(self) -> None:
        self.services.active_access.end(self.user, "log-in", self.user.session.id, NO_BROWSER)

    def log_out_others(self) -> None:
        other = self.other()
        other.open("/settings/security/sessions")
        other.press("Log out all others")

    def log_out_everywhere_by_an_operator(self) -> None:
        self.services.accounts.log_out("ada")

    def log_out_everywhere_on_the_page_of_an_operator(self) -> None:
        self.services.operators.accounts.log_out("ada", COMMAND_LINE)

    def password_change(self) -> None:
        user = user_of(self.site, self.other())
        self.services.password_changes.change(user, "another engine notes", NO_BROWSER)

    def first_factor(self) -> None:
        self.other().turn_on_app()

    def factors_reset(self) -> None:
        self.services.accounts.reset_second_factors("ada", "lost")

    def lock(self) -> None:
        self.services.operators.roles.lock("ada")

    def deletion_by_the_operator(self) -> None:
        self.services.accounts.delete("ada")

    def deletion_by_the_owner(self) -> None:
        self.services.deletions.ask(self.user, NO_BROWSER)

    def disconnect(self) -> None:
        self.services.openid.connections.disconnect(self.user.account, self.wiki.client_id, NO_BROWSER)

    def leaving_the_group(self) -> None:
        self.services.operators.groups.remove("editors", "ada")

    def the_app_is_limited(self) -> None:
        app = self.services.operators.apps.named(self.wiki.client_id)
        self.services.operators.groups.create("admins")
        self.services.operators.apps.change(self.wiki.client_id, replace(app.options, groups=("admins",)))

    def deletion_of_the_app(self) -> None:
        self.services.operators.apps.delete(self.wiki.client_id)

    def idle(self) -> None:
        self.site.clock.pass_(self.services.core.policy.kept_session_idle + 1)
        self.services.openid.back_channel.owe_expired()

    def purged(self) -> None:
        self.site.clock.pass_(2 * self.services.core.policy.kept_session_idle)
        self.services.maintenance.purge()
        assert count(self.site, "SELECT count(*) FROM sessions") == 0

    def restored(self) -> None:
        with self.services.db.write() as tx:
            tx.execute(update(Session).values(ended_at=self.site.clock.now()))


@pytest.mark.parametrize("way", [name for name in vars(Ending) if name[0] != "_" and name != "other"])
def test_the_app_is_told_of_every_end(site: Site, ada: Owner, server: AppServer, way: str) -> None:
    site.services.operators.groups.create("editors")
    site.services.operators.groups.add("editors", "ada")
    wiki = ToldParty(site, server, groups=("editors",))
    identity = wiki.read(wiki.tokens(ada)["id_token"])
    ending = Ending(site, ada, wiki)
    assert wiki.told() == []
    getattr(ending, way)()
    (told,) = wiki.told()
    assert (told["sub"], told["sid"]) == (identity["sub"], identity["sid"])
    assert wiki.told() == []
    assert count(site, "SELECT count(*) FROM session_apps") == 0


def test_a_session_that_goes_on_is_not_told_of(site: Site, ada: Owner, wiki: ToldParty) -> None:
    wiki.tokens(ada, scope="openid offline_access")
    other = ada.other_browser()
    other.log_in_whole()
    other.log_out()
    ada.turn_on_app()
    site.services.openid.back_channel.owe_expired()
    assert wiki.told() == []


def test_each_app_of_a_session_is_told_once(site: Site, ada: Owner, wiki: ToldParty) -> None:
    silent = RelyingParty(site, name="Silent")
    with AppServer() as another:
        forum = ToldParty(site, another, name="Forum", sector="forum.example")
        for app in (wiki, wiki, forum, silent):
            app.tokens(ada)
        ada.log_out()
        (one,), (other,) = wiki.told(), forum.told()
    assert one["sub"] != other["sub"], "pairwise"
    assert one["sid"] != other["sid"]


def test_an_app_that_is_connected_again_is_told_again(site: Site, ada: Owner, wiki: ToldParty) -> None:
    ending = Ending(site, ada, wiki)
    for _ in range(2):
        wiki.tokens(ada)
        ending.disconnect()
        wiki.tokens(ada)
    ada.log_out()
    assert len(wiki.told()) == 3


@pytest.mark.parametrize("status", [200, 204])
def test_both_answers_of_success_are_taken(site: Site, ada: Owner, wiki: ToldParty, status: int) -> None:
    wiki.http.answers.append((status, b""))
    wiki.tokens(ada)
    ada.log_out()
    assert len(wiki.told()) == 1
    assert states(site) == [("sent", 1, None)]


def test_a_refusal_is_final(site: Site, ada: Owner, wiki: ToldParty) -> None:
    wiki.http.answers.append((400, b'{"error": "invalid_request"}'))
    wiki.tokens(ada)
    ada.log_out()
    wiki.told()
    site.clock.pass_(3600)
    assert wiki.told() == []
    assert states(site) == [("failed", 1, "the app refused the log-out: HTTP 400")]


@pytest.mark.parametrize("status", [202, 302, 404, 500, 503])
def test_every_other_answer_is_sent_again_with_a_fresh_token(
    site: Site, ada: Owner, wiki: ToldParty, status: int
) -> None:
    wiki.http.answers += [(status, b"")] * 2
    wiki.tokens(ada)
    ada.log_out()
    first = wiki.told()
    assert states(site) == [("owed", 1, f"the app did not take the log-out: HTTP {status}")]
    assert not site.services.delivery.is_behind()
    site.clock.pass_(301)
    assert not site.services.delivery.is_behind(), "people wait for none of it"
    second = wiki.told()
    site.clock.pass_(301)
    third = wiki.told()
    assert len({one["jti"] for one in (*first, *second, *third)}) == 3
    assert states(site) == [("sent", 3, None)]


def test_it_is_given_up_after_the_last_retry(site: Site, ada: Owner, wiki: ToldParty) -> None:
    wiki.http.answers += [(500, b"")] * 9
    wiki.tokens(ada)
    ada.log_out()
    for _ in range(6):
        wiki.told()
        site.clock.pass_(1000)
    assert states(site) == [("failed", 4, "the app did not take the log-out: HTTP 500")]


def test_the_address_is_the_one_that_the_app_has_when_it_is_told(site: Site, ada: Owner, wiki: ToldParty) -> None:
    wiki.http.answers += [(500, b"")] * 2
    wiki.tokens(ada)
    ada.log_out()
    wiki.told()
    apps = site.services.operators.apps
    apps.change(wiki.client_id, replace(apps.named(wiki.client_id).options, backchannel_logout_uri=None))
    site.clock.pass_(1000)
    assert wiki.told() == []
    assert states(site) == [("failed", 2, "the app has no address for log-out any more")]


def test_an_app_that_is_deleted_is_told_what_it_was_owed(site: Site, ada: Owner, wiki: ToldParty) -> None:
    wiki.http.answers.append((500, b""))
    wiki.tokens(ada)
    ada.log_out()
    assert len(wiki.told()) == 1
    site.services.operators.apps.delete(wiki.client_id)
    site.clock.pass_(1000)
    assert len(wiki.told()) == 1
    assert states(site)[0][0] == "sent"


def test_an_app_that_is_deleted_is_told_of_each_session_of_each_account(
    site: Site, ada: Owner, server: AppServer
) -> None:
    wiki, other = ToldParty(site, server, signing_algorithm="ES256"), RelyingParty(site, name="Silent")
    bob = Owner.signed_up(site, "bob")
    second = ada.other_browser()
    second.log_in_whole()
    sessions = {wiki.read(wiki.tokens(person)["id_token"])["sid"] for person in (ada, second, bob)}
    site.services.operators.apps.delete(wiki.client_id)
    assert {told["sid"] for told in wiki.told()} == sessions
    other.tokens(ada)
    site.services.operators.apps.delete(other.client_id)
    assert len(states(site)) == 3, "an app without an address is told nothing"


def test_several_workers_at_once_tell_it_once(site: Site, ada: Owner, wiki: ToldParty) -> None:
    for _ in range(3):
        wiki.tokens(ada)
        Ending(site, ada, wiki).disconnect()
    service = site.services.openid.back_channel
    with ThreadPoolExecutor(4) as pool:
        done = [pool.submit(one) for one in (service.owe_ended, service.owe_expired) * 2]
        for future in done:
            future.result()
    assert len(states(site)) == 3


def test_what_another_worker_took_meanwhile_is_left_to_it(site: Site, ada: Owner, wiki: ToldParty) -> None:
    wiki.tokens(ada)
    ada.log_out()
    service = site.services.openid.back_channel
    with site.services.db.read() as tx:
        (row,) = tx.scalars(select(SessionApp.id)).all()
    service.owe_ended()
    with site.services.db.write() as tx:
        service.owe_one(tx, row)
    assert len(wiki.told()) == 1


def test_messages_to_people_go_first(site: Site, ada: Owner, wiki: ToldParty) -> None:
    wiki.http.answers.append((200, SILENT))
    wiki.tokens(ada)
    ada.log_out()
    site.services.openid.back_channel.owe_ended()
    site.services.accounts.log_out("ada")
    with site.services.db.read() as tx:
        owed = tx.scalars(select(Message.channel).where(Message.state == "owed").order_by(Message.id)).all()
    assert owed[-2:] == ["log-out", "email"]
    claimed = site.services.delivery._claim(CHANNELS, set())
    assert claimed is not None
    assert claimed.channel == "email"


def test_discovery_says_so(site: Site) -> None:
    found = json_of(RelyingParty(site).server.open("/.well-known/openid-configuration"))
    assert found["backchannel_logout_supported"] is True
    assert found["backchannel_logout_session_supported"] is True


def test_the_number_of_a_session_is_never_given_again(site: Site, ada: Owner) -> None:
    """Apps know a session by a hash of its number."""
    first = user_of(site, ada).session.id
    with site.services.db.write() as tx:
        tx.execute(delete(Session))
    ada.log_in_whole()
    assert user_of(site, ada).session.id > first
