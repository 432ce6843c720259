"""A coarse limit on failed POST requests from one network address, in memory or shared in Redis.

The limits that protect accounts are in the database (`Attempts`). When Redis does not answer, it counts in memory, and
asks Redis again only after a while: a silent Redis must not make requests wait one after another.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

import structlog
from flask import Flask, request
from flask.wrappers import Response
from limits import RateLimitItem, parse
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import FixedWindowRateLimiter
from werkzeug.exceptions import TooManyRequests

from ..domain.ports import Clock
from ..metrics import LIMITS
from ..settings import Settings
from . import current

log = structlog.get_logger()
REDIS_SECONDS = 0.5  # a slow Redis must not slow the site
ASK_AGAIN_SECONDS = 30  # after Redis did not answer; then a single request asks it


class Floods:
    """Counts failed POST requests by network address. `limit` is in the notation of the `limits` package."""

    def __init__(self, limit: str, redis_url: str | None, clock: Clock) -> None:
        self._clock = clock
        self._lock = Lock()
        self._silent_since: int | None = None
        self._limit: RateLimitItem = parse(limit)
        self._local = FixedWindowRateLimiter(MemoryStorage())
        self._store: RedisStorage | None = None
        if redis_url is not None:
            # 40 ms and 4 MiB, and few sites have it (docs/decisions/lazy-imports.md)
            from redis import ConnectionPool
            from redis.backoff import NoBackoff
            from redis.retry import Retry

            pool = ConnectionPool.from_url(
                redis_url,
                socket_timeout=REDIS_SECONDS,
                socket_connect_timeout=REDIS_SECONDS,
                retry=Retry(NoBackoff(), 0),
            )
            self._store = RedisStorage(redis_url, connection_pool=pool)
        self._shared = FixedWindowRateLimiter(self._store) if self._store is not None else self._local

    def store_answers(self) -> bool:
        """False when Redis is configured and does not answer."""
        if self._store is None:
            return True
        answers = self._store.check()
        self._silent_since = None if answers else self._clock.now()
        return answers

    def has_room(self, address: str) -> bool:
        return self._ask(lambda limiter: limiter.test(self._limit, address))

    def count(self, address: str) -> None:
        self._ask(lambda limiter: limiter.hit(self._limit, address))

    def _ask(self, question: Callable[[FixedWindowRateLimiter], bool]) -> bool:
        """The answer of Redis, or of the memory of this process while Redis is silent."""
        if self._store is None or not self._is_asked():
            return question(self._local)
        try:
            answer = question(self._shared)
        except Exception as error:  # the client raises errors of several libraries
            log.warning("flood_store_gone", error=type(error).__name__)
            self._silent_since = self._clock.now()
            return question(self._local)
        self._silent_since = None
        return answer

    def _is_asked(self) -> bool:
        """False while Redis is known to be silent, except for one request when it is time to ask again."""
        with self._lock:
            now, since = self._clock.now(), self._silent_since
            if since is None:
                return True
            if 0 <= now - since < ASK_AGAIN_SECONDS:
                return False
            self._silent_since = now  # others go on without Redis while this request asks
            return True

    @property
    def seconds(self) -> int:
        return int(self._limit.get_expiry())


def install(app: Flask, settings: Settings, clock: Clock) -> None:
    floods = Floods(settings.policy.flood, settings.redis_url, clock)
    app.extensions["floods"] = floods

    def check() -> None:
        if request.method == "POST" and not floods.has_room(current.origin().rate_limit_key):
            LIMITS.labels("flood").inc()
            raise TooManyRequests(retry_after=floods.seconds)

    def count(response: Response) -> Response:
        # a request that this limit refused is not counted again
        if request.method == "POST" and response.status_code >= 400 and response.status_code != 429:
            floods.count(current.origin().rate_limit_key)
        return response

    app.before_request(check)
    app.after_request(count)
