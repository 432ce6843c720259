"""Changes between a check and its action: the later request is refused, and no change is half made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier, BrokenBarrierError
from typing import Any

import pytest
from sqlalchemy import delete, event, select, update

from tests.attacks.test_meanwhile import WAITS
from tests.conftest import Site
from tests.doubles import START, CheapHasher
from tests.people import PASSWORD, PHONE, TWO_FACTOR, Owner
from webapp.domain.account_refusals import UsernameTaken
from webapp.domain.origin import Origin
from webapp.domain.phone_numbers import PhoneNumber
from webapp.domain.refusals import (
    CodeAlreadyUsed,
    CodeExpired,
    LinkInvalid,
    LoginExpired,
    NotFound,
    NotFresh,
    NumberTaken,
    WrongLogin,
)
from webapp.models.accounts import Account, locked_account, share_account
from webapp.models.codes import Code, Link
from webapp.models.factors import Factor
from webapp.models.sessions import PendingLogin, Session
from webapp.models.user import User
from webapp.services.factor_resets import reset_factors
from webapp.services.kept_acts import Act
from webapp.services.login.login import LoggedIn, PendingToken
from webapp.services.method import Method
from webapp.services.method_kinds import Several
from webapp.services.one_time_codes import Terms

HERE = Origin("192.0.2.1", "Firefox")


class SlowHasher(CheapHasher):
    """Calls `meanwhile` once while it hashes or compares."""

    meanwhile: Callable[[], Any] | None = None
    before_hash: Callable[[], Any] | None = None
    """Called once before a hash, and before no comparison."""

    def _call_meanwhile(self) -> None:
        happens, self.meanwhile = self.meanwhile, None
        if happens is not None:
            happens()

    def hash(self, password: str) -> str:
        self.meanwhile, self.before_hash = self.before_hash or self.meanwhile, None
        self._call_meanwhile()
        return super().hash(password)

    def verify(self, encoded: str | None, password: str) -> bool:
        self._call_meanwhile()
        return super().verify(encoded, password)


@pytest.fixture
def hasher() -> SlowHasher:
    return SlowHasher()


@pytest.fixture
def overrides(hasher: SlowHasher) -> dict[str, Any]:
    return {"hasher": hasher}


@pytest.fixture
def ada(site: Site) -> Iterator[Owner]:
    """With an authentication app."""
    ada = Owner.signed_up(site)
    ada.turn_on_app()
    return ada


def change(site: Site, statement: Any) -> None:
    with site.services.db.write() as tx:
        tx.execute(statement)


def user_of(site: Site) -> User:
    with site.services.db.read() as tx:
        live = select(Session).where(Session.ended_at.is_(None)).order_by(Session.id.desc())
        session = tx.objects.scalars(live).first()
        assert session is not None
        on = list(tx.objects.scalars(select(Factor).where(Factor.turned_off_at.is_(None))))
        return User(session, tx.objects.get_one(Account, session.account_id), on, [])


def log_in(site: Site, name: str = "ada") -> LoggedIn | PendingToken:
    return site.services.login.with_password(name, PASSWORD, persistent=False, next_path="", origin=HERE)


def new_password(site: Site) -> None:
    change(site, update(Account).values(password_hash=CheapHasher().hash("seven brass wheels turning")))


@pytest.mark.parametrize("meanwhile", [new_password, lambda site: change(site, delete(Account))], ids=["new", "gone"])
@pytest.mark.parametrize("app_on", [True, False], ids=["with app", "without"])
def test_a_password_that_changes_while_it_is_compared_logs_no_user_in(
    site: Site, hasher: SlowHasher, meanwhile: Callable[[Site], None], app_on: bool
) -> None:
    ada = Owner.signed_up(site)
    if app_on:
        ada.turn_on_app()
    hasher.meanwhile = lambda: meanwhile(site)
    with pytest.raises(WrongLogin):
        log_in(site)


def test_a_first_factor_that_is_turned_on_while_the_password_is_compared_is_asked_for(
    site: Site, hasher: SlowHasher
) -> None:
    ada = Owner.signed_up(site)
    hasher.meanwhile = ada.turn_on_app
    assert isinstance(log_in(site), PendingToken)


def test_a_pending_login_that_was_ended_or_used_opens_no_session(site: Site, ada: Owner) -> None:
    result = log_in(site)
    assert isinstance(result, PendingToken)
    claim = site.services.login.claim(result.token)
    change(site, update(PendingLogin).values(ended_at=site.clock.now()))
    with pytest.raises(LoginExpired):
        site.services.login.verify(claim, None, {"code": ada.next_code()}, HERE, remember=False)
    with site.services.db.read() as tx:
        factor = tx.objects.scalars(select(Factor)).one()
    assert factor.counter < site.clock.now() // 30  # the code is not used up either


def test_guesses_at_username_and_address_do_not_reveal_that_they_are_of_one_account(site: Site) -> None:
    """Each name has a wait of its own, as a name that no account has; the account's total has both."""
    ada = Owner.signed_up(site)
    eve = ada.other_browser(address="198.51.100.1")
    for name in (ada.username, ada.email, "no-account"):
        eve.username = name
        statuses = [eve.log_in(f"guess number {number} of many").status for number in range(11)]
        assert statuses == [422] * 10 + [429], name
    assert site.services.attempts.counted("password-total:1") == 20
    assert isinstance(log_in(site), LoggedIn), "another network"
    assert site.services.attempts.counted("password-total:1") == 0


