"""A real browser goes from an app to this site and back, with and without JavaScript."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.live import LiveSite
from tests.people import DESKTOP, PASSWORD
from webapp.models.registered_apps import WEB
from webapp.services.operators import AppOptions


@dataclass
class App:
    """An app with a server of its own."""

    port: int
    answers: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """The method and the parameters of each answer that a browser brought."""

    @property
    def back(self) -> str:
        return f"http://127.0.0.1:{self.port}/back"


@pytest.fixture
def app() -> Iterator[App]:
    class Back(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            """Keeps requests out of the test output."""

        def do_GET(self) -> None:
            self.answer("GET", urlsplit(self.path).query)

        def do_POST(self) -> None:
            self.answer("POST", self.rfile.read(int(self.headers["Content-Length"])).decode())

        def answer(self, method: str, form: str) -> None:
            if urlsplit(self.path).path == "/back":
                made.answers.append((method, dict(parse_qsl(form))))
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<h1>Welcome to the wiki</h1>")

    server = ThreadingHTTPServer(("127.0.0.1", 0), Back)
    made = App(server.server_port)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield made
    server.shutdown()
    server.server_close()


def asked(site: LiveSite, app: App, *, trusted: bool = False, **more: str) -> str:
    """The address to which a new app sends a browser."""
    options = AppOptions("Wiki", redirect_uris=(app.back,), trusted=trusted)
    client_id = site.services.operators.apps.create(WEB, options).app.client_id
    proof = {"code_challenge": "x" * 43, "code_challenge_method": "S256", "state": 'a "state" <b>'}
    request = {"client_id": client_id, "redirect_uri": app.back, "response_type": "code", "scope": "openid"}
    return f"{site.url(DESKTOP, '/oauth/authorize')}?{urlencode({**request, **proof, **more})}"


def log_in(page: Page, site: LiveSite) -> None:
    site.services.sign_up.create_by_operator("Ada", "ada", PASSWORD, "ada@example.org", confirmed=True)
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Log in", exact=True).click()


@pytest.mark.parametrize("script", [True, False])
def test_log_in_and_consent_lead_back_to_the_app(browser: Browser, site: LiveSite, app: App, script: bool) -> None:
    page = browser.new_page(java_script_enabled=script)
    page.goto(asked(site, app))
    log_in(page, site)
    expect(page.get_by_role("heading", level=1)).to_have_text("Log in to Wiki")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Welcome to the wiki")
    ((method, answer),) = app.answers
    assert (method, answer["state"]) == ("GET", 'a "state" <b>')
    page.close()


@pytest.mark.parametrize("script", [True, False])
def test_form_post_goes_by_itself_or_by_a_button(browser: Browser, site: LiveSite, app: App, script: bool) -> None:
    page = browser.new_page(java_script_enabled=script)
    page.goto(asked(site, app, trusted=True, response_mode="form_post"))
    log_in(page, site)
    if not script:
        page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Welcome to the wiki")
    ((method, answer),) = app.answers
    assert (method, answer["state"]) == ("POST", 'a "state" <b>')
    assert set(answer) == {"code", "state", "iss"}
    page.close()


@pytest.mark.parametrize("script", [True, False])
def test_step_up_leads_back_to_the_app(browser: Browser, site: LiveSite, app: App, script: bool) -> None:
    page = browser.new_page(java_script_enabled=script)
    page.goto(site.url(DESKTOP, "/log-in"))
    log_in(page, site)
    expect(page.get_by_role("heading", level=1)).to_have_text("Welcome, Ada")
    page.goto(asked(site, app, trusted=True, prompt="login"))
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Verify").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Welcome to the wiki")
    assert len(app.answers) == 1
    page.close()
