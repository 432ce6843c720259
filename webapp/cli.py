"""The commands of the operator: `flask --app wsgi ...`. No command may print a stored secret."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import wraps
from typing import Any

import click
from flask import Flask, current_app
from flask.cli import AppGroup, with_appcontext
from sqlalchemy.exc import IntegrityError, ProgrammingError

from .bootstrap import Services
from .domain.ports import Mail, TextMessages
from .domain.refusals import DatabaseUnavailable, NotFound, Refusal
from .environment import PREFIX
from .keys import generate_keys
from .policy import DAY, HOUR
from .services.email_addresses import normalize
from .services.operation.restoration import UNKNOWN
from .worker import work_until_told

SAY = "nightlatch-say"
UNTRUSTED = (
    f"requests with X-Forwarded-For arrive, but {PREFIX}TRUSTED_PROXIES is 0, so that all clients count as one;"
    " set it to the number of proxies in front, usually 1"
)

accounts = AppGroup("accounts", help="Accounts: create, invite, list, show, reset-second-factors, log-out, delete.")
messages = AppGroup("messages", help="The outbox: send what is owed, once or forever.")
keys = AppGroup("keys", help="The keys of the settings: generate new ones, seal again under the newest.")


def install(app: Flask, say: Callable[[Refusal], str]) -> None:
    """Registers the commands. `say` turns a refusal into a sentence."""
    app.extensions[SAY] = say
    for group in (accounts, messages, keys):
        app.cli.add_command(group)
    for command in (purge, check, restored, moved, migrate_command, develop):
        app.cli.add_command(command)


def services() -> Services:
    found: Services = current_app.extensions["nightlatch"]
    return found


def reports_refusals(command: Callable[..., Any]) -> Callable[..., Any]:
    """Decorates a command: a refusal ends it with one sentence and status 1."""

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except NotFound:
            raise click.ClickException("There is no account of that name.") from None
        except Refusal as refusal:
            raise click.ClickException(current_app.extensions[SAY](refusal)) from None
        except IntegrityError:
            raise click.ClickException("That username or email address belongs to another account.") from None

    return wrapped


# -- Accounts --------------------------------------------------------------------------------------


@accounts.command("create")
@click.option("--username", required=True)
@click.option("--email")
@click.option("--name", required=True)
@click.option("--email-confirmed", is_flag=True, help="The address is known to be theirs.")
@click.option("--phone", help="A number with its calling code that is known to be theirs.")
@with_appcontext
@reports_refusals
def create(username: str, email: str | None, name: str, email_confirmed: bool, phone: str | None) -> None:
    """Create an account; the password is read from standard input."""
    password = sys.stdin.readline().rstrip("\n")
    address = normalize(email) if email else None
    number = services().phone_numbers.read(phone, "") if phone else None
    account = services().sign_up.create_by_operator(name, username, password, address, confirmed=email_confirmed)
    if number is not None:
        services().phone_numbers.keep(account, number)
    click.echo(f"Created {account.username}.")
    tell_if_deleted(account.username)


def tell_if_deleted(username: str) -> None:
    with services().db.read() as tx:
        if services().usernames.was_deleted(tx, username):
            click.echo("A deleted account had this username: sites that trusted it will trust this one.", err=True)


@accounts.command("invite")
@click.option("--email", required=True)
@click.option("--username", help="Otherwise one is made from the address.")
@click.option("--name", help="Otherwise the username.")
@with_appcontext
@reports_refusals
def invite(email: str, username: str | None, name: str | None) -> None:
    """Create an account, and mail its owner a link that sets the password. Again: mail another link."""
    account = services().invitations.send(email, username, name)
    hours = services().settings.policy.invitation_seconds // HOUR
    click.echo(f"Invited {account.unconfirmed_email} as {account.username}. The link works for {hours} hours, once.")
    tell_if_deleted(account.username)


@accounts.command("list")
@with_appcontext
def list_accounts() -> None:
    """Print every account: username, email address, name."""
    for account in services().accounts.all():
        click.echo(f"{account.username}\t{account.email or '-'}\t{account.name}")


@accounts.command("show")
@click.argument("username")
@with_appcontext
@reports_refusals
def show(username: str) -> None:
    """Print what is known about an account, without any secret."""
    account = services().accounts.named(username)
    factors = services().accounts.factors(account)
    on = [f"{factor.method} ({factor.label})" if factor.label else factor.method for factor in factors]
    click.echo(f"Username: {account.username}")
    click.echo(f"Name: {account.name}")
    click.echo(f"Email address: {account.email or 'not confirmed'}")
    click.echo(f"Phone number: {account.phone_number_hint or 'none'}")
    click.echo(f"Second factors: {', '.join(on) or 'none'}")
    click.echo(f"Backup code: {'yes' if account.backup_code_hash else 'no'}")


@accounts.command("reset-second-factors")
@click.argument("username")
@click.option("--why", required=True, help="Logged, and told to the owner.")
@with_appcontext
@reports_refusals
def reset_second_factors(username: str, why: str) -> None:
    """Turn off every second factor of an account, and tell its owner."""
    services().accounts.reset_second_factors(username, why)
    click.echo(f"The second factors of {username} are off, every log-in ended, and the owner was told.")


@accounts.command("log-out")
@click.argument("username")
@with_appcontext
@reports_refusals
def log_out(username: str) -> None:
    """End every log-in and remembered browser of an account."""
    services().accounts.log_out(username)
    click.echo(f"{username} is logged out everywhere.")


@accounts.command("delete")
@click.argument("username")
@with_appcontext
@reports_refusals
def delete(username: str) -> None:
    """Delete an account with all that belongs to it."""
    services().accounts.delete(username)
    click.echo(f"Deleted {username}.")


# -- Messages, keys, maintenance ------------------------------------------------------------------------


@messages.command("send")
@with_appcontext
def send() -> None:
    """Deliver what the outbox owes now, once."""
    click.echo(f"Sent {services().delivery.deliver_due()}.")


@messages.command("work")
@with_appcontext
def work() -> None:
    """Deliver what the outbox owes, forever."""
    work_until_told(services())


@messages.command("report")
@click.option("--days", type=click.IntRange(1, 30), default=7, show_default=True)
@with_appcontext
def report(days: int) -> None:
    """Print how many texts were sent or refused, and why, by day and country."""
    for row in services().text_caps.report(days):
        day = datetime.fromtimestamp(row.day * DAY, UTC).date().isoformat()
        click.echo(f"{day}\t{row.country}\t{row.outcome}\t{row.count}")


@keys.command("generate")
def generate() -> None:
    """Print new keys as NAME=value lines for the settings."""
    for name, value in generate_keys().items():
        click.echo(f"{PREFIX}{name}={value}")


@keys.command("reseal")
@with_appcontext
def reseal() -> None:
    """Seal every stored secret again under the newest key."""
    try:
        count = services().maintenance.reseal()
    except ValueError as error:  # the keyring's error names the key
        raise click.ClickException(f"{error}; put it back into {PREFIX}ENCRYPTION_KEYS and try again.") from None
    click.echo(f"Sealed {count} secrets again.")


@click.command("purge")
@with_appcontext
def purge() -> None:
    """Delete what has expired."""
    for table, count in services().maintenance.purge().items():
        click.echo(f"{table}: {count}")


@click.command("restored")
@with_appcontext
@reports_refusals
def restored() -> None:
    """Say that the database is a backup: ends every session, code and backup code of it."""
    services().restoration.declare_restored()
    click.echo("Every session, code, link and backup code of the backup has ended. The log-in page says so.")


@click.command("moved")
@with_appcontext
@reports_refusals
def moved() -> None:
    """Say that the database is the newest, on a machine that does not know it."""
    known = "This machine knows this database already. If it is a backup, run `flask --app wsgi restored`."
    click.echo("This machine knows this database now." if services().restoration.declare_moved() else known)


@click.command("migrate")
@with_appcontext
def migrate_command() -> None:
    """Bring the database to the present version of the tables."""
    from .models.migrate import migrate  # Alembic: 60 ms and 11 MiB (docs/decisions/lazy-imports.md)

    migrate(services().settings.database_url)


@click.command("check")
@with_appcontext
def check() -> None:
    """Verify settings, database, mail and the text message gateway, and say what is wrong."""
    wrong = False
    for part, error in _findings():
        click.echo(f"{part}: {error or 'fine'}")
        wrong = wrong or error is not None
    if _database_error() is None:
        for part, advice in _advice():
            click.echo(f"{part}: {advice}")
    sys.exit(1 if wrong else 0)


def _advice() -> list[tuple[str, str]]:
    """What the operator should know, although nothing is wrong."""
    advice = services().advice
    found = [("Legacy access", sentence) for sentence in advice.about_access().values()]
    usernames = advice.about_usernames()
    return [*found, ("Usernames", usernames)] if usernames else found


def _findings() -> list[tuple[str, str | None]]:
    settings = services().settings
    mail, texts = services().mail, services().texts
    unset = "NIGHTLATCH_MAIL_URL is not set, so messages stay in the outbox"
    findings: list[tuple[str, str | None]] = [("Settings", None), ("Database", _database_error())]
    with suppress(DatabaseUnavailable, ProgrammingError):  # the line before says so; tables may be missing
        unknown = services().restoration.is_unknown()
        untrusted = settings.trusted_proxies == 0 and services().proxies.sends_forwarded()
        findings += [("Heartbeat", UNKNOWN if unknown else None), ("Proxies", UNTRUSTED if untrusted else None)]
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


def _database_error() -> str | None:
    from .models.migrate import is_current  # as in migrate_command

    if not services().db.answers():
        return "does not answer; NIGHTLATCH_DATABASE_URL says where it is"
    if not is_current(services().settings.database_url):
        return "is not up to date; run `flask --app wsgi migrate`"
    return None


@click.command("develop")
@click.option("--port", type=int, help="The port to listen on; by default that of the server name.")
@with_appcontext
def develop(port: int | None) -> None:
    """Start the development site with its worker and a demo account."""
    from .development import run  # imports Alembic too

    run(current_app._get_current_object(), services(), port)  # type: ignore[attr-defined]  # the documented way to the object behind the proxy
