"""`flask check`: says what is wrong with this site. Must not change anything, and must not print a secret."""

from __future__ import annotations

import sys
from contextlib import suppress

import click
from flask import current_app
from flask.cli import with_appcontext
from sqlalchemy import delete, false
from sqlalchemy.exc import DBAPIError

from ..domain.ports import Mail, TextMessages
from ..domain.refusals import DatabaseUnavailable
from ..environment import PREFIX
from ..models.database import said
from ..models.revisions import OUTDATED
from ..services.operation.advice import about_hashing
from ..services.operation.restoration import UNKNOWN
from .common import services

UNTRUSTED = (
    f"requests with X-Forwarded-For arrive, but {PREFIX}TRUSTED_PROXIES is 0, so that all clients count as one;"
    " set it to the number of proxies in front, usually 1"
)


@click.command("check")
@with_appcontext
def check() -> None:
    """Check the settings, database, keys, Redis, mail, and text message gateway, and report problems."""
    from ..models.migrate import METADATA, trouble  # as in database.py

    database, wrong = trouble(services().settings.database_url), False
    if database is None:
        try:
            with services().db.write() as tx:  # no row: it may be locked or a replica, or the role may have no right
                for table in METADATA.sorted_tables:
                    tx.execute(delete(table).where(false()))
        except (DatabaseUnavailable, DBAPIError) as refusal:
            database = f"can't be written: {said(refusal)}"
    for part, error in _findings(database):
        click.echo(f"{part}: {error or 'fine'}")
        wrong = wrong or error is not None
    if database is None:
        for part, advice in _advice():
            click.echo(f"{part}: {advice}")
    sys.exit(1 if wrong else 0)


def _advice() -> list[tuple[str, str]]:
    """What the operator should know, although nothing is wrong."""
    advice = services().advice
    found = [("Settings", f"{name} is not a setting; README.md lists them") for name in services().settings.unknown]
    found += [("Legacy access", sentence) for sentence in advice.about_access().values()]
    usernames = advice.about_usernames()
    hashing = about_hashing(services().passwords.hasher)
    rest = (("Usernames", usernames), ("Password hash", hashing))
    return [*found, *((part, sentence) for part, sentence in rest if sentence)]


def _findings(database: str | None) -> list[tuple[str, str | None]]:
    settings = services().settings
    mail, texts = services().mail, services().texts
    unset = "NIGHTLATCH_MAIL_URL isn't set, so messages stay in the outbox"
    findings: list[tuple[str, str | None]] = [("Settings", None), ("Database", database)]
    if database in (None, OUTDATED):
        with suppress(DatabaseUnavailable, DBAPIError):  # the line before says so; tables may be missing
            unknown = services().restoration.is_unknown()
            untrusted = settings.trusted_proxies == 0 and services().proxies.sends_forwarded()
            fault = services().maintenance.key_fault()
            keys = f"{fault}; put back what was in {PREFIX}ENCRYPTION_KEYS" if fault else None
            findings += [("Keys", keys), ("Heartbeat", UNKNOWN if unknown else None)]
            findings.append(("Proxies", UNTRUSTED if untrusted else None))
    if (fault := current_app.extensions["floods"].store_fault()) is not None:
        findings.append(("Redis", f"can't be used: {fault}; the flood limit counts in the database"))
    findings.append(("Mail", _error_of(mail) if settings.mail else unset))
    if settings.text_gateway:  # optional
        findings.append(("Text messages", _error_of(texts)))
    return findings


def _error_of(service: Mail | TextMessages) -> str | None:
    try:
        service.check()
    except Exception as error:  # any error is what the operator wants to read
        return str(error) or type(error).__name__
    return None
