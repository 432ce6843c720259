"""What the commands share: the services, and how a refusal ends a command."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import click
from flask import current_app
from sqlalchemy.exc import DBAPIError, IntegrityError

from ..bootstrap import Services
from ..domain.ports import KeyMissing
from ..domain.refusals import DatabaseUnavailable, NotFound, Refusal
from ..environment import PREFIX
from ..models.database import said
from ..models.revisions import UnusableDatabase, missing_file

SAY = "nightlatch-say"


def services() -> Services:
    found: Services = current_app.extensions["nightlatch"]
    return found


def reports_refusals(command: Callable[..., Any]) -> Callable[..., Any]:
    """Decorates a command: a refusal, a missing key, bytes that are no text, and a database that cannot be used end it
    with one sentence and status 1."""

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        url = services().settings.database_url
        if missing := missing_file(url):
            raise click.ClickException(f"The database {missing}.")
        try:
            return command(*args, **kwargs)
        except DatabaseUnavailable as refusal:
            raise click.ClickException(_about_database(url) or f"The database refused: {said(refusal)}.") from None
        except KeyMissing as error:
            raise click.ClickException(f"{error}; put back what was in {PREFIX}ENCRYPTION_KEYS.") from None
        except UnicodeEncodeError:  # how Python reads a byte that is not UTF-8 cannot be written (PEP 383)
            raise click.ClickException("What was given isn't UTF-8.") from None
        except Refusal as refusal:
            unknown = type(refusal) is NotFound  # one that says what was not found has a sentence of its own
            sentence = "No account has that username." if unknown else current_app.extensions[SAY](refusal)
            raise click.ClickException(sentence) from None
        except IntegrityError:
            raise click.ClickException("That username or email address belongs to another account.") from None
        except DBAPIError:
            if (sentence := _about_database(url)) is None:
                raise  # a bug of ours
            raise click.ClickException(sentence) from None

    return wrapped


@contextmanager
def reports_unusable_database() -> Iterator[None]:
    """Decorates a command that makes or changes the tables: a database that it cannot use ends it with one sentence and
    status 1."""
    try:
        yield
    except UnusableDatabase as error:
        raise click.ClickException(f"The database {error}.") from None


def _about_database(url: str) -> str | None:
    from ..models.migrate import trouble  # as in database.py

    found = trouble(url)
    return f"The database {found}." if found else None
