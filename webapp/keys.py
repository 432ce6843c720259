"""The keys of the settings: fresh ones to print, and those that a development site makes for itself."""

from __future__ import annotations

import secrets
from base64 import b64encode
from pathlib import Path

from .domain.base64url import as_text

PREFIX = "NIGHTLATCH_"
DEVELOPMENT_FILE = "development.env"


def generate_keys() -> dict[str, str]:
    """Fresh values for SECRET_KEY, ENCRYPTION_KEYS and VAPID_PRIVATE_KEY, without the prefix."""
    key = b64encode(secrets.token_bytes(32)).decode()
    scalar = secrets.randbelow(2**255) + 1  # any such number is a private key of P-256
    vapid = as_text(scalar.to_bytes(32))
    sealing = f"k{secrets.token_hex(3)}:{key}"
    return {"SECRET_KEY": secrets.token_hex(32), "ENCRYPTION_KEYS": sealing, "VAPID_PRIVATE_KEY": vapid}


def development_keys(instance: Path) -> dict[str, str]:
    """The keys of a development site, made on first use and kept in `instance/`."""
    path = instance / DEVELOPMENT_FILE
    if not path.exists():
        instance.mkdir(parents=True, exist_ok=True)
        lines = _lines(generate_keys())
        draft = path.with_suffix(f".{secrets.token_hex(4)}")
        draft.touch(mode=0o600)
        draft.write_text(lines)
        try:
            path.hardlink_to(draft)  # the first of several processes wins, and the others read what it wrote
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    kept = _kept(path)
    missing = {name: value for name, value in generate_keys().items() if name not in kept}
    if missing:  # a site from before there was such a key
        with path.open("a") as more:
            more.write(_lines(missing))
    return _kept(path)


def _kept(path: Path) -> dict[str, str]:
    pairs = (line.split("=", 1) for line in path.read_text().splitlines() if "=" in line)
    return {name.removeprefix(PREFIX): value for name, value in pairs}


def _lines(keys: dict[str, str]) -> str:
    return "".join(f"{PREFIX}{name}={value}\n" for name, value in keys.items())
