"""`make run`: a development site with a demo account and the worker. It must never listen beyond loopback."""

from __future__ import annotations

import click
from flask import Flask
from werkzeug.serving import run_simple

from .bootstrap import Services
from .domain.refusals import NotFound
from .models.migrate import migrate
from .settings.hosts import is_local
from .worker import start_thread

USERNAME = "demo"
PASSWORD_FILE = "demo-password.txt"  # noqa: S105  # the name of a file, not a password


def run(app: Flask, services: Services, port: int | None) -> None:
    settings = services.settings
    if not is_local(settings.server_name):  # the demo account has a password that anyone may read here
        raise click.ClickException(f"It is for a name under .localhost; make serve starts {settings.server_name}.")
    migrate(settings.database_url)
    services.restoration.void_if_restored()
    password = demo_account(services)
    click.echo(f"Desktop: {settings.main_url}")
    click.echo(f"Mobile: {settings.scheme}://{settings.mobile_host}")
    click.echo(f"Username: {USERNAME}")
    click.echo(f"Password: {password}")
    click.echo(f"Outbox: {settings.main_url}/outbox")
    app.before_request(app.extensions["assets"].publish)  # so that a reload shows changed static files
    start_thread(services)
    listen = port or int(settings.server_name.partition(":")[2] or 80)
    # not by name: some resolvers do not resolve names under .localhost
    run_simple("127.0.0.1", listen, app, threaded=True, use_reloader=False)


def demo_account(services: Services) -> str:
    """The password of the demo account, random and stored in the instance folder. Creates the account on first use."""
    path = services.settings.instance / PASSWORD_FILE
    try:
        services.accounts.named(USERNAME)
    except NotFound:
        password = "-".join(services.entropy.bytes(3).hex() for _ in range(3))
        services.sign_up.create_by_operator("Demo", USERNAME, password, "demo@example.org", confirmed=False)
        path.touch(mode=0o600)
        path.write_text(password + "\n")
    return path.read_text("utf-8").strip() if path.exists() else "(the one it was given)"
