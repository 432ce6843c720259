"""`flask signing-keys`: rotates and lists the keys that sign the tokens for apps. Must print no private key."""

from __future__ import annotations

from datetime import UTC, datetime

import click
from flask.cli import AppGroup

from ..services.openid.signing_keys import RotatedLately
from .common import reports_refusals, services

signing_keys = AppGroup("signing-keys", help="Keys that sign the tokens for apps: rotate them, or list them.")


@signing_keys.command("rotate")
@click.option("--now", "at_once", is_flag=True, help="Sign with new keys from now on.")
@click.option("--withdraw", is_flag=True, help="The same, and believe no earlier key, because one may be known.")
@reports_refusals
def rotate(*, at_once: bool, withdraw: bool) -> None:
    """Publish the next keys, which sign a day later."""
    try:
        starts = services().openid.signing_keys.rotate(at_once=at_once, withdraw=withdraw)
    except RotatedLately as refusal:
        raise click.ClickException(
            f"The keys were rotated within a day; the newest sign from {_time(refusal.at)}."
            " Use --now to rotate all the same, or --withdraw if a key may be known to others."
        ) from None
    click.echo(f"The next keys sign from {_time(starts)}.")


@signing_keys.command("list")
@reports_refusals
def list_keys() -> None:
    """List the published keys."""
    for key in services().openid.signing_keys.states():
        until = f" until {_time(key.signs_until)}" if key.signs_until is not None else ""
        click.echo(f"{key.kid} {key.algorithm} {key.state} from {_time(key.signs_from)}{until}")


def _time(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")
