"""Streamlit: the app and the configuration of the guide, used in a browser."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.real_apps.guide import block, follow
from tests.real_apps.public import PYTHON_APPS, SITE, Public, answering, log_in, public
from tests.test_processes import free_port

CHARTS = "https://charts.example.org/"


@contextmanager
def streamlit(site: Public, port: int, folder: Path) -> Iterator[None]:
    secrets = follow(site.server.app, "Streamlit", "toml").replace("COOKIE_SECRET", "c" * 32)
    (folder / ".streamlit").mkdir()
    (folder / ".streamlit" / "secrets.toml").write_text(secrets)
    (folder / "app.py").write_text(block("Streamlit", "python"))
    options = ["--server.headless=true", "--server.address=127.0.0.1", f"--server.port={port}"]
    program = [PYTHON_APPS / "streamlit", "run", "app.py", *options, "--browser.gatherUsageStats=false"]
    environ = {**site.environ, "HOME": str(folder)}
    with answering(program, f"http://127.0.0.1:{port}/_stcore/health", folder, environ):
        yield


def test_people_log_in_to_streamlit_and_out(tmp_path: Path) -> None:
    port = free_port()
    with public(tmp_path, charts=port) as site, streamlit(site, port, tmp_path), site.browser() as page:
        page.goto(CHARTS)
        page.get_by_role("button", name="Log in").click()
        log_in(page, "Charts")
        hello = page.get_by_text("Hello, Zoë 李 (ada@example.org)")
        hello.wait_for()
        page.reload()
        hello.wait_for()

        page.get_by_role("button", name="Log out").click()
        page.wait_for_url(CHARTS)
        page.get_by_role("button", name="Log in").wait_for()
        page.goto(f"{SITE}/settings")
        page.get_by_role("heading", name="Log in", exact=True).wait_for()
