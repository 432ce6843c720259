"""The log: one line of JSON for each event (ASVS V16). An event must never contain a secret."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress

import structlog

from ..settings import Settings


class Stream:
    """Standard output of a served site, else standard error: looked up for each event, because tests and supervisors
    replace them.

    What cannot be written is lost: a full disk, or a program that read the log and ended, ends neither a request nor
    the worker.
    """

    def __init__(self, *, serving: bool) -> None:
        self._serving = serving

    def write(self, text: str) -> None:
        with suppress(OSError):
            (sys.stdout if self._serving else sys.stderr).write(text)

    def flush(self) -> None:
        with suppress(OSError):
            (sys.stdout if self._serving else sys.stderr).flush()


def install(settings: Settings) -> None:
    level = getattr(logging, settings.log_level)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(sort_keys=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(Stream(serving=settings.serving)),  # type: ignore[arg-type]  # it uses these two methods
        cache_logger_on_first_use=False,
    )
