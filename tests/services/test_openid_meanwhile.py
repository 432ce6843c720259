"""What happens between a check and its action, in the log-in to apps: the later one finds what was done."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import update

from tests.attacks.tools import count, user_of
from tests.conftest import Site
from tests.doubles import CheapHasher, MeanwhileClock, MeanwhileEntropy
from tests.people import Owner
from tests.relying_party import RelyingParty, Television
from webapp.domain.origin import Origin
from webapp.domain.refusals import CodeExpired, LoginExpired, Refusal, StepClosed
from webapp.models.registered_apps import RegisteredApp
from webapp.models.user import User
from webapp.services.openid.requests import AuthorizationError, CheckedRequest, Unanswerable
from webapp.services.openid.signing_keys import SigningKeys
from webapp.services.openid.steps import RequestContext
from webapp.services.openid.subjects import Subjects

HERE = Origin("192.0.2.1", "Firefox")


@pytest.fixture
def entropy() -> MeanwhileEntropy:
    return MeanwhileEntropy()


@pytest.fixture
def overrides(entropy: MeanwhileEntropy) -> dict[str, Any]:
    return {"hasher": CheapHasher(), "entropy": entropy}


def asked_of(site: Site, app: RelyingParty, user: User) -> tuple[CheckedRequest, RequestContext]:
    service = site.services.openid.authorizations
    parameters = {
        "response_type": "code",
        "client_id": app.client_id,
        "redirect_uri": "https://app.example/back",
        "scope": "openid",
        "code_challenge": "x" * 43,
        "code_challenge_method": "S256",
    }
    return service.ask(list(parameters.items())), service.now(user)


def test_who_may_no_longer_use_the_app_gets_no_code(site: Site, ada: Owner, entropy: MeanwhileEntropy) -> None:
    groups = site.services.operators.groups
    groups.create("editors")
    groups.add("editors", "ada")
    app, user = RelyingParty(site, trusted=True, groups=("editors",)), user_of(site, ada)
    asked, context = asked_of(site, app, user)
    site.services.openid.subjects.ready()
    entropy.happens = lambda: groups.remove("editors", "ada")
    with pytest.raises(Unanswerable) as refused:
        site.services.openid.authorizations.grant(user, asked, context, HERE)
    assert refused.value.why == "access"
    assert count(site, "SELECT count(*) FROM app_authorizations") == 0


def test_an_app_that_was_disconnected_asks_again(site: Site, ada: Owner, entropy: MeanwhileEntropy) -> None:
    app = RelyingParty(site)
    app.code(ada)
    user = user_of(site, ada)
    asked, context = asked_of(site, app, user)
    entropy.happens = lambda: site.services.openid.connections.disconnect(user.account, app.client_id, HERE)
    with pytest.raises(Unanswerable) as refused:
        site.services.openid.authorizations.grant(user, asked, context, HERE)
    assert refused.value.why == "unproved"
    assert count(site, "SELECT count(*) FROM app_connections") == 0


def test_a_session_that_was_ended_gets_no_code(site: Site, ada: Owner) -> None:
    app, user = RelyingParty(site, trusted=True), user_of(site, ada)
    asked = asked_of(site, app, user)
    site.services.active_access.end_own(user, HERE)
    with pytest.raises(LoginExpired):
        site.services.openid.authorizations.grant(user, *asked, HERE)
    assert count(site, "SELECT count(*) FROM app_authorizations") == 0


def test_what_needs_a_page_gets_no_code(site: Site, ada: Owner) -> None:
    app, user = RelyingParty(site), user_of(site, ada)
    with pytest.raises(Unanswerable) as refused:
        site.services.openid.authorizations.grant(user, *asked_of(site, app, user), HERE)
    assert refused.value.why == "unproved"


def test_a_wrong_hint_gets_no_code(site: Site, ada: Owner) -> None:
    app, user = RelyingParty(site, trusted=True), user_of(site, ada)
    asked, context = asked_of(site, app, user)
    with pytest.raises(AuthorizationError):
        site.services.openid.authorizations.grant(user, replace(asked, id_token_hint="of another"), context, HERE)


def test_a_request_that_was_answered_is_not_decided_again(site: Site, ada: Owner) -> None:
    app = RelyingParty(site)
    handle = app.send(ada).response.request.args["id"]
    service = site.services.openid.authorizations
    waiting, user = service.find(handle), user_of(site, ada)
    ada.press("Continue")
    for act in (lambda: service.decide(waiting, user, agreed=True), lambda: service.cancel(waiting)):
        with pytest.raises(Unanswerable):
            act()


def test_keys_that_another_process_made_or_rotated_are_taken(site: Site) -> None:
    clock = MeanwhileClock()
    mine = SigningKeys(replace(site.services.core, clock=clock))
    others = SigningKeys(site.services.core)
    clock.happens = others.published
    assert mine.published().document == others.published().document
    for time in (clock, site.clock):
        time.pass_(89 * 86400)
    clock.happens = others.rotate_due
    mine.rotate_due()
    assert count(site, "SELECT count(*) FROM signing_keys") == 4
    assert mine.published().document == others.published().document


def test_the_key_of_subjects_that_another_process_made_is_taken(site: Site, entropy: MeanwhileEntropy) -> None:
    app = RelyingParty(site).app
    mine, others = Subjects(site.services.core), Subjects(site.services.core)
    entropy.happens = others.ready
    assert mine.of(app, 1) == others.of(app, 1)
    assert mine.of(app, 1) == Subjects(site.services.core).of(app, 1), "one that starts later reads it"


# -- Devices -------------------------------------------------------------------------------------------


@pytest.fixture
def typed(site: Site, ada: Owner) -> int:
    """The id of a request whose code was typed."""
    code = Television(site).show()["user_code"]
    return site.services.openid.devices.type(user_of(site, ada), code, HERE)


@pytest.mark.parametrize(
    ("change", "refusal"),
    [({"proof": "key"}, StepClosed), ({"limited": True}, StepClosed), ({"device_allowed": False}, CodeExpired)],
)
def test_a_device_is_approved_by_what_the_app_demands_now(
    site: Site, ada: Owner, typed: int, change: dict[str, Any], refusal: type[Refusal]
) -> None:
    devices, user = site.services.openid.devices, user_of(site, ada)
    assert devices.find(user, typed).asked.app.name == "Films"
    with site.services.db.write() as tx:
        tx.execute(update(RegisteredApp).values(change))
    with pytest.raises(refusal):
        devices.approve(user, typed, HERE)
    assert count(site, "SELECT count(*) FROM app_authorizations") == 0
    assert count(site, "SELECT count(*) FROM device_requests WHERE state = 'waiting'") == 1


def test_a_device_is_answered_once(site: Site, ada: Owner, typed: int) -> None:
    devices, user = site.services.openid.devices, user_of(site, ada)
    devices.approve(user, typed, HERE)
    for answer in (devices.approve, devices.deny):
        with pytest.raises(CodeExpired):
            answer(user, typed, HERE)
    assert count(site, "SELECT count(*) FROM app_authorizations") == 1


def test_a_device_is_not_approved_by_a_session_that_was_ended(site: Site, ada: Owner, typed: int) -> None:
    devices, user = site.services.openid.devices, user_of(site, ada)
    site.services.active_access.end_own(user, HERE)
    with pytest.raises(LoginExpired):
        devices.approve(user, typed, HERE)
