"""`make serve`: checks the settings, migrates, and runs the web server with the message worker beside it.

Standard output carries one JSON line an event and nothing else; whatever gunicorn says goes to standard error.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from .models.migrate import migrate
from .settings import ROOT, Settings, SettingsError

THREADS = 4
"""Of each web process. docs/decisions/server.md has the measurement."""
GRACE_SECONDS = 20
"""For requests that are being answered when the server is told to stop."""
KILL_SECONDS = GRACE_SECONDS + 5


def main() -> int:
    environ = {**os.environ, "NIGHTLATCH_SERVING": "1"}
    try:
        settings = Settings.read(environ)
    except SettingsError as error:
        print(error, file=sys.stderr)  # noqa: T201  # there is no log before there are settings
        return 2
    migrate(settings.database_url)
    web = subprocess.Popen(web_command(settings), env=environ, cwd=ROOT)  # noqa: S603  # our own command
    work = [sys.executable, "-m", "flask", "--app", "wsgi", "messages", "work"]
    worker = subprocess.Popen(work, env=environ, cwd=ROOT)  # noqa: S603  # our own command

    def stop(*_: object) -> None:
        web.terminate()

    for told in (signal.SIGTERM, signal.SIGINT):
        signal.signal(told, stop)
    status = _wait(web, worker)
    _end(worker)
    return status


def web_command(settings: Settings) -> list[str]:
    """The command of the web server, as words; its working directory is the project's root.

    No header and no variable of the environment moves the site or says who the user is: gunicorn would take
    `SCRIPT_NAME` from either, and the scheme from `X-Forwarded-Proto` of a peer on this machine.
    """
    return [
        sys.executable, "-m", "gunicorn", "wsgi:app",
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
    """Until the web server ends. A worker that dies ends it too, so that a supervisor sees it and restarts both."""
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