def test_a_hundred_guesses_at_username_and_address_together_end_the_comparison_of_both(site: Site) -> None:
    ada = Owner.signed_up(site)
    for number in range(100):
        eve = ada.other_browser(address=f"198.51.{number}.1")
        eve.username = ada.username if number % 2 else ada.email
        assert eve.log_in(f"guess number {number} of many").status == 422
    for name in (ada.username, ada.email):
        with pytest.raises(WrongLogin):  # a wait would reveal it
            log_in(site, name)
    assert ada.log_in_again().h1 == "Welcome, Ada Lovelace"  # the owner's browser is known
    assert isinstance(log_in(site), LoggedIn)


def test_a_username_that_is_taken_while_the_password_is_hashed_belongs_to_the_first(
    site: Site, hasher: SlowHasher
) -> None:
    ada = Owner(site)
    hasher.meanwhile = ada.sign_up
    with pytest.raises(UsernameTaken):
        site.services.sign_up.create("Eve", "ADA", "violet tractors hum", HERE)
    assert ada.other_browser().log_in().h1 == "Welcome, Ada Lovelace"


def test_a_number_that_a_third_account_gets_while_the_password_is_hashed_goes_to_no_fourth(
    site: Site, hasher: SlowHasher
) -> None:
    def create(username: str) -> Account:
        made = "Grace", username, "violet tractors hum", None
        return site.services.sign_up.create_by_operator(*made, confirmed=False, number=PhoneNumber(PHONE, "GB"))

    for name in ("one", "two"):
        create(name)
    hasher.before_hash = lambda: create("three")
    with pytest.raises(NumberTaken):
        create("four")
    assert [account.username for account in site.services.accounts.all()] == ["one", "three", "two"]


def test_a_renewed_hash_of_the_old_password_never_replaces_a_new_password(site: Site, hasher: SlowHasher) -> None:
    Owner.signed_up(site)
    account = user_of(site).account
    new_password(site)
    hasher.cost = 2
    site.services.passwords.renew(account, PASSWORD)
    with site.services.db.read() as tx:
        assert str(tx.scalar(select(Account.password_hash))).startswith("1:")


@pytest.mark.parametrize("password", [PASSWORD, "seven brass wheels turning"], ids=["renewed", "changed"])
def test_of_two_log_ins_that_renew_an_old_hash_at_once_both_get_in(
    site: Site, hasher: SlowHasher, password: str
) -> None:
    """But not when the password was changed meanwhile."""
    ada = Owner.signed_up(site)
    ada.log_out()
    hasher.cost = 2

    def renew_first() -> None:
        another_salt = f"0{CheapHasher(2).hash(password)}"
        change(site, update(Account).values(password_hash=another_salt))

    hasher.before_hash = renew_first
    if password == PASSWORD:
        assert isinstance(log_in(site), LoggedIn)
    else:
        with pytest.raises(WrongLogin):
            log_in(site)


def test_a_factor_that_is_off_is_not_turned_off_again(site: Site, ada: Owner) -> None:
    before = user_of(site)
    site.services.second_factors.turn_off(before, site.services.methods.named("authentication-app"), HERE)
    with pytest.raises(NotFound):
        site.services.second_factors.turn_off(before, site.services.methods.named("authentication-app"), HERE)
    told = [mail.subject for mail in site.emails(ada.email) if "turned off" in mail.subject]
    assert len(told) == 1


