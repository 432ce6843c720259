"""What the operator says, read once from NIGHTLATCH_* and checked with one clear sentence per mistake."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .gateway_settings import TextGateway, is_address, sms_countries, sms_daily_budget, text_gateway
from .keys import PREFIX, development_keys
from .mail_settings import MailServer as MailServer
from .mail_settings import mail_server
from .policy import Policy
from .push_settings import PushSettings, places_file, push_settings

ROOT = Path(__file__).resolve().parent.parent
INSTANCE = ROOT / "instance"
HOST = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*(:[0-9]{1,5})?")
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")

OWN_PORT = {"http": ":80", "https": ":443"}


class SettingsError(Exception):
    """One sentence that names the variable and a right value."""


@dataclass(frozen=True, slots=True)
class Settings:
    server_name: str
    mobile_subdomain: str
    scheme: str
    site_name: str
    database_url: str = field(repr=False)
    redis_url: str | None = field(repr=False)
    secret_key: str = field(repr=False)
    secret_key_fallbacks: tuple[str, ...] = field(repr=False)
    encryption_keys: tuple[tuple[str, bytes], ...] = field(repr=False)
    mail: MailServer | None
    mail_from: str
    text_gateway: TextGateway | None
    sms_countries: frozenset[str]  # empty for everywhere
    sms_daily_budget: int
    push: PushSettings
    places_file: Path | None
    trusted_proxies: int
    bind: str
    workers: int
    log_level: str
    metrics_token: str | None = field(repr=False)
    serving: bool
    policy: Policy
    instance: Path

    @property
    def main_host(self) -> str:
        return self.server_name

    @property
    def phone_host(self) -> str:
        return f"{self.mobile_subdomain}.{self.server_name}"

    @property
    def main_url(self) -> str:
        return f"{self.scheme}://{self.server_name}"

    @property
    def phone_url(self) -> str:
        return f"{self.scheme}://{self.phone_host}"

    @property
    def origins(self) -> list[str]:
        """The two from which pages are served, as browsers write them (RFC 6454)."""
        return [self.main_url, self.phone_url]

    @property
    def secure(self) -> bool:
        return self.scheme == "https"

    @property
    def shows_outbox(self) -> bool:
        return self.mail is None and not self.serving

    @classmethod
    def read(cls, environ: Mapping[str, str], instance: Path = INSTANCE) -> Settings:
        """Raises `SettingsError`. With NIGHTLATCH_SERVING=1 (as `make serve` sets it) nothing may be missing."""
        given = {k.removeprefix(PREFIX): v.strip() for k, v in environ.items() if k.startswith(PREFIX) and v.strip()}
        serving = given.get("SERVING") == "1"
        if serving:
            _demand(given, "SERVER_NAME", "the host people open, such as login.example.org")
            _demand(given, "SECRET_KEY", "32 random bytes in hexadecimal, as `flask --app wsgi keys generate` prints")
            _demand(given, "ENCRYPTION_KEYS", "id:base64 of 32 bytes, as `flask --app wsgi keys generate` prints")
            _demand(given, "MAIL_URL", "such as smtp://user:password@mail.example.org:587?starttls=1")
        server_name = _server_name(given)
        scheme = _scheme(given, server_name)
        if not serving and _host_of(server_name).endswith(".localhost"):
            given = {**development_keys(instance), **given}
        mail_from = _mail_from(given, server_name)
        try:
            policy = Policy.from_environment(environ)
            gateway, countries, budget = text_gateway(given), sms_countries(given), sms_daily_budget(given)
            mail = mail_server(given)
            push, places = push_settings(given, mail_from), places_file(given)
        except ValueError as error:
            raise SettingsError(str(error)) from None
        return cls(
            server_name=server_name,
            mobile_subdomain=_label(given),
            scheme=scheme,
            site_name=_site_name(given),
            database_url=_database_url(given, instance),
            redis_url=_redis_url(given),
            secret_key=_secret_key(given),
            secret_key_fallbacks=_secret_key_fallbacks(given),
            encryption_keys=_encryption_keys(given),
            mail=mail,
            mail_from=mail_from,
            text_gateway=gateway,
            sms_countries=countries,
            sms_daily_budget=budget,
            push=push,
            places_file=places,
            trusted_proxies=_number(given, "TRUSTED_PROXIES", 0, 0, 10),
            bind=_bind(given),
            workers=_number(given, "WORKERS", 2, 1, 64),
            log_level=_one_of(given, "LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR")),
            metrics_token=given.get("METRICS_TOKEN"),
            serving=serving,
            policy=policy,
            instance=instance,
        )


def _demand(given: Mapping[str, str], name: str, example: str) -> None:
    if name not in given:
        raise SettingsError(f"{PREFIX}{name} is not set; it needs {example}.")


def _host_of(server_name: str) -> str:
    return server_name.split(":")[0]


def _server_name(given: Mapping[str, str]) -> str:
    name = given.get("SERVER_NAME", "nightlatch.localhost:5000")
    if not HOST.fullmatch(name):
        raise SettingsError(
            f"{PREFIX}SERVER_NAME must be a lower-case host, with a port only when it is not the scheme's own,"
            f" such as login.example.org, not {name!r}."
        )
    if int(name.partition(":")[2] or 0) > 65535:
        raise SettingsError(f"{PREFIX}SERVER_NAME has a port above 65535; use one such as nightlatch.localhost:5000.")
    if _host_of(name) == "localhost" or is_address(_host_of(name)):
        raise SettingsError(
            f"{PREFIX}SERVER_NAME cannot be {name!r}, which has no subdomain that a security key would accept;"
            " use nightlatch.localhost:5000 or a name of your own."
        )
    return name


def _label(given: Mapping[str, str]) -> str:
    label = given.get("MOBILE_SUBDOMAIN", "mobile")
    if not LABEL.fullmatch(label):
        raise SettingsError(f"{PREFIX}MOBILE_SUBDOMAIN must be one lower-case label such as mobile, not {label!r}.")
    return label


def _scheme(given: Mapping[str, str], server_name: str) -> str:
    local = _host_of(server_name).endswith(".localhost")
    scheme = _one_of(given, "PREFERRED_URL_SCHEME", "http" if local else "https", ("http", "https"))
    if scheme == "http" and not local:
        raise SettingsError(
            f"{PREFIX}PREFERRED_URL_SCHEME must be https for {server_name}; http is only for names under .localhost."
        )
    if server_name.endswith(OWN_PORT[scheme]):  # browsers leave it out of the Host header, so no request would match
        raise SettingsError(
            f"{PREFIX}SERVER_NAME must leave out the port that {scheme} has by itself: {_host_of(server_name)}."
        )
    return scheme


def _site_name(given: Mapping[str, str]) -> str:
    name = given.get("SITE_NAME", "Nightlatch")
    if len(name) > 40 or ":" in name or not name.isprintable():
        raise SettingsError(f"{PREFIX}SITE_NAME must be up to 40 printable characters without a colon, such as Acme.")
    return name


def _database_url(given: Mapping[str, str], instance: Path) -> str:
    url = given.get("DATABASE_URL", f"sqlite:///{instance / 'nightlatch.sqlite3'}")
    if not url.startswith(("sqlite:///", "postgresql+psycopg://")):
        raise SettingsError(
            f"{PREFIX}DATABASE_URL must begin with sqlite:/// or postgresql+psycopg://,"
            " such as postgresql+psycopg://nightlatch@db.example.org/nightlatch."
        )
    return url


def _redis_url(given: Mapping[str, str]) -> str | None:
    url = given.get("REDIS_URL")
    if url and not url.startswith(("redis://", "rediss://", "unix://")):
        raise SettingsError(f"{PREFIX}REDIS_URL must begin with redis:// or rediss://, such as redis://127.0.0.1:6379.")
    return url


def _secret_key(given: Mapping[str, str]) -> str:
    _demand(given, "SECRET_KEY", "32 random bytes in hexadecimal, as `flask --app wsgi keys generate` prints")
    return _strong("SECRET_KEY", given["SECRET_KEY"])


def _secret_key_fallbacks(given: Mapping[str, str]) -> tuple[str, ...]:
    """What an older key signed still counts, so a weak one here is as bad as a weak SECRET_KEY."""
    keys = (key.strip() for key in given.get("SECRET_KEY_FALLBACKS", "").split(","))
    return tuple(_strong("SECRET_KEY_FALLBACKS", key) for key in keys if key)


def _strong(name: str, key: str) -> str:
    if len(key) < 32 or len(set(key)) < 8:
        raise SettingsError(
            f"{PREFIX}{name} is too weak; it needs 32 random bytes in hexadecimal,"
            " as `flask --app wsgi keys generate` prints."
        )
    return key


def _encryption_keys(given: Mapping[str, str]) -> tuple[tuple[str, bytes], ...]:
    _demand(given, "ENCRYPTION_KEYS", "id:base64 of 32 bytes, as `flask --app wsgi keys generate` prints")
    keys = []
    for entry in given["ENCRYPTION_KEYS"].split(","):
        name, _, text = entry.strip().partition(":")
        try:
            key = base64.b64decode(text, validate=True)
        except ValueError:  # binascii.Error is one, and so is the complaint about letters outside ASCII
            key = b""
        if not LABEL.fullmatch(name) or len(key) != 32 or len(set(key)) < 8:
            raise SettingsError(
                f"{PREFIX}ENCRYPTION_KEYS must be id:base64 of 32 random bytes, comma separated,"
                " as `flask --app wsgi keys generate` prints."
            )
        keys.append((name, key))
    if len({name for name, _ in keys}) != len(keys):
        raise SettingsError(f"{PREFIX}ENCRYPTION_KEYS names a key twice; give each its own id, such as k2:....")
    if any(
        text and text in given["SECRET_KEY"]
        for _, text in (e.split(":", 1) for e in given["ENCRYPTION_KEYS"].split(","))
    ):
        raise SettingsError(
            f"{PREFIX}ENCRYPTION_KEYS must not be the SECRET_KEY; `flask --app wsgi keys generate` makes both."
        )
    return tuple(keys)


def _mail_from(given: Mapping[str, str], server_name: str) -> str:
    sender = given.get("MAIL_FROM", f"no-reply@{_host_of(server_name)}")
    if sender.count("@") != 1 or not sender.isprintable() or " " in sender:
        raise SettingsError(f"{PREFIX}MAIL_FROM must be an address such as no-reply@example.org, not {sender!r}.")
    return sender


def _bind(given: Mapping[str, str]) -> str:
    bind = given.get("BIND", "127.0.0.1:8000")
    host, _, port = bind.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise SettingsError(f"{PREFIX}BIND must be an address and a port such as 127.0.0.1:8000, not {bind!r}.")
    return bind


def _number(given: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    text = given.get(name, str(default))
    if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
        raise SettingsError(f"{PREFIX}{name} must be a whole number from {least} to {most}, not {text!r}.")
    return int(text)


def _one_of(given: Mapping[str, str], name: str, default: str, choices: tuple[str, ...]) -> str:
    text = given.get(name, default)
    if text not in choices:
        raise SettingsError(f"{PREFIX}{name} must be one of {', '.join(choices)}, not {text!r}.")
    return text
