"""Reading the settings: defaults, development keys, and one error sentence for each mistake."""

from __future__ import annotations

import base64
import stat
from pathlib import Path

import pytest

from webapp.adapters.smtp import SmtpMail
from webapp.keys import DEVELOPMENT_FILE, development_keys, generate_keys
from webapp.settings import PLACES_MARKER, MailServer, Settings, SettingsError, TextGateway

KEY_TEXT = base64.b64encode(bytes(range(32))).decode()
SERVING = {
    "SERVING": "1",
    "SERVER_NAME": "login.example.org",
    "SECRET_KEY": "0123456789abcdef" * 4,
    "ENCRYPTION_KEYS": f"k1:{KEY_TEXT}",
    "MAIL_URL": "smtp://ada:secret@mail.example.org:587?starttls=1",
}


def read(tmp_path: Path, **given: str) -> Settings:
    return Settings.read({f"NIGHTLATCH_{name}": value for name, value in given.items()}, tmp_path / "instance")


def error_of(tmp_path: Path, **given: str) -> str:
    with pytest.raises(SettingsError) as error:
        read(tmp_path, **given)
    return str(error.value)


def test_a_development_site_needs_no_setting(tmp_path: Path) -> None:
    settings = read(tmp_path)
    assert settings.main_url == "http://nightlatch.localhost:5000"
    assert settings.mobile_host == "mobile.nightlatch.localhost:5000"
    assert settings.shows_outbox
    assert not settings.secure
    assert settings.mail_from == "no-reply@nightlatch.localhost"
    assert settings.database_url == f"sqlite:///{tmp_path}/instance/nightlatch.sqlite3"
    assert settings.trusted_proxies == 0


def test_development_keys_are_generated_once_and_readable_by_their_owner_only(tmp_path: Path) -> None:
    first, second = read(tmp_path), read(tmp_path)
    assert first.secret_key == second.secret_key
    assert first.encryption_keys == second.encryption_keys
    path = tmp_path / "instance" / DEVELOPMENT_FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in path.parent.iterdir()] == [DEVELOPMENT_FILE]


def test_two_processes_that_generate_development_keys_at_once_use_the_same_ones(tmp_path: Path) -> None:
    class LateInstance(type(tmp_path)):  # type: ignore[misc]
        """Sees no file yet, because another process writes it between the check and the write."""

        def exists(self, **_options: bool) -> bool:
            return False

    first = development_keys(tmp_path)
    assert development_keys(LateInstance(tmp_path)) == first
    assert [p.name for p in tmp_path.iterdir()] == [DEVELOPMENT_FILE]


def test_a_site_under_a_public_name_shows_no_outbox_however_it_is_started(tmp_path: Path) -> None:
    unserved = {name: value for name, value in SERVING.items() if name not in ("SERVING", "MAIL_URL")}
    settings = read(tmp_path, **unserved)
    assert settings.mail is None
    assert not settings.shows_outbox


def test_the_environment_overrides_the_development_file(tmp_path: Path) -> None:
    assert read(tmp_path, SECRET_KEY="0123456789abcdef" * 2).secret_key == "0123456789abcdef" * 2


def test_generated_keys_are_valid_and_differ_each_time(tmp_path: Path) -> None:
    one, two = generate_keys(), generate_keys()
    assert one["SECRET_KEY"] != two["SECRET_KEY"]
    settings = read(tmp_path, **{**SERVING, **one})
    assert settings.secret_key == one["SECRET_KEY"]
    assert len(settings.encryption_keys[0][1]) == 32


def test_all_settings_of_a_production_site_are_read(tmp_path: Path) -> None:
    settings = read(tmp_path, **SERVING, SITE_NAME="Acme", WORKERS="4", BIND="[::1]:8000", TRUSTED_PROXIES="2")
    assert settings.secure
    assert settings.main_url == "https://login.example.org"
    assert not settings.shows_outbox
    assert settings.mail == MailServer("mail.example.org", 587, "ada", "secret", "starttls")
    assert (settings.site_name, settings.workers, settings.bind, settings.trusted_proxies) == (
        "Acme",
        4,
        "[::1]:8000",
        2,
    )
    assert not (tmp_path / "instance").exists()


def test_the_repr_of_the_settings_has_no_secret(tmp_path: Path) -> None:
    shown = repr(read(tmp_path, **SERVING, METRICS_TOKEN="let me scrape", DATABASE_URL="sqlite:///my-path"))
    for secret in ("0123456789abcdef", "secret'", "let me scrape", "my-path", r"\x00"):
        assert secret not in shown


