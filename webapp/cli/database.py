"""Commands for the database: migrates and purges it, and says what it is after a restore or a move."""

from __future__ import annotations

from pathlib import Path

import click
from flask.cli import with_appcontext

from .common import reports_refusals, reports_unusable_database, services


@click.command("purge")
@with_appcontext
@reports_refusals
def purge() -> None:
    """Delete expired data."""
    for table, count in services().maintenance.purge().items():
        click.echo(f"{table}: {count}")


@click.command("restored")
@with_appcontext
@reports_refusals
def restored() -> None:
    """Say that the database is a backup: ends every session, code and backup code of it."""
    services().restoration.declare_restored()
    click.echo("Every session, code, link and backup code of the backup has ended. The login page says so.")


@click.command("moved")
@with_appcontext
@reports_refusals
def moved() -> None:
    """Say that the database is the newest, on a machine that does not know it."""
    known = "This machine knows this database already. If it is a backup, run `flask --app wsgi restored`."
    click.echo("This machine knows this database now." if services().restoration.declare_moved() else known)


@click.command("migrate")
@with_appcontext
@reports_unusable_database()
def migrate_command() -> None:
    """Upgrade the database schema."""
    from ..models.migrate import migrate  # Alembic: 60 ms and 11 MiB (docs/decisions/lazy-imports.md)

    migrate(services().settings.database_url)


@click.command("copy-from")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, resolve_path=True, path_type=Path))
@with_appcontext
@reports_unusable_database()
def copy_from(file: Path) -> None:
    """Copy a SQLite database to the empty PostgreSQL database of the settings. Stop the site before."""
    from ..models.copying import copy_rows  # Alembic too

    count = copy_rows(file, services().settings.database_url)
    click.echo(
        f"Copied {count} rows. Next, run `flask --app wsgi moved`, or `flask --app wsgi restored` after a backup."
    )
