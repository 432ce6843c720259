"""`make serve`: checks the settings, migrates, and runs the web server and the worker.

Standard output must have the log only, one line of JSON for each event. gunicorn writes to standard error.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from .models.migrate import migrate
from .private_files import keep_private
from .settings import ROOT, Settings, SettingsError

THREADS = 4
"""Threads of each web process; measured in docs/decisions/server.md."""
GRACE_SECONDS = 20
"""Seconds for requests in progress after the signal to stop."""
KILL_SECONDS = GRACE_SECONDS + 5
MEMORY = "/dev/shm"  # noqa: S108  # a folder of a random name is made in it


def main() -> int:
    environ = {**os.environ, "NIGHTLATCH_SERVING": "1"}
    try:
        settings = Settings.read(environ)
    except SettingsError as error:
        print(error, file=sys.stderr)  # noqa: T201  # the log needs settings
        return 2
    keep_private(settings.instance, settings.database_url)
    migrate(settings.database_url)
    counts = TemporaryDirectory(prefix="nightlatch-metrics-", dir=MEMORY if os.access(MEMORY, os.W_OK) else None)
    environ["PROMETHEUS_MULTIPROC_DIR"] = counts.name
    web = subprocess.Popen(web_command(settings), env=environ, cwd=ROOT)  # noqa: S603  # our own command
    work = [sys.executable, "-m", "flask", "--app", "wsgi", "messages", "work"]
    worker = subprocess.Popen(work, env=environ, cwd=ROOT)  # noqa: S603  # our own command

    def stop(*_: object) -> None:
        web.terminate()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    status = _wait(web, worker)
    _end(worker)
    counts.cleanup()
    return status


def web_command(settings: Settings) -> list[str]:
    """The command of the web server; run it in the root of the project.

    No header and no environment variable may change the path prefix, the scheme or the user: by default gunicorn takes
    `SCRIPT_NAME` from both, and the scheme from `X-Forwarded-Proto` of a client on this machine.
    """
    return [
        sys.executable, "-m", "gunicorn", "wsgi:app",
        "--config", str(Path(__file__).with_name("gunicorn_hooks.py")),
        "--bind", settings.bind,
        "--workers", str(settings.workers),
        "--worker-class", "gthread",
        "--threads", str(THREADS),
        "--preload",
        "--forwarded-allow-ips", "",
        "--forwarder-headers", "",
        "--header-map", "drop",
        "--env", "SCRIPT_NAME=",
        "--limit-request-line", "8190",
        "--keep-alive", "5",
        "--graceful-timeout", str(GRACE_SECONDS),
        "--no-control-socket",
        "--error-logfile", "-",
        "--log-level", "warning",
    ]  # fmt: skip


def _wait(web: subprocess.Popen[bytes], worker: subprocess.Popen[bytes]) -> int:
    """The exit status of the web server. Ends it when the worker ends, so that a supervisor restarts both."""
    while True:
        try:
            return web.wait(timeout=1)
        except subprocess.TimeoutExpired:
            if worker.poll() is not None:
                _end(web)
                return 1


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(KILL_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()


if __name__ == "__main__":
    sys.exit(main())
