"""Says in the log, once a minute in each process, why the database is not available: people read only that."""

from __future__ import annotations

import structlog
from flask import Flask, request
from flask.wrappers import Response

from ..bootstrap import Services
from ..policy import MINUTE

log = structlog.get_logger()


class Report:
    def __init__(self, services: Services) -> None:
        self._services = services
        self._at: int | None = None

    def __call__(self, response: Response) -> Response:
        """After each request."""
        why, now = self._services.db.why_unavailable(), self._services.clock.now()
        if response.status_code == 503 and why and (self._at is None or abs(now - self._at) >= MINUTE):
            self._at = now
            log.error("database_unavailable", error=why, rule=str(request.url_rule))
        return response


def install(app: Flask, services: Services) -> None:
    app.after_request(Report(services))
