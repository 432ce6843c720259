"""The shipped configurations of guarded hosts, run by the real proxies before the real server and the echo app.

By default nginx and Caddy of Debian; `make test-apps` names others in NIGHTLATCH_TEST_PROXIES.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import select

from tests.apps import basic
from tests.proxies.stacks import NAVIGATION, WEBSOCKET, Silent, Stack, Talker, guarded, headers_of, received
from tests.served import PASSWORD, Served, served
from tests.wire import Answer, Client, request
from webapp.models.guarded_hosts import GuardedSession
from webapp.models.sessions import Attempt
from webapp.services.guarded.configurations import IDENTITY, SPELLINGS
from webapp.services.guarded.doctor import DoctorError

RULES = ("public /open", "deny /closed", "two-factor /admin", "password /")
CANONICAL_ONLY = (
    "/open/../a",
    "/open/%2e%2e/a",
    "/open%2fa",
    "/open//a",
    "/open;a",
    "/open/./a",
    "/open\\a",
    "//open/a",
)
TESTED = os.environ.get("NIGHTLATCH_TEST_PROXIES", "nginx,caddy").split(",")
pytestmark = pytest.mark.xdist_group("proxies")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("site"), NIGHTLATCH_TRUSTED_PROXIES="1") as running_server:
        yield running_server


@pytest.fixture(scope="module", params=TESTED)
def stack(request: pytest.FixtureRequest, server: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with guarded(server, request.param, tmp_path_factory.mktemp("proxy"), rules=RULES) as found:
        yield found


def test_a_log_in_leads_back_and_the_app_learns_who_it_is(stack: Stack) -> None:
    browser = stack.browser()
    start = browser.ask(f"http://{stack.host}/page?a=b%20c", *NAVIGATION)
    assert start.status == 303
    assert start.headers["location"].startswith(f"http://{stack.host}/.nightlatch/start?id=")

    at, page = browser.log_in(f"http://{stack.host}/page?a=b%20c")
    assert at == f"http://{stack.host}/page?a=b%20c"
    assert received(page)["target"] == "/page?a=b%20c"
    headers = headers_of(page)
    assert headers["remote-user"] == "ada"
    assert headers["remote-name"] == "Zoë 李"
    assert headers["remote-email"] == "ada@example.org"
    assert headers["nightlatch-assertion"].count(".") == 2
    assert headers.get("remote-groups", "") == ""
    assert "nightlatch" not in headers.get("cookie", ""), "the cookies of Nightlatch are taken out"

    forged = [f"{name}: root" for name in SPELLINGS]
    browser.cookies[stack.host]["own"] = "kept"
    headers = headers_of(browser.ask(f"http://{stack.host}/page", *forged))
    assert headers["remote-user"] == "ada"
    assert "root" not in headers.values()
    assert headers["cookie"] == "own=kept"
    answer = browser.ask(f"http://{stack.host}/admin/", *NAVIGATION)
    assert answer.status in (303, 403), "a factor is needed, which Ada does not have"
    closed = browser.ask(f"http://{stack.host}/closed/a", *NAVIGATION)
    assert closed.status == 403
    assert "Wiki" in closed.text, "the page of Nightlatch names the app"
    number = re.search(r"Error ID: ([0-9a-f]{16})", closed.text)
    assert number, "and has the error id, in whichever way the proxy shows it"
    explained = stack.server.services.operators.refusals.explain(number[1]).refused
    assert (explained.rule, explained.facts) == ("host-rule", {"denied_by": "deny /closed"})


def test_a_forged_address_counts_for_nothing(stack: Stack) -> None:
    """Log-ins are counted and listed by the address that the proxy saw."""
    browser, forged = stack.browser(), "203.0.113.9"
    headers = (f"X-Forwarded-For: {forged}", f"Forwarded: for={forged}", f"X-Real-IP: {forged}")
    start = browser.ask(f"{stack.url}/page", *NAVIGATION, *headers).headers["location"]
    at_site = browser.ask(start, *NAVIGATION, *headers).headers["location"]
    browser.log_in(at_site)
    with stack.server.services.db.read() as tx:
        buckets = set(tx.scalars(select(Attempt.bucket).where(Attempt.bucket.startswith("guarded-from:"))))
        (address,) = set(tx.scalars(select(GuardedSession.address)))
    assert not any(forged in bucket for bucket in buckets)
    assert f"guarded-from:{address}" in buckets, "the walk to the host and the session there are of one address"
    assert stack.proxy == "envoy" or address == "127.0.0.1", (
        "Envoy takes an address of the machine for the loopback one"
    )


def test_over_https_every_cookie_is_secure(stack: Stack, server: Served, tmp_path: Path) -> None:
    """TLS ends at the proxy, and Nightlatch knows it by the host."""
    with guarded(server, stack.program, tmp_path, host="wiki.example.org", rules=RULES) as secure:
        browser = secure.browser()
        at, page = browser.log_in("https://wiki.example.org/page?a=b%20c")
        assert at == "https://wiki.example.org/page?a=b%20c"
        headers = headers_of(browser.ask(at, "X-Forwarded-Proto: http", "X-Forwarded-Host: evil.example"))
        assert (headers["remote-user"], headers["x-forwarded-proto"]) == ("ada", "https")
        assert "evil.example" not in headers.values()
        cookies = [line for host, line in browser.set_cookies if host == secure.host]
        assert len(cookies) == 3, "one at the start, and at the end that of the session in its place"
        for line in cookies:
            assert line.startswith("__Host-Http-nightlatch"), line
            attributes = set(line.lower().split("; "))
            assert {"secure", "httponly", "samesite=lax", "path=/"} <= attributes, line
            assert not any(each.startswith("domain") for each in attributes), line
        kept = browser.cookies[secure.host]
        assert kept.pop("__Host-Http-nightlatch")
        assert not any(kept.values()), "the start cookie is gone"
        style = browser.ask("https://wiki.example.org/.nightlatch/style.css")
        assert (style.status, style.headers["content-type"]) == (200, "text/css; charset=utf-8")
        page = browser.ask("https://wiki.example.org/.nightlatch/log-out", *NAVIGATION)
        allowed = "style-src https://wiki.example.org/.nightlatch/style.css;"
        assert allowed in page.headers["content-security-policy"]
        assert [found for found in secure.examine(verify=False) if found.line] == []


def test_a_script_gets_401_and_no_page(stack: Stack) -> None:
    answer = stack.browser().ask(f"http://{stack.host}/page", "Accept: application/json", "Sec-Fetch-Mode: cors")
    assert answer.status == 401
    assert "location" not in answer.headers


def test_traefik_and_caddy_forged_headers_in_every_spelling_do_not_reach_the_app(stack: Stack) -> None:
    forged = [f"{name}: root" for name in SPELLINGS]
    headers = headers_of(stack.browser().ask(f"http://{stack.host}/open/a", *forged))
    assert not any(headers.get(name.lower()) for name in SPELLINGS), headers
    if stack.proxy != "nginx":  # it drops empty headers
        assert all(headers[name.lower()] == "" for name in IDENTITY)


def test_the_rules_judge_the_target_as_it_was_sent(stack: Stack) -> None:
    for target in CANONICAL_ONLY:
        answer = raw(stack, target)
        assert answer.status in (303, 400, 401), (target, answer.status)
        assert b'"target"' not in answer.body
    answer = raw(stack, "/ope%6e/a")
    if stack.proxy == "traefik":  # it decodes letters for the check and for the app (RFC 3986 section 6.2.2.2)
        assert received(answer)["target"] == "/open/a"
    else:
        assert answer.status == 303
    assert received(raw(stack, "/open/a?b=%2f..//"))["target"] == "/open/a?b=%2f..//"


def raw(stack: Stack, target: str, *headers: str) -> Answer:
    client = Client(stack.front, stack.host)
    try:
        client.send(request(stack.host, target, *NAVIGATION, *headers, "Connection: close"))
        return client.answer()
    finally:
        client.close()


ATTACKS: dict[str, tuple[str, tuple[str, ...]]] = {
    "oauth2-proxy: a public path in the query": ("/page?/open/a", ()),
    "oauth2-proxy: a public path in a fragment": ("/page#/open/a", ()),
    "oauth2-proxy: a forged X-Forwarded-Uri": ("/page", ("X-Forwarded-Uri: /open/a", "X-Original-URI: /open/a")),
    "a forged X-Original-URL": ("/page", ("X-Original-URL: http://{host}/open/a", "X-Rewrite-URL: /open/a")),
    "oauth2-proxy: the user agent of a health check": ("/page", ("User-Agent: GoogleHC/1.0",)),
    "a method override": ("/page", ("X-HTTP-Method-Override: OPTIONS", "X-Forwarded-Method: OPTIONS")),
    "a forged host": ("/page", ("X-Forwarded-Host: evil.example", "Forwarded: host=evil.example")),
    "a forged cookie": ("/page", ("Cookie: nightlatch=x; nightlatch-start-x=y; __Host-Http-nightlatch=z",)),
    "a forged session of the site": ("/page", ("Cookie: session=x; login=y",)),
    "forged identity headers": ("/page", tuple(f"{name}: root" for name in SPELLINGS)),
    "VoidAuth: an escaped slash": ("/open/..%2fpage", ()),
    "VoidAuth: an escaped backslash": ("/open/..%5cpage", ()),
    "VoidAuth: a semicolon": ("/open/..;/page", ()),
    "Authelia: a bad escape": ("/open/%zz", ()),
    "Authelia: a lone percent sign": ("/open/a%", ()),
    "Authelia: bad UTF-8": ("/open/%ff", ()),
    "Authelia: another case": ("/CLOSED/a", ()),
    "a path twice escaped": ("/open/%252e%252e/page", ()),
    "an absolute request target": ("http://{host}/page", ()),
    "an absolute request target of a public path": ("http://{host}/open/../page", ()),
    "authentik: an odd X-Forwarded-For": ("/page", ("X-Forwarded-For: 127.0.0.1, ::1%eth0, unknown",)),
    "a page of Nightlatch in another spelling": ("/.nightlatch/../page", ()),
    "a page of Nightlatch that is none": ("/.nightlatch/back/../../page", ()),
    "the address that the proxy asks": ("/forward/nginx/x", ()),
    "the inner address of the check": ("/.nightlatch/check", ()),
}
"""What is sent without a log-in, by the software that it was a hole of."""


def test_what_was_a_hole_of_other_software_is_none_here(stack: Stack) -> None:
    reached = {}
    for name, (target, headers) in ATTACKS.items():
        answer = raw(stack, target.format(host=stack.host), *(header.format(host=stack.host) for header in headers))
        away = answer.headers.get("location", f"http://{stack.host}/.nightlatch/start")
        if answer.status not in (303, 400, 401, 403, 404) or not away.startswith(
            f"http://{stack.host}/.nightlatch/start"
        ):
            reached[name] = (answer.status, away, answer.text[:200])
    assert reached == {}


def test_oauth2_proxy_odd_targets_lead_back_to_the_host(stack: Stack, server: Served, tmp_path: Path) -> None:
    with guarded(server, stack.program, tmp_path) as host:
        browser = host.browser()
        for target in ("/\\evil.example", "//evil.example/", "/%09/evil.example", "/%5cevil.example", "/.evil.example"):
            start = raw(host, target)
            if start.status == 400:
                assert stack.proxy == "envoy", "it refuses escaped slashes"
                continue
            enter = browser.open if browser.cookies else browser.log_in
            at, page = enter(start.headers["location"])
            assert at.startswith(f"http://{host.host}/"), target
            if stack.proxy == "envoy" and page.status == 400:
                assert at.endswith("/%5Cevil.example"), "which it refuses when the browser comes back"
                continue
            assert headers_of(page)["remote-user"] == "ada"
            browser.cookies[host.host].clear()


def test_a_request_with_a_body_arrives_whole(stack: Stack) -> None:
    answer = stack.browser().ask(f"http://{stack.host}/open/form", form={"a": "b" * 5000})
    assert (received(answer)["method"], received(answer)["body"]) == ("POST", len("a=") + 5000)


def test_a_websocket_passes_for_those_who_may(stack: Stack) -> None:
    for path, status in (("/open/socket", 101), ("/page", 401)):
        client = Client(stack.front, stack.host)
        try:
            client.send(request(stack.host, path, *WEBSOCKET))
            assert client.answer(body=False).status == status
        finally:
            client.close()


LIMITED = {
    "nginx": (Silent, "proxy_read_timeout 600s;", "proxy_read_timeout 2s;"),
    "newest-caddy": (Talker, "# stream_timeout 600s", "stream_timeout 2s"),
    "envoy": (Talker, "max_stream_duration: 600s", "max_stream_duration: 2s"),
}
"""What closes a WebSocket, shortened. Traefik and the Caddy of Debian have nothing."""


@pytest.mark.parametrize("program", sorted(set(TESTED) & set(LIMITED)))
def test_the_websocket_of_an_ended_session_is_closed(program: str, server: Served, tmp_path: Path) -> None:
    app, shipped, short = LIMITED[program]
    with guarded(server, program, tmp_path, change=replaced(shipped, short), upstream=app) as host:
        browser = host.browser()
        browser.log_in(f"{host.url}/page")
        cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies[host.host].items())
        client = Client(host.front, host.host)
        opening = request(host.host, "/socket", *WEBSOCKET, f"Cookie: {cookies}")
        client.send(opening)
        assert client.answer(body=False).status == 101
        started = time.monotonic()
        server.services.accounts.log_out("ada")
        assert b'"/socket"' in client.read_to_the_end()
        assert 1 < time.monotonic() - started < 8, "the application would close it after ten seconds"
        again = Client(host.front, host.host)
        again.send(opening)
        assert again.answer(body=False).status == 401
        for one in (client, again):
            one.close()


@pytest.mark.parametrize("upgrades", [["h2c"], ["H2C"], ["tls/1.2"], ["h2c, websocket"], ["h2c", "websocket"]])
def test_no_other_upgrade_reaches_the_app(stack: Stack, upgrades: list[str]) -> None:
    """Over h2c, what follows would reach the app unchecked, with whatever Remote-User it has (h2c smuggling)."""
    sent = ("Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA")
    client = Client(stack.front, stack.host)
    try:
        client.send(request(stack.host, "/open/a", *sent, *(f"Upgrade: {name}" for name in upgrades)))
        answer = client.answer()
    finally:
        client.close()
    assert answer.status in (200, 403), answer.status  # Envoy refuses
    assert answer.status == 403 or headers_of(answer).get("upgrade", "websocket") == "websocket"


def test_a_header_cannot_be_dropped_by_connection(stack: Stack) -> None:
    for name in SPELLINGS:
        client = Client(stack.front, stack.host)
        try:
            client.send(request(stack.host, "/open/a", f"Connection: close, {name}"))
            answer = client.answer()
        finally:
            client.close()
        if stack.proxy == "envoy":  # it drops the names instead
            assert all(headers_of(answer)[header.lower()] == "" for header in IDENTITY)
        else:
            assert answer.status == 400


def test_the_doctor_finds_nothing_in_the_shipped_configuration(stack: Stack) -> None:
    assert [found for found in stack.examine() if found.line] == []
    services = stack.server.services
    assert services.operators.apps.named(stack.app_id).options.rules == RULES, "its own rules are gone"


def test_authorization_reaches_nightlatch_only_where_it_is_allowed(
    stack: Stack, server: Served, tmp_path: Path
) -> None:
    sent = f"Authorization: {basic('ada', PASSWORD)}"
    headers = headers_of(stack.browser().ask(f"http://{stack.host}/open/a", sent))
    assert headers["authorization"] == sent.partition(": ")[2], "the app has its own use of it"
    with guarded(server, stack.program, tmp_path, rules=RULES, authorization_allowed=True) as allowing:
        assert [found for found in allowing.examine() if found.line] == []


def test_everything_is_refused_while_nightlatch_is_down(stack: Stack, tmp_path: Path) -> None:
    with (
        served(tmp_path, NIGHTLATCH_TRUSTED_PROXIES="1") as other,
        guarded(other, stack.program, tmp_path / "proxy", rules=RULES) as host,
    ):
        assert host.browser().ask(f"http://{host.host}/open/a").status == 200
        other.stop()
        for path in ("/open/a", "/page", "/.nightlatch/start", "/.nightlatch/back"):
            answer = host.browser().ask(f"http://{host.host}{path}", *NAVIGATION)
            assert answer.status >= 500, path
            assert b'"target"' not in answer.body


Plant = tuple[str, Callable[[str], str]]
"""The line that the doctor must name, and what is done to the configuration."""


def without(*lines: str) -> Callable[[str], str]:
    """Removes each of these lines where it stands last: what the application gets is at the end."""

    def changed(text: str) -> str:
        for line in lines:
            before, found, after = text.rpartition(f" {line}\n" if f" {line}\n" in text else f"\t{line}\n")
            assert found, f"the configuration no longer says {line}"
            text = f"{before}\n{after}"
        return text

    return changed


def replaced(old: str, new: str) -> Callable[[str], str]:
    def changed(text: str) -> str:
        assert old in text, f"the configuration no longer says {old}"
        return text.replace(old, new)

    return changed


def removed(*lines: str) -> list[Plant]:
    return [(line, without(line)) for line in lines]


def spelled(*separators: str) -> list[str]:
    return [name.replace("-", separator) for name in IDENTITY for separator in separators]


PLANTS: dict[str, Sequence[Plant]] = {
    "nginx": [
        ("underscores_in_headers off;", replaced("underscores_in_headers off;", "underscores_in_headers on;")),
        ("ignore_invalid_headers on;", replaced("ignore_invalid_headers on;", "ignore_invalid_headers off;")),
        *removed(*(f"proxy_set_header {name} $is_{name.lower().replace('-', '_')};" for name in IDENTITY)),
        ("if ($http_connection ~* ", replaced("remote[-_.]|nightlatch[-_.]|", "")),
        *removed("proxy_set_header Cookie $nightlatch_cookie;"),
        *removed("proxy_set_header X-Original-Method $request_method;"),
        *removed('proxy_set_header X-Rewrite-URL "";', 'proxy_set_header X-Original-URL "";'),
        *removed("proxy_set_header X-Forwarded-For $remote_addr;", 'proxy_set_header Forwarded "";'),
        *removed("proxy_set_header X-Forwarded-Proto http;", 'proxy_set_header X-Forwarded-Prefix "";'),
        *removed("proxy_set_header X-Real-IP $remote_addr;"),
        *removed("error_page 401 = @nightlatch_log_in;", "auth_request /.nightlatch/check;"),
        *removed("proxy_set_header Upgrade $nightlatch_upgrade;"),
        (
            "proxy_set_header Upgrade $nightlatch_upgrade;",
            replaced("Upgrade $nightlatch_upgrade;", "Upgrade $http_upgrade;"),
        ),
        ("location = /.nightlatch/back {", replaced("location = /.nightlatch/back {", "location = /elsewhere {")),
    ],
    "caddy": [
        *removed(*(f"request_header -{name}" for name in spelled("_", "."))),
        *removed(*(f"request_header {name} {{http.reverse_proxy.header.{name}}}" for name in IDENTITY)),
        *removed("request_header Cookie {http.reverse_proxy.header.Cookie}", "respond @connection 400"),
        *removed("request_header @upgrade -Upgrade"),
        ("header_up X-Forwarded-Uri {http.request.orig_uri}", replaced("{http.request.orig_uri}", "{path}")),
        *removed("request_header -X-Original-URL", "request_header -X-Rewrite-URL", "request_header -Forwarded"),
        *removed("request_header -X-Real-IP", "request_header -X-Forwarded-Prefix"),
        ("@nightlatch path", replaced("@nightlatch path", "@nightlatch path /elsewhere #")),
        ("handle_response @allowed {", replaced("handle_response @allowed {", "handle_response {")),
    ],
    "traefik": [
        *((f'{name}: ""', without(f'{name}: ""')) for name in spelled("_", ".")),
        *removed(*(f"- {name}" for name in IDENTITY), "- Cookie"),
        ("middlewares: [refuse]", replaced("middlewares: [refuse]", "middlewares: [strip, check]")),
        *removed('X-Original-URL: ""', 'X-Rewrite-URL: ""', 'Forwarded: ""', 'X-Forwarded-Ssl: ""'),
        ("sanitizePath: false", without("sanitizePath: false")),
        ("Path(`/.nightlatch/back`)", replaced("Path(`/.nightlatch/back`)", "Path(`/elsewhere`)")),
        (
            "middlewares: [strip, no-upgrade, check]",
            replaced("middlewares: [strip, no-upgrade, check]", "middlewares: [strip]"),
        ),
        ('Upgrade: ""', replaced("middlewares: [strip, no-upgrade, check]", "middlewares: [strip, check]")),
    ],
    "envoy": [
        (
            "headers_with_underscores_action: DROP_HEADER",
            without("headers_with_underscores_action: DROP_HEADER"),
        ),
        *removed(*(f"- remove: {name}" for name in spelled("."))),
        *removed(*(f"- exact: {name.lower()}" for name in IDENTITY), "- exact: cookie"),
        *removed("- remove: X-Original-URL", "- remove: X-Rewrite-URL", "- remove: Forwarded"),
        *removed("- remove: X-Real-IP", "- remove: X-Forwarded-Prefix"),
        ("normalize_path: false", replaced("normalize_path: false", "normalize_path: true")),
        ("merge_slashes: false", replaced("merge_slashes: false", "merge_slashes: true")),
        ("- upgrade_type: websocket", replaced("- upgrade_type: websocket", "- upgrade_type: CONNECT")),
        (
            "- match: {path: /.nightlatch/back}",
            replaced("- match: {path: /.nightlatch/back}", "- match: {path: /elsewhere}"),
        ),
        (
            "- name: envoy.filters.http.ext_authz",
            replaced("failure_mode_allow: false", "filter_enabled: {default_value: {numerator: 0}}"),
        ),
    ],
}  # fmt: skip


NO_FAULTS = {("newest-caddy", f"request_header -{name}") for name in spelled("_", ".")}
"""Caddy 2.11 passes no such header on, so these lines are for earlier ones."""


def groups_of(plants: Sequence[Plant]) -> Iterator[list[Plant]]:
    """Faults in headers are planted together, as they do not touch each other; each other one by itself."""
    together = [
        plant
        for plant in plants
        if re.search("(?i)remote|assertion|x-rewrite|x-real|forwarded:|-Forwarded$|x-forwarded-p|-ssl", plant[0])
    ]
    alone = [plant for plant in plants if plant not in together]
    yield together
    yield from ([plant] for plant in alone)


def what_the_doctor_says(faulty: Stack) -> list[str]:
    """Without a line that every request needs, it stops at the first one."""
    try:
        return [found.line for found in faulty.examine() if found.line]
    except DoctorError as error:
        return [str(error)]


def test_the_doctor_names_each_planted_fault(stack: Stack, server: Served, tmp_path: Path) -> None:
    missed = []
    planted = [plant for plant in PLANTS[stack.proxy] if (stack.program, plant[0]) not in NO_FAULTS]
    for number, plants in enumerate(groups_of(planted)):

        def change(text: str, plants: Sequence[Plant] = tuple(plants)) -> str:
            for _, plant in plants:
                text = plant(text)
            return text

        with guarded(server, stack.program, tmp_path / str(number), change=change) as faulty:
            said = what_the_doctor_says(faulty)
        missed += [(line, said) for line, _ in plants if not any(line in each for each in said)]
    assert missed == []
