"""`flask apps doctor`: asks the proxy of a guarded host with hostile requests, and says what reaches the application.

The application behind the proxy must be the echo app meanwhile. Two paths with random names get rules of their own
while the doctor asks, so that requests without a log-in reach the application too.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from socket import create_connection

from ...domain.app_addresses import DEVELOPMENT, OWN_PORTS
from ...models.registered_apps import RegisteredApp
from ..core import Core
from ..operators.apps import RegisteredApps
from .configurations import PROXIES, parsed_address
from .probes import METHOD_TOLD, TOLD, Probe, Seen, probes

SECONDS = 10
LARGEST = 1_000_000
WHOLE_ANSWER = 65_536


class DoctorError(Exception):
    """The doctor cannot ask; its text says why."""


@dataclass(frozen=True, slots=True)
class Finding:
    says: str
    """What was sent."""
    reached: bool
    status: int
    """Of the answer; 0 when the connection was closed without one."""
    line: str | None
    """The line that is missing from the proxy's configuration; None when nothing is wrong."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Sends requests as they are, without the corrections of an HTTP library."""

    host: str
    address: tuple[str, int]
    context: ssl.SSLContext | None

    def ask(self, target: str, *headers: str, host: str = "") -> Seen:
        """Raises `OSError`."""
        closing = () if any(header.startswith("Connection:") for header in headers) else ("Connection: close",)
        lines = [f"GET {target} HTTP/1.1", f"Host: {host or self.host}", *headers, *closing, "", ""]
        answer = b""
        with create_connection(self.address, SECONDS) as plain:
            name = self.host.partition(":")[0]
            sock = self.context.wrap_socket(plain, server_hostname=name) if self.context else plain
            with sock, suppress(TimeoutError, ConnectionResetError):
                sock.sendall("\r\n".join(lines).encode("latin-1"))
                while not _is_whole(answer) and len(answer) < LARGEST and (more := sock.recv(WHOLE_ANSWER)):
                    answer += more
        return _seen(answer)


@dataclass(frozen=True, slots=True)
class Doctor:
    core: Core
    apps: RegisteredApps

    def examine(
        self, host: str, address: str = "", proxy: str | None = None, *, verify: bool = True
    ) -> Iterator[Finding]:
        """What each request did, in turn. `address` is that of the proxy, if the host's name does not lead to it.

        Raises `DoctorError` for an unknown host, and when the proxy or the echo app does not answer.
        """
        hosts = {app.host: app for app in self.apps.all() if app.host is not None}
        app = hosts.get(host.strip().lower())
        if app is None or app.host is None:
            raise DoctorError(f"No guarded host is named {host}. There are: {', '.join(sorted(hosts)) or 'none'}.")
        name, _, port = app.host.partition(":")
        scheme = "http" if name.endswith(DEVELOPMENT) else "https"
        at = parsed_address(address) if address else (name, int(port or OWN_PORTS[scheme]))
        at = ("127.0.0.1", at[1]) if not at[0] or (not address and scheme == "http") else (at[0].strip("[]"), at[1])
        context = _context(verify) if scheme == "https" else None
        asker, url = Asker(app.host, at, context), f"{scheme}://{app.host}"
        cookie = "__Host-Http-nightlatch" if scheme == "https" else "nightlatch"
        with self._paths(app) as (open_path, closed_path):
            try:
                first = asker.ask(open_path)
                known = proxy or _proxy(first)
                self._demand_echo(first, known)
                for probe in probes(open_path, closed_path, url, cookie, app.authorization_allowed):
                    seen = asker.ask(probe.target, *probe.headers, host=probe.host)
                    yield Finding(probe.says, seen.reached, seen.status, _line(probe, seen, known))
            except OSError as error:
                raise DoctorError(
                    f"The proxy does not answer at {at[0]} port {at[1]}: {error}. --address names another."
                ) from None

    @contextmanager
    def _paths(self, app: RegisteredApp) -> Iterator[tuple[str, str]]:
        """A path that is public and one that is not, but for PATCH, while the block runs."""
        name = f"/nightlatch-doctor-{self.core.entropy.bytes(8).hex()}"
        added = (f"public {name}-open", f"public PATCH {name}-closed", f"password {name}-closed")
        options = self.apps.named(app.client_id).options
        self.apps.change(app.client_id, replace(options, rules=(*added, *options.rules)))
        try:
            yield f"{name}-open", f"{name}-closed"
        finally:
            options = self.apps.named(app.client_id).options
            kept = tuple(rule for rule in options.rules if rule not in added)
            self.apps.change(app.client_id, replace(options, rules=kept))

    def _demand_echo(self, first: Seen, proxy: str) -> None:
        if first.received is None:
            raise DoctorError(
                f"A request of a public path did not reach the echo app (the answer's status is {first.status})."
                " Start `flask apps echo` in place of the application, see that Nightlatch runs, and see that the"
                f" configuration has the secret of this host and the lines: "
                f"{TOLD.get(proxy, '')} {METHOD_TOLD.get(proxy, '')}"
            )


def _context(verify: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _line(probe: Probe, seen: Seen, proxy: str) -> str | None:
    if not probe.is_wrong(seen, proxy):
        return None
    return probe.lines.get(proxy, "the rest of the shipped configuration; print it again by `flask apps show`")


def _proxy(seen: Seen) -> str:
    """The proxy that answered, by its own headers; Traefik has none."""
    said = f"{seen.headers.get('server', '')} {seen.headers.get('via', '')}".lower()
    return next((name for name in PROXIES if name in said), "traefik")


def _is_whole(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    if not end:
        return False
    length = _headers(head).get("content-length", "")
    return head.split(b" ", 2)[1:2] == [b"101"] or (length.isdigit() and len(body) >= int(length))


def _headers(head: bytes) -> Mapping[str, str]:
    lines = (line.partition(":") for line in head.decode("latin-1").split("\r\n")[1:])
    return {name.lower(): value.strip() for name, _, value in lines}


def _seen(answer: bytes) -> Seen:
    head, _, body = answer.partition(b"\r\n\r\n")
    words = head.split(b" ", 2)
    if len(words) < 2 or not words[1].isdigit():
        return Seen(0, {}, None)
    received = None
    with suppress(ValueError):
        received = json.loads(body)
    is_echo = isinstance(received, dict) and {"method", "target", "headers"} <= set(received)
    return Seen(int(words[1]), _headers(head), received if is_echo else None)
