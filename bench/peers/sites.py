"""What is compared: how each application is installed and served, and the paths and fields of its log-in."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

from webapp.keys import generate_keys
from webapp.serve import ALLOCATOR, THREADS, web_command
from webapp.settings import ROOT, Settings

from .shared import PASSWORD

HERE = Path(__file__).parent
INSTALLED = ROOT / ".peers"
OURS = "nightlatch"
OUR_PYTHON = str(ROOT / ".bench/bin/python")
"""With what a site installs, as each peer has what it needs."""
KEYS = {f"NIGHTLATCH_{name}": value for name, value in generate_keys().items()}
SECRET = token_hex(32)


@dataclass(frozen=True)
class Flow:
    """A log-in: the form for username and password, the form for the code that follows it, and the page after it."""

    log_in: str
    home: str
    settings: str
    name: str = "username"
    password: str = "password"
    code: str = "code"
    user: str = "bench{}"
    verify: str = ""
    """The path that takes the code, of an application that answers JSON and has no pages."""


@dataclass(frozen=True)
class Site:
    name: str
    title: str
    flow: Flow
    entry: str = "app:app"
    """The WSGI application, as gunicorn names it."""

    @property
    def folder(self) -> Path:
        return HERE / self.name

    @property
    def program(self) -> list[str]:
        """The command of the application, without its arguments."""
        if self.name == OURS:
            return [OUR_PYTHON, "-m", "bench.peers.nightlatch.app"]
        if self.in_node:
            return ["node", str(INSTALLED / self.name / "app.js")]
        return [str(INSTALLED / self.name / "bin/python"), str(self.folder / "app.py")]

    @property
    def in_node(self) -> bool:
        return (self.folder / "package.json").exists()

    @property
    def packages(self) -> Path:
        """The file that names what is installed, and the versions."""
        return self.folder / ("package.json" if self.in_node else "requirements.txt")

    def host(self, port: int) -> str:
        return f"{self.name}.localhost:{port}"

    def environ(self, port: int, database: str, workers: int) -> dict[str, str]:
        """`database` is `sqlite:///` and a path, or a URL of PostgreSQL."""
        own = {
            "BENCH_DATABASE": database,
            "BENCH_SECRET": SECRET,
            "BENCH_PASSWORD": PASSWORD,
            "BENCH_PORT": str(port),
            "PYTHONPATH": str(HERE),
            "NODE_ENV": "production",
            "BETTER_AUTH_URL": f"http://{self.host(port)}",
            "BETTER_AUTH_SECRET": SECRET,
        }
        ours = {
            **KEYS,
            "NIGHTLATCH_SERVING": "1",
            "NIGHTLATCH_SERVER_NAME": self.host(port),
            "NIGHTLATCH_MAIL_URL": "smtp://127.0.0.1:1",
            "NIGHTLATCH_DATABASE_URL": database.replace("postgresql:", "postgresql+psycopg:"),
            "NIGHTLATCH_BIND": f"127.0.0.1:{port}",
            "NIGHTLATCH_WORKERS": str(workers),
            "NIGHTLATCH_LOG_LEVEL": "ERROR",
        }
        allocator = {} if self.in_node else ALLOCATOR
        return {**allocator, **os.environ, **(ours if self.name == OURS else own)}

    def server(self, port: int, workers: int, environ: dict[str, str], *, counted: bool = False) -> list[str]:
        """The command of the production server. All in Python have the gunicorn of Nightlatch, with its options."""
        if self.in_node:
            return self.program
        if self.name == OURS:
            command = [OUR_PYTHON, *web_command(Settings.read(environ))[1:]]
        else:
            command = [
                *(self.program[0], "-m", "gunicorn", self.entry, "--chdir", str(self.folder)),
                *("--bind", f"127.0.0.1:{port}", "--workers", str(workers)),
                *("--worker-class", "gthread", "--threads", str(THREADS), "--preload", "--keep-alive", "5"),
                *("--no-control-socket", "--log-level", "warning"),
            ]
        return [*command, "--config", str(HERE / "count_statements.py")] if counted else command


SITES = [
    Site(OURS, "Nightlatch", Flow("/log-in", "/", "/settings/security")),
    Site(
        "flask-security-too",
        "Flask-Security-Too",
        Flow("/login", "/", "/tf-setup", name="email", user="bench{}@example.org"),
    ),
    Site(
        "django-allauth",
        "django-allauth",
        Flow("/accounts/login/", "/", "/accounts/2fa/", name="login"),
        "app:application",
    ),
    Site(
        "django-two-factor-auth",
        "django-two-factor-auth",
        Flow(
            "/account/login/",
            "/account/two_factor/",
            "/account/two_factor/",
            name="auth-username",
            password="auth-password",
            code="token-otp_token",
        ),
        "app:application",
    ),
    Site(
        "better-auth",
        "better-auth",
        Flow(
            "/api/auth/sign-in/email",
            "/api/me",
            "/api/me",
            name="email",
            user="bench{}@example.org",
            verify="/api/auth/two-factor/verify-totp",
        ),
    ),
    Site("bare", "bare Flask", Flow("/log-in", "/", "/settings")),
]
