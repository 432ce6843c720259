"""The host and the URL scheme of the site, and checks of hosts for other settings."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit
from warnings import catch_warnings

from ..domain.app_addresses import OWN_PORTS
from ..environment import Variables, mistake

LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
NAME = re.compile(rf"{LABEL.pattern}(\.{LABEL.pattern})*")
CONTACT = re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)*|https://[^\s/?#@]+([/?#][^\s@]*)?")


def server_name(variables: Variables) -> str:
    """The main host, with its port unless it is the default port of the scheme. Raises `SettingsError`."""
    host = variables.text(
        "SERVER_NAME",
        "nightlatch.localhost:5000",
        is_host,
        "must be a lower-case host, with a port only when it is not the scheme's own,"
        " such as login.example.org or nightlatch.localhost:5000",
    )
    name = without_port(host)
    if name == "localhost" or as_address(name):  # neither can be the WebAuthn RP ID of the mobile host
        raise mistake(
            "SERVER_NAME",
            f"can't be {host!r}, which has no subdomain that a security key would accept; use"
            " nightlatch.localhost:5000 or a name of your own",
        )
    return host


def url_scheme(variables: Variables, host: str) -> str:
    """`http` or `https`; http is for names under .localhost only. Raises `SettingsError`."""
    local = is_local(host)
    scheme = variables.choice("PREFERRED_URL_SCHEME", "http" if local else "https", ("http", "https"))
    if scheme == "http" and not local:
        raise mistake("PREFERRED_URL_SCHEME", f"must be https for {host}; http is only for names under .localhost")
    if host.endswith(f":{OWN_PORTS[scheme]}"):  # browsers omit it in the Host header, so no request would match
        raise mistake("SERVER_NAME", f"must not include the default port of {scheme}: {without_port(host)}")
    return scheme


def support_contact(variables: Variables) -> str | None:
    """An e-mail address or an https URL where people who are stuck find help, if one is set. Raises `SettingsError`."""
    contact = variables.get("SUPPORT")
    if contact is not None and not CONTACT.fullmatch(contact):
        raise mistake(
            "SUPPORT", "must be an e-mail address such as help@example.org, or a URL such as https://example.org/help"
        )
    return contact


def without_port(host: str) -> str:
    return host.partition(":")[0]


def is_local(host: str) -> bool:
    return without_port(host).endswith(".localhost")


def is_host(text: str) -> bool:
    """True for a lower-case host name with or without a port."""
    name, colon, port = text.partition(":")
    return bool(NAME.fullmatch(name)) and (not colon or is_port(port))


def is_bind(text: str) -> bool:
    """True for an address or a name with a port."""
    host, _, port = text.rpartition(":")
    return bool(host) and host.isascii() and is_port(port)


def is_port(text: str) -> bool:
    return bool(re.fullmatch("[0-9]{1,5}", text)) and int(text) <= 65535


def is_server_url(url: str, *beginnings: str) -> bool:
    """True for a URL that begins so, and whose password does not end early: its rest would be taken for the host, which
    errors name."""
    try:
        parts = urlsplit(url)
        return url.startswith(beginnings) and parts.port != 0 and parts.netloc.count("@") <= 1
    except ValueError:  # of the port
        return False


def is_database_url(url: str) -> bool:
    """True for PostgreSQL, and for SQLite in a file: each process would have a database in memory of its own."""
    file, _, options = url.removeprefix("sqlite:///").partition("?")
    is_file = file not in ("", ":memory:") and not file.startswith("file:")  # a URI of SQLite, which is no path
    is_named = is_server_url(url, "sqlite:///", "postgresql+psycopg://") and is_file
    return is_named and (not options or _has_usable_options(url))


def _has_usable_options(url: str) -> bool:
    """False where SQLAlchemy cannot use, or would ignore, an option behind the `?`, and for those of psycopg itself:
    with `autocommit` no change could be undone, and with others no statement works. It does not connect."""
    from psycopg import Error  # as in `is_redis_url`
    from psycopg.conninfo import make_conninfo
    from sqlalchemy import create_engine
    from sqlalchemy.exc import SAWarning, SQLAlchemyError

    try:
        with catch_warnings(action="error", category=SAWarning):
            engine = create_engine(url)
        if engine.name == "postgresql":
            make_conninfo(**dict.fromkeys(engine.url.query, ""))  # takes the names that libpq knows only
    except (SQLAlchemyError, SAWarning, Error, TypeError, ValueError):
        return False
    return True


def is_redis_url(url: str) -> bool:
    """True for a URL that the client of Redis reads, with the options behind its `?`."""
    if "?" in url:
        from redis.connection import parse_url  # 40 ms and 4 MiB, and few sites have it

        try:
            parse_url(url)  # type: ignore[no-untyped-call]  # it has no types
        except ValueError:
            return False
    return is_server_url(url, "redis://", "rediss://", "unix://")


def is_loopback(host: str) -> bool:
    address = as_address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def as_address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
