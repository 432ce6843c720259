"""Hostile requests to a guarded host, how to judge what comes of them, and the line that prevents it in each proxy.

Two paths are asked: `OPEN`, which is public while the doctor asks, and `CLOSED`, which is not, but for PATCH.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .configurations import IDENTITY, PAGES, REPLACED_BY_TRAEFIK, REWRITING, SPELLINGS

FORGED = "nightlatch-forged"
KEPT = "doctor=kept"
WEBSOCKET = (
    *("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"),
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
UPGRADES = ("Upgrade: h2c",), (f"Upgrade: {FORGED}",), ("Upgrade: h2c", "Upgrade: websocket")
"""A server that changes its protocol by one of them gets what follows past the proxy (RFC 9110 section 7.8)."""


TOLD = {
    "nginx": "proxy_set_header X-Original-URL ",
    "caddy": "header_up X-Forwarded-Uri {http.request.orig_uri}",
    "traefik": "sanitizePath: false",
    "envoy": "normalize_path: false",
}
"""By proxy: how Nightlatch is told the path as it was sent."""
METHOD_TOLD = {"nginx": "proxy_set_header X-Original-Method $request_method;"}
"""By proxy, where it needs a line: how Nightlatch is told the method."""
TOLD_TO_APPS = ("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto")
"""What each proxy itself writes for the application."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The answer to a request, and what the application received; None when the request did not reach it."""

    status: int
    headers: Mapping[str, str]
    """Of the answer, by names in lower case."""
    received: Mapping[str, Any] | None

    @property
    def reached(self) -> bool:
        return self.received is not None

    @property
    def got(self) -> dict[str, str]:
        """The headers that the application received, by names in lower case."""
        return {name.lower(): value for name, value in (self.received or {}).get("headers", {}).items()}

    @property
    def forged(self) -> bool:
        return any(FORGED in value for value in self.got.values())


@dataclass(frozen=True, slots=True)
class Probe:
    says: str
    """What is sent."""
    target: str
    is_wrong: Callable[[Seen, str], bool]
    """Whether this answer of this proxy is wrong."""
    lines: Mapping[str, str] = field(default_factory=dict)
    """The line that prevents it, by proxy, as it stands in the shipped configuration."""
    headers: tuple[str, ...] = ()
    host: str = ""
    """Of the request, if it is not that of the guarded host."""


def probes(open_path: str, closed_path: str, url: str, cookie: str, authorization: bool) -> Iterator[Probe]:
    """Every request. `url` is the scheme and host, and `cookie` the name of the host's cookie."""
    yield from _identity(open_path)
    yield from _cookies(open_path, cookie, authorization)
    yield from _rewriting(open_path, closed_path, url)
    yield from _paths(open_path)
    yield from _routes(open_path, closed_path)


def _reached(seen: Seen, _proxy: str) -> bool:
    return seen.reached


def _forged(seen: Seen, _proxy: str) -> bool:
    return seen.forged


def _variable(header: str) -> str:
    return header.lower().replace("-", "_")


def _identity(path: str) -> Iterator[Probe]:
    for spelling in SPELLINGS:
        dropped = {"_": "underscores_in_headers off;", ".": "ignore_invalid_headers on;"}
        separator = next((mark for mark in "_." if mark in spelling), "-")
        envoy = "headers_with_underscores_action: DROP_HEADER" if separator == "_" else f"- remove: {spelling}"
        nginx = dropped.get(separator, f"proxy_set_header {spelling} $is_{_variable(spelling)};")
        lines = {"nginx": nginx, "caddy": f"request_header -{spelling}", "traefik": f'{spelling}: ""', "envoy": envoy}
        yield Probe(f"a forged {spelling}", path, _forged, lines, (f"{spelling}: {FORGED}",))
    for header in IDENTITY:
        yield Probe(f"the answer's {header}", path, _lacks(header), _copied(header))
    named = {
        "nginx": "if ($http_connection ~* ",
        "caddy": "respond @connection 400",
        "traefik": "middlewares: [refuse]",
    }
    for header in IDENTITY:
        yield Probe(f"Connection: {header}", path, _accepted_connection, named, (f"Connection: close, {header}",))


