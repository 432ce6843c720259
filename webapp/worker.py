"""The worker: delivers what the outbox owes; every minute beats, finishes undos, renames and recoveries, rotates
signing keys and notices sessions that expired, every hour purges."""

from __future__ import annotations

import signal
from collections.abc import Callable
from threading import Event, Thread

import structlog

from .bootstrap import Services
from .models.database import reason
from .policy import MINUTE

log = structlog.get_logger()


def start_thread(services: Services) -> Event:
    """In the process of `make run`; setting the event ends it."""
    stop = Event()
    Thread(target=_work, args=(services, stop), name="worker", daemon=True).start()
    return stop


def work_until_told(services: Services) -> None:
    """In a process of its own, until SIGTERM or SIGINT."""
    stop = Event()
    for told in (signal.SIGTERM, signal.SIGINT):
        signal.signal(told, lambda *_: stop.set())
    _work(services, stop)


def _work(services: Services, stop: Event) -> None:
    Thread(target=upkeep, args=(services, stop), name="upkeep", daemon=True).start()
    services.delivery.work(stop)


def upkeep(services: Services, stop: Event) -> None:
    """Does what is due every minute, until it is told to stop."""
    minutes, beats = 0, None
    advise(services)
    while not stop.is_set():
        try:
            beats = services.restoration.count_heartbeat(beats)
        except Exception as error:  # a database that may be an older copy is not changed
            log.error("upkeep_failed", error=reason(error))
        else:
            do_due(services, purge=minutes % 60 == 0)
        minutes += 1
        stop.wait(MINUTE)


def do_due(services: Services, *, purge: bool) -> None:
    """Does what is due. One task that fails does not keep the others from being done."""
    tasks: list[Callable[[], object]] = [
        services.email_undos.finish_due,
        services.renames.finish_due,
        services.operators.recoveries.finish_due,
        services.openid.signing_keys.rotate_due,
        services.openid.back_channel.owe_expired,
    ]
    for task in (*tasks, services.maintenance.purge) if purge else tasks:
        try:
            task()
        except Exception as error:  # it is tried again in a minute, and the purge in an hour
            failed = getattr(error, "__notes__", [])  # by `do_each`
            log.error("upkeep_failed", task=task.__qualname__, error=reason(error), failed=failed)


def advise(services: Services) -> None:
    """Logs what the operator should know about access. Called once, at the start."""
    try:
        for event, advice in services.advice.about_access().items():
            log.warning(event, advice=advice)
    except Exception as error:  # the database may not answer yet
        log.error("upkeep_failed", error=reason(error))
