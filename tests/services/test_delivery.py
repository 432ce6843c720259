"""Delivery: each message once without failures, at least once with failures, and without delaying other messages."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog
from jinja2 import UndefinedError
from sqlalchemy import text, update

from tests.doubles import START, FailingPushes, FakeClock, PlainRenderer, RecordingMail, ScriptedEntropy, core
from webapp.adapters.embedded import OutboxTexts
from webapp.adapters.keyring import AesGcmKeyring
from webapp.domain.ports import LONGEST_WAIT, Email, LogOut, PushMessage, Refused, RenderedEmail, Unreachable
from webapp.domain.refusals import DatabaseUnavailable
from webapp.models.accounts import Account
from webapp.models.base import Table
from webapp.models.database import Database
from webapp.models.messages import FAILED, OWED, SENT, Message
from webapp.policy import DAY, HOUR, Policy
from webapp.services.delivery import Delivery, state_of
from webapp.services.delivery_threads import place_of
from webapp.services.outbox import Outbox

POLICY = Policy()


class Site:
    """A database, an outbox and what delivers from it."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.clock = FakeClock()
        self.entropy = ScriptedEntropy()
        self.keyring = AesGcmKeyring([("k1", bytes(range(32)))], ScriptedEntropy())
        self.outbox = self.outbox_with(self.keyring)
        self.mail = RecordingMail()
        self.pushes = FailingPushes()
        self.gone: list[PushMessage] = []
        self.told: list[LogOut] = []

    def outbox_with(self, keyring: AesGcmKeyring) -> Outbox:
        return Outbox(core(clock=self.clock, entropy=self.entropy, keyring=keyring), PlainRenderer(), {})

    def delivery(self, mail: Any = None, *, db: Any = None, outbox: Outbox | None = None) -> Delivery:
        return Delivery(
            core(db or self.db, clock=self.clock, policy=POLICY),
            outbox or self.outbox,
            mail or self.mail,
            OutboxTexts(),
            self.pushes,
            tell=self.told.append,
            prepare=(),
            drop=self.gone.append,
        )

    def post(self, to: str = "anna@example.net", *, lasts: int | None = None) -> int:
        with self.db.write() as tx:
            return self.outbox.post_email(tx, to=to, template="code", account=None, lasts=lasts, code="123456")

    def message(self, message_id: int) -> Message:
        with self.db.read() as tx:
            return tx.objects.get_one(Message, message_id)

    def state(self, message_id: int) -> str | None:
        with self.db.read() as tx:
            return state_of(tx, message_id)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    db = Database(f"sqlite:///{tmp_path}/nightlatch.sqlite")
    Table.metadata.create_all(db.engine)
    return Site(db)


@contextmanager
def working(delivery: Delivery) -> Iterator[threading.Event]:
    """A worker thread that is stopped at the end."""
    stop = threading.Event()
    worker = threading.Thread(target=delivery.work, args=(stop, 0.01))
    worker.start()
    try:
        yield stop
    finally:
        stop.set()
        worker.join(10)
        assert not worker.is_alive()


def eventually(holds: Callable[[], bool]) -> bool:
    pause = threading.Event()
    return any(holds() or pause.wait(0.01) for _ in range(1000))


def test_an_owed_message_is_delivered_once(site: Site) -> None:
    first, second = site.post("anna@example.net"), site.post("ben@example.net")
    assert site.state(first) == OWED
    assert site.delivery().deliver_due() == 2
    assert site.delivery().deliver_due() == 0
    assert [email.to for email in site.mail.sent] == ["anna@example.net", "ben@example.net"]
    message = site.message(first)
    assert (message.state, message.ended_at, message.attempts) == (SENT, START, 1)
    assert (message.sealed, message.complaint, message.claimed_until) == (None, None, None)
    assert site.delivery().state(second) == SENT
    assert site.delivery().state(999) is None


def test_a_development_site_keeps_what_was_sent(site: Site) -> None:
    message = site.post()
    site.delivery(RecordingMail(keeps=True)).deliver_due()
    assert site.outbox.read(site.message(message)).to == "anna@example.net"


def test_the_outbox_page_shows_the_newest_first_while_their_content_is_stored(site: Site) -> None:
    for to in ("oldest@example.net", "newest@example.net"):
        site.post(to)
        site.clock.pass_(1)
    delivery = site.delivery(RecordingMail(keeps=True))
    delivery.deliver_due()
    shown = [(email.to, at) for email, at in delivery.kept(50)]
    assert shown == [("newest@example.net", START + 1), ("oldest@example.net", START)]
    assert [email.to for email, _ in delivery.kept(1)] == ["newest@example.net"]


