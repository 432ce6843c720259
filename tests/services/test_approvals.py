"""Concurrent answers to a login request: the first that commits counts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from threading import Barrier, BrokenBarrierError, get_ident
from typing import Any

import pytest
from sqlalchemy import event, text

from tests.attacks.test_login_requests import HERE, external_ids, newest, number_of, on, waits, with_phone, wrong
from tests.conftest import Site
from tests.people import ANDROID, Owner
from webapp.domain.origin import Origin
from webapp.domain.refusals import ChallengeExhausted, LoginExpired, Refusal, WrongCode
from webapp.domain.request_refusals import NotApproved, RequestEnded
from webapp.models.login_requests import LoginRequest
from webapp.services.login.login import LoginClaim, PendingToken
from webapp.services.method_kinds import Several
from webapp.services.requests.approvals import Approvals, Viewer


@pytest.fixture
def phone(site: Site) -> Owner:
    return with_phone(site)


@pytest.fixture
def waiting(phone: Owner) -> Owner:
    return waits(phone)


def viewer(site: Site) -> Viewer:
    method = site.services.methods.named("login-requests")
    assert method is not None
    found = site.services.approvals.viewer(
        method, None, Origin("192.0.2.1", external_ids=frozenset(external_ids(site)))
    )
    assert found is not None
    return found


def test_a_denial_between_the_attempt_and_the_approval_counts(site: Site, phone: Owner, waiting: Owner) -> None:
    who, services = viewer(site), site.services

    class DeniesMeanwhile:
        def numbers(self, request: LoginRequest) -> list[str]:
            services.approvals.deny(who, request.id, HERE)
            return services.login_requests.numbers(request)

    requests: Any = DeniesMeanwhile()
    slow = Approvals(
        services.core,
        requests=requests,
        notices=services.notices,
    )
    with pytest.raises(RequestEnded):
        slow.approve(who, newest(site).id, number_of(waiting), HERE)
    assert newest(site).state == "denied"


def test_a_request_that_ended_is_neither_denied_nor_cancelled_again(site: Site, phone: Owner, waiting: Owner) -> None:
    who, request = viewer(site), newest(site).id
    site.services.approvals.deny(who, request, HERE)
    for again in (site.services.approvals.deny, site.services.approvals.cancel):
        with pytest.raises(RequestEnded):
            again(who, request, HERE)


def test_an_approval_is_used_once(site: Site, phone: Owner, waiting: Owner) -> None:
    """By itself too, and not only because the login that asked for it ends."""
    site.services.approvals.approve(viewer(site), newest(site).id, number_of(waiting), HERE)
    ada, challenge = site.services.accounts.named(phone.username), newest(site).challenge
    requests = site.services.login_requests
    with site.services.db.write() as tx:
        requests.use(tx, ada, challenge)
    with pytest.raises(NotApproved), site.services.db.write() as tx:
        requests.use(tx, ada, challenge)


def test_an_approval_by_a_phone_that_was_turned_off_is_refused(site: Site, phone: Owner, waiting: Owner) -> None:
    site.services.approvals.approve(viewer(site), newest(site).id, number_of(waiting), HERE)
    with site.services.db.write() as tx:
        tx.execute(text("UPDATE factors SET turned_off_at = added_at WHERE id = (SELECT min(id) FROM factors)"))
        tx.execute(
            text(
                "INSERT INTO factors"
                " (account_id, method, external_id, label, attributes, sealed, added_at, counter, logged_in_at)"
                " SELECT account_id, method, 'b', 'B', attributes, sealed, added_at, -1, 0 FROM factors"
            )
        )
    assert on(waiting).status == 422
    assert newest(site).state == "approved", "nothing was done"


# -- Requests that lock the same rows --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Stage:
    """An account with a phone and an app, a session on the phone, and a login that waits for the phone."""

    site: Site
    owner: Owner
    claim: LoginClaim

    def log_in_by_app(self) -> None:
        self.site.services.login.verify(self.claim, "authentication-app", {"code": self.owner.code()}, HERE)

    def log_in_by_phone(self) -> None:
        self.site.services.login.verify(self.claim, "login-requests", {}, HERE)

    def enter_the_last_wrong_code(self) -> None:
        code = wrong(self.owner.code())
        for left in (4, 3, 2, 1, 0):
            with pytest.raises(WrongCode if left else ChallengeExhausted):
                self.site.services.login.verify(self.claim, "authentication-app", {"code": code}, HERE)

    def deny(self) -> None:
        self.site.services.approvals.deny(viewer(self.site), newest(self.site).id, HERE)

    def approve(self) -> None:
        number = self.site.services.login_requests.numbers(newest(self.site))[0]
        self.site.services.approvals.approve(viewer(self.site), newest(self.site).id, number, HERE)

    def log_out_everywhere(self) -> None:
        with self.site.services.db.write() as tx:
            self.site.services.sessions.end_others(tx, self.claim.account.id, None)

    def delete_the_phone(self) -> None:
        method = self.site.services.methods.named("login-requests")
        assert isinstance(method, Several)
        user = self.site.services.sessions.find(session_token(self.owner))
        assert user is not None
        phone = user.factors_of(method.slug)[0]
        self.site.services.named_factors.delete(user, method, phone.id, HERE)


def session_token(owner: Owner) -> str:
    return str(owner.cookie("session")).rpartition(".")[0]


@pytest.fixture
def stage(site: Site) -> Stage:
    owner = Owner.signed_up(site, layout=ANDROID)
    owner.turn_on_requests()
    owner.press("Got it")
    owner.turn_on_app()
    site.clock.pass_(30)
    login = site.services.login
    pending = login.with_password(owner.username, owner.password, persistent=False, next_path="", origin=HERE)
    assert isinstance(pending, PendingToken)
    claim = login.claim(pending.token)
    login.choose(claim, "login-requests", HERE)
    return Stage(site, owner, claim)


MEET = 0.5  # seconds that suffice for the other thread to take its first lock


@pytest.mark.parametrize(
    ("one", "other", "tables"),
    [
        (Stage.log_in_by_app, Stage.deny, ("pending_logins", "login_requests")),
        (Stage.log_in_by_app, Stage.log_out_everywhere, ("pending_logins", "login_requests")),
        (Stage.log_in_by_phone, Stage.log_out_everywhere, ("pending_logins", "login_requests")),
        (Stage.log_in_by_phone, Stage.delete_the_phone, ("login_requests", "factors")),
        (Stage.enter_the_last_wrong_code, Stage.deny, ("pending_logins", "login_requests")),
        (Stage.log_out_everywhere, Stage.deny, ("pending_logins", "login_requests")),
    ],
)
def test_two_answers_at_once_do_not_wait_for_each_other(
    stage: Stage, one: Callable[[Stage], None], other: Callable[[Stage], None], tables: tuple[str, str]
) -> None:
    """Each meets the other when it has locked a row of one of the tables and comes to the second."""
    if one is Stage.log_in_by_phone:
        stage.approve()
    met, locked = Barrier(2), defaultdict[int, set[str]](set)

    def meet(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        found = [table for table in tables if statement.startswith((f"UPDATE {table} ", f"DELETE FROM {table} "))]
        if not found:
            return
        locked[get_ident()].update(found)
        if len(locked[get_ident()]) == 2:
            with suppress(BrokenBarrierError):
                met.wait(MEET)

    refused: list[type[Refusal]] = []

    def act(action: Callable[[Stage], None]) -> None:
        try:
            action(stage)
        except Refusal as refusal:
            refused.append(type(refusal))

    event.listen(stage.site.services.db.engine, "before_cursor_execute", meet)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(act, (one, other)))
    event.remove(stage.site.services.db.engine, "before_cursor_execute", meet)
    assert set(refused) <= {RequestEnded, LoginExpired, NotApproved}
    assert set(tables) in locked.values(), "one of them came to where they would wait for each other"