def test_factors_and_codes_are_changed_in_a_fresh_session_only(site: Site, ada: Owner) -> None:
    now, factors = user_of(site), site.services.second_factors
    site.clock.pass_(660)
    for act in (
        lambda: factors.turn_off(now, site.services.methods.named("authentication-app"), HERE),
        lambda: factors.turn_back_on(now, site.services.methods.named("authentication-app"), HERE),
        lambda: factors.new_backup_code(now, HERE),
    ):
        with pytest.raises(NotFresh):
            act()


def test_without_a_factor_no_backup_code_is_generated(site: Site) -> None:
    Owner.signed_up(site)
    with pytest.raises(NotFound):
        site.services.second_factors.new_backup_code(user_of(site), HERE)


def test_a_session_that_was_ended_during_the_request_cannot_step_up(site: Site, ada: Owner) -> None:
    now = user_of(site)
    change(site, update(Session).values(ended_at=site.clock.now()))
    with pytest.raises(LoginExpired):
        site.services.password_proof.verify(now, PASSWORD)


def test_a_session_that_was_ended_during_the_request_changes_nothing_of_how_its_account_is_protected(
    site: Site, ada: Owner
) -> None:
    """Such as a thief's, while the owner resets the password."""
    services, now = site.services, user_of(site)
    app = services.methods.named("authentication-app")
    assert app is not None
    services.phone_numbers.send_code(now.account, "phone:1", HERE, services.phone_numbers.read("+447400987654", ""))
    services.email_addresses.send_code(now.account, "email:1", "mallory@example.org", HERE)
    texted, mailed = site.texted_code("+447400987654"), site.emailed_code("mallory@example.org")
    with services.db.write() as tx:
        services.sessions.end_others(tx, now.account.id, None)
    for act in (
        lambda: services.second_factors.turn_off(now, app, HERE),
        lambda: services.second_factors.new_backup_code(now, HERE),
        lambda: services.temporary_passwords.make(now, HERE),
        lambda: services.phone_numbers.confirm(now, "phone:1", texted, HERE),
        lambda: services.email_addresses.confirm(now, "email:1", mailed, HERE),
    ):
        with pytest.raises(LoginExpired):
            act()
    account = services.accounts.named("ada")
    assert (account.email, account.phone_number) == (ada.email, None)
    assert account.backup_code_hash == now.account.backup_code_hash
    assert [factor.method for factor in services.accounts.factors(account)] == ["authentication-app"]
    assert services.temporary_passwords.live(account.id) == []


def test_a_factor_is_not_turned_back_on_by_a_session_that_was_ended(site: Site, ada: Owner) -> None:
    services, app = site.services, site.services.methods.named("authentication-app")
    assert app is not None
    services.second_factors.turn_off(user_of(site), app, HERE)
    now = user_of(site)
    with site.services.db.read() as tx:
        off = User(now.session, now.account, [], list(tx.objects.scalars(select(Factor))))
    services.active_access.end_own(now, HERE)
    with pytest.raises(LoginExpired):
        services.second_factors.turn_back_on(off, app, HERE)


def test_an_act_is_done_only_for_the_browser_that_asked(site: Site, ada: Owner) -> None:
    now, act = user_of(site), Act("/settings", [("name", "value")])
    kept = site.services.kept_acts
    key = kept.keep(now, act)
    assert kept.take(now, key, act.path) == act
    assert kept.take(now, key, act.path) is None, "it is done once"
    for wrong_key, path in (("0" * 64, act.path), (None, "/settings/security"), (None, None)):
        key = kept.keep(now, act)
        assert kept.take(now, wrong_key or key, path) is None
        assert kept.take(now, key, act.path) is None, "it was dropped"


def test_a_link_is_used_by_the_first_request_only(site: Site, ada: Owner) -> None:
    token = site.emailed_path(ada.email, "/not-you/").rpartition("/")[2]
    opened = site.services.links.find("not-you", token)
    with site.services.db.write() as tx:
        site.services.links.use(tx, opened.link)
    with pytest.raises(LinkInvalid):
        site.services.not_you.by_mail(opened, HERE)
    assert ada.open("/").h1 == "Welcome, Ada Lovelace"
    with site.services.db.read() as tx:
        assert tx.objects.get_one(Link, opened.link.id).used_at == site.clock.now()


def test_a_message_code_counts_for_the_first_of_two_requests_only(site: Site) -> None:
    ada = Owner.signed_up(site, confirm_email=False)
    ada.press("Next", email=ada.email)
    typed, now = site.emailed_code(ada.email), user_of(site)
    challenge = f"email:sign-up:{now.session.id}"
    addresses = site.services.email_addresses
    addresses.confirm(now, challenge, typed, HERE)
    with pytest.raises(CodeAlreadyUsed):
        addresses.confirm(now, challenge, typed, HERE)