def test_the_outbox_page_shows_nothing_that_was_really_sent(site: Site) -> None:
    site.post()
    site.delivery().deliver_due()
    assert site.delivery().kept(50) == []


def test_delivery_is_late_while_a_message_is_owed_for_longer_than_a_minute(site: Site) -> None:
    delivery = site.delivery(RecordingMail(Unreachable("down")))
    assert not delivery.is_behind()
    site.post()
    delivery.deliver_due()
    site.clock.pass_(60)
    assert not delivery.is_behind()
    site.clock.pass_(1)
    assert delivery.is_behind()
    delivery.deliver_due()
    assert not delivery.is_behind()


def test_a_failure_is_retried_after_1_5_and_15_minutes_and_then_given_up(site: Site) -> None:
    mail = RecordingMail(*[Unreachable("451 4.7.1")] * 4)
    message, delivery = site.post(), site.delivery(mail)
    for attempts, wait in enumerate((60, 300, 900), start=1):
        assert delivery.deliver_due() == 0
        owed = site.message(message)
        assert (owed.state, owed.attempts, owed.complaint) == (OWED, attempts, "451 4.7.1")
        assert (owed.due_at, owed.claimed_until) == (site.clock.now() + wait, None)
        site.clock.pass_(wait - 1)
        delivery.deliver_due()
        assert site.message(message).attempts == attempts
        site.clock.pass_(1)
    assert delivery.deliver_due() == 0
    given_up = site.message(message)
    assert (given_up.state, given_up.attempts, given_up.complaint) == (FAILED, 4, "451 4.7.1")
    assert (given_up.sealed, given_up.ended_at) == (None, site.clock.now())
    site.clock.pass_(86400)
    assert delivery.deliver_due() == 0
    assert not mail.sent


def test_a_retry_sends_the_same_message_under_the_same_id(site: Site) -> None:
    refused_first: list[Email] = []

    class Greylisting(RecordingMail):
        def send(self, email: Email) -> None:
            if not refused_first:
                refused_first.append(email)
                raise Unreachable("451")
            super().send(email)

    mail = Greylisting()
    message = site.post()
    site.delivery(mail).deliver_due()
    site.clock.pass_(60)
    assert site.delivery(mail).deliver_due() == 1
    assert mail.sent == refused_first
    assert site.message(message).complaint is None


def test_a_refusal_is_final(site: Site) -> None:
    message = site.post()
    mail = RecordingMail(Refused("x" * 999))
    site.delivery(mail).deliver_due()
    failed = site.message(message)
    assert (failed.state, failed.sealed, failed.complaint) == (FAILED, None, "x" * 200)
    site.clock.pass_(86400)
    assert site.delivery(mail).deliver_due() == 0


def test_a_failure_of_one_message_does_not_delay_the_next(site: Site) -> None:
    stuck, fine = site.post("stuck@example.net"), site.post("fine@example.net")
    assert site.delivery(RecordingMail(Unreachable("timed out"))).deliver_due() == 1
    assert (site.state(stuck), site.state(fine)) == (OWED, SENT)


def test_a_new_message_is_delivered_before_retries(site: Site) -> None:
    site.post("stuck@example.net")
    site.delivery(RecordingMail(Unreachable("timed out"))).deliver_due()
    site.clock.pass_(3600)
    site.post("new@example.net")
    site.delivery().deliver_due()
    assert [email.to for email in site.mail.sent] == ["new@example.net", "stuck@example.net"]


def test_a_log_out_of_an_app_waits_for_the_messages_to_people(site: Site) -> None:
    order: list[object] = []
    told = LogOut("wiki", "https://wiki.example.org/log-out", (), "RS256", subject="ada", session="first")
    with site.db.write() as tx:
        site.outbox.post_log_out(tx, told, "Wiki")
    site.clock.pass_(30)
    site.post()
    mail = RecordingMail()
    delivery = replace(site.delivery(mail), tell=lambda _: order.append(list(mail.sent)))
    assert delivery.deliver_due() == 2
    assert order == [mail.sent], "the email had been sent"


