"""The settings of a site, read once from NIGHTLATCH_ environment variables.

An error is one sentence that names the variable and a valid value. A secret must never be in a repr or an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from os import SEEK_END
from pathlib import Path

from .. import keys
from ..environment import SettingsError as SettingsError
from ..environment import Variables
from ..policy import Policy
from .delivery import (
    MAIL_EXAMPLE,
    mail_server,
    private_addresses,
    push_settings,
    sender_of_mail,
    sms_countries,
    text_gateway,
    traces,
)
from .delivery import MailServer as MailServer
from .delivery import PushSettings as PushSettings
from .delivery import TextGateway as TextGateway
from .hosts import (
    LABEL,
    is_bind,
    is_database_url,
    is_local,
    is_redis_url,
    server_name,
    support_contact,
    url_scheme,
    without_port,
)

ROOT = Path(__file__).resolve().parent.parent.parent
INSTANCE = ROOT / "instance"
ENCODED = "its port is a number, and @ : / ? # in its password are written %40 %3A %2F %3F %23"
PLACES_MARKER = b"\xab\xcd\xefMaxMind.com"
"""Stands in the last 128 KiB of a file in MaxMind's format (MaxMind DB File Format Specification 2.0)."""
SERVING_NEEDS = {
    "SERVER_NAME": "the host people open, such as login.example.org",
    **keys.EXAMPLES,
    "MAIL_URL": MAIL_EXAMPLE,
}


