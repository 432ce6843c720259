"""`flask why`: explains why the request of an app was refused. It prints no secret: none is kept."""

from __future__ import annotations

from datetime import UTC, datetime

import click
from flask.cli import with_appcontext

from ..domain.app_rules import RULES, UNLISTED
from ..domain.refusals import NotFound
from ..policy import DAY
from ..services.operators.refusals import Explained
from .common import reports_refusals, services


@click.command("why")
@click.argument("error_id")
@with_appcontext
@reports_refusals
def why(error_id: str) -> None:
    """Print what an app asked, which rule refused it and what would be right, for the error ID that it was given."""
    try:
        found = services().operators.refusals.explain(error_id.strip().lower())
    except NotFound:
        days = services().core.policy.refusals_kept // DAY
        raise click.ClickException(
            f"No refusal with this error ID is kept. They are kept for {days} days, and not when very many came at"
            " once; the log may have it as app_refused."
        ) from None
    for line in _lines(found):
        click.echo(line)


def _lines(found: Explained) -> list[str]:
    refused, rule = found.refused, RULES.get(found.refused.rule, UNLISTED)
    facts = "; ".join(f"{name}: {value}" for name, value in refused.facts.items() if value not in ("", None))
    lines = [
        f"Error ID:  {refused.number}",
        f"When:      {datetime.fromtimestamp(refused.at, UTC):%Y-%m-%d %H:%M:%S} UTC",
        f"Address:   {refused.endpoint}",
        f"App:       {_app(found)}",
        *([f"Answer:    {facts}"] if facts else []),
        "Asked:",
        *(f"  {name}={value}" for name, value in refused.asked if value),
        *([] if any(value for _, value in refused.asked) else ["  nothing"]),
        f"Rule:      {rule.demands} ({refused.rule}; {rule.source})",
        f"Right:     {rule.right}",
    ]
    if rule.compare and found.app is not None:
        registered = " ".join(getattr(found.app, rule.compare)) or "nothing"
        lines.append(f"Registered now: {registered}")
    return lines


def _app(found: Explained) -> str:
    if found.app is not None:
        return f"{found.app.name} ({found.app.client_id})"
    return f"none has the client ID {found.refused.client_id}" if found.refused.client_id else "not known"