def test_an_app_that_does_not_respond_delays_the_log_outs_of_other_apps_once_a_round(site: Site) -> None:
    asked: list[str] = []

    def tell(told: LogOut) -> None:
        asked.append(told.client_id)
        if told.client_id == "dead":
            raise Unreachable("took longer than 5 s")

    with site.db.write() as tx:
        for client_id, session in (("dead", "s1"), ("dead", "s2"), ("wiki", "s3"), ("dead", "s4"), ("wiki", "s5")):
            told = LogOut(client_id, "https://app.example/log-out", (), "RS256", "subject", session)
            site.outbox.post_log_out(tx, told, client_id.title())
    delivery = replace(site.delivery(), tell=tell)
    assert delivery.deliver_due() == 2
    assert asked == ["dead", "wiki", "wiki"]
    delivery.deliver_due()
    delivery.deliver_due()
    assert asked == ["dead", "wiki", "wiki", "dead", "dead"], "each is tried all the same"


def test_a_mistake_in_a_template_delays_its_message_only(site: Site) -> None:
    class OneTemplate(PlainRenderer):
        def render_email(self, template: str, /, **facts: object) -> RenderedEmail:
            if template == "broken":
                raise UndefinedError("'name' is undefined")
            return super().render_email(template, **facts)

    with site.db.write() as tx:
        broken = site.outbox.post_email(tx, to="anna@example.net", template="broken", account=None)
    fine = site.post()
    outbox = replace(site.outbox, renderer=OneTemplate())
    with structlog.testing.capture_logs() as logs:
        assert site.delivery(outbox=outbox).deliver_due() == 1
    assert (site.state(broken), site.state(fine)) == (OWED, SENT)
    assert [line["error"] for line in logs if line["event"] == "message_raised"] == ["UndefinedError"]


def test_a_bug_in_one_message_stops_neither_the_next_nor_the_worker(site: Site) -> None:
    broken, fine = site.post(), site.post()
    with structlog.testing.capture_logs() as logs:
        assert site.delivery(RecordingMail(RuntimeError("123456 for anna@example.net"))).deliver_due() == 1
    assert (site.state(broken), site.state(fine)) == (OWED, SENT)
    assert site.message(broken).complaint == "an error of ours: RuntimeError"
    assert "anna" not in str(logs)
    assert "123456" not in str(logs)
    assert logs[0]["error"] == "RuntimeError"
    assert logs[0]["at"].startswith("doubles.py:")


def test_a_message_whose_key_is_missing_is_retried(site: Site) -> None:
    message = site.post()
    keyless = site.outbox_with(AesGcmKeyring([("k2", bytes(range(32)))], ScriptedEntropy()))
    site.delivery(outbox=keyless).deliver_due()
    owed = site.message(message)
    assert (owed.state, owed.complaint) == (OWED, "the encryption key 'k1' is not among the settings")
    site.clock.pass_(60)
    assert site.delivery().deliver_due() == 1


def test_messages_of_other_channels_are_skipped(site: Site) -> None:
    message = site.post()
    with site.db.write() as tx:
        tx.execute(text("UPDATE messages SET channel = 'sms'"))
    assert site.delivery().deliver_due() == 0
    assert site.state(message) == OWED