@dataclass(frozen=True, slots=True)
class Settings:
    """Hosts include the port. A comment names the variable of a field where the name differs."""

    server_name: str
    mobile_subdomain: str
    scheme: str  # PREFERRED_URL_SCHEME
    site_name: str
    database_url: str = field(repr=False)
    redis_url: str | None = field(repr=False)
    secret_key: str = field(repr=False)
    secret_key_fallbacks: tuple[str, ...] = field(repr=False)
    encryption_keys: tuple[tuple[str, bytes], ...] = field(repr=False)
    mail: MailServer | None  # MAIL_URL
    mail_from: str
    text_gateway: TextGateway | None  # VONAGE_API_KEY, VONAGE_API_SECRET, VONAGE_URL, VONAGE_HOOK_SECRET, SMS_FROM
    sms_countries: frozenset[str]  # empty for all
    sms_daily_budget: int
    push: PushSettings  # VAPID_PRIVATE_KEY, VAPID_SUBJECT, PUSH_HOSTS
    private_addresses: tuple[str, ...]  # networks in which addresses that apps name may be, although private
    places_file: Path | None  # GEOIP_FILE
    sign_up_open: bool  # SIGN_UP
    username_change: bool
    legacy_access: bool
    support: str | None
    trusted_proxies: int
    bind: str
    workers: int
    log_level: str
    metrics_token: str | None = field(repr=False)
    worker_metrics: Path | None
    tracing: bool  # OTEL_EXPORTER_OTLP_ENDPOINT
    serving: bool
    policy: Policy  # POLICY_*
    instance: Path
    unknown: tuple[str, ...] = ()
    """The NIGHTLATCH_ variables that are no settings."""

    @property
    def main_host(self) -> str:
        return self.server_name

    @property
    def mobile_host(self) -> str:
        return f"{self.mobile_subdomain}.{self.server_name}"

    @property
    def main_url(self) -> str:
        return f"{self.scheme}://{self.main_host}"

    @property
    def mobile_url(self) -> str:
        return f"{self.scheme}://{self.mobile_host}"

    @property
    def origins(self) -> list[str]:
        """The origins of all pages, as browsers serialize them (RFC 6454 section 6)."""
        return [self.main_url, self.mobile_url]

    @property
    def secure(self) -> bool:
        return self.scheme == "https"

    @property
    def support_url(self) -> str | None:
        """The link to the support contact, which is an e-mail address or an https URL."""
        return f"mailto:{self.support}" if self.support and "@" in self.support else self.support

    @property
    def shows_outbox(self) -> bool:
        """Only under .localhost, this machine (RFC 6761 section 6.3): messages have links that reset a password."""
        return self.mail is None and is_local(self.server_name)

    @classmethod
    def read(cls, environ: Mapping[str, str], instance: Path = INSTANCE) -> Settings:
        """Raises `SettingsError`.

        With NIGHTLATCH_SERVING=1, which `make serve` sets, the variables of `SERVING_NEEDS` are required. Otherwise a
        site under .localhost has default keys in the file `development.env` of `instance`.
        """
        variables = Variables(environ)
        serving = variables.get("SERVING") == "1"
        if serving:
            for name, example in SERVING_NEEDS.items():
                variables.required(name, example)
        host = server_name(variables)
        scheme = url_scheme(variables, host)
        if not serving and is_local(host):
            variables.add_defaults(keys.development_keys(instance))
        mail_from = sender_of_mail(variables, without_port(host))
        places_file = variables.secret(
            "GEOIP_FILE",
            _is_places_file,
            "must be a readable file in MaxMind's format, such as /var/lib/GeoLite2-City.mmdb",
        )
        settings = cls(
            server_name=host,
            mobile_subdomain=variables.text(
                "MOBILE_SUBDOMAIN", "mobile", LABEL.fullmatch, "must be one lower-case label such as mobile"
            ),
            scheme=scheme,
            site_name=variables.text(
                "SITE_NAME",
                "Nightlatch",
                lambda name: len(name) <= 40 and ":" not in name and name.isprintable(),  # ":" ends an otpauth issuer
                "must be up to 40 printable characters without a colon, such as Acme",
            ),
            database_url=variables.secret(
                "DATABASE_URL",
                is_database_url,
                "must begin with sqlite:/// and name a file, or with postgresql+psycopg://,"
                f" such as postgresql+psycopg://nightlatch@db.example.org/nightlatch; {ENCODED}, and what follows its ?"
                " are options of the driver, such as connect_timeout=5",
            )
            or f"sqlite:///{instance / 'nightlatch.sqlite3'}",
            redis_url=variables.secret(
                "REDIS_URL",
                is_redis_url,
                f"must begin with redis:// or rediss://, such as redis://127.0.0.1:6379; {ENCODED}, and what follows"
                " its ? are options of the client, such as db=1",
            ),
            secret_key=keys.secret_key(variables),
            secret_key_fallbacks=keys.secret_key_fallbacks(variables),
            encryption_keys=keys.encryption_keys(variables),
            mail=mail_server(variables),
            mail_from=mail_from,
            text_gateway=text_gateway(variables),
            sms_countries=sms_countries(variables),
            sms_daily_budget=variables.number("SMS_DAILY_BUDGET", 1000, 0, 1_000_000),
            push=push_settings(variables, mail_from),
            private_addresses=private_addresses(variables),
            places_file=Path(places_file) if places_file else None,
            sign_up_open=variables.choice("SIGN_UP", "open", ("open", "closed")) == "open",
            username_change=variables.choice("USERNAME_CHANGE", "on", ("off", "on")) == "on",
            legacy_access=variables.choice("LEGACY_ACCESS", "off", ("off", "on")) == "on",
            support=support_contact(variables),
            trusted_proxies=variables.number("TRUSTED_PROXIES", 0, 0, 10),
            bind=variables.text(
                "BIND", "127.0.0.1:8000", is_bind, "must be an address and a port such as 127.0.0.1:8000"
            ),
            workers=variables.number("WORKERS", 2, 1, 64),
            log_level=variables.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR")),
            metrics_token=variables.secret(
                "METRICS_TOKEN",
                lambda token: token.isascii() and token.isprintable(),  # it is sent in a header
                "must be ASCII characters,"
                " such as `python3 -c 'import secrets; print(secrets.token_urlsafe())'` prints",
            ),
            worker_metrics=Path(counts) if (counts := variables.get("WORKER_METRICS")) else None,
            tracing=traces(environ),
            serving=serving,
            policy=Policy.from_environment(environ),
            instance=instance,
        )
        return replace(settings, unknown=variables.unknown())


def _is_places_file(path: str) -> bool:
    try:
        with Path(path).open("rb") as file:
            file.seek(max(0, file.seek(0, SEEK_END) - 128 * 1024))
            return PLACES_MARKER in file.read()
    except OSError:
        return False
