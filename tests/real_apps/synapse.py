"""Synapse, a server of Matrix: log-in by the configuration of the guide, and the end of its session by back channel."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

from playwright.sync_api import Page

from tests.real_apps.guide import follow
from tests.real_apps.public import PYTHON_APPS, SITE, Public, answering, log_in, public
from tests.test_processes import free_port

MATRIX, CLIENT = "https://matrix.example.org", "https://element.example.org/"
AROUND = """
public_baseurl: https://matrix.example.org/
listeners:
  - {{port: {port}, type: http, x_forwarded: true, bind_addresses: [127.0.0.1], resources: [{{names: [client]}}]}}
"""


@contextmanager
def synapse(site: Public, port: int, folder: Path) -> Iterator[None]:
    """The site finds the name of Matrix nowhere, so it tells Synapse of log-outs at its network address."""
    logout = "/_synapse/client/oidc/backchannel_logout"
    replaced = {f"{MATRIX}{logout}": f"http://127.0.0.1:{port}{logout}"}
    here = "--private-address", "127.0.0.0/8"
    text = follow(site.server.app, "Matrix Synapse", "yaml", *here, replaced=replaced)
    (folder / "nightlatch.yaml").write_text(AROUND.format(port=port) + text)
    program = [PYTHON_APPS / "python", "-m", "synapse.app.homeserver", "-c", "homeserver.yaml"]
    options = {"cwd": folder, "env": site.environ, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run(
        [*program, "--generate-config", "--report-stats=no", "--server-name", "matrix.example.org"],
        check=True, **options,
    )  # fmt: skip
    command = [*program, "-c", "nightlatch.yaml"]
    with answering(command, f"http://127.0.0.1:{port}/health", folder, site.environ):
        yield


def token_of(site: Public, page: Page) -> str:
    """Logs in as a client of Matrix does, and exchanges the login token for an access token."""
    asked = site.ask("GET", f"{MATRIX}/_matrix/client/v3/login").json()
    (sso,) = (flow for flow in asked["flows"] if flow["type"] == "m.login.sso")
    assert sso["identity_providers"] == [{"id": "oidc-nightlatch", "name": "Nightlatch"}]
    page.goto(f"{MATRIX}/_matrix/client/v3/login/sso/redirect/oidc-nightlatch?redirectUrl={quote(CLIENT, safe='')}")
    log_in(page, "Matrix")
    page.get_by_role("link", name="Continue").click()
    page.wait_for_url(f"{CLIENT}?loginToken=*")
    (token,) = parse_qs(urlsplit(page.url).query)["loginToken"]
    made = site.ask("POST", f"{MATRIX}/_matrix/client/v3/login", json={"type": "m.login.token", "token": token}).json()
    assert made["user_id"] == "@ada:matrix.example.org"
    return str(made["access_token"])


def test_synapse_logs_in_and_a_log_out_here_ends_its_session(tmp_path: Path) -> None:
    port = free_port()
    with public(tmp_path, matrix=port) as site, synapse(site, port, tmp_path), site.browser() as page:
        bearer = {"Authorization": f"Bearer {token_of(site, page)}"}
        profile = site.ask("GET", f"{MATRIX}/_matrix/client/v3/profile/@ada:matrix.example.org", headers=bearer)
        assert profile.json()["displayname"] == "Zoë 李"

        page.goto(SITE)
        page.get_by_role("button", name="Log out").click()
        page.get_by_role("heading", name="Log in", exact=True).wait_for()
        account = f"{MATRIX}/_matrix/client/v3/account/whoami"
        assert site.ask("GET", account, headers=bearer).ok, "Synapse has not been told yet"
        site.server.services.delivery.deliver_due()
        answer = site.ask("GET", account, headers=bearer)
        assert (answer.status_code, answer.json()["errcode"]) == (401, "M_UNKNOWN_TOKEN")
