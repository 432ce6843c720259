"""What a check of a session at a guarded host costs, and the signed statement in its answer."""

from __future__ import annotations

from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from tests.attacks.tools import user_of
from tests.conftest import Site
from tests.doubles import CheapHasher, MeanwhileEntropy
from tests.guarded_host import GuardedHost
from tests.people import HOST, Owner
from webapp.domain.origin import Origin
from webapp.domain.refusals import LoginExpired
from webapp.models.registered_apps import ALGORITHMS, ES256
from webapp.services.guarded.configurations import configuration
from webapp.services.guarded.logins import GuardedLoginExpired, HostLogin

ASSERTION = "Nightlatch-Assertion"


@pytest.fixture
def entropy() -> MeanwhileEntropy:
    return MeanwhileEntropy()


@pytest.fixture
def overrides(entropy: MeanwhileEntropy) -> dict[str, Any]:
    return {"hasher": CheapHasher(), "entropy": entropy}


@pytest.fixture
def ada(site: Site) -> Owner:
    """With a second factor, so that a check reads a factor too."""
    ada = Owner.signed_up(site)
    ada.turn_on_app()
    return ada


@pytest.fixture
def wiki(site: Site, ada: Owner) -> GuardedHost:
    wiki = GuardedHost(site)
    wiki.enter(ada)
    wiki.check(ada)  # the first one makes the keys
    return wiki


def counted(site: Site) -> list[str]:
    return [one for one in site.statements if one.startswith(("SELECT", "INSERT", "UPDATE", "DELETE"))]


def test_a_check_is_one_statement_and_writes_once_a_minute(ada: Owner, wiki: GuardedHost, site: Site) -> None:
    site.clock.pass_(59)
    site.statements.clear()
    assert wiki.lets_in(ada)
    assert [one.split()[0] for one in counted(site)] == ["SELECT"], "a new assertion costs no statement"
    site.clock.pass_(1)
    site.statements.clear()
    assert wiki.lets_in(ada)
    assert [one.split()[:2] for one in counted(site)] == [
        ["SELECT", counted(site)[0].split()[1]],
        ["UPDATE", "sessions"],
        ["UPDATE", "guarded_sessions"],
    ]
    site.statements.clear()
    assert wiki.lets_in(ada)
    assert len(counted(site)) == 1


def test_a_check_of_nobody_is_one_statement(ada: Owner, wiki: GuardedHost, site: Site) -> None:
    stranger = ada.other_browser()
    site.statements.clear()
    assert wiki.check(stranger, headers={"Sec-Fetch-Mode": "cors"}).status == 401
    assert len(counted(site)) == 1


def test_an_assertion_is_verified_by_the_published_keys(ada: Owner, wiki: GuardedHost, site: Site) -> None:
    found = decoded(ada, wiki)
    now = site.clock.now()
    assert found.header["typ"] == "JWT"
    assert found.header["alg"] == ALGORITHMS[0]
    assert found.claims == {
        "iss": f"http://{HOST}",
        "aud": wiki.host,
        "sub": found.claims["sub"],
        "preferred_username": "ada",
        "iat": now,
        "exp": now + 60,
    }
    other = GuardedHost(site, "other.localhost")
    other.enter(ada)
    assert decoded(ada, other).claims["sub"] != found.claims["sub"], "one subject for each host"
    assert decoded(ada, other).claims["aud"] == other.host


def decoded(ada: Owner, host: GuardedHost) -> jwt.Token:
    token = host.check(ada).response.headers[ASSERTION]
    keys = KeySet.import_key_set(host.site.app.test_client().get("/oauth/keys", base_url=f"http://{HOST}").get_json())
    return jwt.decode(token, keys, algorithms=list(ALGORITHMS))


def test_an_assertion_is_used_for_twenty_seconds(ada: Owner, wiki: GuardedHost, site: Site) -> None:
    def told() -> str:
        return str(wiki.check(ada).response.headers[ASSERTION])

    first = told()
    site.clock.pass_(19)
    assert told() == first
    site.clock.pass_(1)
    second = told()
    assert second != first
    site.clock.pass_(-1)
    assert told() != second, "the clock was set back: it would be of the future"


def test_a_new_key_signs_at_once(ada: Owner, wiki: GuardedHost, site: Site) -> None:
    first = decoded(ada, wiki)
    site.services.openid.signing_keys.rotate(at_once=True)
    second = decoded(ada, wiki)
    assert second.header["kid"] != first.header["kid"]
    assert second.claims["sub"] == first.claims["sub"]
    assert second.header["alg"] != ES256


def test_an_assertion_of_one_user_is_not_anothers(ada: Owner, wiki: GuardedHost, site: Site) -> None:
    bob = Owner.signed_up(site, "bob")
    wiki.enter(bob)
    assert decoded(bob, wiki).claims["preferred_username"] == "bob"
    assert decoded(ada, wiki).claims["preferred_username"] == "ada"


def test_an_assertion_for_one_host_is_not_anothers(ada: Owner, wiki: GuardedHost, site: Site) -> None:
    """Both know the account by the same subject."""
    shop = GuardedHost(site, "shop.localhost", sector=wiki.host)
    shop.enter(ada)
    assert [decoded(ada, host).claims["aud"] for host in (wiki, shop)] == [wiki.host, shop.host]


def test_a_log_in_is_not_granted_to_a_session_that_was_ended(ada: Owner, wiki: GuardedHost, site: Site) -> None:
    logins, user = site.services.guarded.logins, user_of(site, ada)
    handle = logins.begin(wiki.app, "/", "password", Origin("192.0.2.1"))
    waiting = logins.find(logins.start(wiki.host, handle, asks=False).handle)
    site.services.active_access.end_own(user, Origin("192.0.2.1"))
    with pytest.raises(LoginExpired):
        logins.grant(waiting, user)


def test_a_log_in_is_granted_once_and_only_to_who_is_ready(ada: Owner, site: Site, entropy: MeanwhileEntropy) -> None:
    """What was judged before is judged again where the code is given."""
    groups, logins = site.services.operators.groups, site.services.guarded.logins
    groups.create("staff")
    groups.add("staff", "ada")
    host, user = GuardedHost(site, groups=("staff",)), user_of(site, ada)

    def waiting(*, asks: bool = False) -> HostLogin:
        handle = logins.begin(host.app, "/", "password", Origin("192.0.2.1"))
        return logins.find(logins.start(host.host, handle, asks=asks).handle)

    with pytest.raises(GuardedLoginExpired):
        logins.grant(waiting(asks=True), user)
    once = waiting()
    logins.grant(once, user)
    with pytest.raises(GuardedLoginExpired):
        logins.grant(once, user)
    late = waiting()
    entropy.happens = lambda: groups.remove("staff", "ada")
    with pytest.raises(GuardedLoginExpired):
        logins.grant(late, user)


@pytest.mark.parametrize(
    ("proxy", "upstream"),
    [("other", "http://127.0.0.1:8080"), ("nginx", "http://127.0.0.1"), ("nginx", "https://127.0.0.1:8080")],
)
def test_a_configuration_is_refused_for_what_cannot_be_one(
    wiki: GuardedHost, site: Site, proxy: str, upstream: str
) -> None:
    stored = site.services.operators.apps.named(wiki.app.client_id)
    with pytest.raises(ValueError, match=r"^(A configuration|Give the address)"):
        configuration(proxy, stored, site.services.core, bind="127.0.0.1:5000", main_url="http://x", upstream=upstream)
