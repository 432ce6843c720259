"""The commands of the operator: `flask --app wsgi ...`. No command may print a stored secret."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from typing import Any

import click
from flask import Flask, current_app
from flask.cli import AppGroup, with_appcontext
from sqlalchemy.exc import IntegrityError

from .bootstrap import Services
from .domain.ports import Mail, TextMessages
from .domain.refusals import NotFound, Refusal
from .environment import PREFIX
from .keys import generate_keys
from .policy import DAY
from .services.email_addresses import normalize
from .worker import work_until_told

SAY = "nightlatch-say"

accounts = AppGroup("accounts", help="Accounts: create, list, show, reset-second-factors, log-out, delete.")
messages = AppGroup("messages", help="Messages: send queued ones once or keep sending, and report on texts.")
keys = AppGroup("keys", help="Keys: generate new ones, and re-encrypt stored secrets with the newest.")


def install(app: Flask, say: Callable[[Refusal], str]) -> None:
    """Registers the commands. `say` turns a refusal into a sentence."""
    app.extensions[SAY] = say
    for group in (accounts, messages, keys):
        app.cli.add_command(group)
    for command in (purge, check, migrate_command, develop):
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
            raise click.ClickException("No account has that username.") from None
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
@click.option("--email-confirmed", is_flag=True, help="The email address is known to belong to the account's owner.")
@click.option("--phone", help="A phone number with its country code, known to belong to the account's owner.")
@with_appcontext
@reports_refusals
def create(username: str, email: str | None, name: str, email_confirmed: bool, phone: str | None) -> None:
    """Create an account. Reads the password from standard input."""
    password = sys.stdin.readline().rstrip("\n")
    address = normalize(email) if email else None
    number = services().phone_numbers.read(phone, "") if phone else None
    account = services().sign_up.create_by_operator(name, username, password, address, confirmed=email_confirmed)
    if number is not None:
        services().phone_numbers.keep(account, number)
    click.echo(f"Created {account.username}.")


@accounts.command("list")
@with_appcontext
def list_accounts() -> None:
    """List all accounts: username, email address, name."""
    for account in services().accounts.all():
        click.echo(f"{account.username}\t{account.email or '-'}\t{account.name}")


@accounts.command("show")
@click.argument("username")
@with_appcontext
@reports_refusals
def show(username: str) -> None:
    """Show an account without its secrets."""
    account = services().accounts.named(username)
    factors = services().accounts.factors(account)
    on = [f"{factor.method} ({factor.label})" if factor.label else factor.method for factor in factors]
    click.echo(f"Username: {account.username}")
    click.echo(f"Name: {account.name}")
    click.echo(f"Email address: {account.email or 'not confirmed'}")
    click.echo(f"Phone number: {account.phone_number_hint or 'none'}")
    click.echo(f"Two-factor methods: {', '.join(on) or 'none'}")
    click.echo(f"Backup code: {'yes' if account.backup_code_hash else 'no'}")


@accounts.command("reset-second-factors")
@click.argument("username")
@click.option("--why", required=True, help="Reason; logged and sent to the account owner.")
@with_appcontext
@reports_refusals
def reset_second_factors(username: str, why: str) -> None:
    """Turn off two-factor authentication for an account that is locked out, and notify its owner."""
    services().accounts.reset_second_factors(username, why)
    click.echo(
        f"Two-factor authentication is off for {username}. All devices were logged out and the owner was notified."
    )


@accounts.command("log-out")
@click.argument("username")
@with_appcontext
@reports_refusals
def log_out(username: str) -> None:
    """Log out all devices of an account and forget its remembered browsers."""
    services().accounts.log_out(username)
    click.echo(f"{username} is logged out on all devices.")


@accounts.command("delete")
@click.argument("username")
@with_appcontext
@reports_refusals
def delete(username: str) -> None:
    """Delete an account and all its data."""
    services().accounts.delete(username)
    click.echo(f"Deleted {username}.")


# -- Messages, keys, maintenance ------------------------------------------------------------------------


@messages.command("send")
@with_appcontext
def send() -> None:
    """Send queued messages once."""
    click.echo(f"Messages sent: {services().delivery.deliver_due()}")


@messages.command("work")
@with_appcontext
def work() -> None:
    """Keep sending queued messages."""
    work_until_told(services())


@messages.command("report")
@click.option("--days", type=click.IntRange(1, 30), default=7, show_default=True)
@with_appcontext
def report(days: int) -> None:
    """Show how many texts were sent or refused, and why, by day and country."""
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
    """Re-encrypt all stored secrets with the newest key."""
    try:
        count = services().maintenance.reseal()
    except ValueError as error:  # the keyring's error names the key
        raise click.ClickException(f"{error}; put it back into {PREFIX}ENCRYPTION_KEYS and try again.") from None
    click.echo(f"Re-encrypted {count} secrets.")


@click.command("purge")
@with_appcontext
def purge() -> None:
    """Delete expired data."""
    for table, count in services().maintenance.purge().items():
        click.echo(f"{table}: {count}")


@click.command("migrate")
@with_appcontext
def migrate_command() -> None:
    """Upgrade the database schema."""
    from .models.migrate import migrate  # Alembic: 60 ms and 11 MiB (docs/decisions/lazy-imports.md)

    migrate(services().settings.database_url)


@click.command("check")
@with_appcontext
def check() -> None:
    """Check the settings, database, mail, and text message gateway, and report problems."""
    wrong = False
    for part, error in _findings():
        click.echo(f"{part}: {error or 'fine'}")
        wrong = wrong or error is not None
    sys.exit(1 if wrong else 0)


def _findings() -> list[tuple[str, str | None]]:
    settings = services().settings
    mail, texts = services().mail, services().texts
    unset = "NIGHTLATCH_MAIL_URL isn't set, so messages stay in the outbox"
    findings: list[tuple[str, str | None]] = [("Settings", None), ("Database", _database_error())]
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
        return "doesn't answer; check NIGHTLATCH_DATABASE_URL"
    if not is_current(services().settings.database_url):
        return "isn't up to date; run `flask --app wsgi migrate`"
    return None


@click.command("develop")
@click.option("--port", type=int, help="The port to listen on. Default: the port of the server name.")
@with_appcontext
def develop(port: int | None) -> None:
    """Start the development site with its worker and a demo account."""
    from .development import run  # imports Alembic too

    run(current_app._get_current_object(), services(), port)  # type: ignore[attr-defined]  # the documented way to the object behind the proxy
