"""`flask apps echo` and `flask apps doctor`: what reaches the application behind the proxy of a guarded host."""

from __future__ import annotations

import sys

import click
from flask.cli import with_appcontext

from ..services.guarded.configurations import PROXIES, parsed_address
from ..services.guarded.doctor import Doctor, DoctorError
from ..services.guarded.echo import echo_server
from .common import reports_refusals, services


@click.command("echo")
@click.option("--listen", default="127.0.0.1:8080", show_default=True, help="Where the proxy finds it.")
def echo(listen: str) -> None:
    """Serve an application that answers with the request it received, in place of the real one."""
    try:
        host, port = parsed_address(listen)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    try:
        server = echo_server(host.strip("[]") or "127.0.0.1", port)
    except OSError as error:
        raise click.ClickException(f"{listen} cannot be listened on: {error.strerror}.") from None
    with server:
        server.serve_forever()


@click.command("doctor")
@click.argument("host", metavar="HOST")
@click.option("--address", default="", help="Where the proxy listens, if the name of the host does not lead there.")
@click.option(
    "--proxy", type=click.Choice([name for name in PROXIES if name != "apache"]), help="By default it is found."
)
@click.option("--insecure", is_flag=True, help="Do not check the certificate of the host.")
@with_appcontext
@reports_refusals
def doctor(host: str, address: str, proxy: str | None, insecure: bool) -> None:
    """Ask the proxy of a guarded host with hostile requests. `flask apps echo` must be the application meanwhile."""
    asked = wrong = 0
    try:
        for found in Doctor(services().core, services().operators.apps).examine(
            host, address, proxy, verify=not insecure
        ):
            answer = "passed on" if found.reached else f"answered with {found.status}"
            verdict, missing = ("fine", "") if found.line is None else ("wrong", f", missing: {found.line}")
            click.echo(f"{verdict}: {found.says} (the request was {answer}){missing}")
            asked, wrong = asked + 1, wrong + (found.line is not None)
    except (DoctorError, ValueError) as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{asked} requests, {wrong} of them wrong")
    sys.exit(1 if wrong else 0)
