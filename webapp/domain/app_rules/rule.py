"""What a rule about requests of apps is, and advice that several rules share."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """`demands` and `right` are sentences, `source` names a document and section.

    `said` are beginnings of `error_description`, `errors` codes of `error`, by which an answer is found.
    """

    demands: str
    source: str
    right: str
    said: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    compare: str = ""
    """The column of `RegisteredApp` with what is registered, to be printed beside what was asked."""
    is_stored: bool = True
    """False where the database itself is the trouble: the log has the refusal, and no row is written."""


COPY_ID = "Copy the client ID from the app's page (/operator/apps, or `apps list`) into the app."
NEW_LOGIN = (
    "Let the person log in to the app again. If it happens often, look whether the app sends its requests twice."
)
LOOK_AT_APP = "Compare the app's request with the documentation of its OpenID Connect library."
