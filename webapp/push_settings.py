"""What the operator says about pushes and places: the VAPID key, the push services, and a file of places.

Like the policy, it raises `ValueError` with one sentence, which `settings` passes on as its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .domain.base64url import as_bytes
from .domain.push import PushHosts
from .keys import PREFIX

KEY_BYTES = 32
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256, NIST SP 800-186 section 3.2.1.3
# where Chrome, Edge, Firefox, Opera, Samsung Internet and Safari subscribe
BROWSERS = "fcm.googleapis.com,*.push.services.mozilla.com,*.push.apple.com,*.notify.windows.com"
NAME = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*"
PATTERN = re.compile(rf"(\*\.)?{NAME}|{NAME}:[0-9]{{1,5}}")


@dataclass(frozen=True, slots=True)
class PushSettings:
    private_key: bytes | None = field(repr=False)
    """Of P-256, 32 bytes; None where no push is sent."""
    subject: str
    """Whom a push service writes to when something is wrong (RFC 8292 section 2.1)."""
    hosts: PushHosts


def push_settings(given: Mapping[str, str], mail_from: str) -> PushSettings:
    """Names in `given` have lost their prefix. Raises `ValueError`."""
    return PushSettings(_private_key(given), _subject(given, mail_from), _hosts(given))


def places_file(given: Mapping[str, str]) -> Path | None:
    """A database in MaxMind's format; None where there is none. Raises `ValueError`."""
    text = given.get("GEOIP_FILE")
    if text is None:
        return None
    path = Path(text)
    if not path.is_file():
        raise ValueError(f"{PREFIX}GEOIP_FILE must be a file in MaxMind's format, such as /var/lib/GeoLite2-City.mmdb.")
    return path


def _private_key(given: Mapping[str, str]) -> bytes | None:
    text = given.get("VAPID_PRIVATE_KEY")
    if text is None:
        return None
    raw = as_bytes(text) if re.fullmatch(r"[A-Za-z0-9_-]{43}=*", text) else b""
    if len(raw) != KEY_BYTES or not 0 < int.from_bytes(raw) < ORDER:
        raise ValueError(
            f"{PREFIX}VAPID_PRIVATE_KEY must be base64url of the 32 bytes of a P-256 private key,"
            " as `flask --app wsgi keys generate` prints."
        )
    return raw


def _subject(given: Mapping[str, str], mail_from: str) -> str:
    subject = given.get("VAPID_SUBJECT", f"mailto:{mail_from}")
    if not re.fullmatch(r"mailto:[!-~]+@[!-~]+|https://[!-~]+", subject):
        raise ValueError(
            f"{PREFIX}VAPID_SUBJECT must be where a push service can reach you, such as mailto:admin@example.org,"
            f" not {subject!r}."
        )
    return subject


def _hosts(given: Mapping[str, str]) -> PushHosts:
    patterns = [p.strip() for p in given.get("PUSH_HOSTS", BROWSERS).split(",") if p.strip()]
    wrong = [p for p in patterns if not PATTERN.fullmatch(p) or int(f"0{p.partition(':')[2]}") > 65535]
    if wrong or not patterns:
        raise ValueError(
            f"{PREFIX}PUSH_HOSTS must be lower-case hosts, comma separated, such as fcm.googleapis.com,"
            f"*.push.apple.com, or host:port for one of your own{f', and {wrong[0]!r} is none' if wrong else ''}."
        )
    return PushHosts(tuple(patterns))