def test_a_message_code_that_is_used_while_it_is_compared_counts_as_used(site: Site) -> None:
    ada = Owner.signed_up(site, confirm_email=False)
    ada.press("Next", email=ada.email)
    with site.services.db.read() as tx:
        code = tx.objects.scalars(select(Code)).one()
    codes = site.services.email_addresses.codes
    with site.services.db.write() as tx:
        codes.consume(tx, code)
    with pytest.raises(CodeAlreadyUsed), site.services.db.write() as tx:
        codes.consume(tx, code)


def test_a_message_code_that_a_newer_one_voids_while_it_is_compared_counts_as_used(site: Site) -> None:
    ada = Owner.signed_up(site, confirm_email=False)
    ada.press("Next", email=ada.email)
    now, codes = user_of(site), site.services.email_addresses.codes
    challenge, typed = f"email:sign-up:{now.session.id}", site.emailed_code(ada.email)
    code = codes.check(now.account.id, challenge, typed, Terms(3600, 5, 60))
    site.clock.pass_(60)
    site.services.email_addresses.send_code(now.account, challenge, ada.email, HERE)
    with pytest.raises(CodeAlreadyUsed), site.services.db.write() as tx:
        codes.consume(tx, code)


def test_a_code_for_another_address_expires_when_the_address_changes_while_it_is_compared(site: Site) -> None:
    """Such as by an undo, whose owner would lose the address again to the attacker who asked for the code."""
    Owner.signed_up(site)
    before, addresses = user_of(site), site.services.email_addresses
    addresses.send_code(before.account, "email:1", "mallory@example.org", HERE)
    with site.services.db.write() as tx:
        tx.execute(update(Account).values(email="earlier@example.org", email_key="earlier@example.org"))
    with pytest.raises(CodeExpired):
        addresses.confirm(before, "email:1", site.emailed_code("mallory@example.org"), HERE)
    assert user_of(site).account.email == "earlier@example.org"


def test_a_message_code_expires_although_its_page_was_opened_before(site: Site) -> None:
    ada = Owner.signed_up(site, confirm_email=False)
    ada.press("Next", email=ada.email)
    now = user_of(site)
    challenge, typed = f"email:sign-up:{now.session.id}", site.emailed_code(ada.email)
    site.clock.pass_(3600)
    with pytest.raises(CodeExpired):
        site.services.email_addresses.confirm(now, challenge, typed, HERE)


def test_a_challenge_without_a_code_answers_that_the_code_expired(site: Site) -> None:
    ada = Owner.signed_up(site, confirm_email=False)
    addresses, now = site.services.email_addresses, user_of(site)
    assert addresses.sent(1, "email:sign-up:99") is None
    with pytest.raises(CodeExpired):
        addresses.confirm(now, "email:sign-up:99", "123456", HERE)
    page = ada.post("/sign-up/email-code", code="123456")
    assert page.path == "/sign-up/email"
    assert page.problems == ["That code has expired. Request a new one."]


def test_the_last_page_of_an_enrollment_shows_its_code_for_thirty_minutes_only(site: Site, ada: Owner) -> None:
    path = "/settings/security/two-factor/authentication-app/done"
    site.clock.pass_(1799)
    assert ada.open(path).backup_code == ada.kept_code
    site.clock.pass_(1)
    page = ada.open(path)
    assert ada.kept_code not in page.text


def delete_account(site: Site) -> None:
    change(site, delete(Account))


def test_a_link_of_an_account_that_was_deleted_after_it_was_opened_does_nothing(site: Site, ada: Owner) -> None:
    services = site.services
    path = site.emailed_path(ada.email, "/not-you/")
    not_you = services.links.find("not-you", path.rpartition("/")[2])
    ada.open("/settings/account/email")
    ada.press("Save", email="countess@example.org")
    ada.press("Verify", code=site.emailed_code("countess@example.org"))
    undo = services.links.find("undo-email", site.emailed_path(ada.email, "/undo-email/").rpartition("/")[2])
    delete_account(site)
    with pytest.raises(LinkInvalid):
        services.not_you.by_mail(not_you, HERE)
    with pytest.raises(LinkInvalid):
        services.email_undos.ask(undo, HERE)