@pytest.mark.parametrize("missing", ["SERVER_NAME", "SECRET_KEY", "ENCRYPTION_KEYS", "MAIL_URL"])
def test_a_production_site_requires(tmp_path: Path, missing: str) -> None:
    given = {name: value for name, value in SERVING.items() if name != missing}
    assert error_of(tmp_path, **given).startswith(f"NIGHTLATCH_{missing} is not set; it needs ")


@pytest.mark.parametrize("missing", ["SECRET_KEY", "ENCRYPTION_KEYS"])
def test_a_site_with_a_public_name_never_generates_its_own_keys(tmp_path: Path, missing: str) -> None:
    given = {name: value for name, value in SERVING.items() if name not in (missing, "SERVING")}
    assert error_of(tmp_path, **given).startswith(f"NIGHTLATCH_{missing} is not set; it needs ")


@pytest.mark.parametrize(
    ("name", "value", "right"),
    [
        ("SERVER_NAME", "https://login.example.org", "login.example.org"),
        ("PRIVATE_ADDRESSES", "10.0.0.1/8", "10.0.0.0/8"),
        ("PRIVATE_ADDRESSES", "10.0.0.0/8,intranet", "10.0.0.0/8"),
        ("SERVER_NAME", "Login.example.org", "login.example.org"),
        ("SERVER_NAME", "login.example.org:٨٠", "login.example.org"),
        ("SERVER_NAME", "login.example.org:99999", "nightlatch.localhost:5000"),
        ("SERVER_NAME", "localhost:5000", "nightlatch.localhost:5000"),
        ("SERVER_NAME", "127.0.0.1:5000", "nightlatch.localhost:5000"),
        ("SERVER_NAME", "login.example.org:443", "login.example.org"),
        ("SERVER_NAME", "login.example.org.", "login.example.org"),
        ("SERVER_NAME", "login.localhost:80", "login.localhost"),
        ("MOBILE_SUBDOMAIN", "m.obile", "mobile"),
        ("MOBILE_SUBDOMAIN", "Mobile", "mobile"),
        ("PREFERRED_URL_SCHEME", "gopher", "https"),
        ("SITE_NAME", "Acme: the site", "Acme"),
        ("SITE_NAME", "A" * 41, "Acme"),
        ("SITE_NAME", "Ac\x07me", "Acme"),
        ("DATABASE_URL", "mysql://db.example.org", "postgresql+psycopg://"),
        ("DATABASE_URL", "postgresql+psycopg://ada:hunter@2@db.example.org/site", "%40"),
        ("DATABASE_URL", "postgresql+psycopg://ada:hunter/2@db.example.org/site", "%2F"),
        ("DATABASE_URL", "postgresql+psycopg://ada@db.example.org:five/site", "its port is a number"),
        ("DATABASE_URL", "postgresql+psycopg://ada@db.example.org:0/site", "its port is a number"),
        ("DATABASE_URL", "sqlite:///", "name a file"),
        ("DATABASE_URL", "sqlite:///:memory:", "name a file"),
        ("DATABASE_URL", "sqlite:////var/lib/\udcff", "UTF-8"),
        ("DATABASE_URL", "sqlite:///site.sqlite3?nonsense=1", "options of the driver"),
        ("DATABASE_URL", "sqlite:///site.sqlite3?timeout=long", "options of the driver"),
        ("DATABASE_URL", "sqlite:///site.sqlite3?timeout=1&timeout=2", "options of the driver"),
        ("DATABASE_URL", "postgresql+psycopg://db.example.org/site?plugin=none", "options of the driver"),
        ("DATABASE_URL", "postgresql+psycopg://db.example.org/site?autocommit=true", "options of the driver"),
        ("DATABASE_URL", "postgresql+psycopg://db.example.org/site?prepare_threshold=0", "options of the driver"),
        ("DATABASE_URL", "postgresql+psycopg://db.example.org/site?sslmod=require", "options of the driver"),
        ("DATABASE_URL", "sqlite:///file:site.sqlite3?uri=true", "name a file"),
        ("GEOIP_FILE", "/nowhere/places.mmdb", "MaxMind's format"),
        ("GEOIP_FILE", __file__, "MaxMind's format"),
        ("REDIS_URL", "http://127.0.0.1", "redis://127.0.0.1:6379"),
        ("REDIS_URL", "redis://127.0.0.1:99999", "its port is a number"),
        ("REDIS_URL", "redis://127.0.0.1?db=one", "db=1"),
        ("REDIS_URL", "redis://127.0.0.1?socket_timeout=long", "db=1"),
        ("SECRET_KEY", "short", "keys generate"),
        ("SECRET_KEY", "0123456789abcdef" * 4 + "\udcff", "UTF-8"),
        ("METRICS_TOKEN", "schlüssel", "ASCII"),
        ("METRICS_TOKEN", "to\nken", "ASCII"),
        ("SECRET_KEY", "a" * 64, "keys generate"),
        ("SECRET_KEY_FALLBACKS", "short", "keys generate"),
        ("ENCRYPTION_KEYS", KEY_TEXT, "id:base64 of 32 random bytes"),
        ("ENCRYPTION_KEYS", "k1:AAAA", "id:base64 of 32 random bytes"),
        ("ENCRYPTION_KEYS", "k1:schlüssel", "id:base64 of 32 random bytes"),
        ("ENCRYPTION_KEYS", "k1:not base64", "id:base64 of 32 random bytes"),
        ("ENCRYPTION_KEYS", f"K 1:{KEY_TEXT}", "id:base64 of 32 random bytes"),
        ("ENCRYPTION_KEYS", f"k1:{base64.b64encode(bytes(32)).decode()}", "id:base64 of 32 random bytes"),
        ("ENCRYPTION_KEYS", f"k1:{KEY_TEXT},k1:{KEY_TEXT}", "k2:"),
        ("MAIL_URL", "mail.example.org:25", "smtp://user:password@mail.example.org:587?starttls=1"),
        ("MAIL_URL", "smtp://", "smtp://user:password@mail.example.org:587?starttls=1"),
        ("MAIL_URL", "smtp://mail.example.org:submission", "smtp://user:password@mail.example.org:587?starttls=1"),
        ("MAIL_URL", "smtp://[::1", "smtp://user:password@mail.example.org:587?starttls=1"),
        ("MAIL_URL", "smtp://ada:secret@mail.example.org", "?starttls=1"),
        ("MAIL_URL", "smtp://mail.example.org:587?starttls=true", "?starttls=1"),
        ("MAIL_URL", "smtp://mail.example.org:587?startls=1", "?starttls=1"),
        ("MAIL_URL", "smtp://mail.example.org/out", "?starttls=1"),
        ("SIGNUP", "closed", "NIGHTLATCH_SIGN_UP"),
        ("MAIL_FROM", "no-reply", "no-reply@example.org"),
        ("MAIL_FROM", "a@b@c", "no-reply@example.org"),
        ("MAIL_FROM", "no reply@example.org", "no-reply@example.org"),
        ("MAIL_FROM", "Acme<no-reply@example.org>", "no-reply@example.org"),
        ("MAIL_FROM", "ada,bob@example.org", "no-reply@example.org"),
        ("MAIL_FROM", "a..b@example.org", "no-reply@example.org"),
        ("MAIL_FROM", "=?us-ascii?q?ada?=@example.org", "no-reply@example.org"),
        ("MAIL_FROM", "zoë@example.org", "no-reply@example.org"),
        ("MAIL_FROM", "no-reply@\N{ARABIC-INDIC DIGIT ONE}a", "no-reply@example.org"),
        ("MAIL_FROM", "no-reply@", "no-reply@example.org"),
        ("SMS_FROM", "Nightlatch of Acme", "Nightlatch"),
        ("SMS_FROM", "Nächtlich", "Nightlatch"),
        ("SMS_FROM", "4477009001234567", "447700900123"),
        ("SMS_FROM", "+", "447700900123"),
        ("VONAGE_URL", "rest.nexmo.com", "https://rest.nexmo.com"),
        ("VONAGE_URL", "ftp://rest.nexmo.com", "https://rest.nexmo.com"),
        ("VONAGE_URL", "https://", "https://rest.nexmo.com"),
        ("VONAGE_URL", "https://[::1", "https://rest.nexmo.com"),
        ("VONAGE_URL", "https://rest.nexmo.com:sms", "https://rest.nexmo.com"),
        ("VONAGE_URL", "https://rest.nexmo.com:0", "https://rest.nexmo.com"),
        ("VONAGE_URL", "https://ada:secret@rest.nexmo.com", "https://rest.nexmo.com"),
        ("VONAGE_URL", "https://rest.nexmo.com?to=me", "https://rest.nexmo.com"),
        ("VONAGE_URL", "https://rest.nexmo.com/a b", "https://rest.nexmo.com"),
        ("VONAGE_URL", "http://rest.nexmo.com", "https://rest.nexmo.com"),
        ("VONAGE_URL", "http://127.0.0.1.example.org", "http://127.0.0.1:8080"),
        ("VONAGE_URL", "http://192.168.0.1:8080", "http://127.0.0.1:8080"),
        ("VONAGE_HOOK_SECRET", "fifteen-letters", "at least 16 letters and digits"),
        ("VONAGE_HOOK_SECRET", "sixteen/letters/!", "at least 16 letters and digits"),
        ("SMS_COUNTRIES", "UK", "GB,IE,US"),
        ("SMS_COUNTRIES", "GB;IE", "GB,IE,US"),
        ("SMS_COUNTRIES", "GB, Ireland", "GB,IE,US"),
        ("SMS_DAILY_BUDGET", "-1", "0 to 1000000"),
        ("SMS_DAILY_BUDGET", "²", "0 to 1000000"),
        ("SMS_DAILY_BUDGET", "plenty", "0 to 1000000"),
        ("TRUSTED_PROXIES", "-1", "0 to 10"),
        ("TRUSTED_PROXIES", "²", "0 to 10"),
        ("BIND", "8000", "127.0.0.1:8000"),
        ("BIND", "127.0.0.1:http", "127.0.0.1:8000"),
        ("BIND", "127.0.0.1:²", "127.0.0.1:8000"),
        ("BIND", "zoë..example:8000", "127.0.0.1:8000"),
        ("BIND", "127.0.0.1:70000", "127.0.0.1:8000"),
        ("WORKERS", "0", "1 to 64"),
        ("WORKERS", "many", "1 to 64"),
        ("WORKERS", "9" * 5000, "1 to 64"),
        ("LOG_LEVEL", "loud", "DEBUG, INFO, WARNING, ERROR"),
        ("SIGN_UP", "no", "open, closed"),
        ("LEGACY_ACCESS", "1", "off, on"),
        ("USERNAME_CHANGE", "no", "off, on"),
        ("SUPPORT", "ask Ada", "help@example.org"),
        ("SUPPORT", "http://example.org/help", "https://example.org/help"),
        ("SUPPORT", "https:///help", "https://example.org/help"),
        ("SUPPORT", "javascript:alert(1)", "help@example.org"),
        ("SUPPORT", "help@example.org?bcc=eve@example.org", "help@example.org"),
        ("POLICY_PASSWORD_MINIMUM", "7", "8 to 64"),
    ],
)
def test_a_mistake_is_one_sentence_that_names_the_variable_and_a_valid_value(
    tmp_path: Path, name: str, value: str, right: str
) -> None:
    error = error_of(tmp_path, **{name: value})
    assert f"NIGHTLATCH_{name}" in error
    assert right in error
    assert error.endswith(".")
    assert "\n" not in error
    assert "Traceback" not in error


