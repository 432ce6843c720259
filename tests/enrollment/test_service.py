"""What the enrollment service guarantees for every method, even one that forgets its own checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from threading import Thread

import pytest
from sqlalchemy import select

from tests.conftest import Site
from tests.people import Owner
from webapp.domain.forecast import Authenticator
from webapp.domain.language import lazy
from webapp.domain.origin import Origin
from webapp.domain.refusals import AlreadyDone, EmailRequired, NotFresh, StepClosed
from webapp.models.accounts import Account
from webapp.models.database import Transaction
from webapp.models.drafts import Draft
from webapp.models.factors import Factor
from webapp.models.sessions import Session
from webapp.models.user import User
from webapp.services.enrollment.common_steps import CONFIRMED_EMAIL, DONE
from webapp.services.method import Answers, Challenge, Method, NewFactor, Step, Visit

HERE = Origin("192.0.2.1", "Firefox")


EMAIL, EMAIL_CODE = CONFIRMED_EMAIL


class Prove(Step):
    slug, template = "prove", ""
    needs_fresh = False

    def done(self, visit: Visit) -> bool:
        return False

    def submit(self, visit: Visit, answers: Answers) -> None:
        visit.turn_on(NewFactor("proved"))


PROVE = Prove()


class WithoutChecks(Method):
    """A method that asks for neither password nor e-mail address."""

    slug, title = "careless", lazy("WithoutChecks")
    given: Sequence[Step] = (PROVE, DONE)

    def __init__(self, *steps: Step) -> None:
        self.given = steps or self.given

    def steps(self) -> Sequence[Step]:
        return self.given

    def source(self, challenge: Challenge) -> str:
        raise NotImplementedError

    def authenticators(self, account: Account, factors: Sequence[Factor]) -> Sequence[Authenticator]:
        raise NotImplementedError

    def verify(self, tx: Transaction, challenge: Challenge, answers: Answers) -> None:
        raise NotImplementedError


WITHOUT_CHECKS = WithoutChecks()


@pytest.fixture
def app(site: Site) -> Method:
    method = site.services.methods.named("authentication-app")
    assert method is not None
    return method


@pytest.fixture
def ada(site: Site) -> Owner:
    return Owner(site)


def user_of(site: Site) -> User:
    """Ada's newest session, as a request finds it by her cookie."""
    with site.services.db.read() as tx:
        session = tx.objects.scalars(select(Session).order_by(Session.id.desc())).first()
        account = tx.objects.get_one(Account, 1)
        factors = list(tx.objects.scalars(select(Factor).where(Factor.turned_off_at.is_(None))))
    assert session is not None
    return User(session, account, factors, [])


def visit(site: Site, method: Method = WITHOUT_CHECKS) -> Visit:
    return site.services.enrollment.visit(user_of(site), method, HERE)


def test_no_method_is_turned_on_without_a_confirmed_address(site: Site, ada: Owner) -> None:
    ada.sign_up(confirm_email=False)
    with pytest.raises(EmailRequired):
        site.services.enrollment.submit(visit(site), PROVE, {})
    assert site.count(Factor) == 0


def test_no_method_is_turned_on_by_a_session_that_is_not_fresh(site: Site, ada: Owner) -> None:
    ada.sign_up()
    site.clock.pass_(660)
    with pytest.raises(NotFresh):
        site.services.enrollment.submit(visit(site), PROVE, {})
    assert site.count(Factor) == 0


def test_a_proved_method_is_on_and_its_secret_is_stored_nowhere_else(site: Site, ada: Owner) -> None:
    ada.sign_up()
    service = site.services.enrollment
    service.submit(visit(site), PROVE, {})
    now = visit(site)
    assert set(now.notes) == {"plan"}
    assert service.backup_code(now)
    with site.services.db.read() as tx:
        factor = tx.objects.scalars(select(Factor)).one()
    assert "proved" not in factor.sealed
    with pytest.raises(AlreadyDone):
        service.submit(now, PROVE, {})
    service.submit(visit(site), DONE, {})
    assert site.count(Draft) == 0
    assert service.backup_code(visit(site)) is None


