"""A live site in a thread of its own, and users of real browsers that record what their pages load."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from gettext import NullTranslations
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

from flask import Flask
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Playwright, Request, Response, expect
from sqlalchemy import update
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wsgi import ClosingIterator

from tests.conftest import COMPILED, Site, empty_sqlite
from tests.doubles import CheapHasher, FakeClock
from tests.people import AGENTS, ANDROID, DESKTOP, IPHONE, Owner
from tests.pseudo import LANGUAGES
from webapp import create_app
from webapp.adapters.catalogues import known, offered
from webapp.models.accounts import Account
from webapp.settings import Settings

CHROMIUM = os.environ.get("NIGHTLATCH_TEST_CHROMIUM", "/usr/bin/chromium")
"""May be the headless shell (tests/install-browser), which has no windows and shows no notifications."""
WHOLE_CHROMIUM = CHROMIUM if "headless" not in CHROMIUM else shutil.which("chromium")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync"]  # fmt: skip
LAYOUTS = (DESKTOP, ANDROID, IPHONE)
DEVICES: dict[str, dict[str, Any]] = {
    DESKTOP: {"viewport": {"width": 1280, "height": 900}},
    ANDROID: {"viewport": {"width": 360, "height": 780}, "is_mobile": True, "has_touch": True},
    IPHONE: {"viewport": {"width": 390, "height": 780}, "is_mobile": True, "has_touch": True},
}
STATUS_BY_EYE = re.compile(r"^Failed to load resource: the server responded with a status of (\d+)")

PRESSES = """target => {
  const controls = [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, summary")]
    .filter(e => e.checkVisibility({visibilityProperty: true}) && !e.disabled);
  const from = document.activeElement;
  const are = where => controls.filter(e => from === document.body || from.compareDocumentPosition(e) & where);
  const ahead = are(Node.DOCUMENT_POSITION_FOLLOWING), behind = are(Node.DOCUMENT_POSITION_PRECEDING).reverse();
  return ahead.includes(target) ? ["Tab", ahead.indexOf(target) + 1] : ["Shift+Tab", behind.indexOf(target) + 1];
}"""
"""From what has the focus: the key that leads to the target, and how often it is pressed."""
AT_REST = """() => !document.documentElement.matches(":active-view-transition")
  && document.getAnimations().every(animation => animation.playState !== "running")"""


class Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        """Keeps requests out of the test output."""


def read_whole(app: Flask) -> Any:
    """Closes each response before it is sent: the development server leaves a file open if the browser disconnects."""

    def application(environ: Any, start_response: Any) -> list[bytes]:
        with closing(ClosingIterator(app(environ, start_response))) as body:
            return [b"".join(body)]

    return application


@dataclass
class LiveSite(Site):
    host: str = ""

    def url(self, layout: str, path: str = "/") -> str:
        return f"http://{self.host if layout == DESKTOP else f'mobile.{self.host}'}{path}"

    def person(self, username: str, **options: Any) -> Inside:
        return Inside(self, username, **options)

    @contextmanager
    def sign_up_closed(self, is_closed: bool = True) -> Iterator[None]:
        """As with NIGHTLATCH_SIGN_UP=closed meanwhile, on the page of sign-up."""
        opened = self.services.settings
        self.services.settings = replace(opened, sign_up_open=not is_closed)
        try:
            yield
        finally:
            self.services.settings = opened

    def app_code(self, secret: str) -> str:
        """The code that an authentication app shows now, computed by a program that is not ours."""
        command = ["oathtool", "--totp", "--base32", secret, "--now", f"@{self.clock.now()}"]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


class Inside(Owner):
    """An owner who uses the live site without a browser, to set things up quickly."""

    @property
    def host(self) -> str:
        return urlsplit(self.site.url(self.layout)).netloc


WITHOUT_SENTENCES = {language.code: replace(language, translations=NullTranslations()) for _, language in known()}
OFFERED = {**WITHOUT_SENTENCES, **offered(), **LANGUAGES}
"""All languages, as pages are with a complete catalogue for each, and the pseudo-languages."""


@contextmanager
def live_site(folder: Path, **settings: str) -> Iterator[LiveSite]:
    """A site with an empty database, in two layouts and all languages, on a free port."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listening:
        host = f"nightlatch.localhost:{listening.getsockname()[1]}"
        environ = {
            "NIGHTLATCH_SERVER_NAME": host,
            "NIGHTLATCH_DATABASE_URL": f"sqlite:///{folder / 'live.sqlite3'}",
            "NIGHTLATCH_LEGACY_ACCESS": "on",
            **{f"NIGHTLATCH_{name}": value for name, value in settings.items()},
        }
        (folder / "live.sqlite3").write_bytes(empty_sqlite())
        clock = FakeClock(int(time.time()))
        doubles = {"clock": clock, "hasher": CheapHasher()}  # hashing took a seventh of the time of making users
        app = create_app(Settings.read(environ, folder / "instance"), languages=OFFERED, **doubles)
        app.jinja_env.bytecode_cache = COMPILED
        services = app.extensions["nightlatch"]
        server = make_server(
            "127.0.0.1", 0, read_whole(app), threaded=True, request_handler=Quiet, fd=listening.fileno()
        )
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield LiveSite(app, services, clock, host=host)
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
            services.db.engine.dispose()


def start_browser(playwright: Playwright) -> Browser:
    return playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)