def test_servers_of_postgresql_and_redis_may_have_all_that_a_url_can_name(tmp_path: Path) -> None:
    several = "postgresql+psycopg://ada:p%40ss@/site?host=db1:5432&host=[::1]:5433&target_session_attrs=read-write"
    read(tmp_path, DATABASE_URL=several, REDIS_URL="unix:///run/redis.sock?db=1")


def test_a_places_file_is_known_by_its_mark(tmp_path: Path) -> None:
    file = tmp_path / "places.mmdb"
    file.write_bytes(bytes(200_000) + PLACES_MARKER + bytes(1000))
    assert read(tmp_path, GEOIP_FILE=str(file)).places_file == file


def test_variables_of_tests_and_of_other_programs_are_not_refused(tmp_path: Path) -> None:
    Settings.read({"NIGHTLATCH_TEST_ROUNDS": "2", "NIGHTLATCHES": "2", "NIGHTLATCH_SIGNUP": " "}, tmp_path)


def test_variables_that_resemble_no_setting_are_kept_for_the_check(tmp_path: Path) -> None:
    of_kubernetes = {
        "NIGHTLATCH_PORT": "tcp://10.0.0.1:80",
        "NIGHTLATCH_PORT_80_TCP_ADDR": "10.0.0.1",
        "NIGHTLATCH_SERVICE_HOST": "10.0.0.1",
        "NIGHTLATCH_SERVICE_PORT_HTTP": "80",
    }
    assert Settings.read(of_kubernetes, tmp_path).unknown == tuple(of_kubernetes)


