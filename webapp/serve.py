"""`make serve`: checks the settings, migrates, and runs the web server and the worker.

On SIGHUP it starts the code that is on the disk by then, beside what runs: both have the same listening socket, so no
connection is refused, and what ran ends when its requests are answered. `python -m webapp.serve web` runs no worker,
for a machine where systemd or a container does. Standard output must have the log only, one line of JSON for each
event. gunicorn writes to standard error.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from queue import Empty, SimpleQueue
from socket import AF_INET, AF_INET6, create_server, socket
from tempfile import TemporaryDirectory

from .models.revisions import UnusableDatabase, is_known_current
from .private_files import keep_private
from .settings import ROOT, Settings, SettingsError

THREADS = 96
"""Of each web process: more than may hash a password or wait for it, so that pages do not wait for log-ins
(docs/decisions/server.md)."""
GRACE_SECONDS = 20
"""Seconds for requests in progress after the signal to stop."""
KILL_SECONDS = GRACE_SECONDS + 5
START_SECONDS = 60
"""Seconds for new code to start, until what runs is kept instead."""
ALLOCATOR = {"MALLOC_ARENA_MAX": "2"}
"""For glibc. Its default of 8 arenas a core takes 7 MiB more with 60 busy threads and makes nothing faster, because one
thread at a time runs Python."""
MEMORY = "/dev/shm"  # noqa: S108  # a folder of a random name is made in it
SYSTEMD_SOCKET = 3
"""The file descriptor of the socket that systemd passes on (sd_listen_fds(3))."""
WORK = [sys.executable, "-m", "flask", "--app", "wsgi", "messages", "work"]
MIGRATE = [sys.executable, "-m", "flask", "--app", "wsgi", "migrate"]


def main() -> int:
    environ = {**ALLOCATOR, **os.environ, "NIGHTLATCH_SERVING": "1"}
    try:
        settings = Settings.read(environ)
    except SettingsError as error:
        _tell(str(error))
        return 2
    told: SimpleQueue[int] = SimpleQueue()  # unlike other queues, a signal handler may put into it
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda number, _: told.put(number))
    keep_private(settings.instance, settings.database_url)
    if not is_known_current(settings.database_url):
        from .models.migrate import migrate  # 300 ms and 30 MiB (docs/decisions/lazy-imports.md)

        try:
            migrate(settings.database_url)
        except UnusableDatabase as error:
            _tell(f"The database {error}.")
            return 1
    try:
        listener = _listening(settings.bind)
    except OSError as error:
        code = error.errno or 0
        why = os.strerror(code) if code > 0 else error.strerror  # that of a name that is not found is negative
        _tell(f"NIGHTLATCH_BIND is {settings.bind}, which cannot be listened on: {why}.")
        return 1
    in_memory = MEMORY if os.access(MEMORY, os.W_OK) else None
    with listener, TemporaryDirectory() as folder, TemporaryDirectory(prefix="nightlatch-", dir=in_memory) as counts:
        environ["PROMETHEUS_MULTIPROC_DIR"] = counts
        return Processes(settings, environ, listener, Path(folder), with_worker=sys.argv[1:] != ["web"]).run(told)


class Processes:
    """The web server, and the worker beside it."""

    def __init__(
        self, settings: Settings, environ: Mapping[str, str], listener: socket, folder: Path, *, with_worker: bool
    ) -> None:
        """`folder` is for the files by which web servers say that they have started."""
        self._settings, self._environ, self._listener, self._folder = settings, environ, listener, folder
        self._starts = 0
        self._web = self._start_web()
        self._worker = self._start(WORK) if with_worker else None

    def run(self, told: SimpleQueue[int]) -> int:
        """Does what the signals in `told` say, and returns the exit status.

        When one of the processes ends by itself it ends the other, so that a supervisor restarts both.
        """
        while True:
            try:
                number = told.get(timeout=1)
            except Empty:
                if self._web.poll() is None and (self._worker is None or self._worker.poll() is None):
                    continue
                self._end()
                return 1
            if number != signal.SIGHUP:
                return self._end()
            self._replace()

    def _replace(self) -> None:
        """Starts the code that is on the disk now. If that fails, what runs goes on."""
        if subprocess.run(MIGRATE, env=self._environ, cwd=ROOT, check=False).returncode != 0:  # noqa: S603  # our own
            _tell("The migration failed, so what ran before goes on.")
            return
        before, web = self._web, self._start_web()
        if not self._has_started(web):
            _tell("The new web server does not start, so what ran before goes on.")
            _terminate(web)
            return
        self._web = web
        if self._worker is not None:
            _terminate(self._worker)
            self._worker = self._start(WORK)
        _terminate(before)

    def _start(self, command: list[str], listener: int | None = None) -> subprocess.Popen[bytes]:
        passed = () if listener is None else (listener,)
        return subprocess.Popen(command, env=self._environ, cwd=ROOT, pass_fds=passed)  # noqa: S603  # our own command

    def _start_web(self) -> subprocess.Popen[bytes]:
        self._starts += 1
        number = self._listener.fileno()
        return self._start([*web_command(self._settings, f"fd://{number}"), "--pid", str(self._started())], number)

    def _started(self) -> Path:
        """The file that gunicorn writes once it has loaded the application."""
        return self._folder / f"web-{self._starts}.pid"

    def _has_started(self, web: subprocess.Popen[bytes]) -> bool:
        until = time.monotonic() + START_SECONDS
        while web.poll() is None and time.monotonic() < until:
            if self._started().exists():
                return True
            time.sleep(0.1)
        return False

    def _end(self) -> int:
        """Ends both, and returns the exit status of the web server."""
        self._listener.close()  # so that no connection waits for a server that ends
        _terminate(self._web)
        if self._worker is not None:
            _terminate(self._worker)
        return self._web.returncode


def web_command(settings: Settings, bind: str | None = None) -> list[str]:
    """The command of the web server; run it in the root of the project. `bind` is another address than the settings'.

    No header and no environment variable may change the path prefix, the scheme or the user: by default gunicorn takes
    `SCRIPT_NAME` from both, and the scheme from `X-Forwarded-Proto` of a client on this machine.
    """
    return [
        sys.executable, "-m", "gunicorn", "wsgi:app",
        "--config", str(Path(__file__).with_name("gunicorn_hooks.py")),
        "--bind", bind or settings.bind,
        "--workers", str(settings.workers),
        "--worker-class", "webapp.gunicorn_worker.Worker",
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


def _listening(bind: str) -> socket:
    """The socket that systemd passed on, else a new one."""
    if os.environ.get("LISTEN_PID") == str(os.getpid()):
        return socket(fileno=SYSTEMD_SOCKET)
    host, _, port = bind.rpartition(":")
    address = host.strip("[]"), int(port)
    return create_server(address, family=AF_INET6 if ":" in host else AF_INET, backlog=2048)


def _terminate(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(KILL_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _tell(sentence: str) -> None:
    print(sentence, file=sys.stderr)  # noqa: T201  # the log needs settings


if __name__ == "__main__":
    sys.exit(main())
