"""What the worker does every minute: one task that fails must not keep the others from being done."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from threading import Event
from typing import Any

import pytest
from sqlalchemy import func, insert, select, update

from tests.conftest import Site
from tests.people import PHONE, Owner
from webapp import worker
from webapp.domain.origin import Origin
from webapp.models.accounts import Account
from webapp.models.codes import Link
from webapp.models.database import Transaction
from webapp.models.factors import Factor
from webapp.models.messages import Message
from webapp.models.sessions import Session
from webapp.services.apps import RefusedAccesses, TemporaryPasswords
from webapp.services.email_undos import EmailUndos
from webapp.services.operation.maintenance import Maintenance
from webapp.services.operation.restoration import Restoration
from webapp.services.outbox import Outbox
from webapp.services.sealed_numbers import phone_bound

USERNAME = "/settings/account/username"


class Once(Event):
    """Tells the worker to stop at its first pause."""

    def wait(self, timeout: float | None = None) -> bool:
        self.set()
        return True


def fail(*_: object) -> int:
    raise OSError


def failures(capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == "upkeep_failed"]


@pytest.fixture
def renaming(site: Site) -> Owner:
    """With a new username that is due."""
    ada = Owner.signed_up(site)
    ada.open(USERNAME)
    ada.press("Save", username="countess")
    site.clock.pass_(86400)
    return ada


def username(site: Site) -> str | None:
    return next(site.services.accounts.all()).username


def test_a_task_that_fails_does_not_keep_the_others_from_being_done(
    renaming: Owner, site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(EmailUndos, "finish_due", fail)
    worker.upkeep(site.services, Once())
    assert username(site) == "countess"
    assert [failure["error"] for failure in failures(capsys)] == ["OSError"]


def test_without_a_heartbeat_nothing_is_done(
    renaming: Owner, site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Restoration, "count_heartbeat", fail)
    worker.upkeep(site.services, Once())
    assert username(site) == "ada", "the database may be an older copy"
    assert [failure["error"] for failure in failures(capsys)] == ["OSError"]


FACTOR = {"method": "x", "sealed": "", "added_at": 1}


class Broken(Exception):
    pass


def broken() -> None:
    raise Broken


class FailingOutbox(Outbox):
    """As a row that always raises: it adds no message for the account with this name."""

    def post_email(self, tx: Transaction, *, account: Account | None, **context: Any) -> int:
        if account is not None and account.username == "ada":
            raise Broken
        return super().post_email(tx, account=account, **context)


@pytest.fixture
def two(site: Site) -> Site:
    """The changes of two accounts are due, and those of the first fail."""
    for username in ("ada", "bob"):
        Owner(site, username).sign_up()
    return site


@pytest.mark.parametrize("kind", ["undo", "rename", "recovery", "deletion"])
def test_a_row_that_always_fails_does_not_keep_later_ones_from_being_done(two: Site, kind: str) -> None:
    services, outbox = two.services, FailingOutbox(two.services.core, two.services.outbox.renderer, {})
    notices = replace(services.notices, outbox=outbox)
    task, due = {
        "undo": (replace(services.email_undos, notices=notices), {"undo_at": 1}),
        "rename": (replace(services.renames, notices=notices), {"rename_at": 1}),
        "recovery": (replace(services.operators.recoveries, notices=notices), {"recovery_at": 1}),
        "deletion": (replace(services.deletions, outbox=outbox), {"delete_at": 1}),
    }[kind]
    with services.db.write() as tx:
        for account in services.accounts.all():
            of_account = update(Account).where(Account.id == account.id)
            old, new = f"old-{account.username}@example.org", f"new-{account.username}"
            waits = {"undo_email": old, "new_username": new, "new_username_key": new}
            tx.execute(of_account.values(**waits, **due))
            tx.execute(insert(Factor).values(**FACTOR, account_id=account.id, external_id=str(account.id)))
    with pytest.raises(Broken) as failure:
        task.finish_due()  # type: ignore[attr-defined]
    with services.db.read() as tx:
        left = dict(tx.execute(select(Account.username, getattr(Account, next(iter(due))))).all())
    assert left.get("ada") == 1, "it is tried again"
    assert left.get("bob") is None
    assert failure.value.__notes__ == [str(services.accounts.named("ada").id)]


def test_a_table_that_cannot_be_purged_does_not_keep_the_others_from_it(two: Site) -> None:
    services = two.services
    with services.db.write() as tx:
        tx.execute(update(Account).where(Account.username == "ada").values(delete_at=1))
        tx.execute(update(Link).values(expires_at=1))
    failing = FailingOutbox(services.core, services.outbox.renderer, {})
    with pytest.raises(Broken) as failure:
        replace(services.maintenance, deletions=replace(services.deletions, outbox=failing)).purge()
    assert failure.value.__notes__[1:] == ["accounts"]
    with services.db.read() as tx:
        assert tx.scalar(select(func.count()).select_from(Link)) == 0


def test_sessions_are_not_purged_before_what_apps_got_from_them_has_ended(two: Site) -> None:
    """Else what may outlive a session would outlive one that its user ended."""
    services = two.services
    with services.db.write() as tx:
        tx.execute(update(Session).values(ended_at=1))
        tx.execute(update(Link).values(expires_at=1))

    class Failing(Maintenance):
        def _end_logged_out(self) -> None:
            raise Broken

    with pytest.raises(Broken):
        Failing(services.core, services.deletions).purge()
    with services.db.read() as tx:
        assert tx.scalar(select(func.count()).select_from(Session)) == 2
        assert tx.scalar(select(func.count()).select_from(Link)) == 0


def test_what_cannot_be_added_to_the_outbox_does_not_keep_its_messages_from_being_sent(site: Site) -> None:
    bob = Owner(site, "bob")
    bob.open("/sign-up")
    bob.press("Sign up", name="Bob", username="bob", password=bob.password)
    bob.press("Next", email=bob.email)
    with pytest.raises(Broken):
        replace(site.services.delivery, prepare=(broken,)).deliver_due()
    with site.services.db.read() as tx:
        assert tx.scalars(select(Message.state)).all() == ["sent"]


class FailingTexts(TemporaryPasswords):
    def text(self, account: Account, origin: Origin) -> None:
        if account.username == "ada":
            raise Broken
        super().text(account, origin)


def test_a_refused_access_that_cannot_be_processed_does_not_keep_the_next_from_it(two: Site) -> None:
    services = two.services
    parts = (getattr(services.temporary_passwords, part.name) for part in fields(TemporaryPasswords))
    refused = RefusedAccesses(services.core, FailingTexts(*parts), can_text=True)
    with services.db.write() as tx:
        for account in services.accounts.all():
            refused.note(tx, account, Origin("192.0.2.1", "An app"))
            sealed = services.core.keyring.seal(PHONE, phone_bound(account.id))
            tx.execute(update(Account).where(Account.id == account.id).values(phone_number=sealed))
            tx.execute(insert(Factor).values(**FACTOR, account_id=account.id, external_id=str(account.id)))
    with pytest.raises(Broken):
        refused.process()
    assert services.temporary_passwords.live(services.accounts.named("bob").id)
