"""`flask keys`: generates keys and seals again under the newest. Must print no key that is in use."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from ..environment import PREFIX
from ..keys import generate_keys
from .common import reports_refusals, services

keys = AppGroup("keys", help="Keys: generate new ones, and re-encrypt stored secrets with the newest.")


@keys.command("generate")
def generate() -> None:
    """Print new keys as NAME=value lines for the settings."""
    for name, value in generate_keys().items():
        click.echo(f"{PREFIX}{name}={value}")


@keys.command("reseal")
@reports_refusals
def reseal() -> None:
    """Re-encrypt all stored secrets with the newest key."""
    try:
        count = services().maintenance.reseal()
    except ValueError as error:  # the keyring's error names the key
        raise click.ClickException(f"{error}; put it back into {PREFIX}ENCRYPTION_KEYS and try again.") from None
    click.echo(f"Re-encrypted {count} secrets.")
