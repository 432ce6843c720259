"""A coarse limit on failed POST requests from one network address, in memory or shared in Redis.

The limits that protect accounts are in the database (`Attempts`). This one counts there too while Redis does not
answer, and asks Redis again only after a while: a silent Redis must not make requests wait one after another. When
the database does not answer either, forms are answered 503.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from threading import Lock

import structlog
from flask import Flask, current_app, request
from flask.wrappers import Response
from limits import RateLimitItemPerSecond
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import FixedWindowRateLimiter
from werkzeug.exceptions import TooManyRequests

from ..bootstrap import Services
from ..domain.ports import Clock
from ..domain.refusals import DatabaseUnavailable, TooManyAttempts
from ..metrics import LIMITS
from ..policy import Window
from ..services.attempt_rules import SlidingWindows
from ..services.attempts import Attempts, Bucket
from . import current

log = structlog.get_logger()
REDIS_SECONDS = 0.04  # then the database is asked
ASK_AGAIN_SECONDS = 30  # after Redis did not answer; then a single request asks it


class Floods:
    """Counts failed POST requests by network address: in `redis_url`, or without it in the memory of this process."""

    def __init__(self, limit: Window, redis_url: str | None, clock: Clock, attempts: Attempts) -> None:
        self._clock, self._attempts = clock, attempts
        self._lock = Lock()
        self._silent_since: int | None = None
        self._rule = SlidingWindows((limit,))
        self._limit = RateLimitItemPerSecond(limit.most, limit.seconds)
        self.seconds = limit.seconds
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
        self._limiter = FixedWindowRateLimiter(self._store or MemoryStorage())

    def store_answers(self) -> bool:
        """False when Redis is configured and does not answer."""
        if self._store is None:
            return True
        answers = self._store.check()
        self._silent_since = None if answers else self._clock.now()
        return answers

    def store_fault(self) -> str | None:
        """Why Redis does not count; None when it does, or is not configured. One that answers may be full or a replica,
        so a count is made, which Redis drops when the limit's time has passed."""
        if self._store is None:
            return None
        try:
            self._limiter.hit(self._limit, "check")
        except Exception as error:  # as in `_ask`
            return str(error).rstrip(".") or type(error).__name__
        return None

    def has_room(self, address: str) -> bool:
        """Raises `DatabaseUnavailable` when neither Redis nor the database answers."""
        room = self._ask(lambda: self._limiter.test(self._limit, address))
        return self._attempts.wait(self._bucket(address)) == 0 if room is None else room

    def count(self, address: str) -> None:
        """Raises `DatabaseUnavailable` when neither Redis nor the database answers."""
        if self._ask(lambda: self._limiter.hit(self._limit, address)) is None:
            with suppress(TooManyAttempts):
                self._attempts.spend(self._bucket(address))

    def _bucket(self, address: str) -> Bucket:
        return Bucket(f"flood:{address}", self._rule)

    def _ask(self, question: Callable[[], bool]) -> bool | None:
        """The answer of Redis, or of the memory; None while Redis is silent, full or gone."""
        if self._store is None:
            with self._lock:  # the memory starts a timer when none runs: two requests at once would start it twice
                return question()
        if not self._is_asked():
            return None
        try:
            answer = question()
        except Exception as error:  # the client raises errors of several libraries
            log.warning("flood_store_gone", error=type(error).__name__)
            self._silent_since = self._clock.now()
            return None
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


def install(app: Flask, services: Services) -> None:
    settings = services.settings
    floods = Floods(settings.policy.flood, settings.redis_url, services.clock, services.attempts)
    app.extensions["floods"] = floods

    def check() -> None:
        if request.method == "POST" and not floods.has_room(current.origin().rate_limit_key):
            LIMITS.labels("flood").inc()
            raise TooManyRequests(retry_after=floods.seconds)

    def count(response: Response) -> Response:
        # a request that this limit refused is not counted again, and a failure of the site is not the client's
        if request.method != "POST" or not 400 <= response.status_code < 500 or response.status_code == 429:
            return response
        try:
            floods.count(current.origin().rate_limit_key)
        except DatabaseUnavailable as refusal:
            return current_app.make_response(current_app.handle_user_exception(refusal))
        return response

    app.before_request(check)
    app.after_request(count)
