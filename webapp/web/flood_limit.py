"""A coarse limit on failed POST requests from one network address, in memory or shared in Redis.

The limits that protect accounts are in the database (`Attempts`). When Redis does not answer, it counts in memory.
"""

from __future__ import annotations

import structlog
from flask import Flask, request
from flask.wrappers import Response
from limits import RateLimitItem, parse
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import FixedWindowRateLimiter
from werkzeug.exceptions import TooManyRequests

from ..settings import Settings
from . import current

log = structlog.get_logger()
REDIS_SECONDS = 1  # a slow Redis must not slow the site


class Floods:
    """Counts failed POST requests by network address. `limit` is in the notation of the `limits` package."""

    def __init__(self, limit: str, redis_url: str | None) -> None:
        self._limit: RateLimitItem = parse(limit)
        self._local = FixedWindowRateLimiter(MemoryStorage())
        self._store: RedisStorage | None = None
        if redis_url is not None:
            self._store = RedisStorage(redis_url, socket_timeout=REDIS_SECONDS, socket_connect_timeout=REDIS_SECONDS)
        self._shared = FixedWindowRateLimiter(self._store) if self._store is not None else self._local

    def store_answers(self) -> bool:
        """False when Redis is configured and does not answer."""
        return self._store is None or self._store.check()

    def has_room(self, address: str) -> bool:
        try:
            return self._shared.test(self._limit, address)
        except Exception as error:  # the client raises errors of several libraries
            log.warning("flood_store_gone", error=type(error).__name__)
            return self._local.test(self._limit, address)

    def count(self, address: str) -> None:
        try:
            self._shared.hit(self._limit, address)
        except Exception:  # `has_room` has logged it
            self._local.hit(self._limit, address)

    @property
    def seconds(self) -> int:
        return int(self._limit.get_expiry())


def install(app: Flask, settings: Settings) -> None:
    floods = Floods(settings.policy.flood, settings.redis_url)
    app.extensions["floods"] = floods

    def check() -> None:
        if request.method == "POST" and not floods.has_room(current.origin().rate_limit_key):
            raise TooManyRequests(retry_after=floods.seconds)

    def count(response: Response) -> Response:
        # a request that this limit refused is not counted again
        if request.method == "POST" and response.status_code >= 400 and response.status_code != 429:
            floods.count(current.origin().rate_limit_key)
        return response

    app.before_request(check)
    app.after_request(count)
