"""`flask apps`: registers, lists, shows and deletes apps. A new secret is printed once; no stored one is printed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import click
from flask.cli import AppGroup, with_appcontext

from ..domain.moments import machine
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
from ..services.operators.app_options import AppOptions
from ..services.operators.apps import MadeApp, StoredApp
from .common import reports_refusals, services

apps = AppGroup("apps", help="Apps: create, list, show, rotate-secret, delete.")


def _refuse(_context: click.Context, option: click.Parameter, given: Any) -> None:
    """Ends the command with status 2 when an option was given that nothing reads yet."""
    if given:
        raise click.UsageError(f"This version does not support {option.opts[0]} yet.")


def _known_kind(_context: click.Context, _option: click.Parameter, kind: str) -> str:
    if kind == GUARDED:
        raise click.UsageError(f"This version does not support --kind {GUARDED} yet.")
    return kind


def _not_yet(name: str, *, is_flag: bool = False) -> Callable[[Any], Any]:
    """An option that is known and refused, so that nothing is stored that nothing reads."""
    said = "Not supported yet."
    return click.option(name, is_flag=is_flag, multiple=not is_flag, callback=_refuse, expose_value=False, help=said)


@apps.command("create")
@click.option("--name", required=True)
@click.option("--kind", required=True, type=click.Choice([WEB, PUBLIC, GUARDED]), callback=_known_kind)
@click.option("--redirect-uri", "redirect_uris", multiple=True, help="Where people return to; any number.")
@click.option("--group", "groups", multiple=True, help="Only members of this group may use it; any number.")
@click.option("--proof", type=click.Choice([PASSWORD, TWO_FACTOR, KEY]), default=PASSWORD, show_default=True)
@click.option("--subject", "subject_type", type=click.Choice([PAIRWISE, PUBLIC_SUBJECT]), default=PAIRWISE)
@click.option("--post-logout-redirect-uri", "post_logout_redirect_uris", multiple=True)
@click.option("--scope", "scopes", multiple=True, type=click.Choice(SCOPES), default=SCOPES, help="By default all.")
@click.option("--trusted", is_flag=True, help="Do not ask people for consent.")
@click.option("--device", "device_allowed", is_flag=True, help="Allow it on devices without a browser (RFC 8628).")
@click.option("--no-pkce", is_flag=True, help="Do not demand PKCE of a web application.")
@click.option("--signing-algorithm", type=click.Choice(ALGORITHMS), default=ALGORITHMS[0], show_default=True)
@click.option("--max-age", type=int, help="The greatest age of the proof, in seconds.")
@click.option("--origin", "origins", multiple=True, help="A web origin whose scripts may read answers; any number.")
@click.option("--resource", "resources", multiple=True, help="A resource server's address; any number.")
@click.option("--sector", default="", help="The host by which pairwise subjects are made.")
@_not_yet("--dpop", is_flag=True)
@_not_yet("--jwks")
@_not_yet("--jwks-uri")
@_not_yet("--backchannel-logout-uri")
@_not_yet("--private-address")
@_not_yet("--host")
@_not_yet("--rule")
@_not_yet("--allow-authorization", is_flag=True)
@click.option("--json", "as_json", is_flag=True)
@with_appcontext
@reports_refusals
def create(kind: str, no_pkce: bool, as_json: bool, **given: Any) -> None:
    """Register an app and print its client id and secret."""
    options = AppOptions(**given, pkce_demanded=not no_pkce)
    _say_made(services().operators.apps.create(kind, options), as_json)


@apps.command("list")
@with_appcontext
def list_apps() -> None:
    """List all apps: client id, kind, name, and when each was last used."""
    for app in services().operators.apps.all():
        click.echo(f"{app.client_id}\t{app.kind}\t{app.name}\t{machine(app.used_at) if app.used_at else '-'}")


@apps.command("show")
@click.argument("client_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True)
@with_appcontext
@reports_refusals
def show(client_id: str, as_json: bool) -> None:
    """Show an app without its secrets."""
    _say(_described(services().operators.apps.named(client_id)), as_json)


@apps.command("rotate-secret")
@click.argument("client_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True)
@with_appcontext
@reports_refusals
def rotate_secret(client_id: str, as_json: bool) -> None:
    """Print a new secret. The last one works until the next rotation."""
    app = services().operators.apps.named(client_id).app
    _say_made(MadeApp(app, services().operators.apps.new_secret(client_id, replace=True)), as_json)


@apps.command("delete")
@click.argument("client_id", metavar="ID")
@with_appcontext
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