def test_http_is_allowed_only_for_names_under_localhost(tmp_path: Path) -> None:
    error = error_of(tmp_path, **{**SERVING, "PREFERRED_URL_SCHEME": "http"})
    assert error.startswith("NIGHTLATCH_PREFERRED_URL_SCHEME must be https for login.example.org")
    assert read(tmp_path, PREFERRED_URL_SCHEME="https").secure


def test_an_error_about_a_secret_does_not_repeat_it(tmp_path: Path) -> None:
    for name in ("SECRET_KEY", "SECRET_KEY_FALLBACKS", "ENCRYPTION_KEYS", "VAPID_PRIVATE_KEY", "VONAGE_HOOK_SECRET"):
        assert "hunter2" not in error_of(tmp_path, **{name: "hunter2"})
    for name in ("DATABASE_URL", "REDIS_URL", "MAIL_URL", "VONAGE_URL"):
        assert "hunter2" not in error_of(tmp_path, **{name: "gopher://ada:hunter2@example.org"})


def test_the_secret_key_must_not_be_an_encryption_key(tmp_path: Path) -> None:
    error = error_of(tmp_path, **{**SERVING, "SECRET_KEY": KEY_TEXT})
    assert error.startswith("NIGHTLATCH_ENCRYPTION_KEYS must not be the SECRET_KEY")


