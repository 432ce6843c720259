"""The configuration file of gunicorn. It has hooks only: the options are in `serve.web_command`."""

from __future__ import annotations

import os
from typing import Any

from prometheus_client.multiprocess import mark_process_dead


def child_exit(_server: Any, worker: Any) -> None:
    """The hashes of a process that was killed neither run nor wait any more."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]  # the library has types in part
