"""`make run`: a site to try on one's own machine, with a demo account and messages that stay in the outbox."""

from __future__ import annotations

import click
from flask import Flask
from werkzeug.serving import run_simple

from .bootstrap import Services
from .domain.refusals import NotFound
from .models.migrate import migrate
from .worker import start_thread

USERNAME = "demo"
PASSWORD_FILE = "demo-password.txt"  # noqa: S105  # the name of a file, not a password


def run(app: Flask, services: Services, port: int | None) -> None:
    settings = services.settings
    migrate(settings.database_url)
    app.config["RESTORED_LATELY"] = services.restoration.check()
    password = demo_account(services)
    click.echo(f"Desktop: {settings.main_url}")
    click.echo(f"Mobile: {settings.scheme}://{settings.mobile_host}")
    click.echo(f"Username: {USERNAME}")
    click.echo(f"Password: {password}")
    click.echo(f"Outbox: {settings.main_url}/outbox", nl=True)
    app.before_request(app.extensions["assets"].publish)  # a reload shows edits of static files
    start_thread(services)
    listen = port or int(settings.server_name.partition(":")[2] or 80)
    # by address: not every resolver knows that names under .localhost are this machine
    run_simple("127.0.0.1", listen, app, threaded=True, use_reloader=False)


def demo_account(services: Services) -> str:
    """Made once; its password is drawn then and kept in instance/, so that no site has a known one."""
    path = services.settings.instance / PASSWORD_FILE
    try:
        services.accounts.named(USERNAME)
    except NotFound:
        password = "-".join(services.entropy.bytes(3).hex() for _ in range(3))
        services.sign_up.create_by_operator("Demo", USERNAME, password, "demo@example.org", confirmed=False)
        path.touch(mode=0o600)
        path.write_text(password + "\n")
    return path.read_text().strip() if path.exists() else "(the one it was given)"
