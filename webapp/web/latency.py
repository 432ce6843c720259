"""Counts each request with its duration, by endpoint and status. Paths are no labels: some contain secrets."""

from __future__ import annotations

from time import perf_counter

from flask import Flask, g, request
from flask.wrappers import Response

from ..metrics import REQUESTS
from . import layouts


def install(app: Flask) -> None:
    """Must be called before other functions are registered: Flask calls the first `after_request` last."""

    def begin() -> None:
        g.began = perf_counter()

    def count(response: Response) -> Response:
        endpoint = layouts.endpoint() or request.endpoint or "unknown"
        REQUESTS.labels(endpoint, response.status_code).observe(perf_counter() - g.began)
        return response

    app.before_request(begin)
    app.after_request(count)
