"""What the operator says about text messages: the gateway, the countries and the budget.

Like the policy, it raises `ValueError` with one sentence, which `settings` passes on as its own.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from .keys import PREFIX

TOGETHER = ("VONAGE_API_KEY", "VONAGE_API_SECRET", "SMS_FROM")
VONAGE = "https://rest.nexmo.com"
SENDER = re.compile(r"\+?[0-9]{3,15}|(?=.*[^0-9+])[!-~]([ -~]{0,9}[!-~])?")  # a number, or 11 characters of GSM
HOOK_SECRET = re.compile(r"[A-Za-z0-9._~-]{16,}")  # RFC 3986: what stands in a path as it is
BUDGET_MAXIMUM = 1_000_000


@dataclass(frozen=True, slots=True)
class TextGateway:
    api_key: str = field(repr=False)
    api_secret: str = field(repr=False)
    sender: str
    url: str
    hook_secret: str | None = field(repr=False)


def text_gateway(given: Mapping[str, str]) -> TextGateway | None:
    """None when there is none. Names in `given` have lost their prefix. Raises `ValueError`."""
    sender, url, hook_secret = _sender(given), _url(given), _hook_secret(given)
    missing = [name for name in TOGETHER if name not in given]
    if len(missing) == len(TOGETHER):
        return None
    if missing:
        raise ValueError(
            f"{PREFIX}{missing[0]} is not set; text messages need {PREFIX}VONAGE_API_KEY and {PREFIX}VONAGE_API_SECRET"
            f" of your Vonage account and {PREFIX}SMS_FROM such as Nightlatch, or none of the three."
        )
    return TextGateway(_api_key(given), given["VONAGE_API_SECRET"], sender, url, hook_secret)


def sms_countries(given: Mapping[str, str]) -> frozenset[str]:
    """Where texts may go; empty for everywhere. Raises `ValueError`."""
    codes = frozenset(code.strip().upper() for code in given.get("SMS_COUNTRIES", "").split(",") if code.strip())
    if codes:
        from phonenumbers import SUPPORTED_REGIONS  # big tables, for few sites

        unknown = codes - SUPPORTED_REGIONS
        if unknown:
            raise ValueError(
                f"{PREFIX}SMS_COUNTRIES must be ISO 3166 codes of two letters, comma separated,"
                f" such as GB,IE,US, and {min(unknown)!r} is none."
            )
    return codes


def sms_daily_budget(given: Mapping[str, str]) -> int:
    """How many texts a day, for all people together. Raises `ValueError`."""
    text = given.get("SMS_DAILY_BUDGET", "1000")
    if not text.isascii() or not text.isdigit() or int(text) > BUDGET_MAXIMUM:
        raise ValueError(f"{PREFIX}SMS_DAILY_BUDGET must be a whole number from 0 to {BUDGET_MAXIMUM}, not {text!r}.")
    return int(text)


def is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    return host == "localhost" or (is_address(host) and ipaddress.ip_address(host).is_loopback)


def _api_key(given: Mapping[str, str]) -> str:
    key = given["VONAGE_API_KEY"]
    if not key.isprintable() or ":" in key or " " in key:  # RFC 7617: a colon would end it
        raise ValueError(f"{PREFIX}VONAGE_API_KEY must be the key of your Vonage account, such as abcd1234.")
    return key


def _sender(given: Mapping[str, str]) -> str:
    sender = given.get("SMS_FROM", "")
    if sender and not SENDER.fullmatch(sender):
        raise ValueError(
            f"{PREFIX}SMS_FROM must be a name of up to 11 characters such as Nightlatch,"
            f" or a number such as 447700900123, not {sender!r}."
        )
    return sender.removeprefix("+")


def _url(given: Mapping[str, str]) -> str:
    url = given.get("VONAGE_URL", VONAGE).rstrip("/")
    try:
        parts = urlsplit(url)
        whole = bool(parts.hostname) and parts.port != 0 and not (parts.username or parts.query or parts.fragment)
    except ValueError:
        whole = False
    if not whole or parts.scheme not in ("http", "https") or not re.fullmatch(r"[!-~]+", url):
        raise ValueError(f"{PREFIX}VONAGE_URL must be an address with nothing behind its path, such as {VONAGE}.")
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise ValueError(
            f"{PREFIX}VONAGE_URL would send codes and its password in the clear; use https, such as {VONAGE},"
            " or http for a gateway on this machine, such as http://127.0.0.1:8080."
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path}"


def _hook_secret(given: Mapping[str, str]) -> str | None:
    secret = given.get("VONAGE_HOOK_SECRET")
    if secret and not HOOK_SECRET.fullmatch(secret):
        raise ValueError(
            f"{PREFIX}VONAGE_HOOK_SECRET must be at least 16 letters and digits, such as"
            " `python3 -c 'import secrets; print(secrets.token_urlsafe())'` prints."
        )
    return secret