def _lacks(header: str) -> Callable[[Seen, str], bool]:
    """nginx does not pass an empty header on, so its absence tells nothing there."""
    return lambda seen, proxy: proxy != "nginx" and seen.reached and header.lower() not in seen.got


def _accepted_connection(seen: Seen, proxy: str) -> bool:
    """Envoy drops the names itself and refuses nothing; the others refuse the request."""
    return seen.reached and (proxy != "envoy" or any(header.lower() not in seen.got for header in IDENTITY))


def _copied(header: str) -> dict[str, str]:
    return {
        "caddy": f"request_header {header} {{http.reverse_proxy.header.{header}}}",
        "traefik": f"- {header}",
        "envoy": f"- exact: {header.lower()}",
    }


def _cookies(path: str, cookie: str, authorization: bool) -> Iterator[Probe]:
    lines = {
        "nginx": "proxy_set_header Cookie $nightlatch_cookie;",
        "caddy": "request_header Cookie {http.reverse_proxy.header.Cookie}",
        "traefik": "- Cookie",
        "envoy": "- exact: cookie",
    }
    for name in (cookie, f"{cookie}-start-{FORGED}"):
        sent = (f"Cookie: {KEPT}; {name}={FORGED}",)
        yield Probe(f"a forged cookie {name}", path, _forged, lines, sent)
    yield Probe("a cookie of the application", path, _lost_cookie, lines, (f"Cookie: {KEPT}",))
    if authorization:
        removed = {
            "nginx": 'proxy_set_header Authorization "";',
            "caddy": "request_header -Authorization",
            "traefik": "- Authorization",
            "envoy": "request_headers_to_remove: [authorization]",
        }
        yield Probe("Authorization", path, _forged, removed, (f"Authorization: Bearer {FORGED}",))


def _lost_cookie(seen: Seen, _proxy: str) -> bool:
    return seen.reached and KEPT not in seen.got.get("cookie", "")


def _rewriting(open_path: str, closed_path: str, url: str) -> Iterator[Probe]:
    for header in (*REWRITING, "Forwarded", *TOLD_TO_APPS, "X-Real-IP"):
        sent = f"host={FORGED}" if header == "Forwarded" else FORGED
        yield Probe(f"a forged {header}", open_path, _forged, _removed(header, url), (f"{header}: {sent}",))
    values = {"X-Original-URL": f"{url}{open_path}", "X-Forwarded-Uri": open_path, "X-Rewrite-URL": open_path}
    methods = {"X-Original-Method": "PATCH", "X-Forwarded-Method": "PATCH", "X-HTTP-Method-Override": "PATCH"}
    checked = {
        "X-Original-URL": {"nginx": f"proxy_set_header X-Original-URL {url}$request_uri;"},
        "X-Original-Method": METHOD_TOLD,
        "X-Forwarded-Uri": {"caddy": "header_up X-Forwarded-Uri {http.request.orig_uri}"},
        "X-Forwarded-Method": {"caddy": "header_up X-Forwarded-Method {method}"},
    }
    for header, value in {**values, **methods}.items():
        lines = checked.get(header, {})
        yield Probe(f"{header} of what is allowed", closed_path, _reached, lines, (f"{header}: {value}",))


def _removed(header: str, url: str) -> dict[str, str]:
    """Caddy, Traefik and Envoy themselves replace some headers of a client that they do not trust."""
    scheme, _, host = url.partition("://")
    told = dict(zip(("X-Real-IP", *TOLD_TO_APPS), ("$remote_addr", "$remote_addr", host, scheme), strict=True))
    set_by_nginx = told.get(header, '""')
    lines = {"nginx": f"proxy_set_header {header} {set_by_nginx};"}
    if header != "X-Forwarded-Proto":
        lines["envoy"] = f"- remove: {header}"
    if header not in TOLD_TO_APPS:
        lines["caddy"] = f"request_header -{header}"
    if header not in TOLD_TO_APPS and header not in REPLACED_BY_TRAEFIK:
        lines["traefik"] = f'{header}: ""'
    return lines


