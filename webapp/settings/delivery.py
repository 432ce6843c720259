"""The settings of what is sent: mail server, text message gateway (Vonage's SMS API), Web Push and traces."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from ipaddress import ip_network
from urllib.parse import unquote, urlsplit

from phonenumbers import SUPPORTED_REGIONS

from ..domain.push import PushHosts
from ..environment import PREFIX, SettingsError, Variables, mistake
from .hosts import NAME, is_host, is_loopback

MAIL_EXAMPLE = "such as smtp://user:password@mail.example.org:587?starttls=1"
SENDER_OF_MAIL = re.compile(r"(?!.*=\?)([!#-'*+/-9=?A-Z^-~-]+\.)*[!#-'*+/-9=?A-Z^-~-]+@[\w-]+(\.[\w-]+)*")
"""Atoms before the @ (RFC 5322 section 3.2.3) without an encoded word, which mail libraries would decode."""
MAIL_PORTS = {"implicit": 465, "starttls": 587, "none": 25}  # RFC 8314, RFC 6409, RFC 5321

GATEWAY_NEEDS = ("VONAGE_API_KEY", "VONAGE_API_SECRET", "SMS_FROM")
VONAGE = "https://rest.nexmo.com"
SENDER = re.compile(r"(\+?[0-9]{3,15}|(?=.*[^0-9+])[!-~]([ -~]{0,9}[!-~])?)?")  # a number, a name or empty
HOOK_SECRET = re.compile(r"[A-Za-z0-9._~-]{16,}")  # unreserved characters, RFC 3986 section 2.3: it is part of a path

# the push services of Chrome, Edge, Firefox, Opera, Samsung Internet and Safari
BROWSERS = "fcm.googleapis.com,jmt17.google.com,*.push.services.mozilla.com,*.push.apple.com,*.notify.windows.com"
PUSH_HOSTS_RULE = (
    "must be lower-case hosts, comma separated, such as fcm.googleapis.com,*.push.apple.com,"
    " or host:port for one of your own"
)
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # NIST SP 800-186 section 3.2.1.3

COLLECTOR = "OTEL_EXPORTER_OTLP_ENDPOINT"


@dataclass(frozen=True, slots=True)
class MailServer:
    host: str
    port: int
    user: str | None
    password: str | None = field(repr=False)
    tls: str  # "starttls", "implicit" or "none"


@dataclass(frozen=True, slots=True)
class TextGateway:
    api_key: str = field(repr=False)
    api_secret: str = field(repr=False)
    sender: str
    url: str
    hook_secret: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class PushSettings:
    private_key: bytes | None = field(repr=False)  # 32 bytes of P-256; None when pushes are off
    subject: str  # where a push service can reach the operator, RFC 8292 section 2.1
    hosts: PushHosts


def mail_server(variables: Variables) -> MailServer | None:
    """None when MAIL_URL is not set. Raises `SettingsError`."""
    url = variables.get("MAIL_URL")
    if url is None:
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise mistake("MAIL_URL", f"has a bad host or port; it needs a name and a number, {MAIL_EXAMPLE}") from None
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise mistake("MAIL_URL", f"must begin with smtp:// or smtps:// and name a host, {MAIL_EXAMPLE}")
    if parts.path.strip("/") or parts.fragment or parts.query not in ("", "starttls=1"):
        raise mistake("MAIL_URL", f"may end in ?starttls=1 and in nothing else, {MAIL_EXAMPLE}")
    starttls = bool(parts.query)
    tls = "implicit" if parts.scheme == "smtps" else "starttls" if starttls else "none"
    user = unquote(parts.username) if parts.username else None
    password = unquote(parts.password) if parts.password else None
    if user and tls == "none" and not is_loopback(parts.hostname):
        raise mistake("MAIL_URL", f"would send its password unencrypted; add ?starttls=1, {MAIL_EXAMPLE}")
    return MailServer(parts.hostname, port or MAIL_PORTS[tls], user, password, tls)


def sender_of_mail(variables: Variables, host: str) -> str:
    """The address that mail comes from, with its domain in ASCII (IDNA). Raises `SettingsError`."""
    rule = "must be an address such as no-reply@example.org"
    sender = variables.text("MAIL_FROM", f"no-reply@{host}", SENDER_OF_MAIL.fullmatch, rule)
    user, _, domain = sender.partition("@")
    if domain.isascii():
        return sender
    import idna  # few sites need it

    try:
        return f"{user}@{idna.encode(domain, uts46=True).decode()}"
    except idna.IDNAError:
        raise mistake("MAIL_FROM", f"{rule}, not {sender!r}") from None


def text_gateway(variables: Variables) -> TextGateway | None:
    """None when none of GATEWAY_NEEDS is set. Raises `SettingsError`."""
    sender = variables.text(
        "SMS_FROM",
        "",
        SENDER.fullmatch,
        "must be a name of up to 11 characters such as Nightlatch, or a number such as 447700900123",
    )
    url = _gateway_url(variables)
    hook_secret = variables.secret(
        "VONAGE_HOOK_SECRET",
        HOOK_SECRET.fullmatch,
        "must be at least 16 letters and digits,"
        " such as `python3 -c 'import secrets; print(secrets.token_urlsafe())'` prints",
    )
    api_key = variables.secret(
        "VONAGE_API_KEY",
        lambda key: key.isprintable() and ":" not in key and " " not in key,  # no colon: RFC 7617 section 2
        "must be the key of your Vonage account, such as abcd1234",
    )
    api_secret = variables.get("VONAGE_API_SECRET")
    if api_key and api_secret and sender:
        return TextGateway(api_key, api_secret, sender.removeprefix("+"), url, hook_secret)
    missing = [name for name in GATEWAY_NEEDS if not variables.get(name)]
    if len(missing) < len(GATEWAY_NEEDS):
        raise mistake(
            missing[0],
            f"is not set; text messages need {PREFIX}VONAGE_API_KEY and {PREFIX}VONAGE_API_SECRET"
            f" of your Vonage account and {PREFIX}SMS_FROM such as Nightlatch, or none of the three",
        )
    return None


def _gateway_url(variables: Variables) -> str:
    url = variables.get("VONAGE_URL") or VONAGE
    wrong = mistake("VONAGE_URL", f"must be an address with nothing behind its path, such as {VONAGE}")
    try:
        parts = urlsplit(url.rstrip("/"))
        host, port = parts.hostname, parts.port
    except ValueError:
        raise wrong from None
    extra = parts.username or parts.query or parts.fragment
    if parts.scheme not in ("http", "https") or not host or port == 0 or extra or not re.fullmatch(r"[!-~]+", url):
        raise wrong
    if parts.scheme == "http" and not is_loopback(host):
        raise mistake(
            "VONAGE_URL",
            f"would send codes and its password unencrypted; use https, such as {VONAGE}, or http for a gateway on"
            " this machine, such as http://127.0.0.1:8080",
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path}"


def sms_countries(variables: Variables) -> frozenset[str]:
    """ISO 3166 codes of the countries that texts may go to; empty for all. Raises `SettingsError`."""
    codes = variables.items(
        "SMS_COUNTRIES",
        "",
        lambda code: code.upper() in SUPPORTED_REGIONS,
        "must be ISO 3166 codes of two letters, comma separated, such as GB,IE,US",
    )
    return frozenset(code.upper() for code in codes)


def push_settings(variables: Variables, mail_from: str) -> PushSettings:
    """Raises `SettingsError`."""
    private_key = variables.secret(
        "VAPID_PRIVATE_KEY",
        lambda text: 0 < int.from_bytes(_key_bytes(text)) < P256_ORDER,
        "must be base64url of the 32 bytes of a P-256 private key, as `flask --app wsgi keys generate` prints",
    )
    subject = variables.text(
        "VAPID_SUBJECT",
        f"mailto:{mail_from}",
        re.compile(r"mailto:[!-~]+@[!-~]+|https://[!-~]+").fullmatch,
        "must be where a push service can reach you, such as mailto:admin@example.org",
    )
    hosts = variables.items("PUSH_HOSTS", BROWSERS, _is_push_host, PUSH_HOSTS_RULE)
    if not hosts:
        raise mistake("PUSH_HOSTS", PUSH_HOSTS_RULE)
    return PushSettings(_key_bytes(private_key) if private_key else None, subject, PushHosts(hosts))


def private_addresses(variables: Variables) -> tuple[str, ...]:
    """Networks in CIDR notation (RFC 4632 section 3.1), or single addresses. Raises `SettingsError`."""
    return tuple(
        variables.items(
            "PRIVATE_ADDRESSES",
            "",
            _is_network,
            "must be networks, comma separated, such as 10.0.0.0/8,fd00::/8",
        )
    )


def _key_bytes(text: str) -> bytes:
    """Decodes 32 bytes of base64url (RFC 4648 section 5), with or without padding; empty for anything else."""
    return urlsafe_b64decode(text.rstrip("=") + "=") if re.fullmatch(r"[A-Za-z0-9_-]{43}=*", text) else b""


def _is_push_host(pattern: str) -> bool:
    return is_host(pattern) or (pattern.startswith("*.") and bool(NAME.fullmatch(pattern[2:])))


def _is_network(text: str) -> bool:
    with suppress(ValueError):
        return bool(ip_network(text))
    return False


def traces(environ: Mapping[str, str]) -> bool:
    """True when OpenTelemetry's own variable names a collector."""
    if not environ.get(COLLECTOR):
        return False
    if find_spec("opentelemetry") is None:
        raise SettingsError(f"{COLLECTOR} is set, but OpenTelemetry is not installed; make serve installs it.")
    return True
