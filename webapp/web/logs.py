"""The log: one line of JSON for each event (ASVS V16). An event must never contain a secret."""

from __future__ import annotations

import logging
import sys

import structlog

from ..settings import Settings


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
        # looked up for each event, because tests and supervisors replace sys.stdout
        logger_factory=lambda *_: structlog.PrintLogger(sys.stdout if settings.serving else sys.stderr),
        cache_logger_on_first_use=False,
    )