def _paths(path: str) -> Iterator[Probe]:
    escaped = {**TOLD, "envoy": "path_with_escaped_slashes_action: REJECT_REQUEST"}
    doubled = {**TOLD, "envoy": "merge_slashes: false"}
    yield Probe("a path with ..", f"{path}/a/../b", _reached, TOLD)
    yield Probe("a path with .", f"{path}/./a", _reached, TOLD)
    yield Probe("a path with %2e%2e", f"{path}/a/%2e%2e/b", _reached, TOLD)
    yield Probe("a path with %2f", f"{path}%2fa", _reached, escaped)
    yield Probe("a path with %5c", f"{path}%5ca", _reached, escaped)
    yield Probe("a path with %61", f"{path}/%61", _reached_as_sent, TOLD)
    yield Probe("a path with ;", f"{path};a", _reached, TOLD)
    yield Probe("a path with a doubled slash", f"{path}//a", _reached, doubled)
    yield Probe("a path that begins with two slashes", f"/{path}", _reached, doubled)
    yield Probe("a path with a backslash", f"{path}/a\\b", _reached, TOLD)


def _reached_as_sent(seen: Seen, _proxy: str) -> bool:
    """Traefik decodes letters (RFC 3986 section 6.2.2.2) for the check and for the application alike."""
    return seen.reached and "%" in (seen.received or {}).get("target", "")


def _routes(open_path: str, closed_path: str) -> Iterator[Probe]:
    asked = {
        "nginx": "auth_request /.nightlatch/check;",
        "caddy": "handle_response @allowed {",
        "traefik": "middlewares: [strip, no-upgrade, check]",
        "envoy": "- name: envoy.filters.http.ext_authz",
    }
    yield Probe("a path that needs a log-in", closed_path, _reached, asked)
    led = {"nginx": "error_page 401 = @nightlatch_log_in;"}
    navigation = ("Accept: text/html", "Sec-Fetch-Mode: navigate")
    yield Probe("a navigation that is not logged in", closed_path, _does_not_lead, {**asked, **led}, navigation)
    for page in PAGES:
        path = f"/.nightlatch/{page}"
        routed = {
            "nginx": f"location = {path} {{",
            "caddy": f"@nightlatch path /.nightlatch/{' /.nightlatch/'.join(PAGES)}",
            "traefik": f"Path(`{path}`)",
            "envoy": f"- match: {{path: {path}}}",
        }
        yield Probe(f"the page {path}", path, _is_not_ours, routed, navigation)
    passes = {"nginx": "proxy_set_header Upgrade $nightlatch_upgrade;", "envoy": "- upgrade_type: websocket"}
    yield Probe("a WebSocket", open_path, lambda seen, _proxy: seen.status != 101, passes, WEBSOCKET)
    dropped = {**passes, "caddy": "request_header @upgrade -Upgrade", "traefik": 'Upgrade: ""'}
    for upgrade in UPGRADES:
        yield Probe(" and ".join(upgrade), open_path, _upgrades, dropped, ("Connection: Upgrade", *upgrade))
    other = {"nginx": "return 421;"}
    yield Probe("the host of another site", open_path, _reached, other, host=f"{FORGED}.example.org")


def _upgrades(seen: Seen, _proxy: str) -> bool:
    return seen.got.get("upgrade", "websocket") != "websocket"


def _does_not_lead(seen: Seen, _proxy: str) -> bool:
    return seen.status != 303 or "/.nightlatch/start" not in seen.headers.get("location", "")


def _is_not_ours(seen: Seen, _proxy: str) -> bool:
    """Such a page is answered by Nightlatch itself, and never by a redirect to the log-in."""
    return seen.reached or not _does_not_lead(seen, _proxy)
