"""`flask apps`: registers, lists, shows and deletes apps. A new secret is printed once; no stored one is printed."""

from __future__ import annotations

import json
from typing import Any, BinaryIO

import click
from flask.cli import AppGroup

from ..domain import strict_json
from ..domain.moments import machine
from ..domain.ports import KeyMissing
from ..models.registered_apps import (
    ALGORITHMS,
    GUARDED,
    KEY,
    PAIRWISE,
    PASSWORD,
    PUBLIC,
    PUBLIC_SUBJECT,
    SCOPES,
    TWO_FACTOR,
    WEB,
)
from ..services.guarded.configurations import PROXIES, configuration
from ..services.operators.app_options import AppOptions
from ..services.operators.apps import MadeApp, StoredApp
from .common import reports_refusals, services

apps = AppGroup("apps", help="Apps: create, list, show, rotate-secret, delete; echo and doctor for guarded hosts.")


def _keys(_context: click.Context, _option: click.Parameter, file: BinaryIO | None) -> Any:
    """What is in the file; ends the command with status 2 when that is no JSON."""
    if file is None:
        return None
    try:
        with file:
            return strict_json.read(file.read())
    except ValueError:
        raise click.BadParameter("This file isn't JSON.") from None


@apps.command("create")
@click.option("--name", required=True)
@click.option("--kind", required=True, type=click.Choice([WEB, PUBLIC, GUARDED]))
@click.option("--redirect-uri", "redirect_uris", multiple=True, help="Where people return to; any number.")
@click.option("--group", "groups", multiple=True, help="Only members of this group may use it; any number.")
@click.option("--proof", type=click.Choice([PASSWORD, TWO_FACTOR, KEY]), default=PASSWORD, show_default=True)
@click.option("--subject", "subject_type", type=click.Choice([PAIRWISE, PUBLIC_SUBJECT]), default=PAIRWISE)
@click.option("--post-logout-redirect-uri", "post_logout_redirect_uris", multiple=True)
@click.option("--scope", "scopes", multiple=True, type=click.Choice(SCOPES), default=SCOPES, help="By default all.")
@click.option("--trusted", is_flag=True, help="Do not ask people for consent.")
@click.option("--no-pkce", is_flag=True, help="Do not demand PKCE of a web application.")
@click.option("--signing-algorithm", type=click.Choice(ALGORITHMS), default=ALGORITHMS[0], show_default=True)
@click.option("--max-age", type=int, help="The greatest age of the proof, in seconds.")
@click.option("--origin", "origins", multiple=True, help="A web origin whose scripts may read answers; any number.")
@click.option("--resource", "resources", multiple=True, help="A resource server's address; any number.")
@click.option("--sector", default="", help="The host by which pairwise subjects are made.")
@click.option("--device", "device_allowed", is_flag=True, help="Allow devices without a browser (RFC 8628).")
@click.option("--dpop", "dpop_demanded", is_flag=True, help="Demand tokens that are bound to a key (RFC 9449).")
@click.option(
    "--jwks",
    type=click.File("rb"),
    callback=_keys,
    help="A file with its public keys, in place of a secret; - for standard input.",
)
@click.option("--jwks-uri", help="Where these keys are instead.")
@click.option("--backchannel-logout-uri", help="Where the app is told that someone logged out.")
@click.option("--private-address", "private_addresses", multiple=True, help="A private network of it; any number.")
@click.option("--host", help="Of a guarded host: its name, and its port where it is not the scheme's own.")
@click.option("--rule", "rules", multiple=True, help='"ACTION [METHOD,...] PREFIX"; any number, in order.')
@click.option("--allow-authorization", "authorization_allowed", is_flag=True, help="Allow temporary passwords.")
@click.option("--json", "as_json", is_flag=True)
@reports_refusals
def create(kind: str, no_pkce: bool, as_json: bool, **given: Any) -> None:
    """Register an app and print its client id and secret."""
    options = AppOptions(**given, pkce_demanded=not no_pkce)
    _say_made(services().operators.apps.create(kind, options), as_json)


@apps.command("list")
@reports_refusals
def list_apps() -> None:
    """List all apps: client id, kind, name, and when each was last used."""
    for app in services().operators.apps.all():
        click.echo(f"{app.client_id}\t{app.kind}\t{app.name}\t{machine(app.used_at) if app.used_at else '-'}")


@apps.command("show")
@click.argument("client_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True)
@click.option("--proxy", type=click.Choice(PROXIES), help="Print the configuration of this proxy, with its secret.")
@click.option("--upstream", default="http://127.0.0.1:8080", show_default=True, help="Where the application listens.")
@click.option("--listen", default="", help="Where the proxy listens, such as 127.0.0.1:8443.")
@reports_refusals
def show(client_id: str, as_json: bool, proxy: str | None, upstream: str, listen: str) -> None:
    """Show an app without its secrets, or the whole configuration of the proxy of a guarded host."""
    stored, site = services().operators.apps.named(client_id), services().settings
    if proxy is None:
        _say(_described(stored), as_json)
        return
    where = {"bind": site.bind, "main_url": site.main_url, "upstream": upstream, "listen": listen}
    try:
        click.echo(configuration(proxy, stored, services().core, **where), nl=False)
    except KeyMissing:
        raise
    except ValueError as error:
        raise click.UsageError(str(error)) from None


@apps.command("rotate-secret")
@click.argument("client_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True)
@reports_refusals
def rotate_secret(client_id: str, as_json: bool) -> None:
    """Print a new secret. The last one works until the next rotation."""
    app = services().operators.apps.named(client_id).app
    _say_made(MadeApp(app, services().operators.apps.new_secret(client_id, replace=True)), as_json)


@apps.command("delete")
@click.argument("client_id", metavar="ID")
@reports_refusals
def delete(client_id: str) -> None:
    """Delete an app, with all that people allowed it."""
    click.echo(f"Deleted {services().operators.apps.delete(client_id)}.")


def _described(stored: StoredApp) -> dict[str, Any]:
    app, options = stored.app, stored.options
    times = {"made_at": machine(app.made_at), "used_at": machine(app.used_at) if app.used_at else None}
    return {
        "client_id": app.client_id,
        "kind": app.kind,
        **times,
        **{name: getattr(options, name) for name in AppOptions.__dataclass_fields__},
        "secrets": [machine(secret.made_at) for secret in stored.secrets],
    }


def _say_made(made: MadeApp, as_json: bool) -> None:
    """The id and the secret; that of a guarded host is only in its proxy's configuration."""
    client_id = made.app.client_id
    is_client = made.app.kind != GUARDED
    _say({"client_id": client_id, "client_secret": made.secret} if is_client else {"id": client_id}, as_json)


def _say(facts: dict[str, Any], as_json: bool) -> None:
    """One `name=value` line for each fact that there is, or all of them as JSON."""
    if as_json:
        click.echo(json.dumps(facts))
        return
    for name, value in facts.items():
        if value is not None:
            click.echo(f"{name}={_plain(value)}")


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(value)
    return json.dumps(value) if isinstance(value, dict) else str(value)
