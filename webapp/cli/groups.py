"""`flask groups`: creates and deletes groups, and adds accounts to them."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from .common import reports_refusals, services

groups = AppGroup("groups", help="Groups: create, list, add, remove, delete.")


@groups.command("create")
@click.argument("name")
@reports_refusals
def create(name: str) -> None:
    """Create a group: lowercase letters, numbers and dashes."""
    click.echo(f"Created the group {services().operators.groups.create(name)}.")


@groups.command("list")
@reports_refusals
def list_groups() -> None:
    """List all groups: name, number of members."""
    for row in services().operators.groups.all():
        click.echo(f"{row.name}\t{row.members}")


@groups.command("add")
@click.argument("name")
@click.argument("username")
@reports_refusals
def add(name: str, username: str) -> None:
    """Add an account to a group."""
    did = services().operators.groups.add(name, username)
    click.echo(f"{username} is in the group {name} now." if did else f"{username} is in the group {name} already.")


@groups.command("remove")
@click.argument("name")
@click.argument("username")
@reports_refusals
def remove(name: str, username: str) -> None:
    """Remove an account from a group."""
    did = services().operators.groups.remove(name, username)
    click.echo(f"{username} left the group {name}." if did else f"{username} isn't in the group {name}.")


@groups.command("delete")
@click.argument("name")
@reports_refusals
def delete(name: str) -> None:
    """Delete a group, unless an app is open to it."""
    services().operators.groups.delete(name)
    click.echo(f"Deleted the group {name}.")