def test_what_another_tab_has_done_meanwhile_is_not_done_again(site: Site, ada: Owner) -> None:
    services, user = site.services, user_of(site)
    app = services.methods.named("authentication-app")
    assert app is not None
    services.backup_codes.saved(user)
    services.backup_codes.saved(user_of(site))
    services.second_factors.turn_off(user, app, HERE)
    with pytest.raises(NotFound):
        services.second_factors.turn_off(user_of(site), app, HERE)


def change_number(site: Site, number: str) -> None:
    phones, now = site.services.phone_numbers, user_of(site)
    challenge = f"phone:{number}"
    phones.send_code(now.account, challenge, HERE, phones.read(number, ""))
    phones.confirm(now, challenge, site.texted_code(number), HERE)


def test_a_code_to_a_number_that_is_replaced_while_it_is_compared_logs_no_user_in(site: Site) -> None:
    ada = Owner.signed_up(site)
    ada.turn_on_texts()
    ada.press("Got it")
    site.clock.pass_(60)
    pending = log_in(site)
    assert isinstance(pending, PendingToken)
    code, claim = site.texted_code(PHONE), site.services.login.claim(pending.token)
    change_number(site, "+447400987654")
    with pytest.raises(CodeExpired):
        site.services.login.verify(claim, None, {"code": code}, HERE)


def test_the_number_that_is_replaced_is_warned_although_it_came_on_during_the_request(site: Site) -> None:
    """Such as the owner's, while a thief adds another one."""
    ada = Owner.signed_up(site)
    thief, phones = user_of(site), site.services.phone_numbers
    phones.send_code(thief.account, "phone:thief", HERE, phones.read("+447400987654", ""))
    code = site.texted_code("+447400987654")
    change_number(site, PHONE)
    phones.confirm(thief, "phone:thief", code, HERE)
    assert "number" in site.texts(PHONE)[0].text
    assert "Your phone number was changed" in site.emails(ada.email)[0].text


def methods(site: Site) -> tuple[Method, Several]:
    app, key = (site.services.methods.named(slug) for slug in ("authentication-app", "security-key"))
    assert app is not None
    assert isinstance(key, Several)
    return app, key


def test_the_owner_is_told_so_when_two_tabs_turn_off_the_last_two_factors(site: Site, ada: Owner) -> None:
    ada.press("Got it")
    ada.turn_on_key()
    before, services, (app, key) = user_of(site), site.services, methods(site)
    services.second_factors.turn_off(before, app, HERE)
    services.named_factors.delete(before, key, before.factors_of("security-key")[0].id, HERE)
    assert "Two-factor authentication is now off" in site.emails(ada.email)[0].text


def test_the_owner_is_told_so_when_another_tab_deletes_the_last_factor_but_one(site: Site, ada: Owner) -> None:
    ada.press("Got it")
    ada.turn_on_key()
    before, services, (app, key) = user_of(site), site.services, methods(site)
    services.named_factors.delete(before, key, before.factors_of("security-key")[0].id, HERE)
    services.second_factors.turn_off(before, app, HERE)
    assert "Two-factor authentication is now off" in site.emails(ada.email)[0].text


def test_a_first_factor_ends_the_other_sessions_although_another_one_was_on_when_the_request_began(
    site: Site, ada: Owner
) -> None:
    """Else a thief who logged in by the password alone, after that one was turned off, would stay."""
    ada.press("Got it")
    ada.open(f"{TWO_FACTOR}/security-key")
    ada.press("Start")
    ada.press("Use security key", credential=ada.new_key().create(ada.page.options()))
    before, services, (app, key) = user_of(site), site.services, methods(site)
    services.second_factors.turn_off(before, app, HERE)
    thief = ada.other_browser()
    assert thief.log_in().h1 == "Welcome, Ada Lovelace"
    visit, name = services.enrollment.visit(before, key, HERE, "name"), key.step("name")
    assert name is not None
    services.enrollment.submit(visit, name, {"name": "Blue key"})
    assert thief.open("/settings").path == "/log-in"


def test_a_factor_that_is_turned_back_on_as_the_first_one_ends_the_other_sessions(site: Site, ada: Owner) -> None:
    ada.press("Got it")
    ada.turn_on_key()
    services, (app, key) = site.services, methods(site)
    services.second_factors.turn_off(user_of(site), app, HERE)
    on = user_of(site)
    with site.services.db.read() as tx:
        off = list(tx.objects.scalars(select(Factor).where(Factor.turned_off_at.is_not(None))))
    before = User(on.session, on.account, on.factors, off)
    services.named_factors.delete(on, key, on.factors[0].id, HERE)
    thief = ada.other_browser()
    assert thief.log_in().h1 == "Welcome, Ada Lovelace"
    services.second_factors.turn_back_on(before, app, HERE)
    assert thief.open("/settings").path == "/log-in"