def test_earlier_secret_keys_are_fallbacks_in_their_order(tmp_path: Path) -> None:
    older, oldest = "fedcba9876543210" * 2, "0f1e2d3c4b5a6978" * 2
    settings = read(tmp_path, SECRET_KEY="0123456789abcdef" * 2, SECRET_KEY_FALLBACKS=f"{older}, {oldest},")
    assert settings.secret_key_fallbacks == (older, oldest)


def test_encryption_keys_keep_their_order(tmp_path: Path) -> None:
    other = base64.b64encode(bytes(range(32, 64))).decode()
    settings = read(tmp_path, ENCRYPTION_KEYS=f"k2:{other}, k1:{KEY_TEXT}")
    assert [name for name, _ in settings.encryption_keys] == ["k2", "k1"]


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail.example.org", MailServer("mail.example.org", 25, None, None, "none")),
        ("smtp://mail.example.org?starttls=1", MailServer("mail.example.org", 587, None, None, "starttls")),
        ("smtps://ada:p%40ss@mail.example.org", MailServer("mail.example.org", 465, "ada", "p@ss", "implicit")),
        ("smtp://ada:secret@localhost:1025", MailServer("localhost", 1025, "ada", "secret", "none")),
        ("smtp://ada:secret@127.0.0.1:1025", MailServer("127.0.0.1", 1025, "ada", "secret", "none")),
    ],
)
def test_a_mail_url_gives_host_port_and_encryption(tmp_path: Path, url: str, server: MailServer) -> None:
    settings = read(tmp_path, MAIL_URL=url)
    assert settings.mail == server
    assert not settings.shows_outbox


VONAGE = {"VONAGE_API_KEY": "abcd1234", "VONAGE_API_SECRET": "hush hush", "SMS_FROM": "Nightlatch"}
HOOK_SECRET = "kX3-q_Zr~9.wLmP0"


def test_without_a_gateway_the_other_text_settings_have_their_defaults(tmp_path: Path) -> None:
    settings = read(tmp_path, **SERVING)
    assert settings.text_gateway is None
    assert settings.sms_countries == frozenset()
    assert settings.sms_daily_budget == 1000


def test_all_settings_of_a_text_gateway_are_read(tmp_path: Path) -> None:
    settings = read(tmp_path, **VONAGE, VONAGE_HOOK_SECRET=HOOK_SECRET, SMS_COUNTRIES=" gb, IE,,", SMS_DAILY_BUDGET="0")
    assert settings.text_gateway == TextGateway(
        "abcd1234", "hush hush", "Nightlatch", "https://rest.nexmo.com", HOOK_SECRET
    )
    assert settings.sms_countries == {"GB", "IE"}
    assert settings.sms_daily_budget == 0


@pytest.mark.parametrize("missing", VONAGE)
def test_a_text_gateway_needs_key_secret_and_sender(tmp_path: Path, missing: str) -> None:
    error = error_of(tmp_path, **{name: value for name, value in VONAGE.items() if name != missing})
    assert error.startswith(f"NIGHTLATCH_{missing} is not set; text messages need ")
    assert all(f"NIGHTLATCH_{name}" in error for name in VONAGE)
    assert error.endswith(".")
    assert "hush" not in error


