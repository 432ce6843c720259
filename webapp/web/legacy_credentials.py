"""The credentials of an app that sends them with each request."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from dataclasses import dataclass

from flask import request
from werkzeug.datastructures import Authorization

from ..domain.refusals import WrongLogin
from . import current

LONGEST_HEADER = 8_000  # characters; the longest username and password in base64 are shorter
APP_TOKEN = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Credentials:
    """A token, or a name and a password."""

    name: str
    password: str
    token: str | None = None


def are_taken() -> bool:
    """True where an app can log in by a password alone: at legacy access, or at a guarded host that allows it."""
    services = current.services()
    return services.settings.legacy_access or services.temporary_passwords.a_host_takes_them()


def credentials() -> Credentials:
    """Of a Basic (RFC 7617) or Bearer (RFC 6750) header. Raises `WrongLogin` for any other, which counts no attempt."""
    header = request.headers.get("Authorization", "")
    if len(header) > LONGEST_HEADER or not header.isascii():  # Werkzeug answers 500 to other characters in base64
        raise WrongLogin()
    given = request.authorization
    if given is None:
        given = _in_latin_1(header)
    if given is None:
        raise WrongLogin()
    name, password, token = given.get("username") or "", given.get("password") or "", given.token or ""
    if given.type == "bearer" and APP_TOKEN.fullmatch(token):
        return Credentials("", "", token)
    # Werkzeug parses a header without a colon as an empty password
    if given.type != "basic" or not password or "\0" in name + password:
        raise WrongLogin()
    return Credentials(name, password)


def _in_latin_1(header: str) -> Authorization | None:
    """Of a Basic header whose credentials are not UTF-8, which is all that Werkzeug reads: older apps know Latin-1
    only (RFC 7617 section 2 leaves it to them)."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = b64decode(encoded.strip(), validate=True).decode("latin-1")
    except ValueError:
        return None
    return Authorization.from_header(f"{scheme} {b64encode(text.encode()).decode()}")