def test_many_workers_deliver_each_message_once(site: Site) -> None:
    messages = [site.post(f"{n}@example.net") for n in range(40)]
    start = threading.Barrier(6)

    def deliver() -> None:
        start.wait()
        site.delivery().deliver_due()

    workers = [threading.Thread(target=deliver) for _ in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    assert sorted(email.to for email in site.mail.sent) == sorted(f"{n}@example.net" for n in range(40))
    assert {site.state(message) for message in messages} == {SENT}


class Killed(BaseException):
    pass


class KillingMail(RecordingMail):
    def send(self, email: Email) -> None:
        raise Killed


@pytest.mark.parametrize("ahead", [300, 30 * 86400])
def test_what_is_owed_from_while_the_clock_was_ahead_goes_out_when_it_is_right_again(site: Site, ahead: int) -> None:
    site.clock.pass_(ahead)
    claimed = site.post("anna@example.net")
    with pytest.raises(Killed):
        site.delivery(KillingMail()).deliver_due()
    new = site.post("ben@example.net")
    site.clock.pass_(-ahead)
    assert site.delivery().deliver_due() == 2
    assert [site.state(message) for message in (claimed, new)] == [SENT, SENT]


def test_what_was_put_off_while_the_clock_was_a_month_ahead_is_sent_again_when_it_is_right(site: Site) -> None:
    message = site.post()
    site.clock.pass_(30 * 86400)
    site.delivery(RecordingMail(Unreachable("down"))).deliver_due()
    assert site.state(message) == OWED
    site.clock.pass_(-30 * 86400)
    assert site.delivery().deliver_due() == 1


def test_the_claim_of_a_killed_worker_expires_after_two_minutes(site: Site) -> None:
    message = site.post()
    with pytest.raises(Killed):
        site.delivery(KillingMail()).deliver_due()
    assert site.message(message).claimed_until == START + 120
    site.clock.pass_(119)
    assert site.delivery().deliver_due() == 0
    site.clock.pass_(1)
    assert site.delivery().deliver_due() == 1
    assert site.message(message).attempts == 2


@pytest.mark.parametrize("ahead", [61, 365 * 86400])
def test_a_message_that_was_added_while_the_clock_was_ahead_goes_out_once_it_is_right(site: Site, ahead: int) -> None:
    """Or on another machine, whose clock is ahead of the worker's."""
    site.clock.pass_(ahead)
    message = site.post()
    site.clock.pass_(-ahead)
    assert site.delivery().deliver_due() == 1
    assert site.state(message) == SENT


@pytest.mark.parametrize("killed", [True, False])
def test_a_message_that_was_put_off_or_claimed_while_the_clock_was_ahead_goes_out_once_it_is_right(
    site: Site, killed: bool
) -> None:
    message = site.post()
    site.clock.pass_(365 * 86400)
    site.delivery(RecordingMail(Unreachable("down"))).deliver_due()
    if killed:
        with site.db.write() as tx:
            tx.execute(update(Message).values(claimed_until=site.clock.now() + 120))
    site.clock.pass_(-365 * 86400)
    assert site.delivery().deliver_due() == 1
    assert site.state(message) == SENT


def test_a_push_waits_for_as_long_as_its_service_asks(site: Site) -> None:
    later = Unreachable("busy")
    later.wait = LONGEST_WAIT
    site.post()
    site.delivery(RecordingMail(later)).deliver_due()
    site.clock.pass_(LONGEST_WAIT - 1)
    assert site.delivery().deliver_due() == 0
    site.clock.pass_(1)
    assert site.delivery().deliver_due() == 1


def test_a_message_that_kills_every_worker_is_given_up(site: Site) -> None:
    message = site.post()
    for _attempt in range(4):
        with pytest.raises(Killed):
            site.delivery(KillingMail()).deliver_due()
        site.clock.pass_(120)
    assert site.delivery(KillingMail()).deliver_due() == 0
    assert site.state(message) == FAILED


@pytest.mark.parametrize(
    ("late", "state", "attempts"), [(Unreachable("slow"), OWED, 2), (Refused("no"), OWED, 2), (None, SENT, 2)]
)
def test_a_worker_whose_claim_expired_records_only_a_success(
    site: Site, late: Exception | None, state: str, attempts: int
) -> None:
    """The first worker takes longer than its claim, and a second one fails in the meantime."""
    message = site.post()
    second = site.delivery(RecordingMail(Unreachable("second")))

    class Slow(RecordingMail):
        def send(self, email: Email) -> None:
            site.clock.pass_(120)
            second.deliver_due()
            if late:
                raise late

    site.delivery(Slow()).deliver_due()
    recorded = site.message(message)
    assert (recorded.state, recorded.attempts) == (state, attempts)
    assert recorded.complaint == (None if state == SENT else "second")


def test_a_message_that_another_worker_claimed_first_is_skipped(site: Site) -> None:
    """Another worker claims the message between the query and the claim."""
    site.post("first@example.net")
    site.post("second@example.net")
    other = site.delivery(RecordingMail())

    class Racing(Database):
        raced = False

        @contextmanager
        def write(self) -> Iterator[Any]:
            if not self.raced:
                self.raced = True
                other.deliver_due()
            with super().write() as tx:
                yield tx

    db = Racing(str(site.db.engine.url))
    assert site.delivery(db=db).deliver_due() == 0
    assert not site.mail.sent


def test_each_outcome_is_logged_in_one_line_with_its_reason_and_without_recipient_or_content(site: Site) -> None:
    messages = [site.post() for _ in range(3)]
    with structlog.testing.capture_logs() as logs:
        site.delivery(RecordingMail(Refused("550 5.1.1"), Unreachable("took longer than 30 s"))).deliver_due()
    assert logs == [
        {"event": "message_failed", "log_level": "error", "message": messages[0], "state": FAILED}
        | {"template": "code", "attempts": 1, "complaint": "550 5.1.1"},
        {"event": "message_put_off", "log_level": "warning", "message": messages[1], "state": OWED}
        | {"template": "code", "attempts": 1, "complaint": "took longer than 30 s"},
        {"event": "message_sent", "log_level": "info", "message": messages[2], "state": SENT}
        | {"template": "code", "attempts": 1},
    ]


def test_a_worker_delivers_what_is_posted_while_it_runs(site: Site) -> None:
    with working(site.delivery()):
        first = site.post()
        assert eventually(lambda: site.state(first) == SENT)
        second = site.post()
        assert eventually(lambda: site.state(second) == SENT)


def test_a_mail_server_that_stalls_keeps_no_push_and_no_app_waiting(site: Site) -> None:
    is_over = threading.Event()

    class Stalling(RecordingMail):
        def send(self, email: Email) -> None:
            assert is_over.wait(30)
            super().send(email)

    emails = [site.post() for _ in range(3)]
    account = Account(id=1, name="Ada", username="ada", language="en")
    with site.db.write() as tx:
        push = site.outbox.post_push(
            tx, template="login-request", account=account, factor_id=1, subscription="{}", text="{}", lasts=60
        )
    told = LogOut("wiki", "https://wiki.example.org/log-out", (), "RS256", subject="ada", session="first")
    with working(site.delivery(Stalling())):
        assert eventually(lambda: site.state(push) == SENT)
        with site.db.write() as tx:
            app = site.outbox.post_log_out(tx, told, "Wiki")
        assert eventually(lambda: site.state(app) == SENT)
        assert {site.state(email) for email in emails} == {OWED}
        is_over.set()
        assert eventually(lambda: {site.state(email) for email in emails} == {SENT})


@pytest.mark.parametrize(("after", "state"), [(59, SENT), (60, FAILED)])
def test_a_push_is_given_up_when_what_it_says_holds_no_longer(site: Site, after: int, state: str) -> None:
    account = Account(id=1, name="Ada", username="ada", language="en")
    with site.db.write() as tx:
        push = site.outbox.post_push(
            tx, template="login-request", account=account, factor_id=1, subscription="{}", text="{}", lasts=60
        )
    site.clock.pass_(after)
    site.delivery().deliver_due()
    assert site.state(push) == state


def test_a_worker_survives_an_unreachable_database_and_logs_it_once(site: Site) -> None:
    looks = 0

    class Flaky(Database):
        away = True

        @contextmanager
        def read(self) -> Iterator[Any]:
            nonlocal looks
            looks += 1
            if self.away:
                raise DatabaseUnavailable(5) from OSError("connection refused\n\tIs the server running?")
            with super().read() as tx:
                yield tx

    db = Flaky(str(site.db.engine.url))
    message = site.post()
    delivery = site.delivery(db=db)
    with structlog.testing.capture_logs() as logs, working(delivery):
        assert eventually(lambda: looks > 50)  # by each of its threads
        db.away = False
        assert eventually(lambda: site.state(message) == SENT)
        assert eventually(lambda: len(logs) == 3)
        before = looks
        assert eventually(lambda: looks > before + 3)
    assert [line["event"] for line in logs] == ["outbox_in_trouble", "message_sent", "outbox_recovered"]
    assert logs[0]["error"] == "connection refused Is the server running?"


def test_a_worker_stops_between_two_messages(site: Site) -> None:
    stop = threading.Event()

    class Stopping(RecordingMail):
        def send(self, email: Email) -> None:
            stop.set()
            super().send(email)

    mail = Stopping()
    site.post()
    left = site.post()
    site.delivery(mail).work(stop)
    assert len(mail.sent) == 1
    assert site.message(left).claimed_until is None


def test_an_error_without_a_traceback_has_no_location() -> None:
    assert place_of(ValueError()) == "?"


def test_an_email_whose_code_has_expired_is_given_up_and_one_without_an_end_is_sent(site: Site) -> None:
    """A worker that was stopped for a day mailed yesterday's codes."""
    code, notice = site.post(lasts=HOUR), site.post("ben@example.net")
    site.clock.pass_(HOUR)
    assert site.delivery().deliver_due() == 1
    assert [email.to for email in site.mail.sent] == ["ben@example.net"]
    assert (site.state(code), site.state(notice)) == (FAILED, SENT)
    assert site.message(code).complaint == "too late: what it says holds no longer"
    in_time = site.post(lasts=HOUR)
    site.clock.pass_(HOUR - 1)
    site.delivery().deliver_due()
    assert site.state(in_time) == SENT


def test_after_a_pause_of_the_worker_new_messages_do_not_wait_for_what_was_owed_before(site: Site) -> None:
    for name in ("anna", "ben"):
        site.post(f"{name}@example.net")
    site.clock.pass_(DAY)
    for name in ("cleo", "dora"):
        site.post(f"{name}@example.net")
    site.delivery().deliver_due()
    assert [email.to.partition("@")[0] for email in site.mail.sent] == ["cleo", "dora", "anna", "ben"]
