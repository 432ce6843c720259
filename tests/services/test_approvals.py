"""Concurrent answers to a login request: the first that commits counts."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from tests.attacks.test_login_requests import HERE, external_ids, newest, number_of, on, waits, with_phone
from tests.conftest import Site
from tests.people import Owner
from webapp.domain.origin import Origin
from webapp.domain.request_refusals import NotApproved, RequestEnded
from webapp.models.login_requests import LoginRequest
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
