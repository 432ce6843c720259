"""`flask accounts`: creates, invites, shows, renames, recovers and deletes accounts. Must not print a stored secret."""

from __future__ import annotations

import sys
from io import StringIO

import click
from flask.cli import AppGroup

from ..domain.moments import minute
from ..policy import HOUR
from ..services.email_addresses import normalize
from .common import reports_refusals, services

accounts = AppGroup(
    "accounts",
    help="Accounts: create, invite, list, show, rename, promote, demote, lock, unlock, reset-second-factors, log-out,"
    " delete.",
)


@accounts.command("create")
@click.option("--username", required=True)
@click.option("--email")
@click.option("--name", required=True)
@click.option("--email-confirmed", is_flag=True, help="The email address is known to belong to the account's owner.")
@click.option("--phone", help="A phone number with its country code, known to belong to the account's owner.")
@reports_refusals
def create(username: str, email: str | None, name: str, email_confirmed: bool, phone: str | None) -> None:
    """Create an account. Reads the password from standard input, or asks for it."""
    given = sys.stdin or StringIO()  # None when it is closed
    password = click.prompt("Password", hide_input=True) if given.isatty() else given.readline().rstrip("\n")
    address = normalize(email) if email else None
    number = services().phone_numbers.read(phone, "") if phone else None
    known = was_deleted(username)
    account = services().sign_up.create_by_operator(
        name, username, password, address, confirmed=email_confirmed, number=number
    )
    click.echo(f"Created {account.username}.")
    tell_if(known)


def was_deleted(username: str | None) -> bool:
    """Whether a deleted account had it. Asked before anything is changed, for the key of these names may be missing."""
    if username is None:
        return False  # one is made that no account had
    with services().db.read() as tx:
        return services().usernames.was_deleted(tx, services().usernames.tidy(username))


def tell_if(known: bool) -> None:
    if known:
        click.echo("A deleted account had this username: sites that trusted it will trust this one.", err=True)


@accounts.command("invite")
@click.option("--email", required=True)
@click.option("--username", help="Otherwise one is made from the address.")
@click.option("--name", help="Otherwise the username.")
@reports_refusals
def invite(email: str, username: str | None, name: str | None) -> None:
    """Create an account, and mail its owner a link that sets the password. Again: mail another link."""
    known = was_deleted(username)
    account = services().invitations.send(email, username, name)
    hours = services().settings.policy.invitation_seconds // HOUR
    click.echo(f"Invited {account.unconfirmed_email} as {account.username}. The link works for {hours} hours, once.")
    tell_if(known)


@accounts.command("list")
@reports_refusals
def list_accounts() -> None:
    """List all accounts: username, email address, name."""
    for account in services().accounts.all():
        click.echo(f"{account.username}\t{account.email or '-'}\t{account.name}")


@accounts.command("show")
@click.argument("username")
@reports_refusals
def show(username: str) -> None:
    """Show an account without its secrets."""
    account = services().accounts.named(username)
    factors = services().accounts.factors(account)
    on = [f"{factor.method} ({factor.label})" if factor.label else factor.method for factor in factors]
    click.echo(f"Username: {account.username}")
    click.echo(f"Name: {account.name}")
    click.echo(f"Email address: {account.email or 'not confirmed'}")
    click.echo(f"Phone number: {account.phone_number_hint or 'none'}")
    click.echo(f"Two-factor methods: {', '.join(on) or 'none'}")
    click.echo(f"Backup code: {'yes' if account.backup_code_hash else 'no'}")
    click.echo(f"Role: {account.role}")
    click.echo(f"Groups: {', '.join(services().operators.groups.of(account.id)) or 'none'}")
    if account.locked_at:
        click.echo(f"Locked: since {minute(account.locked_at)}")
    former = services().accounts.former_usernames(account)
    if former:
        click.echo(f"Earlier usernames: {', '.join(former)}")
    if account.new_username and account.rename_at:
        click.echo(f"New username: {account.new_username}, on {minute(account.rename_at)}")
    if account.recovery_at:
        click.echo(f"Recovery: two-factor methods are reset on {minute(account.recovery_at)}")
    if account.delete_at:
        click.echo(f"Deleted by its owner: on {minute(account.delete_at)}, unless they log in before")


@accounts.command("rename")
@click.argument("username")
@click.argument("new")
@reports_refusals
def rename(username: str, new: str) -> None:
    """Change the username of an account at once, and notify its owner. The earlier one still logs in."""
    earlier = services().accounts.named(username).username
    known = was_deleted(new)
    renamed = services().accounts.rename(username, new)
    click.echo(f"Renamed {earlier} to {renamed}. {earlier} still logs in.")
    tell_if(known)


@accounts.command("reset-second-factors")
@click.argument("username")
@click.option("--why", required=True, help="Reason; logged and sent to the account owner.")
@reports_refusals
def reset_second_factors(username: str, why: str) -> None:
    """Turn off two-factor authentication for an account that is locked out, and notify its owner."""
    services().accounts.reset_second_factors(username, why)
    click.echo(
        f"Two-factor authentication is off for {username}. All devices were logged out and the owner was notified."
    )


@accounts.command("log-out")
@click.argument("username")
@reports_refusals
def log_out(username: str) -> None:
    """Log out all devices of an account and forget its remembered browsers."""
    services().accounts.log_out(username)
    click.echo(f"{username} is logged out on all devices.")


@accounts.command("delete")
@click.argument("username")
@reports_refusals
def delete(username: str) -> None:
    """Delete an account and all its data at once, and notify its owner."""
    services().accounts.delete(username)
    click.echo(f"Deleted {username}.")


@accounts.command("promote")
@click.argument("username")
@reports_refusals
def promote(username: str) -> None:
    """Make an account an operator, who sees the operator's pages, and notify its owner."""
    did = services().operators.roles.promote(username)
    click.echo(f"{username} is an operator now." if did else f"{username} is an operator already.")


@accounts.command("demote")
@click.argument("username")
@reports_refusals
def demote(username: str) -> None:
    """End the role of an operator, unless it is the last one, and notify its owner."""
    did = services().operators.roles.demote(username)
    click.echo(f"{username} is no operator any more." if did else f"{username} isn't an operator.")


@accounts.command("lock")
@click.argument("username")
@reports_refusals
def lock(username: str) -> None:
    """Log out all devices of an account and refuse every login until it is unlocked. Notifies its owner."""
    did = services().operators.roles.lock(username)
    click.echo(f"{username} is locked and logged out on all devices." if did else f"{username} is locked already.")


@accounts.command("unlock")
@click.argument("username")
@reports_refusals
def unlock(username: str) -> None:
    """Let a locked account log in again, and notify its owner."""
    did = services().operators.roles.unlock(username)
    click.echo(f"{username} can log in again." if did else f"{username} isn't locked.")
