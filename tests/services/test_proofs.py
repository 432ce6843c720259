"""What a session proved: kept by name, judged for the acts of operators, and told to apps."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import select, update

from tests.conftest import Site, one_database
from tests.journeys.test_keys_and_passkeys import with_passkey
from tests.people import Owner
from webapp.models.accounts import Account
from webapp.models.factors import Factor
from webapp.models.sessions import Session
from webapp.models.user import User
from webapp.services.openid.proofs import Proofs

pytestmark = one_database

NOW = 1_000_000
APP, KEY_METHOD = "authentication-app", "security-key"
SFA, MFA, PHR = "https://refeds.org/profile/sfa", "https://refeds.org/profile/mfa", "phr"


def user(site: Site, methods: tuple[str, ...], proved: dict[str, int]) -> User:
    """With factors of these methods, in a session in which this was proved so many seconds ago."""
    at = {name: site.clock.now() - age for name, age in proved.items()}
    second = [time for name, time in at.items() if name != "password"]
    session = Session(
        password_at=at.get("password", max(second, default=0)),
        second_factor_at=max(second, default=None),
        started_at=site.clock.now() - 100,
        proofs=json.dumps(at),
    )
    factors = [Factor(method=method, attributes="{}", logged_in_at=None) for method in methods]
    return User(session, Account(id=1, email="ada@example.org"), factors, [])


@pytest.mark.parametrize(
    ("methods", "proved", "has_key", "is_fresh"),
    [
        ((APP,), {"password": 0, APP: 0}, False, False),
        ((APP, KEY_METHOD), {"password": 0, APP: 0}, True, False),
        ((KEY_METHOD,), {"password": 0, KEY_METHOD: 599}, True, True),
        ((KEY_METHOD,), {"password": 0, KEY_METHOD: 600}, True, False),
        ((KEY_METHOD,), {KEY_METHOD: -60}, True, True),
        ((KEY_METHOD,), {KEY_METHOD: -61}, True, False),
    ],
)
def test_an_operators_key_was_proved_within_ten_minutes(
    site: Site, methods: tuple[str, ...], proved: dict[str, int], has_key: bool, is_fresh: bool
) -> None:
    key_proof, ada = site.services.operators.key_proof, user(site, methods, proved)
    assert (key_proof.has_key(ada), key_proof.is_fresh(ada)) == (has_key, is_fresh)


@pytest.mark.parametrize(
    ("methods", "proved", "names", "classes", "age"),
    [
        ((), {"password": 5}, ["pwd"], [SFA], 5),
        ((), {}, ["pwd"], [SFA], None),
        ((APP,), {"password": 9, APP: 5}, ["pwd", "otp", "mfa"], [MFA, SFA], 9),
        ((APP,), {"password": 5, "backup-code": 9}, ["pwd", "otp", "mfa"], [MFA, SFA], 9),
        ((KEY_METHOD,), {"password": 9, KEY_METHOD: 5}, ["pwd", "hwk", "user", "mfa"], [PHR, MFA, SFA], 9),
        ((KEY_METHOD,), {KEY_METHOD: 5}, ["hwk", "user", "mfa"], [PHR, MFA, SFA], 5),
        ((), {"password": 5, APP: 900}, ["pwd", "otp", "mfa"], [MFA, SFA], 5),
        ((APP,), {"password": 5, APP: -61}, ["pwd"], [SFA], 5),
        ((APP,), {"password": -61}, [], [SFA], None),
    ],
    ids=[
        "password",
        "a session of an earlier version",
        "two factors",
        "backup code",
        "key",
        "passkey",
        "a factor that is off now has no age",
        "a time from the future",
        "nothing but the future",
    ],
)
def test_apps_are_told_what_was_proved_and_when(
    site: Site, methods: tuple[str, ...], proved: dict[str, int], names: list[str], classes: list[str], age: int | None
) -> None:
    told = Proofs(site.services.core, site.services.methods).of(user(site, methods, proved))
    assert (list(told.methods), list(told.classes)) == (names, classes)
    assert told.at == (site.clock.now() - age if age is not None else 0)


def proofs(site: Site) -> dict[str, int]:
    """How many seconds ago each proof of the newest session was."""
    with site.services.db.read() as tx:
        newest = tx.scalar(select(Session.proofs).order_by(Session.id.desc()).limit(1)) or "{}"
    return {name: site.clock.now() - at for name, at in json.loads(newest).items()}


def test_a_session_keeps_what_was_proved_by_name(site: Site) -> None:
    ada = Owner.signed_up(site)
    assert proofs(site) == {"password": 0}
    ada.turn_on_app()
    ada.press("Got it")
    ada.log_in_again()
    ada.press("Verify", code=ada.next_code())
    assert proofs(site) == {"password": 0, APP: 0}
    site.clock.pass_(60)
    ada.turn_on_key()
    assert proofs(site) == {"password": 60, APP: 60, KEY_METHOD: 0}
    site.clock.pass_(660)
    ada.open("/settings/account/password")
    ada.press("Verify", password=ada.password)
    ada.press("Verify", code=ada.next_code())
    assert proofs(site) == {"password": 30, APP: 0, KEY_METHOD: 690}
    ada.log_out()
    assert ada.key is not None
    with_passkey(ada, ada.key)
    assert proofs(site) == {KEY_METHOD: 0}, "a passkey alone proves no password"
    ada.log_in_again()
    ada.open("/log-in/backup-code")
    ada.press("Verify", code=ada.kept_code)
    assert proofs(site) == {"password": 0, "backup-code": 0}


def test_a_step_up_keeps_the_password_of_a_session_of_an_earlier_version(site: Site) -> None:
    ada = Owner.signed_up(site)
    ada.turn_on_app()
    ada.press("Got it")
    with site.services.db.write() as tx:
        tx.execute(update(Session).values(proofs="{}"))
    site.clock.pass_(30)
    with site.services.db.write() as tx:
        session = tx.objects.scalars(select(Session)).one()
        site.services.sessions.rotate(tx, session, APP)
    assert proofs(site) == {"password": 30, APP: 0}
