"""The operator's commands: one sentence for each outcome, and an activity entry for the owner of the account."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from click.testing import Result

from tests.adapters.gateway import Gateway
from tests.conftest import Site
from tests.doubles import CheapHasher, RecordingMail
from tests.people import Owner, Person
from webapp import create_app
from webapp.domain.account_refusals import UsernameTaken
from webapp.domain.origin import Origin
from webapp.domain.ports import Unreachable
from webapp.domain.refusals import TooSoon
from webapp.models.accounts import Account
from webapp.models.factors import Factor
from webapp.settings import Settings

Run = Callable[..., Result]
HERE = Origin("192.0.2.1", "Firefox", "nightlatch.localhost")


@pytest.fixture
def run(site: Site) -> Run:
    def command(*words: str, typed: str = "") -> Result:
        return site.app.test_cli_runner().invoke(args=words, input=typed)

    return command


def create(run: Run, *more: str, password: str = "violet tractors hum") -> Result:
    given = ("accounts", "create", "--username", "grace", "--name", "Grace Hopper", *more)
    return run(*given, typed=f"{password}\n")


def test_an_account_made_by_the_operator_can_log_in(site: Site, run: Run) -> None:
    result = create(run, "--email", "grace@example.org", "--email-confirmed")
    assert (result.exit_code, result.output) == (0, "Created grace.\n")
    grace = Owner(site, "grace")
    grace.username = "grace@example.org"
    assert grace.log_in("violet tractors hum").h1 == "Welcome, Grace Hopper"


def test_an_address_is_unconfirmed_unless_the_operator_confirms_it(site: Site, run: Run) -> None:
    create(run, "--email", "grace@example.org")
    grace = Owner(site, "grace")
    grace.log_in("violet tractors hum")
    assert grace.open("/settings/account/email").field("Email address")["value"] == "grace@example.org"


def test_a_number_that_the_operator_confirms_gets_codes(site: Site, run: Run) -> None:
    create(run, "--email", "grace@example.org", "--email-confirmed", "--phone", "+44 7400 123456")
    assert "Phone number: ...56\n" in run("accounts", "show", "grace").output
    grace = Owner(site, "grace")
    grace.log_in("violet tractors hum")
    grace.open("/settings/security/two-factor")
    grace.press("Text message")
    grace.press("Next")
    assert grace.press("Verify", password="violet tractors hum").h1 == "Check your phone"
    assert grace.press("Verify", code=site.texted_code("+447400123456")).h1 == "You're all set"


def test_a_fourth_account_with_one_number_is_not_made(run: Run) -> None:
    for n in range(3):
        create(run, "--phone", "+44 7400 123456", "--username", f"grace{n}")
    refused = create(run, "--phone", "+44 7400 123456", "--username", "grace3")
    assert (refused.exit_code, refused.output) == (
        1,
        "Error: This number already belongs to 3 accounts. Enter a different phone number.\n",
    )
    assert run("accounts", "show", "grace3").exit_code == 1, "nor is it made without the number"


def test_the_report_counts_texts_by_day_country_and_outcome(site: Site, run: Run) -> None:
    assert run("messages", "report").output == ""
    create(run, "--email", "grace@example.org", "--email-confirmed", "--phone", "+44 7400 123456")
    grace = site.services.accounts.named("grace")
    for name in ("one", "two"):
        with suppress(TooSoon):
            site.services.phone_numbers.send_code(grace, name, HERE)
    site.clock.pass_(86400)
    site.services.phone_numbers.send_code(grace, "three", HERE)
    lines = [line.split("\t") for line in run("messages", "report").output.splitlines()]
    today, yesterday = lines[0][0], lines[1][0]
    assert today > yesterday
    assert lines == [
        [today, "GB", "sent", "1"],
        [yesterday, "GB", "refused: too soon", "1"],
        [yesterday, "GB", "sent", "1"],
    ]
    assert run("messages", "report", "--days", "1").output == "\t".join(lines[0]) + "\n"


@pytest.mark.parametrize(
    ("more", "password", "says"),
    [
        (("--phone", "07400 123456"), "violet tractors hum", "Enter a complete phone number"),
        ((), "short", "Use at least 15 characters."),
        (("--email", "nobody"), "violet tractors hum", "Enter a valid email address, like name@example.com."),
        (("--email", "ada@example.org", "--email-confirmed"), "violet tractors hum", "belongs to another account"),
    ],
)
def test_an_invalid_argument_is_answered_by_one_sentence(
    site: Site, run: Run, more: tuple[str, ...], password: str, says: str
) -> None:
    Owner(site).sign_up()
    result = create(run, *more, password=password)
    assert result.exit_code == 1
    assert says in result.output
    assert "Traceback" not in result.output


def test_a_taken_username_is_answered_by_one_sentence(site: Site, run: Run) -> None:
    create(run)
    result = create(run)
    assert result.exit_code == 1
    assert "That username is taken." in result.output


def test_the_operator_may_use_reserved_names_and_those_of_deleted_accounts(site: Site, run: Run) -> None:
    Owner(site).sign_up()
    run("accounts", "delete", "ada")
    for username in ("admin", "ada"):
        given = ("accounts", "create", "--username", username, "--name", "Grace Hopper")
        result = run(*given, typed="violet tractors hum\n")
        assert result.exit_code == 0
        assert f"Created {username}.\n" in result.output
        assert ("A deleted account had this username" in result.output) == (username == "ada")


def test_a_name_that_two_deleted_accounts_had_stays_taken(site: Site, run: Run) -> None:
    Owner(site).sign_up()
    run("accounts", "delete", "ada")
    again = ("--email", "ada@example.org", "--email-confirmed")
    run("accounts", "create", "--username", "ada", "--name", "Ada", *again, typed="violet tractors hum\n")
    assert run("accounts", "delete", "ada").output == "Deleted ada.\n"
    with pytest.raises(UsernameTaken):
        site.services.sign_up.create("Eve", "ada", "violet tractors", HERE)


def test_the_names_of_deleted_accounts_stay_taken_when_the_keys_were_rotated(
    site: Site, run: Run, environ: dict[str, str], overrides: dict[str, Any]
) -> None:
    Owner(site).sign_up()
    run("accounts", "delete", "ada")
    new = f"k9:{base64.b64encode(bytes(range(32, 64))).decode()}"
    old = ",".join(f"{name}:{base64.b64encode(key).decode()}" for name, key in site.services.settings.encryption_keys)
    for keys in (f"{new},{old}", new):
        settings = Settings.read({**environ, "NIGHTLATCH_ENCRYPTION_KEYS": keys}, site.services.settings.instance)
        app = create_app(settings, clock=site.clock, **overrides)
        assert app.test_cli_runner().invoke(args=["keys", "reseal"]).exit_code == 0
    with pytest.raises(UsernameTaken):
        app.extensions["nightlatch"].sign_up.create("Eve", "ADA", "violet tractors", HERE)


def test_accounts_are_listed_and_shown_without_secrets(site: Site, run: Run) -> None:
    ada = Owner.signed_up(site)
    ada.turn_on_app()
    create(run)
    assert run("accounts", "list").output == "ada\tada@example.org\tAda Lovelace\ngrace\t-\tGrace Hopper\n"
    shown = run("accounts", "show", "ADA").output
    assert "Two-factor methods: authentication-app" in shown
    assert "Backup code: yes" in shown
    for secret in (ada.secret, ada.kept_code, "cheap"):
        assert secret not in shown
    shown = run("accounts", "show", "grace").output
    assert "Email address: not confirmed" in shown
    assert "Two-factor methods: none" in shown
    assert "Backup code: no" in shown


@pytest.mark.parametrize(
    "words",
    [("show",), ("rename", "--", "ada"), ("reset-second-factors", "--why", "lost"), ("log-out",), ("delete",)],
    ids=lambda words: words[0],
)
def test_an_unknown_account_is_answered_by_one_sentence(run: Run, words: tuple[str, ...]) -> None:
    result = run("accounts", *words, "nobody")
    assert (result.exit_code, result.output) == (1, "Error: No account has that username.\n")


def test_a_user_whose_factors_the_operator_turned_off_logs_in_with_the_password_and_reads_it_in_the_activity(
    site: Site, run: Run
) -> None:
    ada = Owner.signed_up(site)
    ada.turn_on_app()
    pending = ada.log_in_elsewhere()
    result = run("accounts", "reset-second-factors", "ada", "--why", "She lost her phone in Turin.")
    assert result.exit_code == 0
    assert ada.open("/").path == "/log-in"
    assert pending.open("/log-in/verify").path == "/log-in"
    mail = site.emails(ada.email)[0]
    assert "She lost her phone in Turin." in mail.text
    assert ada.log_in().h1 == "Welcome, Ada Lovelace"
    assert site.count(Factor) == 0


def test_logging_a_user_out_ends_every_session(site: Site, run: Run) -> None:
    ada = Owner.signed_up(site)
    assert run("accounts", "log-out", "ada").exit_code == 0
    assert ada.open("/").path == "/log-in"
    assert "logged you out on all devices" in site.emails(ada.email)[0].subject


def test_deleting_an_account_deletes_all_its_rows(site: Site, run: Run) -> None:
    ada = Owner.signed_up(site)
    ada.turn_on_app()
    assert run("accounts", "delete", "ada").output == "Deleted ada.\n"
    assert site.count(Account) == site.count(Factor) == 0
    assert ada.open("/").path == "/log-in"
    assert ada.log_in().status == 422


@pytest.mark.parametrize("words", [("accounts", "show", "ad\udce4"), ("why", "\udce4")])
def test_bytes_that_are_not_utf_8_are_told_in_one_sentence(run: Run, words: tuple[str, ...]) -> None:
    result = run(*words)
    assert (result.exit_code, result.output.splitlines()[-1]) == (1, "Error: What was given isn't UTF-8.")


def test_messages_are_sent_once(site: Site, run: Run) -> None:
    Owner(site).sign_up()
    assert run("messages", "send").output.splitlines()[-1] == "Messages sent: 1"
    assert run("messages", "send").output.splitlines()[-1] == "Messages sent: 0"


def test_generated_keys_are_printed_as_lines_for_the_settings(run: Run, site: Site) -> None:
    lines = dict(line.split("=", 1) for line in run("keys", "generate").output.splitlines())
    assert set(lines) >= {"NIGHTLATCH_SECRET_KEY", "NIGHTLATCH_ENCRYPTION_KEYS"}
    assert Settings.read(lines, site.services.settings.instance).secret_key == lines["NIGHTLATCH_SECRET_KEY"]


def test_resealing_without_the_old_key_names_it(site: Site, environ: dict[str, str], overrides: dict[str, Any]) -> None:
    Owner(site).sign_up()
    Owner(site, "grace").sign_up()
    name = site.services.settings.encryption_keys[0][0]
    lost = {**environ, "NIGHTLATCH_ENCRYPTION_KEYS": f"k9:{base64.b64encode(bytes(range(32, 64))).decode()}"}
    app = create_app(Settings.read(lost, site.services.settings.instance), clock=site.clock, **overrides)
    result = app.test_cli_runner().invoke(args=["keys", "reseal"])
    assert result.exit_code == 1
    assert f"the encryption key '{name}' is not among the settings" in result.output
    assert "Traceback" not in result.output
    found = app.test_cli_runner().invoke(args=["check"]).output
    assert f"Keys: the encryption key '{name}' is not among the settings; put back what was in " in found
    assert "Keys: fine" in site.app.test_cli_runner().invoke(args=["check"]).output


def test_after_resealing_the_old_key_can_be_removed(
    site: Site, run: Run, environ: dict[str, str], overrides: dict[str, Any]
) -> None:
    ada = Owner.signed_up(site)
    ada.turn_on_app()  # a factor, and a finished draft with the backup code
    site.clock.pass_(660)
    ada.open("/settings/account/password")
    ada.post("/settings/account/password", password="seven brass wheels turning")  # a kept act
    new = f"k9:{base64.b64encode(bytes(range(32, 64))).decode()}"
    old = ",".join(f"{name}:{base64.b64encode(key).decode()}" for name, key in site.services.settings.encryption_keys)
    instance = site.services.settings.instance

    def rotated(keys: str) -> Site:
        given = {**environ, "NIGHTLATCH_ENCRYPTION_KEYS": keys}
        app = create_app(Settings.read(given, instance), clock=site.clock, **overrides)
        return Site(app, app.extensions["nightlatch"], site.clock)

    both = rotated(f"{new},{old}")
    resealed = both.app.test_cli_runner().invoke(args=["keys", "reseal"]).output
    assert resealed.startswith("Re-encrypted ")
    assert int(resealed.split()[1]) >= 5
    assert both.app.test_cli_runner().invoke(args=["keys", "reseal"]).output == "Re-encrypted 0 secrets.\n"
    after = rotated(new)
    ada.app, ada.site = after.app, after
    cookies = {name: ada.cookie(name) for name in ("session", "form")}
    ada.client = after.app.test_client()
    for name, value in cookies.items():
        ada.client.set_cookie(name, str(value), domain=ada.host.split(":")[0])
    assert ada.open("/step-up/password?next=/settings/account/password").h1 == "Enter your password"
    assert ada.press("Verify", password=ada.password).h1 == "Enter your code"
    page = ada.press("Verify", code=ada.next_code())
    assert page.receipts == [
        "Password changed. All your other devices were logged out. We sent you a confirmation email."
    ]
    assert ada.open("/settings/security/two-factor/authentication-app/done").backup_code == ada.kept_code
    assert after.emails(ada.email)


def test_purging_reports_what_was_deleted(site: Site, run: Run) -> None:
    Owner(site).sign_up()
    site.clock.pass_(181 * 86400)
    lines = dict(line.split(": ") for line in run("purge").output.splitlines())
    assert lines["sessions"] == "1"
    assert int(lines["activity"]) > 0
    assert set(run("purge").output.split()[1::2]) == {"0"}


def test_migrating_an_up_to_date_database_changes_nothing(site: Site, run: Run, environ: dict[str, str]) -> None:
    with site.services.db.engine.begin() as connection:
        for table in reversed(Account.metadata.sorted_tables):
            table.drop(connection)
    for _ in range(2):
        assert run("migrate").exit_code == 0
    assert run("accounts", "list").output == ""


def test_check_says_that_a_proxy_is_not_trusted_for_a_day_after_its_last_request(site: Site, run: Run) -> None:
    said = "Proxies: requests with X-Forwarded-For arrive, but NIGHTLATCH_TRUSTED_PROXIES is 0"
    assert "Proxies: fine" in run("check").output
    reader = Person(site.app)
    reader.open("/about", headers={"X-Forwarded-For": "203.0.113.5"})
    assert said in run("check").output
    site.clock.pass_(3599)
    written = len(site.statements)
    reader.open("/about", headers={"X-Forwarded-For": "203.0.113.5"})
    assert not [statement for statement in site.statements[written:] if "site_values" in statement], "once an hour"
    site.clock.pass_(86400 - 3599 - 1)
    assert said in run("check").output
    site.clock.pass_(1)
    assert "Proxies: fine" in run("check").output


class TestSiteBehindOneProxy:
    @pytest.fixture
    def environ(self, environ: dict[str, str]) -> dict[str, str]:
        return {**environ, "NIGHTLATCH_TRUSTED_PROXIES": "1"}

    def test_check_accepts_a_proxy_that_is_trusted(self, site: Site, run: Run) -> None:
        Person(site.app).open("/about", headers={"X-Forwarded-For": "203.0.113.5"})
        assert "Proxies: fine" in run("check").output


def test_check_reports_what_is_wrong_and_fails(site: Site, run: Run) -> None:
    result = run("check")
    assert result.exit_code == 1
    assert "Settings: fine" in result.output
    assert "Database: isn't up to date; run `flask --app wsgi migrate`" in result.output
    assert "Mail: NIGHTLATCH_MAIL_URL isn't set" in result.output


class TestSiteWithRedis:
    @pytest.fixture
    def environ(self, environ: dict[str, str]) -> dict[str, str]:
        return {**environ, "NIGHTLATCH_REDIS_URL": "redis://127.0.0.1:1"}

    def test_check_says_why_redis_cannot_be_used(self, run: Run) -> None:
        why = "Error 111 connecting to 127.0.0.1:1. Connection refused"
        assert f"Redis: can't be used: {why}; the flood limit counts in the database\n" in run("check").output


class TestSiteWithMailServer:
    @pytest.fixture
    def environ(self, environ: dict[str, str]) -> dict[str, str]:
        return {**environ, "NIGHTLATCH_MAIL_URL": "smtp://127.0.0.1:1"}

    @pytest.fixture
    def overrides(self) -> dict[str, Any]:
        return {"hasher": CheapHasher(), "mail": RecordingMail(Unreachable("the mail server can't be reached"))}

    def test_check_names_a_mail_server_that_does_not_answer_and_accepts_one_that_does(
        self, site: Site, run: Run
    ) -> None:
        assert "Mail: the mail server can't be reached" in run("check").output
        site.services.mail.troubles.clear()  # type: ignore[attr-defined]
        with site.services.db.engine.begin() as connection:
            for table in reversed(Account.metadata.sorted_tables):
                table.drop(connection)
        run("migrate")
        result = run("check")
        assert (result.exit_code, result.output) == (
            0,
            "Settings: fine\nDatabase: fine\nKeys: fine\nHeartbeat: fine\nProxies: fine\nMail: fine\n"
            "Legacy access: NIGHTLATCH_LEGACY_ACCESS is on and NIGHTLATCH_SIGN_UP is open: everyone who signs up and"
            " confirms an email address gets in at the sites behind /legacy/verify\n",
        )

    def test_check_lists_reserved_names_that_accounts_have_and_finds_nothing_wrong(self, site: Site, run: Run) -> None:
        site.services.mail.troubles.clear()  # type: ignore[attr-defined]
        with site.services.db.engine.begin() as connection:
            for table in reversed(Account.metadata.sorted_tables):
                table.drop(connection)
        run("migrate")
        for username in ("root", "grace", "Post-Master"):
            given = ("accounts", "create", "--username", username, "--name", "Grace Hopper")
            assert run(*given, typed="violet tractors hum\n").exit_code == 0
        result = run("check")
        assert result.exit_code == 0
        assert "Usernames: these are reserved now, and accounts have them: Post-Master, root\n" in result.output


class TestSiteWithGateway:
    @pytest.fixture
    def vonage(self) -> Iterator[Gateway]:
        with Gateway() as vonage:
            yield vonage

    @pytest.fixture
    def environ(self, environ: dict[str, str], vonage: Gateway) -> dict[str, str]:
        settings = {"VONAGE_API_KEY": "key", "VONAGE_API_SECRET": "secret", "SMS_FROM": "Nightlatch"}
        return {**environ, **{f"NIGHTLATCH_{k}": v for k, v in settings.items()}, "NIGHTLATCH_VONAGE_URL": vonage.url}

    def test_a_text_is_sent_through_the_gateway_and_check_asks_the_gateway(
        self, site: Site, run: Run, vonage: Gateway
    ) -> None:
        create(run, "--email", "grace@example.org", "--email-confirmed", "--phone", "+44 7400 123456")
        site.services.phone_numbers.send_code(site.services.accounts.named("grace"), "one", HERE)
        assert run("messages", "send").output.endswith("Messages sent: 1\n")
        assert vonage.texts[0].form["to"] == "447400123456"
        assert "is your Nightlatch code" in vonage.texts[0].form["text"]
        assert "Text messages: fine" in run("check").output
