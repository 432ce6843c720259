"""The secret keys of the settings: generates, reads and checks them, and stores those of a development site.

A key is never repeated in a message.
"""

from __future__ import annotations

import re
import secrets
from base64 import b64decode, b64encode, urlsafe_b64encode
from pathlib import Path

from .environment import PREFIX, Variables, mistake

DEVELOPMENT_FILE = "development.env"
KEY_BYTES = 32
DISTINCT_MINIMUM = 8  # characters or bytes of a key; fewer are typed by hand, not random
KEY_ID = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
EXAMPLES = {
    "SECRET_KEY": "32 random bytes in hexadecimal, as `flask --app wsgi keys generate` prints",
    "ENCRYPTION_KEYS": "id:base64 of 32 bytes, as `flask --app wsgi keys generate` prints",
}


def generate_keys() -> dict[str, str]:
    """New values for SECRET_KEY, ENCRYPTION_KEYS and VAPID_PRIVATE_KEY, by their names without the prefix."""
    key = b64encode(secrets.token_bytes(KEY_BYTES)).decode()
    scalar = secrets.randbelow(2**255) + 1  # any number from 1 to 2^255 is below the order of P-256
    return {
        "SECRET_KEY": secrets.token_hex(KEY_BYTES),
        "ENCRYPTION_KEYS": f"k{secrets.token_hex(3)}:{key}",
        "VAPID_PRIVATE_KEY": urlsafe_b64encode(scalar.to_bytes(KEY_BYTES)).rstrip(b"=").decode(),
    }


def placeholders() -> dict[str, str]:
    """Variables of no site, with which a command that reads no settings can run where those of the site lack keys."""
    return {f"{PREFIX}{name}": value for name, value in {**generate_keys(), "SERVER_NAME": "site.invalid"}.items()}


def secret_key(variables: Variables) -> str:
    """Raises `SettingsError`."""
    return _strong("SECRET_KEY", variables.required("SECRET_KEY", EXAMPLES["SECRET_KEY"]))


def secret_key_fallbacks(variables: Variables) -> tuple[str, ...]:
    """Earlier secret keys. What they signed is accepted, so they must be strong too. Raises `SettingsError`."""
    keys = (key.strip() for key in (variables.get("SECRET_KEY_FALLBACKS") or "").split(","))
    return tuple(_strong("SECRET_KEY_FALLBACKS", key) for key in keys if key)


def encryption_keys(variables: Variables) -> tuple[tuple[str, bytes], ...]:
    """Pairs of id and 32 bytes; the first one seals. Raises `SettingsError`."""
    text = variables.required("ENCRYPTION_KEYS", EXAMPLES["ENCRYPTION_KEYS"])
    keys = [_encryption_key(entry.strip()) for entry in text.split(",")]
    if len({name for name, _ in keys}) != len(keys):
        raise mistake("ENCRYPTION_KEYS", "names a key twice; give each its own id, such as k2:...")
    if any(entry.partition(":")[2].strip() in (variables.get("SECRET_KEY") or "") for entry in text.split(",")):
        raise mistake("ENCRYPTION_KEYS", "must not be the SECRET_KEY; `flask --app wsgi keys generate` makes both")
    return tuple(keys)


def _encryption_key(entry: str) -> tuple[str, bytes]:
    name, _, text = entry.partition(":")
    try:
        key = b64decode(text, validate=True)
    except ValueError:  # binascii.Error is one, and so is the error about characters outside ASCII
        key = b""
    if not KEY_ID.fullmatch(name) or len(key) != KEY_BYTES or len(set(key)) < DISTINCT_MINIMUM:
        raise mistake(
            "ENCRYPTION_KEYS",
            "must be id:base64 of 32 random bytes, comma separated, as `flask --app wsgi keys generate` prints",
        )
    return name, key


def _strong(name: str, key: str) -> str:
    if len(key) < KEY_BYTES or len(set(key)) < DISTINCT_MINIMUM:
        raise mistake(name, f"is too weak; it needs {EXAMPLES['SECRET_KEY']}")
    return key


def development_keys(instance: Path) -> dict[str, str]:
    """The keys of a development site by their names without the prefix, generated once and stored in `instance`."""
    path = instance / DEVELOPMENT_FILE
    if not path.exists():
        instance.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{secrets.token_hex(4)}")
        draft.touch(mode=0o600)
        draft.write_text(_lines(generate_keys()))
        try:
            path.hardlink_to(draft)  # of several processes the first succeeds, and the others read its file
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    stored = _stored(path)
    missing = {name: value for name, value in generate_keys().items() if name not in stored}
    if missing:  # the file is older than this kind of key
        with path.open("a") as file:
            file.write(_lines(missing))
    return _stored(path)


def _stored(path: Path) -> dict[str, str]:
    pairs = (line.split("=", 1) for line in path.read_text("utf-8").splitlines() if "=" in line)
    return {name.removeprefix(PREFIX): value for name, value in pairs}


def _lines(keys: dict[str, str]) -> str:
    return "".join(f"{PREFIX}{name}={value}\n" for name, value in keys.items())