@dataclass
class Watch:
    """Records what a browser loaded and every error of it."""

    host: str
    faults: list[str] = field(default_factory=list)
    statuses: list[tuple[int, str]] = field(default_factory=list)
    expected: set[int] = field(default_factory=lambda: {422})

    def expects(self, status: int) -> None:
        self.expected.add(status)

    def console(self, message: ConsoleMessage) -> None:
        status = STATUS_BY_EYE.match(message.text)
        if status and (status[1].startswith("4") or int(status[1]) in self.expected):
            return  # `response` checks it
        if message.type in ("error", "warning"):
            self.faults.append(f"console: {message.text} ({message.location.get('url')})")

    def request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob") and parts.netloc not in (self.host, f"mobile.{self.host}"):
            self.faults.append(f"a request to another host: {request.url}")

    def failed(self, request: Request) -> None:
        by_worker = urlsplit(request.url).netloc == f"mobile.{self.host}" and "/static/" in request.url
        left = "net::ERR_ABORTED", *(["net::ERR_FAILED"] if by_worker else [])  # how a service worker reports it
        left_before_it_came = request.failure in left and not request.is_navigation_request()
        if not left_before_it_came:
            self.faults.append(f"a failed request: {request.method} {request.url}: {request.failure}")

    def response(self, response: Response) -> None:
        self.statuses.append((response.status, response.url))
        if response.status >= 400 and response.status not in self.expected:
            self.faults.append(f"{response.status} for {response.request.method} {response.url}")

    def check(self) -> None:
        found, self.faults = self.faults, []
        assert not found, "\n".join(found)


