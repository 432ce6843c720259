"""JupyterHub with GenericOAuthenticator: the configuration of the guide, used in a browser."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.real_apps.guide import follow
from tests.real_apps.libraries import NODE
from tests.real_apps.public import PYTHON_APPS, Public, answering, log_in, public
from tests.test_processes import free_port

NOTEBOOKS = "https://notebooks.example.org/"
AROUND = """
c.JupyterHub.bind_url = "http://127.0.0.1:{port}"
c.JupyterHub.hub_port = {hub}
c.JupyterHub.redirect_to_server = False
c.ConfigurableHTTPProxy.command = ["{proxy}"]
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{api}"
c.GenericOAuthenticator.http_request_kwargs = {tunnel}
"""


@contextmanager
def jupyterhub(site: Public, port: int, folder: Path) -> Iterator[None]:
    to = urlsplit(site.proxy)
    tunnel = {"proxy_host": to.hostname, "proxy_port": to.port, "ca_certs": str(site.certificate)}
    proxy = NODE / "node_modules" / ".bin" / "configurable-http-proxy"
    around = AROUND.format(port=port, hub=free_port(), proxy=proxy, api=free_port(), tunnel=tunnel)
    text = follow(site.server.app, "JupyterHub", "python")
    (folder / "jupyterhub_config.py").write_text(text + around)
    with answering([PYTHON_APPS / "jupyterhub"], f"http://127.0.0.1:{port}/hub/health", folder, site.environ):
        yield


def test_people_log_in_to_jupyterhub(tmp_path: Path) -> None:
    port = free_port()
    with public(tmp_path, notebooks=port) as site, jupyterhub(site, port, tmp_path), site.browser() as page:
        page.goto(NOTEBOOKS)
        page.get_by_role("button", name="Sign in with Nightlatch").click()
        log_in(page, "JupyterHub")
        page.wait_for_url(f"{NOTEBOOKS}hub/home")
        page.get_by_text("ada", exact=True).first.wait_for()
