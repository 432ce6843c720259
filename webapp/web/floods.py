"""A first, coarse limit on floods from one address, in memory or shared in Redis.

The limits that protect accounts live in the database; when Redis is gone, this one falls back to memory.
"""

from __future__ import annotations

from flask import Flask, request
from flask.wrappers import Response
from flask_limiter import Limiter

from ..settings import Settings
from . import current


def install(app: Flask, settings: Settings) -> None:
    limiter = Limiter(
        key_func=lambda: current.origin().neighbourhood,
        app=app,
        storage_uri=settings.redis_url or "memory://",
        storage_options={"socket_timeout": 1, "socket_connect_timeout": 1} if settings.redis_url else {},
        application_limits=[settings.policy.flood],
        application_limits_exempt_when=_only_reads,
        application_limits_deduct_when=_was_in_vain,
        in_memory_fallback=[settings.policy.flood],
        in_memory_fallback_enabled=bool(settings.redis_url),
        headers_enabled=False,
    )
    app.extensions["flood-store"] = limiter.storage


def _only_reads() -> bool:
    return request.method != "POST"


def _was_in_vain(response: Response) -> bool:
    """People who get through are never a flood; one who has to wait already is not counted again."""
    return response.status_code >= 400 and response.status_code != 429
