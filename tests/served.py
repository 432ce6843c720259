"""A real production server for the tests that need one, with Ada's account in its own database."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import select

from tests.test_processes import ask, eventually, free_port, serving
from webapp import create_app
from webapp.bootstrap import Services
from webapp.models.migrate import migrate
from webapp.models.sessions import Session
from webapp.serve import web_command
from webapp.settings import ROOT, Settings

PASSWORD = "analytical engine notes"
HOST = "login.example.org"
TO_START = 120  # seconds for a program to start or to end, on a machine that does much else


@dataclass
class Served:
    port: int
    host: str
    app: Flask
    """The site in this process, for commands; its services are those below."""
    services: Services
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)

    def last_address(self) -> str:
        """The network address of the newest log-in, as the server saw it."""
        with self.services.db.read() as tx:
            return str(tx.scalar(select(Session.address).order_by(Session.id.desc()).limit(1)))


@contextmanager
def running(command: list[str], answers: Callable[[], bool], **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, **options)
    try:
        assert eventually(lambda: process.poll() is not None or answers(), TO_START), f"{command[0]} does not answer"
        assert process.poll() is None, f"{command[0]} ended"
        yield process
    finally:
        process.terminate()
        process.wait(TO_START)


@contextmanager
def served(
    folder: Path, *options: str, host: str = "", environ: dict[str, str] | None = None, **more: str
) -> Iterator[Served]:
    """The web server without its message worker.

    `options` are further ones of gunicorn, `more` are settings, `environ` other variables of its process.
    """
    port = free_port()
    database = {"NIGHTLATCH_DATABASE_URL": f"sqlite:///{folder / 'site.sqlite3'}"}
    given = serving(port, NIGHTLATCH_MAIL_URL="smtp://127.0.0.1:1", **database, **more)
    if host:
        given["NIGHTLATCH_SERVER_NAME"] = host
    settings = Settings.read(given)
    migrate(settings.database_url)
    app = create_app(settings)
    services: Services = app.extensions["nightlatch"]
    services.sign_up.create_by_operator("Zoë 李", "ada", PASSWORD, "ada@example.org", confirmed=True)
    services.db.engine.dispose()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("NIGHTLATCH_")}
    how = {"env": {**inherited, **given, **(environ or {})}, "cwd": ROOT, "stdout": subprocess.DEVNULL}
    with running([*web_command(settings), *options], lambda: ask(port, "/healthz")[0] == 200, **how) as process:
        yield Served(port, settings.server_name, app, services, process)
    services.db.engine.dispose()
