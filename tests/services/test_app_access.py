"""Who may use an app, and with what proof: one table of what was proved and what the app asks for."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from tests.conftest import Site, one_database
from tests.doubles import CheapHasher
from tests.journeys.test_keys_and_passkeys import with_passkey
from tests.people import Owner
from webapp.models.accounts import Account
from webapp.models.factors import Factor
from webapp.models.sessions import Session
from webapp.models.user import User
from webapp.services.operators import AppOptions, Verdict

pytestmark = one_database

WIKI = AppOptions("Wiki", redirect_uris=("https://wiki.example.org/callback",))
NOW = 1_000_000
APP, KEY_METHOD = "authentication-app", "security-key"


@pytest.fixture
def overrides() -> dict[str, Any]:
    return {"hasher": CheapHasher()}


def user(
    site: Site,
    methods: tuple[str, ...] = (),
    proved: dict[str, int] | None = None,
    *,
    email: str | None = "ada@example.org",
) -> User:
    """With factors of these methods, in a session in which this was proved so many seconds ago."""
    at = {name: site.clock.now() - age for name, age in (proved or {"password": 0}).items()}
    second = [time for name, time in at.items() if name != "password"]
    session = Session(
        password_at=at.get("password", max(second, default=0)),
        second_factor_at=max(second, default=None),
        proofs=json.dumps(at),
    )
    return User(session, Account(id=1, email=email), [Factor(method=method) for method in methods], [])


@pytest.mark.parametrize(
    ("methods", "proved", "proof", "max_age", "verdict"),
    [
        ((), {"password": 0}, "password", None, Verdict.ALLOWED),
        ((), {"password": 80000}, "password", None, Verdict.ALLOWED),
        ((), {"password": 60}, "password", 60, Verdict.ALLOWED),
        ((), {"password": 61}, "password", 60, Verdict.STEP_UP_NEEDED),
        ((), {"password": -50}, "password", 60, Verdict.ALLOWED),
        ((), {"password": -90}, "password", 60, Verdict.STEP_UP_NEEDED),
        ((), {"password": 0}, "two-factor", None, Verdict.ENROLLMENT_NEEDED),
        ((), {"password": 0}, "key", None, Verdict.ENROLLMENT_NEEDED),
        ((APP,), {"password": 0}, "password", None, Verdict.ALLOWED),
        ((APP,), {"password": 0}, "two-factor", None, Verdict.STEP_UP_NEEDED),
        ((APP,), {"password": 0, APP: 0}, "two-factor", None, Verdict.ALLOWED),
        ((APP,), {"password": 0, "backup-code": 0}, "two-factor", None, Verdict.ALLOWED),
        ((APP,), {"password": 0, APP: 61}, "two-factor", 60, Verdict.STEP_UP_NEEDED),
        ((APP,), {"password": 0, APP: 0}, "key", None, Verdict.ENROLLMENT_NEEDED),
        ((APP, KEY_METHOD), {"password": 0, APP: 0}, "key", None, Verdict.STEP_UP_NEEDED),
        ((APP, KEY_METHOD), {"password": 0, "backup-code": 0}, "key", None, Verdict.STEP_UP_NEEDED),
        ((APP, KEY_METHOD), {"password": 0, APP: 0, KEY_METHOD: 30}, "key", 60, Verdict.ALLOWED),
        ((APP, KEY_METHOD), {"password": 0, APP: 0, KEY_METHOD: 90}, "key", 60, Verdict.STEP_UP_NEEDED),
        ((KEY_METHOD,), {KEY_METHOD: 0}, "key", 60, Verdict.ALLOWED),
        ((KEY_METHOD,), {KEY_METHOD: 0}, "two-factor", 60, Verdict.ALLOWED),
        ((KEY_METHOD,), {KEY_METHOD: 0}, "password", 60, Verdict.ALLOWED),
    ],
)
def test_a_session_is_judged_by_what_it_proved_and_when(
    site: Site,
    methods: tuple[str, ...],
    proved: dict[str, int],
    proof: str,
    max_age: int | None,
    verdict: str,
) -> None:
    access = site.services.operators.access
    app = site.services.operators.apps.create("web", replace(WIKI, proof=proof, max_age=max_age)).app
    site.statements.clear()
    judged = access.judge(app, user(site, methods, proved))
    assert (judged.verdict, judged.proof, judged.max_age) == (verdict, proof, max_age)
    assert site.statements == [], "an app that is open to everyone costs no statement"


@pytest.mark.parametrize(
    ("own", "asked", "proof", "max_age"),
    [
        (("password", None), ("key", None), "key", None),
        (("key", None), ("password", 60), "key", 60),
        (("two-factor", 600), ("password", 60), "two-factor", 60),
        (("two-factor", 60), (None, 600), "two-factor", 60),
        (("password", None), (None, None), "password", None),
    ],
)
def test_the_stronger_proof_and_the_shorter_age_of_app_and_request_hold(
    site: Site,
    own: tuple[str, int | None],
    asked: tuple[str | None, int | None],
    proof: str,
    max_age: int | None,
) -> None:
    app = site.services.operators.apps.create("web", replace(WIKI, proof=own[0], max_age=own[1])).app
    judged = site.services.operators.access.judge(app, user(site), proof=asked[0], max_age=asked[1])
    assert (judged.proof, judged.max_age) == (proof, max_age)


def test_who_may_use_an_app_is_everyone_with_a_confirmed_address_or_the_members_of_a_group(site: Site) -> None:
    operators, ada = site.services.operators, Owner(site)
    ada.sign_up()
    operators.groups.create("staff")
    operators.groups.create("board")
    everyone = operators.apps.create("web", WIKI).app
    members = operators.apps.create("web", replace(WIKI, groups=("board", "staff"))).app
    account = site.services.accounts.named("ada")

    def verdicts(email: str | None) -> list[str]:
        who = user(site, email=email)
        who.account.id = account.id
        return [operators.access.judge(app, who).verdict for app in (everyone, members)]

    assert verdicts("ada@example.org") == [Verdict.ALLOWED, Verdict.FORBIDDEN]
    assert verdicts(None) == [Verdict.EMAIL_NEEDED, Verdict.FORBIDDEN]
    operators.groups.add("staff", "ada")
    assert verdicts("ada@example.org") == [Verdict.ALLOWED, Verdict.ALLOWED]
    assert verdicts(None) == [Verdict.EMAIL_NEEDED, Verdict.ALLOWED], "a group is enough without an address"
    site.statements.clear()
    verdicts(None)
    assert len([one for one in site.statements if one.startswith("SELECT")]) == 1
    operators.groups.remove("staff", "ada")
    assert verdicts("ada@example.org") == [Verdict.ALLOWED, Verdict.FORBIDDEN]


def proofs(site: Site) -> dict[str, int]:
    """How many seconds ago each proof of the newest session was."""
    with site.services.db.read() as tx:
        newest = tx.scalar(select(Session.proofs).order_by(Session.id.desc()).limit(1)) or "{}"
    return {name: site.clock.now() - at for name, at in json.loads(newest).items()}


def test_a_session_keeps_what_was_proved_by_name(site: Site) -> None:
    ada = Owner(site)
    ada.sign_up()
    assert proofs(site) == {"password": 0}
    ada.turn_on_app()
    ada.press("Got it")
    ada.log_out()
    ada.log_in()
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
    ada.log_out()
    ada.log_in()
    ada.open("/log-in/backup-code")
    ada.press("Verify", code=ada.kept_code)
    assert proofs(site) == {"password": 0, "backup-code": 0}
