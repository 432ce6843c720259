"""What the commands share: the services, and how a refusal ends a command."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import click
from flask import current_app
from sqlalchemy.exc import IntegrityError

from ..bootstrap import Services
from ..domain.refusals import NotFound, Refusal

SAY = "nightlatch-say"


def services() -> Services:
    found: Services = current_app.extensions["nightlatch"]
    return found


def reports_refusals(command: Callable[..., Any]) -> Callable[..., Any]:
    """Decorates a command: a refusal ends it with one sentence and status 1."""

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except Refusal as refusal:
            unknown = type(refusal) is NotFound  # one that says what was not found has a sentence of its own
            sentence = "No account has that username." if unknown else current_app.extensions[SAY](refusal)
            raise click.ClickException(sentence) from None
        except IntegrityError:
            raise click.ClickException("That username or email address belongs to another account.") from None

    return wrapped