def test_without_a_factor_any_more_neither_a_backup_code_nor_a_temporary_password_is_generated(
    site: Site, ada: Owner
) -> None:
    before, services = user_of(site), site.services
    services.second_factors.turn_off(before, methods(site)[0], HERE)
    for make in (services.second_factors.new_backup_code, services.temporary_passwords.make):
        with pytest.raises(NotFound):
            make(before, HERE)


@pytest.mark.parametrize("how", ["password", "passkey"])
def test_two_first_log_ins_at_once_to_an_invited_account_do_not_wait_for_each_other(site: Site, how: str) -> None:
    """Each sets the account's language, after both have locked its row shared."""
    site.services.sign_up.create_by_operator("Ada", "ada", PASSWORD, "ada@example.org", confirmed=True)
    account, both, seen = site.services.accounts.named("ada"), Barrier(2), list[str]()

    def meet(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith("UPDATE accounts SET language"):
            seen.append(statement)
            with suppress(BrokenBarrierError):
                both.wait(WAITS)

    def open_alone() -> LoggedIn:
        with site.services.db.write() as tx:
            share_account(tx, account)
            opening = site.services.login.opening
            return opening.open(tx, account, None, persistent=False, next_path="", origin=HERE, passkey="A key")

    event.listen(site.services.db.engine, "before_cursor_execute", meet)
    with ThreadPoolExecutor(2) as pool:
        act: Callable[[], Any] = (lambda: log_in(site)) if how == "password" else open_alone
        opened = [done.result() for done in [pool.submit(act) for _ in range(2)]]
    assert all(isinstance(one, LoggedIn) for one in opened)
    assert seen, "they met"
    assert site.services.accounts.named("ada").language == "en"


@pytest.mark.parametrize("before", [{"delete_at": START + 86400}, {"login_method": "text-message"}])
def test_a_login_that_changes_the_account_and_a_reset_of_the_factors_do_not_wait_for_each_other(
    site: Site, ada: Owner, before: dict[str, Any]
) -> None:
    """Each changes the account and the factor: both must lock the account first."""
    services, both, seen = site.services, Barrier(2), set[str]()
    change(site, update(Account).values(before))
    pending = log_in(site)
    assert isinstance(pending, PendingToken)
    claim, code = services.login.claim(pending.token), ada.next_code()

    def meet(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith(("DELETE FROM factors", f"UPDATE accounts SET {next(iter(before))}")):
            seen.add(statement[:6])
            with suppress(BrokenBarrierError):
                both.wait(WAITS)

    def prove() -> None:
        with suppress(LoginExpired, CodeAlreadyUsed):
            services.login.verify(claim, "authentication-app", {"code": code}, HERE)

    def reset() -> None:
        with services.db.write() as tx:
            account = locked_account(tx, claim.account.id)
            assert account is not None
            reset_factors(tx, services.sessions, services.notices, account, "lost the phone")

    event.listen(services.db.engine, "before_cursor_execute", meet)
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(act) for act in (prove, reset)]:
            done.result()
    assert "DELETE" in seen, "the reset came to where they would wait for each other"
    assert site.count(Factor) == 0


def test_a_code_that_is_entered_while_another_is_sent_does_not_wait_for_it(site: Site) -> None:
    """Both change the account and the code: both must change the account first."""
    ada, both, services, seen = Owner(site), Barrier(2), site.services, set[str]()
    ada.sign_up(confirm_email=False)
    user, addresses = user_of(site), site.services.email_addresses
    addresses.send_code(user.account, "email:1", ada.email, HERE)
    code = site.emailed_code(ada.email)
    site.clock.pass_(60)

    def meet(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith(("UPDATE codes SET used_at", "UPDATE accounts SET unconfirmed_email")):
            seen.add(statement.split()[1])
            with suppress(BrokenBarrierError):
                both.wait(WAITS)

    def enter() -> None:
        with suppress(CodeExpired, CodeAlreadyUsed):
            addresses.confirm(user, "email:1", code, HERE)

    def send() -> None:
        addresses.send_code(user.account, "email:1", ada.email, HERE)

    event.listen(services.db.engine, "before_cursor_execute", meet)
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(act) for act in (enter, send)]:
            done.result()
    assert seen, "one of them came to where they would wait for each other"
