"""Firefox and WebKitGTK (the engine of Safari) as Debian packages them, driven by the commands of WebDriver.

The commands are those of https://www.w3.org/TR/webdriver2/: WebKitWebDriver takes them over HTTP, Firefox by its
Marionette protocol (https://firefox-source-docs.mozilla.org/testing/marionette/Protocol.html), because geckodriver,
which translates between the two, is no package of Debian 12.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

from tests.test_processes import free_port

TIMEOUT = 60
CONTROL = "\ue009"
HEIGHT = 900
PREFERENCES = {
    "marionette.port": 0,
    "ui.prefersReducedMotion": 1,
    "toolkit.legacyUserProfileCustomizations.stylesheets": True,
    "security.webauth.webauthn_enable_softtoken": True,
    "security.webauth.webauthn_enable_usbtoken": False,
}
NARROW = ":root { --window-min-width: 0 !important; min-width: 0 !important; }"
"""Firefox otherwise makes no window narrower than 500 pixels."""
COMMANDS = {
    "session": "WebDriver:NewSession",
    "window/rect": "WebDriver:SetWindowRect",
    "url": "WebDriver:Navigate",
    "execute/sync": "WebDriver:ExecuteScript",
    "actions": "WebDriver:PerformActions",
    "screenshot": "WebDriver:TakeScreenshot",
    "authenticator": "WebAuthn:AddVirtualAuthenticator",
    "quit": "Marionette:Quit",
}


class CommandFailed(Exception):
    """The error of a command, as the driver words it."""


class Driver(ABC):
    """A running browser with one window. Sizes are CSS pixels."""

    packages = ""

    def __init__(self, folder: Path, width: int, agent: str | None) -> None:
        """`folder`: for its files, empty. `agent`: a user agent to claim instead of its own."""
        self.folder = folder
        self.environ = {"PATH": os.environ["PATH"], "HOME": str(folder)}
        self.processes: list[subprocess.Popen[bytes]] = []
        try:
            self.start(agent)
            self.ask("window/rect", x=0, y=0, width=width, height=HEIGHT)
        except BaseException:
            self.end()
            raise

    @classmethod
    @abstractmethod
    def is_installed(cls) -> bool: ...

    @abstractmethod
    def start(self, agent: str | None) -> None:
        """Starts the browser and a session of its driver."""

    @abstractmethod
    def ask(self, command: str, **parameters: Any) -> Any:
        """Sends a command, named by the last part of its address. Raises `CommandFailed`."""

    @abstractmethod
    def close(self) -> None:
        """Has the browser quit, and ends what was started with it."""

    def end(self) -> None:
        for process in reversed(self.processes):
            process.terminate()
            process.wait(TIMEOUT)

    def run(self, function: str, *arguments: Any) -> Any:
        """What a JavaScript function of the page returns."""
        return self.ask("execute/sync", script=f"return ({function})(...arguments)", args=arguments)

    def press_at(self, x: float, y: float) -> None:
        moves: list[dict[str, Any]] = [
            {"type": "pointerMove", "x": round(x), "y": round(y)},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
        ]
        self.ask("actions", actions=[{"type": "pointer", "id": "mouse", "actions": moves}])

    def type_(self, text: str) -> None:
        """Replaces the contents of the field that has the focus."""
        chosen = [("keyDown", CONTROL), ("keyDown", "a"), ("keyUp", "a"), ("keyUp", CONTROL)]
        typed = [(kind, key) for key in text for kind in ("keyDown", "keyUp")]
        keys = [{"type": kind, "value": key} for kind, key in chosen + typed]
        self.ask("actions", actions=[{"type": "key", "id": "keyboard", "actions": keys}])

    def picture(self) -> bytes:
        return b64decode(self.ask("screenshot"))

    def launch(self, *command: str, **options: Any) -> None:
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.processes.append(subprocess.Popen(command, env=self.environ, **quiet, **options))


def once(answer: Callable[[], Any]) -> Any:
    """The first answer that is not empty and no error."""
    ends = time.monotonic() + TIMEOUT
    while True:
        try:
            if found := answer():
                return found
        except (OSError, CommandFailed):
            if time.monotonic() > ends:
                raise
        assert time.monotonic() < ends, "a browser did not start"
        time.sleep(0.05)


class Firefox(Driver):
    packages = "firefox-esr"

    @classmethod
    def is_installed(cls) -> bool:
        return cls.program() is not None

    @staticmethod
    def program() -> str | None:
        return shutil.which("firefox-esr") or shutil.which("firefox")

    def start(self, agent: str | None) -> None:
        preferences = {**PREFERENCES, **({"general.useragent.override": agent} if agent else {})}
        lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in preferences.items()]
        (self.folder / "user.js").write_text("\n".join(lines))
        (self.folder / "chrome").mkdir()
        (self.folder / "chrome" / "userChrome.css").write_text(NARROW)
        self.launch(str(self.program()), "--headless", "--kiosk", "--marionette", "--profile", str(self.folder))
        port = once((self.folder / "MarionetteActivePort").read_text)
        self.connection = socket.create_connection(("127.0.0.1", int(port)), TIMEOUT)
        self.answers = self.connection.makefile("rb")
        self.number = 0
        self._read()
        self.ask("session")

    def _read(self) -> Any:
        length = b""
        while (digit := self.answers.read(1)) != b":":
            assert digit, "Firefox closed the connection"
            length += digit
        return json.loads(self.answers.read(int(length)))

    def ask(self, command: str, **parameters: Any) -> Any:
        self.number += 1
        sent = json.dumps([0, self.number, COMMANDS[command], parameters]).encode()
        self.connection.sendall(b"%d:%s" % (len(sent), sent))
        _, _, error, result = self._read()
        if error:
            raise CommandFailed(f"{error['error']}: {error['message']}")
        return result.get("value") if result else None

    def close(self) -> None:
        try:
            self.ask("quit", flags=["eForceQuit"])
            self.processes[0].wait(TIMEOUT)
        finally:
            self.answers.close()
            self.connection.close()
            self.end()


class WebKit(Driver):
    packages = "webkit2gtk-driver xvfb"
    opener = build_opener(ProxyHandler({}))

    @classmethod
    def is_installed(cls) -> bool:
        return cls.program() is not None and all(map(shutil.which, ("WebKitWebDriver", "Xvfb")))

    @staticmethod
    def program() -> Path | None:
        return next(Path("/usr/lib").glob("*/webkit*gtk-*/MiniBrowser"), None)

    def start(self, agent: str | None) -> None:
        settings = self.folder / ".config" / "gtk-3.0" / "settings.ini"
        settings.parent.mkdir(parents=True)
        settings.write_text("[Settings]\ngtk-enable-animations=0\n")
        given, taken = os.pipe()
        window = ["-screen", "0", f"1280x{HEIGHT}x24", "-nolisten", "tcp"]
        with os.fdopen(given) as display:
            self.launch("Xvfb", "-displayfd", str(taken), *window, pass_fds=[taken])
            os.close(taken)
            self.environ["DISPLAY"] = f":{display.readline().strip()}"
        port = free_port()
        self.launch("WebKitWebDriver", f"--port={port}")
        # without full screen GTK makes no window narrower than its toolbar
        options = ["--automation", "--full-screen", *([f"--user-agent={agent}"] if agent else [])]
        browser = {"binary": str(self.program()), "args": options}
        wanted = {"capabilities": {"alwaysMatch": {"webkitgtk:browserOptions": browser}}}
        self.address = f"http://127.0.0.1:{port}/session"
        self.address += f"/{once(lambda: self._send('POST', '', wanted))['sessionId']}"

    def _send(self, method: str, path: str, parameters: dict[str, Any] | None = None) -> Any:
        body = None if parameters is None else json.dumps(parameters).encode()
        try:
            with self.opener.open(Request(f"{self.address}{path}", body, method=method), timeout=TIMEOUT) as response:
                return json.load(response)["value"]
        except HTTPError as error:
            with error:
                raise CommandFailed(json.load(error)["value"]) from None

    def ask(self, command: str, **parameters: Any) -> Any:
        return self._send("GET" if command == "screenshot" else "POST", f"/{command}", parameters or None)

    def close(self) -> None:
        try:
            self._send("DELETE", "")
        finally:
            self.end()
