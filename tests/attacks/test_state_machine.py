"""Users, browsers and an attacker act in any order; the invariants are checked after each step.

It calls the services as the pages do, with a clock of its own and cheap hashing.
"""

from __future__ import annotations

import os
import tempfile
from datetime import timedelta
from pathlib import Path

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule
from pyotp import TOTP
from sqlalchemy import select

from tests.conftest import empty_sqlite
from tests.doubles import CheapHasher, FakeClock, ScriptedEntropy
from webapp.bootstrap import build
from webapp.domain.origin import Origin
from webapp.domain.refusals import Refusal
from webapp.models.accounts import Account
from webapp.models.factors import Factor
from webapp.models.sessions import Session
from webapp.models.user import SessionToken, User
from webapp.services.login.login import PendingToken
from webapp.services.login.session_opening import LoggedIn
from webapp.settings import Settings

HERE = Origin("192.0.2.1", "a browser")
PEOPLE = ("ada", "bob")
APP = "authentication-app"
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


class Accounts(RuleBasedStateMachine):
    """Ada and Bob know their passwords; attackers know both passwords and share all browsers and pending logins."""

    sessions = Bundle("sessions")
    pending_logins = Bundle("pending_logins")

    @initialize(target=sessions)
    def open_the_site(self) -> object:
        """Ada has an authentication app from the start; Bob may turn one on."""
        self.folder = tempfile.TemporaryDirectory(dir=MEMORY)
        path = Path(self.folder.name)
        environ = {"NIGHTLATCH_DATABASE_URL": f"sqlite:///{path / 'site.sqlite3'}"}
        self.clock = FakeClock()
        read = Settings.read(environ, path)
        (path / "site.sqlite3").write_bytes(empty_sqlite())
        self.site = build(read, clock=self.clock, entropy=ScriptedEntropy(), hasher=CheapHasher())
        self.ids, self.passwords = {}, {}
        self.by_password: set[int] = set()  # sessions that were opened while no factor was on
        self.secrets: dict[str, str | None] = dict.fromkeys(PEOPLE)
        self.backup: dict[str, str | None] = dict.fromkeys(PEOPLE)
        self.used: set[tuple[str, str]] = set()
        self.factors_before: dict[str, list[tuple[int, bool]]] = {name: [] for name in PEOPLE}
        self.may_change: set[str] = set()
        for name in PEOPLE:
            account = self.site.sign_up.create_by_operator(
                name, name, f"the password of this {name}", f"{name}@example.org", confirmed=True
            )
            self.ids[name], self.passwords[name] = account.id, f"the password of this {name}"
        first = self._password("ada", wrong=False)
        assert isinstance(first, LoggedIn)
        enrolled = self.enroll(("ada", first.token.token), abandon=False)
        self.no_factor_is_lost_or_added_but_by_step_up()
        return enrolled

    def teardown(self) -> None:
        if hasattr(self, "site"):
            self.site.db.engine.dispose()
            self.folder.cleanup()

    # -- Logging in --------------------------------------------------------------------------------

    @rule(target=sessions, name=st.sampled_from(PEOPLE), wrong=st.booleans())
    def log_in_without_factor(self, name: str, wrong: bool) -> object:
        result = self._password(name, wrong)
        if not isinstance(result, LoggedIn):
            return multiple()
        return self._opened(name, result.token)

    @rule(target=pending_logins, name=st.sampled_from(PEOPLE))
    def give_the_password(self, name: str) -> object:
        if not self._factors(name):
            return multiple()
        result = self._password(name, wrong=False)
        return (name, result.token) if isinstance(result, PendingToken) else multiple()

    @rule(target=sessions, begun=pending_logins, ahead=st.sampled_from((0, 0, 0, -30, 30, 60)), other=st.booleans())
    def give_a_code(self, begun: tuple[str, str], ahead: int, other: bool) -> object:
        """The present code, an old or early one, a used one, or one of another account."""
        name, token = begun
        secret = self.secrets[PEOPLE[PEOPLE.index(name) - 1] if other else name]
        if secret is None:
            return multiple()
        code = TOTP(secret).at(self.clock.now() + ahead)
        try:
            login = self.site.login
            done = login.verify(login.claim(token), None, {"code": code}, HERE, remember=False)
        except Refusal:
            return multiple()
        assert not other or secret == self.secrets[name]
        assert abs(ahead) <= 30, "outside the window"
        self._burn(name, code)
        return self._opened(name, done.token)

    @rule(target=sessions, name=st.sampled_from(PEOPLE), wait=st.sampled_from((0, 30, 30, 300)))
    def log_in_whole(self, name: str, wait: int) -> object:
        result = self._password(name, wrong=False)
        if not isinstance(result, PendingToken):
            return multiple() if result is None else self._opened(name, result.token)
        self.clock.pass_(wait)
        return self.give_a_code((name, result.token), 0, other=False)

    @rule(target=sessions, session=consumes(sessions), wait=st.sampled_from((0, 30, 600)))
    def step_up_whole(self, session: tuple[str, str], wait: int) -> object:
        self.clock.pass_(wait)
        return self.step_up_code(self.step_up_password(session, wrong=False), 0)

    @rule(target=sessions, begun=pending_logins, owner=st.sampled_from(PEOPLE))
    def give_a_backup_code(self, begun: tuple[str, str], owner: str) -> object:
        name, token = begun
        code = self.backup[owner]
        if code is None:
            return multiple()
        try:
            login = self.site.login
            done = login.verify_backup_code(login.claim(token), code, HERE)
        except Refusal:
            return multiple()
        assert owner == name, "another's backup code"
        opened = self.site.sessions.find(done.token.token)
        assert opened is not None
        self.backup[name] = successor = self.site.backup_codes.kept(opened)
        assert successor != code
        self._others_end(name, done.token.session_id)
        return self._opened(name, done.token)

    # -- Step-up -----------------------------------------------------------------------------------

    @rule(target=sessions, session=consumes(sessions), wrong=st.booleans())
    def step_up_password(self, session: tuple[str, str], wrong: bool) -> object:
        name, token = session
        user = self.site.sessions.find(token)
        if user is None:
            return session
        try:
            typed = "a wrong password" if wrong else self.passwords[name]
            opened = self.site.password_proof.verify(user, typed)
        except Refusal:
            return session
        assert not wrong
        assert self.site.sessions.find(token) is None, "the old token still opens"
        return self._opened(name, opened)

    @rule(target=sessions, session=consumes(sessions), ahead=st.sampled_from((0, 30, -60)))
    def step_up_code(self, session: tuple[str, str], ahead: int) -> object:
        name, token = session
        user, secret = self.site.sessions.find(token), self.secrets[name]
        if user is None or secret is None:
            return session
        code = TOTP(secret).at(self.clock.now() + ahead)
        try:
            opened = self.site.step_up.verify(self.site.step_up.claim(user), None, {"code": code}, HERE)
        except Refusal:
            return session
        self._burn(name, code)
        assert self.site.sessions.find(token) is None
        return self._opened(name, opened)

    # -- Changes -----------------------------------------------------------------------------------

    @rule(target=sessions, session=consumes(sessions), abandon=st.booleans())
    def enroll(self, session: tuple[str, str], abandon: bool) -> object:
        name, token = session
        user = self.site.sessions.find(token)
        if user is None:
            return session
        method = self.site.methods.named(APP)
        assert method is not None
        fresh, first = self.site.sessions.is_fresh(user), not user.factors
        opened = None
        try:
            self.site.enrollment.start_anew(user, method)
            for slug in ("overview", "link", "code"):
                visit = self.site.enrollment.visit(user, method, HERE)
                secret = visit.notes.get("secret")
                if slug == "code":
                    if abandon:
                        return session
                    self.may_change.add(name)
                    code = TOTP(secret).at(self.clock.now())
                    self.site.enrollment.submit(visit, method.step(slug), {"code": code})
                    opened = visit.token
                else:
                    self.site.enrollment.submit(visit, method.step(slug), {})
        except Refusal:
            self.may_change.discard(name)
            return session
        assert fresh, "a factor came without step-up"
        assert opened is not None
        self.secrets[name] = secret
        self._burn(name, code)
        visit = self.site.enrollment.visit(self._present(opened), method, HERE)
        if first:
            self.backup[name] = self.site.enrollment.backup_code(visit)
            self._others_end(name, opened.session_id)
        return self._opened(name, opened)

    @rule(session=sessions)
    def turn_off(self, session: tuple[str, str]) -> None:
        name, token = session
        user = self.site.sessions.find(token)
        if user is None:
            return
        fresh = self.site.sessions.is_fresh(user)
        self.may_change.add(name)
        try:
            self.site.second_factors.turn_off(user, self.site.methods.named(APP), HERE)
        except Refusal:
            self.may_change.discard(name)
            return
        assert fresh, "a factor went without step-up"
        self._others_end(name, user.session.id)

    @rule(session=sessions)
    def turn_back_on(self, session: tuple[str, str]) -> None:
        name, token = session
        user = self.site.sessions.find(token)
        if user is None:
            return
        fresh = self.site.sessions.is_fresh(user)
        self.may_change.add(name)
        try:
            self.site.second_factors.turn_back_on(user, self.site.methods.named(APP), HERE)
        except Refusal:
            self.may_change.discard(name)
            return
        assert fresh
        self._others_end(name, user.session.id)

    @rule(session=sessions)
    def make_a_backup_code(self, session: tuple[str, str]) -> None:
        name, token = session
        user = self.site.sessions.find(token)
        if user is None:
            return
        fresh = self.site.sessions.is_fresh(user)
        try:
            self.backup[name] = self.site.second_factors.new_backup_code(user, HERE)
        except Refusal:
            return
        assert fresh, "a backup code came without step-up"

    @rule(begun=consumes(pending_logins), number=st.integers(0, 9))
    def reset_the_password_during_a_pending_login(self, begun: tuple[str, str], number: int) -> None:
        name, _ = begun
        self.site.password_changes.send_link(f"{name}@example.org", HERE)
        self.site.delivery.deliver_due()
        for email, _ in self.site.delivery.kept(1):
            if "/reset-password/" in email.text and email.to.startswith(name):
                token = email.text.partition("/reset-password/")[2].split()[0]
                try:
                    opened = self.site.links.find("reset", token)
                    self.site.password_changes.reset(opened, f"{number} is another password", HERE)
                except Refusal:
                    return
                self.passwords[name] = f"{number} is another password"
                self._others_end(name, None)

    @rule(session=consumes(sessions))
    def log_out(self, session: tuple[str, str]) -> None:
        _, token = session
        user = self.site.sessions.find(token)
        if user is not None:
            with self.site.db.write() as tx:
                self.site.sessions.end(tx, user.account.id, user.session.id)
            assert self.site.sessions.find(token) is None

    @rule(seconds=st.sampled_from((1, 29, 30, 60, 299, 600, 900, 3599, 7200, 86400)))
    def time_passes(self, seconds: int) -> None:
        self.clock.pass_(seconds)

    @rule()
    def housekeeping(self) -> None:
        self.site.maintenance.purge()
        self.factors_before = {
            name: self._factor_rows(name) for name in PEOPLE
        }  # those turned off long ago may be purged

    # -- Invariants --------------------------------------------------------------------------------

    @invariant()
    def no_session_without_every_required_factor(self) -> None:
        for name in self.ids if hasattr(self, "site") else ():
            for row in self._live(name):
                alone = row.second_factor_at is None and row.id not in self.by_password
                assert not alone, f"{name} is in by the password alone"

    @invariant()
    def no_factor_is_lost_or_added_but_by_step_up(self) -> None:
        for name in self.ids if hasattr(self, "site") else ():
            now = self._factor_rows(name)
            assert now == self.factors_before[name] or name in self.may_change, f"{name}'s factors changed"
            self.factors_before[name] = now
        if hasattr(self, "may_change"):
            self.may_change.clear()

    @invariant()
    def a_factor_comes_with_a_backup_code(self) -> None:
        for name in self.ids if hasattr(self, "site") else ():
            if self._factors(name):
                with self.site.db.read() as tx:
                    assert tx.objects.get_one(Account, self.ids[name]).backup_code_hash is not None

    # -- Queries and records -----------------------------------------------------------------------

    def _password(self, name: str, wrong: bool) -> LoggedIn | PendingToken | None:
        typed, owed = "a wrong password" if wrong else self.passwords[name], self._factors(name)
        try:
            result = self.site.login.with_password(name, typed, persistent=False, next_path="", origin=HERE)
        except Refusal:
            return None
        assert not wrong
        if isinstance(result, LoggedIn):
            assert not owed, "let in without the second factor"
            self.by_password.add(result.token.session_id)
        return result

    def _opened(self, name: str, opened: SessionToken) -> tuple[str, str]:
        assert self._present(opened).account.id == self.ids[name], "in somebody else's account"
        return name, opened.token

    def _present(self, opened: SessionToken) -> User:
        user = self.site.sessions.find(opened.token)
        assert user is not None
        return user

    def _burn(self, name: str, code: str) -> None:
        """A code opens at most one session."""
        secret = self.secrets[name]
        assert secret is not None
        step = next(s for s in (0, -1, 1) if TOTP(secret).at(self.clock.now() + 30 * s) == code)
        proof = secret, str(self.clock.now() // 30 + step)
        assert proof not in self.used, "a code was used twice"
        self.used.add(proof)

    def _others_end(self, name: str, but: int | None) -> None:
        assert {row.id for row in self._live(name)} <= {but}, "another session lived on"

    def _live(self, name: str) -> list[Session]:
        with self.site.db.read() as tx:
            mine = Session.account_id == self.ids[name], Session.ended_at.is_(None)
            return list(tx.objects.scalars(select(Session).where(*mine)))

    def _factors(self, name: str) -> list[Factor]:
        with self.site.db.read() as tx:
            mine = Factor.account_id == self.ids[name], Factor.turned_off_at.is_(None)
            return list(tx.objects.scalars(select(Factor).where(*mine)))

    def _factor_rows(self, name: str) -> list[tuple[int, bool]]:
        with self.site.db.read() as tx:
            rows = tx.objects.scalars(select(Factor).where(Factor.account_id == self.ids[name]).order_by(Factor.id))
            return [(row.id, row.turned_off_at is None) for row in rows]


TestAccounts = Accounts.TestCase
TestAccounts.settings = settings(
    max_examples=40,
    stateful_step_count=40,
    derandomize=True,
    database=None,
    deadline=timedelta(seconds=20),
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