class Visitor:
    """A user of a browser who uses the keyboard only and finds elements by role and name."""

    def __init__(self, browser: Browser, site: LiveSite, layout: str = DESKTOP, **options: Any) -> None:
        self.site = site
        self.layout = layout
        self.language = "en"
        self.has_script = options.get("java_script_enabled", True)
        device = {**DEVICES[layout], "user_agent": AGENTS[layout], "locale": "en-GB", "reduced_motion": "reduce"}
        self.context = browser.new_context(**{**device, **options})
        self.context.set_default_timeout(10_000)
        self.watch = Watch(site.host)
        self.context.on("console", self.watch.console)
        self.context.on("weberror", lambda error: self.watch.faults.append(f"script: {error.error}"))
        self.context.on("request", self.watch.request)
        self.context.on("requestfailed", self.watch.failed)
        self.context.on("response", self.watch.response)
        self.page: Page = self.context.new_page()

    def close(self) -> None:
        self.leave()
        self.watch.check()

    def leave(self) -> None:
        """Waits until every page is loaded: closing one that is loading counts as a failed request."""
        for page in self.context.pages:
            page.wait_for_load_state()
        self.context.close()

    def open(self, path: str) -> None:
        self.page.wait_for_load_state()
        self.page.goto(self.site.url(self.layout, path))

    def become(self, person: Inside | None) -> None:
        """Copies the cookies of a user who is logged in already."""
        self.context.clear_cookies()
        theirs = {name: person.cookie(name) for name in ("session", "login", "phone")} if person else {}
        self._add_cookies(**theirs, language=self.language)
        if person:  # an account's language goes before that of the browser
            with self.site.services.db.write() as tx:
                tx.execute(update(Account).values(language=self.language))

    def speak(self, language: str) -> None:
        self.language = language
        self._add_cookies(language=language)

    def _add_cookies(self, **cookies: str | None) -> None:
        url = self.site.url(self.layout)
        given = [{"name": name, "value": value, "url": url} for name, value in cookies.items() if value is not None]
        self.context.add_cookies(given)

    def go_back(self) -> None:
        """With the browser's button. What HTMX put into the history is loaded again."""
        with self.page.expect_event("load"):
            self.page.go_back()

    def go_forward(self) -> None:
        with self.page.expect_event("load"):
            self.page.go_forward()

    # -- Keyboard ----------------------------------------------------------------------------------

    def tab_to(self, target: Locator) -> None:
        """With the Tab key, forwards or back: first as often as there are controls before it, then until it has the
        focus."""
        expect(target).to_have_count(1)
        key, presses = target.evaluate(PRESSES)
        for _ in range(presses):
            self.page.keyboard.press(key)
        for _ in range(60):
            if target.evaluate("e => e === document.activeElement"):
                return
            self.page.keyboard.press(key)
        raise AssertionError(f"the keyboard does not reach {target} on {self.page.url}")

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    def press(self, name: str, key: str = "Enter", role: str = "button") -> None:
        self.activate(self.page.get_by_role(role, name=name, exact=True), key)  # type: ignore[arg-type]

    def follow(self, name: str) -> None:
        self.press(name, role="link")

    def activate(self, target: Locator, key: str = "Enter") -> None:
        self.tab_to(target)
        if self.has_script:
            self.page.evaluate("window.wasHere = true")
        self.page.keyboard.press(key)

    def type_(self, label: str, text: str) -> None:
        """Types into the field and replaces its contents."""
        field = self.page.get_by_label(label, exact=True)
        self.tab_to(field)
        self.page.keyboard.press("ControlOrMeta+a")
        self.page.keyboard.insert_text(text)
        expect(field).to_have_value(text)

    # -- What the page shows -----------------------------------------------------------------------

    def arrives(self, h1: str) -> None:
        """Waits for the page; after a swap the heading or the error summary has the focus."""
        heading = self.page.get_by_role("heading", level=1)
        expect(heading).to_have_text(h1)
        if self.was_swapped():
            expect(self.page.locator("main h1, main [role=alert]").first).to_be_focused()

    def waits_for_rest(self) -> None:
        """Waits until no element moves and no view transition is active."""
        for _ in range(200):
            if self.page.evaluate(AT_REST):
                return
            self.page.wait_for_timeout(20)
        raise AssertionError(f"{self.page.url} does not come to rest")

    def sees_problem(self, words: str) -> None:
        problem = self.page.get_by_role("alert")
        expect(problem).to_contain_text(words)
        expect(problem).to_be_focused()
        expect(self.page).to_have_title(re.compile(r"^Error: "))

    def was_swapped(self) -> bool:
        return self.has_script and bool(self.page.evaluate("window.wasHere === true"))

    def receipt(self, words: str) -> None:
        expect(self.page.get_by_role("status")).to_contain_text(words)
