"""Recovery by an operator: who may start it, what stops it, and that a stopped one never resets a factor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, select, update

from tests.attacks.test_meanwhile import while_paused
from tests.attacks.tools import enrolled, is_in, stale, thief_of
from tests.conftest import Site
from tests.journeys.test_keys_and_passkeys import with_passkey
from tests.journeys.test_operators_pages import operator
from tests.people import Owner, Person
from webapp.domain.account_refusals import ChangesPaused
from webapp.domain.app_refusals import OtherOperator, UnknownUsername
from webapp.domain.refusals import AlreadyDone, LinkInvalid, LoginExpired, NotFound, NotFresh, TooManyAttempts
from webapp.models.accounts import OPERATOR, Account
from webapp.models.factors import Factor
from webapp.models.sessions import Activity, Session
from webapp.models.user import User
from webapp.services.operators import COMMAND_LINE, Actor
from webapp.services.operators.recoveries import Recoveries

DAY = 86400
WAITING = "/settings/security/recovery"
LINK = "/stop-recovery/"
WHY = "Lost the phone"


@pytest.fixture
def grace(site: Site) -> Owner:
    grace = enrolled(site, "grace")
    grace.log_in_whole()
    site.clock.pass_(30)
    return grace


@pytest.fixture
def chief(site: Site) -> Actor:
    """An operator."""
    chief = enrolled(site, "chief")
    site.services.operators.roles.promote(chief.username)
    return Actor(site.services.accounts.named("chief").id)


@pytest.fixture
def recoveries(site: Site) -> Recoveries:
    return site.services.operators.recoveries


@pytest.fixture
def start(recoveries: Recoveries, chief: Actor) -> Callable[[], int]:
    return lambda: recoveries.start("grace", WHY, chief)


def factors(site: Site) -> int:
    with site.services.db.read() as tx:
        of_grace = Factor.account_id == site.services.accounts.named("grace").id
        return tx.scalar(select(func.count()).select_from(Factor).where(of_grace)) or 0


def waits(site: Site) -> bool:
    return site.services.accounts.named("grace").recovery_at is not None


def subjects(site: Site, owner: Owner) -> list[str]:
    return [email.subject for email in site.emails(owner.email)]


STOPPED = "The change of your two-factor authentication by an administrator was stopped (Nightlatch)"
RESET = "An administrator turned off your two-factor authentication (Nightlatch)"


# -- Who may start it --------------------------------------------------------------------------------


def test_a_stolen_session_of_an_operator_without_the_key_starts_none(site: Site, grace: Owner) -> None:
    ada = operator(site)
    stale(ada)
    thief = thief_of(ada)
    path = f"/operator/accounts/{grace.username}/recover"
    assert thief.open(path).h1 == "Enter your password"
    assert thief.post(path, why=WHY).h1 == "Enter your password"
    thief.press("Verify", password=ada.password)
    assert not waits(site), "the password alone does not send the kept form again"


def test_a_person_starts_none(site: Site, grace: Owner) -> None:
    other = enrolled(site, "bob")
    other.log_in_whole()
    assert other.post("/operator/accounts/grace/recover", why=WHY).status == 404
    assert not waits(site)


def test_an_operator_recovers_no_operator_and_not_themself(site: Site, chief: Actor, recoveries: Recoveries) -> None:
    enrolled(site, "grace")
    site.services.operators.roles.promote("grace")
    for name in ("chief", "grace"):
        with pytest.raises(OtherOperator):
            recoveries.start(name, WHY, chief)
        with pytest.raises(OtherOperator):
            recoveries.cancel(name, chief)
    ada = operator(site)
    page = ada.post("/operator/accounts/ada/recover", why=WHY)
    assert page.problems == ["Operators can't be changed here. Use the command line."]


def test_a_former_operator_starts_none(site: Site, grace: Owner, chief: Actor, recoveries: Recoveries) -> None:
    enrolled(site, "other")
    site.services.operators.roles.promote("other")
    site.services.operators.roles.demote("chief")
    with pytest.raises(NotFound):
        recoveries.start(grace.username, WHY, chief)


@pytest.mark.parametrize("state", ["no factor", "no address", "locked", "deleted"])
def test_an_account_whose_owner_could_not_answer_gets_none(
    site: Site, grace: Owner, start: Callable[[], int], state: str
) -> None:
    values = {"no address": {"email": None, "email_key": None}, "locked": {"locked_at": 1}, "deleted": {"delete_at": 1}}
    with site.services.db.write() as tx:
        if state in values:
            tx.execute(update(Account).where(Account.username == grace.username).values(**values[state]))
        else:
            tx.execute(update(Factor).values(turned_off_at=1))
    with pytest.raises(NotFound):
        start()


def test_starting_twice_is_one_recovery_and_does_not_postpone_it(
    site: Site, grace: Owner, start: Callable[[], int], recoveries: Recoveries
) -> None:
    until = start()
    site.clock.pass_(60)
    with pytest.raises(AlreadyDone):
        start()
    assert site.services.accounts.named("grace").recovery_at == until
    assert subjects(site, grace).count("Your two-factor authentication will be turned off (Nightlatch)") == 1
    site.clock.pass_(DAY - 60)
    assert recoveries.finish_due() == 1
    assert recoveries.finish_due() == 0


@pytest.mark.usefixtures("grace")
def test_an_owner_is_not_flooded_by_recoveries_that_are_canceled(
    site: Site, start: Callable[[], int], recoveries: Recoveries, chief: Actor
) -> None:
    for _ in range(3):
        start()
        recoveries.cancel("grace", chief)
    with pytest.raises(TooManyAttempts):
        start()
    assert not waits(site)
    with pytest.raises(AlreadyDone):
        recoveries.cancel("grace", chief)
    with pytest.raises(UnknownUsername):
        recoveries.cancel("nobody", chief)


def told(site: Site, operator: str) -> list[tuple[str, str]]:
    """The details and the network address of the event by which an operator learns that a recovery was stopped."""
    stopped = Activity.kind == "operator-recovery-stopped", Account.username == operator
    with site.services.db.read() as tx:
        query = select(Activity.details, Activity.address).join(Account, Account.id == Activity.account_id)
        return [tuple(row) for row in tx.execute(query.where(*stopped))]


@pytest.mark.parametrize(
    "way", ["link", "login", "button", "another operator", "deletion", "earlier address", "lock", "promotion"]
)
def test_who_started_it_learns_that_it_was_stopped_and_not_from_where(
    site: Site, grace: Owner, start: Callable[[], int], recoveries: Recoveries, way: str
) -> None:
    if way == "earlier address":
        grace.open("/settings/account/email")
        grace.press("Save", email="eve@example.net")
        grace.press("Verify", code=site.emailed_code("eve@example.net"))
    start()
    reader = Person(site.app)
    if way == "link":
        reader.open(site.emailed_path(grace.email, LINK))
        reader.press("Stop the change")
    elif way == "login":
        site.clock.pass_(30)
        grace.other_browser().log_in_whole()
    elif way == "button":
        grace.open(WAITING)
        grace.press("Stop the change")
    elif way == "another operator":
        recoveries.cancel("grace", COMMAND_LINE)
    elif way == "deletion":
        grace.open("/settings/account/delete")
        grace.press("Delete my account")
    elif way == "lock":
        site.services.operators.roles.lock("grace")
    elif way == "promotion":
        site.services.operators.roles.promote("grace")
    else:
        reader.open(site.emailed_path(grace.email, "/undo-email/"))
        reader.press("Undo the change")
    assert not waits(site)
    assert told(site, "chief") == [('{"username": "grace"}', "")]


@pytest.mark.parametrize("state", ["demoted", "deleted", "command line", "the same operator"])
def test_nobody_else_learns_that_it_was_stopped(
    site: Site, grace: Owner, start: Callable[[], int], recoveries: Recoveries, chief: Actor, state: str
) -> None:
    enrolled(site, "other")
    site.services.operators.roles.promote("other")
    if state == "command line":
        recoveries.start("grace", WHY, COMMAND_LINE)
    else:
        start()
    if state in ("demoted", "deleted"):
        site.services.operators.roles.demote("chief")
    if state == "deleted":
        site.services.accounts.delete("chief")
    if state == "the same operator":
        recoveries.cancel("grace", chief)
    else:
        grace.open(WAITING)
        grace.press("Stop the change")
    assert not waits(site)
    assert told(site, "chief") == told(site, "other") == []


# -- What stops it -----------------------------------------------------------------------------------


def test_the_link_stops_it_once_and_ends_every_session(
    site: Site, grace: Owner, start: Callable[[], int], recoveries: Recoveries
) -> None:
    start()
    path = site.emailed_path(grace.email, LINK)
    reader = Person(site.app)
    assert reader.open(path).says(f"Reason: {WHY}")
    assert waits(site), "opening it changes nothing"
    page = reader.press("Stop the change")
    assert page.receipts == ["Two-factor authentication stays on. Now choose a new password."]
    assert not waits(site)
    assert not is_in(grace)
    assert reader.open(path).status == 404
    site.clock.pass_(DAY)
    assert recoveries.finish_due() == 0
    assert factors(site) == 1
    assert subjects(site, grace)[0] == STOPPED


def test_a_link_stops_the_recovery_of_its_own_account_only(
    site: Site, grace: Owner, start: Callable[[], int], recoveries: Recoveries, chief: Actor
) -> None:
    eve = enrolled(site, "eve")
    start()
    recoveries.start("eve", WHY, chief)
    reader = Person(site.app)
    reader.open(site.emailed_path(eve.email, LINK))
    reader.press("Stop the change")
    assert waits(site)
    assert grace.email != eve.email


def test_the_link_of_a_stopped_recovery_does_not_stop_a_later_one(
    site: Site, grace: Owner, start: Callable[[], int], recoveries: Recoveries, chief: Actor
) -> None:
    start()
    path = site.emailed_path(grace.email, LINK)
    opened = site.services.links.find("stop-recovery", path.split("/")[2])
    recoveries.cancel("grace", chief)
    site.clock.pass_(60)
    start()
    reader = Person(site.app)
    assert reader.open(path).status == 404
    with pytest.raises(LinkInvalid):
        recoveries.stop_by_link(opened, chief.origin)
    assert waits(site)


@pytest.mark.parametrize("way", ["app", "backup code", "passkey"])
def test_a_full_login_stops_it(site: Site, start: Callable[[], int], recoveries: Recoveries, way: str) -> None:
    grace = Owner.signed_up(site, "grace")
    backup = None
    if way == "passkey":
        grace.turn_on_key()
    else:
        page = grace.turn_on_app()
        backup = page.backup_code if way == "backup code" else None
    start()
    site.clock.pass_(30)
    other = grace.other_browser()
    if way == "passkey":
        assert grace.key is not None
        with_passkey(other, grace.key)
    elif backup is not None:
        other.log_in()
        other.follow("Use a backup code")
        other.press("Verify", code=backup)
    else:
        other.log_in_whole()
    assert not waits(site)
    assert STOPPED in subjects(site, grace)
    site.clock.pass_(DAY)
    assert recoveries.finish_due() == 0


def test_a_login_with_the_password_alone_stops_nothing_and_finishes_nothing(
    site: Site, grace: Owner, start: Callable[[], int], recoveries: Recoveries
) -> None:
    """Also from a remembered browser, where the password is the whole log-in."""
    grace.log_in_again()
    grace.press("Verify", code=grace.next_code(), remember="y")
    grace.log_out()
    start()
    thief = grace.other_browser()
    assert thief.log_in().h1 == "Enter your code"
    assert not is_in(thief)
    assert waits(site)
    site.clock.pass_(601)
    grace.log_in()
    assert is_in(grace), "the browser is remembered"
    assert waits(site)
    assert grace.open(WAITING).h1 == "Enter your code"
    assert grace.post(WAITING).h1 == "Enter your code"
    assert waits(site)
    assert factors(site) == 1
    site.clock.pass_(DAY)
    assert recoveries.finish_due() == 1


def test_the_button_needs_a_fresh_proof_and_stops_only_what_it_showed(
    site: Site, grace: Owner, start: Callable[[], int], recoveries: Recoveries, chief: Actor
) -> None:
    start()
    assert grace.open(WAITING).says(f"Reason: {WHY}")
    recoveries.cancel("grace", chief)
    page = grace.press("Stop the change")
    assert page.path != WAITING
    site.clock.pass_(30)
    start()
    grace.open(WAITING)
    page = grace.press("Stop the change")
    assert page.receipts == ["Two-factor authentication stays on."]
    assert not waits(site)


@pytest.mark.parametrize("state", ["locked", "promoted", "deleted", "restored"])
def test_what_else_happens_to_the_account_stops_it(
    site: Site, grace: Owner, start: Callable[[], int], recoveries: Recoveries, chief: Actor, state: str
) -> None:
    start()
    path = site.emailed_path(grace.email, LINK)
    roles = site.services.operators.roles
    if state == "locked":
        roles.lock("grace", chief)
        roles.unlock("grace", chief)
    elif state == "promoted":
        roles.promote("grace")
    elif state == "deleted":
        grace.open("/settings/account/delete")
        grace.press("Delete my account")
    else:
        site.services.restoration.declare_restored()
    assert not waits(site)
    assert Person(site.app).open(path).status == 404
    site.clock.pass_(DAY)
    assert recoveries.finish_due() == 0
    assert factors(site) == 1


@pytest.mark.parametrize("values", [{"locked_at": 1}, {"delete_at": 1 << 40}, {"role": OPERATOR}, None])
def test_a_due_recovery_of_an_account_that_became_unfit_resets_nothing(
    site: Site, grace: Owner, start: Callable[[], int], recoveries: Recoveries, values: dict[str, Any] | None
) -> None:
    """Judged again in the transaction of the reset, whatever set it."""
    start()
    with site.services.db.write() as tx:
        if values is None:
            tx.execute(update(Factor).values(turned_off_at=1))
        else:
            tx.execute(update(Account).where(Account.username == grace.username).values(**values))
    site.clock.pass_(DAY)
    assert recoveries.finish_due() == 0
    assert not waits(site)
    assert factors(site) == 1


def test_bringing_an_earlier_address_back_stops_it(
    site: Site, grace: Owner, start: Callable[[], int], recoveries: Recoveries
) -> None:
    """A thief who changes the address first gets the link that would stop it."""
    grace.open("/settings/account/email")
    grace.press("Save", email="eve@example.net")
    grace.press("Verify", code=site.emailed_code("eve@example.net"))
    start()
    reader = Person(site.app)
    reader.open(site.emailed_path(grace.email, "/undo-email/"))
    reader.press("Undo the change")
    assert not waits(site)
    assert Person(site.app).open(site.emailed_path("eve@example.net", LINK)).status == 404
    with pytest.raises(ChangesPaused):
        start()
    site.clock.pass_(DAY)
    assert recoveries.finish_due() == 0


# -- At the same time --------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["link", "reset"])
def test_the_link_and_the_due_reset_at_once_are_one_result(
    site: Site, grace: Owner, start: Callable[[], int], recoveries: Recoveries, first: str
) -> None:
    start()
    site.clock.pass_(DAY - 1)
    reader = Person(site.app)
    reader.open(site.emailed_path(grace.email, LINK))
    if first == "reset":
        site.clock.pass_(1)
        while_paused(site, recoveries.finish_due, "UPDATE accounts SET", lambda: reader.press("Stop the change"))
        assert reader.page is not None
        assert reader.page.status == 404
        assert factors(site) == 0
        return

    def finish() -> None:
        site.clock.pass_(1)
        done.append(recoveries.finish_due())

    done: list[int] = []
    while_paused(site, lambda: reader.press("Stop the change"), "UPDATE accounts SET recovery_at", finish)
    assert done == [0]
    assert factors(site) == 1
    assert RESET not in subjects(site, grace)


@pytest.mark.parametrize("first", ["login", "reset"])
def test_a_full_login_and_the_due_reset_at_once_are_one_result(
    site: Site, grace: Owner, start: Callable[[], int], recoveries: Recoveries, first: str
) -> None:
    start()
    site.clock.pass_(DAY)
    other = grace.log_in_elsewhere()
    code = grace.next_code()
    done: list[int] = []
    if first == "login":
        login = lambda: other.press("Verify", code=code)  # noqa: E731
        while_paused(site, login, "UPDATE accounts SET recovery_at", lambda: done.append(recoveries.finish_due()))
        assert done == [0]
        assert factors(site) == 1
        assert is_in(other)
    else:
        while_paused(
            site,
            lambda: done.append(recoveries.finish_due()),
            "UPDATE accounts SET",
            lambda: other.press("Verify", code=code),
        )
        assert done == [1]
        assert factors(site) == 0
        assert not is_in(other)


def test_two_workers_reset_once(site: Site, grace: Owner, start: Callable[[], int], recoveries: Recoveries) -> None:
    start()
    site.clock.pass_(DAY)
    done: list[int] = []
    finish = lambda: done.append(recoveries.finish_due())  # noqa: E731
    while_paused(site, finish, "UPDATE accounts SET", finish)
    assert sorted(done) == [0, 1]
    assert subjects(site, grace).count(RESET) == 1


@pytest.mark.usefixtures("grace")
def test_two_starts_at_once_are_one(site: Site, start: Callable[[], int]) -> None:
    refused: list[type[Exception]] = []

    def again() -> None:
        try:
            start()
        except AlreadyDone as refusal:
            refused.append(type(refusal))

    while_paused(site, start, "UPDATE accounts SET recovery_at", again)
    assert refused == [AlreadyDone]
    assert waits(site)


def test_a_session_that_is_stale_or_ended_and_a_page_that_is_old_stop_nothing(
    site: Site, grace: Owner, start: Callable[[], int], recoveries: Recoveries, chief: Actor
) -> None:
    start()
    before = user_of(site, grace)
    recoveries.cancel(grace.username, chief)
    with pytest.raises(AlreadyDone):
        recoveries.stop(before, chief.origin)
    site.clock.pass_(1)
    start()
    with pytest.raises(AlreadyDone):
        recoveries.stop(before, chief.origin)
    now = user_of(site, grace)
    site.services.operators.accounts.log_out(grace.username, chief)
    with pytest.raises(LoginExpired):
        recoveries.stop(now, chief.origin)
    site.clock.pass_(601)
    with pytest.raises(NotFresh):
        recoveries.stop(now, chief.origin)
    assert waits(site)


def user_of(site: Site, owner: Owner) -> User:
    """The owner's newest session, as a request finds it by its cookie."""
    account = site.services.accounts.named(owner.username)
    with site.services.db.read() as tx:
        session = tx.objects.scalars(
            select(Session).where(Session.account_id == account.id).order_by(Session.id.desc())
        ).first()
    assert session is not None
    return User(session, account, site.services.accounts.factors(account), [])
