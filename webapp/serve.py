"""`make serve`: checks the settings, migrates, and runs the production server with the worker beside it.

Standard output carries one JSON line an event; everything else goes to standard error.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys

from .models.migrate import migrate
from .settings import ROOT, Settings, SettingsError

THREADS = 4
GRACE_SECONDS = 20


def main() -> int:
    environ = {**os.environ, "NIGHTLATCH_SERVING": "1"}
    try:
        settings = Settings.read(environ)
    except SettingsError as error:
        print(error, file=sys.stderr)  # noqa: T201  # there is no log before there are settings
        return 2
    migrate(settings.database_url)
    web = subprocess.Popen(gunicorn(settings), env=environ, cwd=ROOT)  # noqa: S603  # our own command
    work = [sys.executable, "-m", "flask", "--app", "wsgi", "messages", "work"]
    worker = subprocess.Popen(work, env=environ, cwd=ROOT)  # noqa: S603  # our own command

    def stop(*_: object) -> None:
        web.terminate()

    for told in (signal.SIGTERM, signal.SIGINT):
        signal.signal(told, stop)
    status = _wait(web, worker)
    worker.terminate()
    worker.wait(GRACE_SECONDS)
    return status


def gunicorn(settings: Settings) -> list[str]:
    return [
        sys.executable, "-m", "gunicorn", "wsgi:app",
        "--bind", settings.bind,
        "--workers", str(settings.workers),
        "--worker-class", _worker_class(settings),
        "--threads", str(THREADS),
        "--preload",
        "--no-control-socket",
        "--graceful-timeout", str(GRACE_SECONDS),
        "--keep-alive", "5",
        "--limit-request-line", "8190",
        "--error-logfile", "-",
        "--log-level", "warning",
    ]  # fmt: skip


def _worker_class(settings: Settings) -> str:
    if not hasattr(select, "epoll"):
        return "gthread"  # away from Linux
    is_here = settings.database_url.startswith("sqlite")
    return "webapp.http.worker.Worker" if is_here else "webapp.http.worker.ManyAtOnce"


def _wait(web: subprocess.Popen[bytes], worker: subprocess.Popen[bytes]) -> int:
    """Until the web server ends. A worker that dies ends it too, so that a supervisor sees and restarts both."""
    while True:
        try:
            return web.wait(timeout=1)
        except subprocess.TimeoutExpired:
            if worker.poll() is not None:
                web.terminate()
                web.wait(GRACE_SECONDS)
                return 1


if __name__ == "__main__":
    sys.exit(main())
