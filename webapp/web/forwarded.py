"""Complains, once an hour in each process, of X-Forwarded-For at a site that trusts no proxy."""

from __future__ import annotations

from contextlib import suppress

import structlog
from flask import Flask, request

from ..bootstrap import Services
from ..domain.refusals import DatabaseUnavailable
from ..policy import HOUR

log = structlog.get_logger()


class Complaint:
    def __init__(self, services: Services) -> None:
        self._services = services
        self._at: int | None = None

    def __call__(self) -> None:
        """Before each request."""
        now = self._services.clock.now()
        if "X-Forwarded-For" not in request.headers or (self._at is not None and abs(now - self._at) < HOUR):
            return
        self._at = now
        log.warning("forwarded_but_no_proxy_trusted")
        with suppress(DatabaseUnavailable):  # it is stored at the next complaint
            self._services.proxies.mark()


def install(app: Flask, services: Services) -> None:
    if services.settings.trusted_proxies == 0:
        app.before_request(Complaint(services))