def test_of_two_tabs_that_finish_at_once_one_succeeds_and_the_other_is_told(site: Site, ada: Owner) -> None:
    ada.sign_up()
    service = site.services.enrollment

    class OvertakenByTheOtherTab(Prove):
        def submit(self, visit: Visit, answers: Answers) -> None:
            service.submit(other, PROVE, {})
            visit.turn_on(NewFactor("proved too late"))

    slow = OvertakenByTheOtherTab()
    method = WithoutChecks(slow, DONE)
    other = visit(site)
    with pytest.raises(AlreadyDone):
        service.submit(visit(site, method), slow, {})
    assert site.count(Factor) == 1


def test_two_tabs_that_begin_at_once_share_one_draft(site: Site, ada: Owner, app: Method) -> None:
    ada.sign_up()
    method = app
    first, second = visit(site, method), visit(site, method)
    overview = method.steps()[0]
    tabs = [Thread(target=site.services.enrollment.submit, args=(tab, overview, {})) for tab in (first, second)]
    for tab in tabs:
        tab.start()
    for tab in tabs:
        tab.join()
    assert site.count(Draft) == 1
    assert visit(site, method).notes["secret"] in {first.notes["secret"], second.notes["secret"]}
    late = replace(first)
    late.draft = None
    site.services.enrollment.submit(late, overview, {})
    assert late.notes["secret"] == visit(site, method).notes["secret"]


@pytest.mark.parametrize(
    ("step", "act"),
    [(DONE, None), (EMAIL, None), (PROVE, "start-over")],
    ids=["not yet open", "foreign", "no such act"],
)
def test_a_step_that_is_not_open_is_refused(site: Site, ada: Owner, step: Step, act: str | None) -> None:
    ada.sign_up()
    with pytest.raises(StepClosed):
        site.services.enrollment.submit(visit(site), step, {}, act)
    assert site.count(Draft) == 0


def test_choosing_a_finished_method_again_starts_anew_and_a_draft_is_continued(
    site: Site, ada: Owner, app: Method
) -> None:
    ada.sign_up()
    service = site.services.enrollment
    service.submit(visit(site), PROVE, {})
    service.start_anew(user_of(site), WITHOUT_CHECKS)
    assert visit(site).draft is None
    running = app
    service.submit(visit(site, running), running.steps()[0], {})
    service.start_anew(user_of(site), running)
    assert visit(site, running).draft is not None


def test_cancelling_an_enrollment_that_was_not_begun_does_nothing(site: Site, ada: Owner) -> None:
    ada.sign_up()
    site.services.enrollment.forget(visit(site))
    assert visit(site).draft is None


def test_resending_a_code_that_was_never_asked_for_sends_nothing(site: Site, ada: Owner) -> None:
    ada.sign_up(confirm_email=False)
    method = WithoutChecks(EMAIL_CODE, PROVE, DONE)
    site.services.enrollment.submit(visit(site, method), EMAIL_CODE, {}, "resend")
    assert site.emails() == []


def test_the_steps_of_a_draft_stay_the_same_when_the_account_changes(site: Site, ada: Owner, app: Method) -> None:
    ada.sign_up(confirm_email=False)
    method = app
    site.services.enrollment.submit(visit(site, method), method.steps()[0], {})
    planned = {"password": False, "email": True, "first": True, "done": []}
    assert visit(site, method).notes["plan"] == planned
    site.clock.pass_(700)
    with pytest.raises(StepClosed):  # it asked for no password when it began, so that step stays closed
        site.services.enrollment.submit(visit(site, method), method.steps()[1], {"password": "wrong"})
    assert visit(site, method).notes["plan"] == planned
