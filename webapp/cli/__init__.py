"""The commands of the operator: `flask --app wsgi ...`. No command may print a stored secret."""

from __future__ import annotations

from collections.abc import Callable

import click
from flask import Flask, current_app
from flask.cli import with_appcontext

from ..domain.refusals import Refusal
from .accounts import accounts
from .apps import apps
from .check import check
from .common import SAY, reports_unusable_database, services
from .database import copy_from, migrate_command, moved, purge, restored
from .groups import groups
from .guarded import doctor, echo
from .keys import keys
from .messages import messages
from .signing_keys import signing_keys
from .why import why


def install(app: Flask, say: Callable[[Refusal], str]) -> None:
    """Registers the commands. `say` turns a refusal into a sentence."""
    app.extensions[SAY] = say
    for group in (accounts, groups, apps, messages, keys, signing_keys):
        app.cli.add_command(group)
    for command in (echo, doctor):
        apps.add_command(command)
    for command in (purge, check, restored, moved, migrate_command, copy_from, why, develop):
        app.cli.add_command(command)


@click.command("develop")
@click.option("--port", type=int, help="The port to listen on; by default that of the server name.")
@with_appcontext
@reports_unusable_database()
def develop(port: int | None) -> None:
    """Start the development site with its worker and a demo account."""
    from ..development import run  # imports Alembic too

    run(current_app._get_current_object(), services(), port)  # type: ignore[attr-defined]  # the documented way to the object behind the proxy
