"""Notes refused requests of apps and of guarded hosts, so that `flask why` can explain them.

Strangers cause refusals, so rows are limited by network and in total. A row that cannot be written costs nothing but
itself: the log has the refusal, and the answer its number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import structlog
from sqlalchemy import insert, select
from sqlalchemy.exc import SQLAlchemyError

from ...domain.app_rules import RULES
from ...domain.origin import Origin
from ...domain.refusals import DatabaseUnavailable, NotFound, TooManyAttempts
from ...models.refusals import RefusedRequest
from ...models.registered_apps import RegisteredApp
from ..attempt_rules import SlidingWindows
from ..attempts import Attempts, Bucket
from ..core import Core

log = structlog.get_logger()
Asked = Mapping[str, str] | Iterable[tuple[str, str]]
SHOWN = frozenset(
    ("response_type", "response_mode", "redirect_uri", "post_logout_redirect_uri", "scope", "prompt", "max_age",
     "acr_values", "claims", "code_challenge_method", "ui_locales", "resource", "grant_type", "token_type_hint",
     "client_assertion_type", "client_id", "authorization", "content_type", "method", "host", "path", "proxy")
)  # fmt: skip
"""The names whose values are kept. Of every other parameter only the name is: it may be a secret, a code or a token."""
NOT_KEPT = "(not kept)"
NAME = re.compile(r"[A-Za-z0-9_.-]{1,40}")
"""Shorter than a code or secret of this site, which a broken request may have where a name belongs."""
LONGEST, MOST = 300, 30
CREDENTIALS = re.compile(r"//[^/?#]*@")


@dataclass(frozen=True, slots=True)
class Explained:
    """A refusal, and the app that it names, if there is one."""

    refused: RefusedRequest
    app: RegisteredApp | None


@dataclass(frozen=True, slots=True)
class Refusals:
    core: Core
    attempts: Attempts

    def note(
        self,
        rule: str,
        *,
        endpoint: str,
        origin: Origin,
        client_id: str | None = None,
        asked: Asked = (),
        **facts: str | int | None,
    ) -> str:
        """Writes a refusal to the log and, within the limits, to the table. Returns its error id.

        `rule` is a name in `RULES`; `endpoint` a path without anything secret in it; `facts` are kept as they are. It
        must not be called within a transaction, and raises nothing.
        """
        number = self.core.entropy.bytes(8).hex()
        named = client_id if client_id and NAME.fullmatch(client_id) else None
        log.info("app_refused", error_id=number, rule=rule, endpoint=endpoint, client_id=named, **facts)
        if rule not in RULES or RULES[rule].is_stored:
            values = {"number": number, "rule": rule, "endpoint": _plain(endpoint)[:80], "client_id": named}
            kept = {name: _plain(value) if isinstance(value, str) else value for name, value in facts.items()}
            self._store({**values, "asked": _kept(asked), "facts": kept}, origin)
        return number

    def _store(self, values: dict[str, object], origin: Origin) -> None:
        policy = self.core.policy
        limits = (
            Bucket(f"refusals-from:{origin.network}", SlidingWindows((policy.refusals_of_network,))),
            Bucket("refusals", SlidingWindows((policy.refusals_noted,))),
        )
        try:
            self.attempts.spend(*limits)
            with self.core.db.write(durable=False) as tx:
                tx.execute(insert(RefusedRequest).values(at=self.core.clock.now(), **values))
        except TooManyAttempts:
            return
        except (DatabaseUnavailable, SQLAlchemyError) as error:
            log.warning("app_refused_not_kept", error_id=values["number"], why=type(error).__name__)

    def explain(self, number: str) -> Explained:
        """Raises `NotFound` for a number that is unknown or too old."""
        with self.core.db.read() as tx:
            refused = tx.objects.scalars(select(RefusedRequest).where(RefusedRequest.number == number)).one_or_none()
            if refused is None:
                raise NotFound()
            named = RegisteredApp.client_id == refused.client_id
            return Explained(refused, tx.objects.scalars(select(RegisteredApp).where(named)).one_or_none())


def _kept(asked: Asked) -> list[list[str]]:
    """Pairs without what may be secret, at most `MOST`."""
    pairs = asked.items() if isinstance(asked, Mapping) else asked
    known = [(name if NAME.fullmatch(name) else "(another name)", value) for name, value in pairs]
    return [[name, _plain(value) if name in SHOWN else NOT_KEPT] for name, value in known[:MOST]]


def _plain(text: str) -> str:
    """One line without control characters, which a database or a terminal would take for something else, and without
    credentials in an address."""
    cut = CREDENTIALS.sub("//", text[:LONGEST])
    return "".join(c if c.isprintable() else "\ufffd" for c in cut)
