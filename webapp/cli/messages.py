"""`flask messages`: delivers what the outbox owes, and reports on texts. Must not print a message."""

from __future__ import annotations

from datetime import UTC, datetime

import click
from flask.cli import AppGroup

from ..policy import DAY
from ..worker import work_until_told
from .common import reports_refusals, services

messages = AppGroup("messages", help="Messages: send queued ones once or keep sending, and report on texts.")


@messages.command("send")
@reports_refusals
def send() -> None:
    """Send queued messages once."""
    click.echo(f"Messages sent: {services().delivery.deliver_due()}")


@messages.command("work")
@reports_refusals
def work() -> None:
    """Keep sending queued messages."""
    work_until_told(services())


@messages.command("report")
@click.option("--days", type=click.IntRange(1, 30), default=7, show_default=True)
@reports_refusals
def report(days: int) -> None:
    """Show how many texts were sent or refused, and why, by day and country."""
    for row in services().text_caps.report(days):
        day = datetime.fromtimestamp(row.day * DAY, UTC).date().isoformat()
        click.echo(f"{day}\t{row.country}\t{row.outcome}\t{row.count}")