@pytest.mark.parametrize("key", ["abcd:1234", "abcd 1234", "abcd\x071234"])
def test_an_api_key_must_fit_into_basic_authentication(tmp_path: Path, key: str) -> None:
    error = error_of(tmp_path, **{**VONAGE, "VONAGE_API_KEY": key})
    assert error == "NIGHTLATCH_VONAGE_API_KEY must be the key of your Vonage account, such as abcd1234."


def test_the_repr_of_the_settings_has_no_secret_of_the_gateway(tmp_path: Path) -> None:
    shown = repr(read(tmp_path, **VONAGE, VONAGE_HOOK_SECRET=HOOK_SECRET))
    assert "Nightlatch" in shown
    for secret in ("abcd1234", "hush", HOOK_SECRET):
        assert secret not in shown


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("https://gateway.example.org/", "https://gateway.example.org"),
        ("https://gateway.example.org:8443/vonage/", "https://gateway.example.org:8443/vonage"),
        ("HTTPS://gateway.example.org", "https://gateway.example.org"),
        ("http://127.0.0.1:9000", "http://127.0.0.1:9000"),
        ("http://127.8.9.10:9000", "http://127.8.9.10:9000"),
        ("http://[::1]:9000/", "http://[::1]:9000"),
        ("http://localhost:9000", "http://localhost:9000"),
    ],
)
def test_a_gateway_url_may_be_http_only_on_this_machine(tmp_path: Path, given: str, url: str) -> None:
    gateway = read(tmp_path, **VONAGE, VONAGE_URL=given).text_gateway
    assert gateway
    assert gateway.url == url


@pytest.mark.parametrize(
    ("given", "sender"),
    [
        ("447700900123", "447700900123"),
        ("+447700900123", "447700900123"),
        ("12345", "12345"),
        ("Acme Ltd", "Acme Ltd"),
        ("Nightlatch1", "Nightlatch1"),
    ],
)
def test_the_sender_of_texts_is_a_name_or_a_number(tmp_path: Path, given: str, sender: str) -> None:
    gateway = read(tmp_path, **{**VONAGE, "SMS_FROM": given}).text_gateway
    assert gateway
    assert gateway.sender == sender


@pytest.mark.parametrize("url", ["redis://127.0.0.1:6379", "rediss://cache.example.org", "unix:///run/redis.sock"])
def test_a_redis_url_may_have_any_scheme_of_the_client(tmp_path: Path, url: str) -> None:
    assert read(tmp_path, REDIS_URL=url).redis_url == url


def test_a_blank_setting_counts_as_not_set(tmp_path: Path) -> None:
    assert read(tmp_path, REDIS_URL="  ", SITE_NAME=" ").site_name == "Nightlatch"
    assert read(tmp_path, POLICY_PASSWORD_MINIMUM=" ").policy.password_minimum == 15
    assert read(tmp_path, POLICY_PASSWORD_MINIMUM=" 20 ").policy.password_minimum == 20


def test_mail_may_come_from_a_domain_outside_ascii(tmp_path: Path) -> None:
    settings = read(tmp_path, **SERVING, MAIL_FROM="no-reply@münchen.example")
    assert settings.mail_from == "no-reply@xn--mnchen-3ya.example"
    assert settings.push.subject == "mailto:no-reply@xn--mnchen-3ya.example"
    assert settings.mail
    SmtpMail(settings.mail, settings.mail_from, 1)  # it takes the sender


def test_anyone_may_sign_up_and_legacy_access_is_off_unless_the_operator_says_otherwise(tmp_path: Path) -> None:
    settings = read(tmp_path, **SERVING)
    assert (settings.sign_up_open, settings.legacy_access, settings.support) == (True, False, None)
    assert settings.username_change
    settings = read(tmp_path, **SERVING, SIGN_UP="closed", LEGACY_ACCESS="on", SUPPORT="help@example.org")
    assert not read(tmp_path, **SERVING, USERNAME_CHANGE="off").username_change
    assert (settings.sign_up_open, settings.legacy_access) == (False, True)
    assert settings.support_url == "mailto:help@example.org"
    assert read(tmp_path, SUPPORT="https://example.org/help").support_url == "https://example.org/help"


def test_private_addresses_are_networks(tmp_path: Path) -> None:
    assert read(tmp_path).private_addresses == ()
    read_ = read(tmp_path, PRIVATE_ADDRESSES="10.0.0.0/8, fd00::/8,127.0.0.1")
    assert read_.private_addresses == ("10.0.0.0/8", "fd00::/8", "127.0.0.1")
