"""The configuration file of gunicorn: hooks, and how garbage is collected. The options are in `serve.web_command`.

The objects of the application live as long as the process, and are made before the workers are forked. So the garbage
collector is off while the application loads, and the workers' leaves these objects out, as the documentation of Python
describes it (https://docs.python.org/3/library/gc.html#gc.freeze).
"""

from __future__ import annotations

import gc
import os
from typing import Any

from prometheus_client.multiprocess import mark_process_dead

UNREAD = "/legacy/verify"
"""Its answer depends on no body, and a proxy that asks may announce the one of another request without sending it."""
FRAMING = frozenset({"CONTENT-LENGTH", "TRANSFER-ENCODING"})

gc.disable()


def pre_fork(_server: Any, _worker: Any) -> None:
    gc.freeze()


def post_fork(_server: Any, _worker: Any) -> None:
    gc.enable()


def pre_request(_worker: Any, request: Any) -> None:
    """A body that is left unread ends the connection, or the next request would be taken for it."""
    if request.path == UNREAD and any(name in FRAMING and value != "0" for name, value in request.headers):
        request.force_close()


def child_exit(_server: Any, worker: Any) -> None:
    """The hashes of a process that was killed neither run nor wait any more."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]  # the library has types in part
