"""What `/metrics` answers: what the processes have counted, and the state of the outbox at this moment."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from prometheus_client import REGISTRY, CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from ..domain.refusals import DatabaseUnavailable
from ..services.delivery import Delivery


class CountsCollector(Collector):
    """Adds up what the processes that have these folders have counted."""

    def __init__(self, *folders: Path) -> None:
        self._folders = folders

    def collect(self) -> Iterable[Any]:
        files = [str(file) for folder in self._folders for file in folder.glob("*.db")]
        return MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call, no-any-return]  # it has types in part


class OutboxCollector(Collector):
    """Reads the outbox in one statement, each time that the metrics are read."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery

    def collect(self) -> Iterator[GaugeMetricFamily]:
        try:
            found, answers = self._delivery.waiting(), 1
        except DatabaseUnavailable:
            found, answers = {}, 0
        yield GaugeMetricFamily("nightlatch_database_up", "1 when the database answers, else 0.", answers)
        waiting = GaugeMetricFamily("nightlatch_messages_waiting", "Messages that are owed.", labels=["channel"])
        oldest = GaugeMetricFamily(
            "nightlatch_messages_oldest_seconds", "Age of the oldest message that is owed.", labels=["channel"]
        )
        for channel, (count, age) in found.items():
            waiting.add_metric([channel], count)
            oldest.add_metric([channel], age)
        yield waiting
        yield oldest


def text(delivery: Delivery, of_worker: Path | None) -> bytes:
    """The metrics in the text format of Prometheus. process_* are of the one process that answers.

    `of_worker` is the folder of a worker that this server did not start.
    """
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if folder is None:
        state = CollectorRegistry()
        state.register(OutboxCollector(delivery))
        return generate_latest(REGISTRY) + generate_latest(state)
    shared = CollectorRegistry()
    shared.register(CountsCollector(Path(folder), *([of_worker] if of_worker else [])))
    ProcessCollector(registry=shared)
    shared.register(OutboxCollector(delivery))
    return generate_latest(shared)
