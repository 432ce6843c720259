"""The production server: what it accepts from a request, what clients can do to it, how it starts and stops."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from socket import create_server
from threading import Event, Thread
from urllib.parse import urlencode

import pytest

from tests.served import PASSWORD, Served, running, served
from tests.test_processes import Start, ask, eventually, free_port, serving
from tests.test_processes import port as port
from tests.test_processes import start as start
from tests.wire import FORM, SECONDS, Client, chunked, request
from webapp.policy import Policy
from webapp.serve import THREADS, web_command
from webapp.settings import ROOT, Settings

MISLEADING_HEADERS = {
    "SCRIPT_NAME": "/x",
    "Script-Name": "/x",
    "PATH_INFO": "/metrics",
    "REMOTE_USER": "ada",
    "Remote-User": "ada",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Ssl": "on",
    "X-Forwarded-Protocol": "ssl",
    "X-Forwarded-Prefix": "/x",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Port": "444",
    "X_Forwarded_For": "198.51.100.7",
    "Forwarded": "for=198.51.100.7;host=evil.example;proto=https",
}
"""Headers that some server or framework reads as part of its environment."""
ENVIRON = {
    "HTTP_X_FORWARDED_FOR": "198.51.100.7",
    "HTTP_HOST": "evil.example",
    "REMOTE_USER": "ada",
    "REMOTE_ADDR": "198.51.100.7",
    "SCRIPT_NAME": "/x",
    "FORWARDED_ALLOW_IPS": "*",
}
"""Variables of the server's process that look like parts of a request, or that gunicorn reads as settings."""

TELLING = """
import json

def app(environ, start_response):
    body = json.dumps({name: str(value) for name, value in environ.items()}).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""


@pytest.fixture(scope="module")
def direct(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("direct"), environ=ENVIRON, NIGHTLATCH_LEGACY_ACCESS="on") as server:
        yield server


@pytest.fixture(scope="module")
def behind_one_proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    settings = {"NIGHTLATCH_TRUSTED_PROXIES": "1"}
    with served(tmp_path_factory.mktemp("proxied"), environ=ENVIRON, **settings) as server:
        yield server


@pytest.fixture(params=["direct", "behind_one_proxy"])
def server(request: pytest.FixtureRequest) -> Served:
    found: Served = request.getfixturevalue(request.param)
    return found


class Clients:
    def __init__(self) -> None:
        self.all: list[Client] = []

    def __call__(self, server: Served) -> Client:
        return self.to(server.port, server.host)

    def to(self, port: int, host: str) -> Client:
        self.all.append(Client(port, host))
        return self.all[-1]


@pytest.fixture
def client_of() -> Iterator[Clients]:
    clients = Clients()
    yield clients
    for client in clients.all:
        client.close()


# -- What a request may say -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MISLEADING_HEADERS)
def test_no_header_changes_the_paths_of_the_site_or_the_user(server: Served, client_of: Clients, name: str) -> None:
    header = f"{name}: {MISLEADING_HEADERS[name]}"
    client = client_of(server)
    assert client.ask("/x/metrics", header).status == 404
    assert client.ask("/x/log-in", header).status == 404
    answer = client.ask("/settings/security", header)
    assert (answer.status, answer.headers["location"]) == (303, "/log-in?next=/settings/security")
    page = client.ask("/log-in", header)
    assert page.status == 200
    assert "/x/" not in page.text
    assert "evil.example" not in page.text
    assert set(page.cookies) <= {"form"}, "over http there is no __Host- cookie"


def test_a_request_has_no_variables_of_the_process_and_none_made_from_a_header(
    tmp_path: Path, client_of: Clients
) -> None:
    """What the server command passes to a WSGI application, reported by one that prints it."""
    (tmp_path / "telling.py").write_text(TELLING)
    port = free_port()
    settings = Settings.read(serving(port, NIGHTLATCH_MAIL_URL="smtp://127.0.0.1:1"))
    command = [word.replace("wsgi:app", "telling:app") for word in web_command(settings)]
    options = {"cwd": tmp_path, "env": {**os.environ, **ENVIRON, "PYTHONPATH": str(ROOT)}}
    with running(command, lambda: ask(port, "/")[0] == 200, **options):
        client = client_of.to(port, "telling.localhost")
        told = json.loads(client.ask("/x/y", *(f"{name}: {value}" for name, value in MISLEADING_HEADERS.items())).text)
    expected = {"SCRIPT_NAME": "", "PATH_INFO": "/x/y", "REMOTE_ADDR": "127.0.0.1", "wsgi.url_scheme": "http"}
    assert {name: told[name] for name in expected} == expected
    assert told["HTTP_HOST"] == "telling.localhost"
    assert "HTTP_X_FORWARDED_FOR" not in told
    assert not any("REMOTE_USER" in name for name in set(told) - {"HTTP_REMOTE_USER"})


def test_two_headers_that_disagree_about_the_scheme_are_both_ignored(server: Served, client_of: Clients) -> None:
    headers = ("X-Forwarded-Proto: https", "X-Forwarded-Ssl: off")
    assert client_of(server).ask("/log-in", *headers).status == 200


def test_an_unknown_host_is_refused_whatever_a_header_says(server: Served, client_of: Clients) -> None:
    client = client_of(server)
    client.send(request("evil.example", "/log-in", f"X-Forwarded-Host: {server.host}"))
    assert client.answer().status == 400


def test_the_client_address_is_the_peer_without_trusted_proxies(direct: Served, client_of: Clients) -> None:
    forged = [f"{name}: 198.51.100.7" for name in ("X-Forwarded-For", "X_Forwarded_For", "X-Real-IP", "Remote-Addr")]
    client_of(direct).log_in("ada", PASSWORD, *forged)
    assert direct.last_address() == "127.0.0.1"


@pytest.mark.parametrize("forged", ["X_Forwarded_For", "x_forwarded-for", "X-Forwarded_For"])
@pytest.mark.parametrize("comes_first", [True, False])
def test_the_client_address_is_what_the_trusted_proxy_says(
    behind_one_proxy: Served, client_of: Clients, forged: str, comes_first: bool
) -> None:
    headers = [f"{forged}: 198.51.100.7", "X-Forwarded-For: 198.51.100.8, 203.0.113.9"]
    client_of(behind_one_proxy).log_in("ada", PASSWORD, *(headers if comes_first else reversed(headers)))
    assert behind_one_proxy.last_address() == "203.0.113.9"


def test_a_chunked_body_is_read_like_any_other(direct: Served, client_of: Clients) -> None:
    client = client_of(direct)
    form = {"csrf_token": client.ask("/log-in").token, "username": "ada", "password": PASSWORD}
    cookie = f"Cookie: form={client.cookies['form']}"
    head = request(client.host, "/log-in", FORM, cookie, "Transfer-Encoding: chunked", method="POST")
    client.send(head + chunked(urlencode(form).encode(), size=7))
    answer = client.answer()
    assert (answer.status, answer.headers["location"]) == (303, "/")


def test_a_body_over_the_limit_is_refused_whether_chunked_or_not(direct: Served, client_of: Clients) -> None:
    most = Policy().body_bytes
    for size, status in ((most, 400), (most + 1, 413)):  # within the limit it is refused for its missing token
        body = b"a=" + b"x" * (size - 2)
        for headers, sent in (
            ((), body),
            (("Transfer-Encoding: chunked",), chunked(body)),
        ):
            client = client_of(direct)
            whole = request(client.host, "/log-in", FORM, *headers, method="POST", body=b"" if headers else sent)
            client.send(whole + (sent if headers else b""))
            assert client.answer().status == status, (size, headers)


@pytest.mark.parametrize("framing", ["Content-Length: 100000", "Transfer-Encoding: chunked"])
def test_a_body_that_may_never_come_ends_the_connection_on_which_a_proxy_asks(
    direct: Served, client_of: Clients, framing: str
) -> None:
    """Else the next request on it would be taken for the body that this one announced."""
    client = client_of(direct)
    assert not client.ask("/legacy/verify").is_last, "a request without a body ends no connection"
    began = time.monotonic()
    client.send(request(client.host, "/legacy/verify", framing, method="PUT"))
    answer = client.answer()
    assert (answer.status, answer.is_last) == (401, True)
    assert client.is_closed_by_the_server()
    assert time.monotonic() - began < 4, "the body was waited for"


def test_an_answer_arrives_although_its_body_is_left_unread(direct: Served, client_of: Clients) -> None:
    client = client_of(direct)
    client.send(request(client.host, "/legacy/verify", FORM, method="PUT", body=b"x" * 50_000))
    assert client.answer().status == 401


def test_an_ambiguous_request_is_refused(direct: Served, client_of: Clients) -> None:
    ambiguous = [
        ("Transfer-Encoding: chunked", "Content-Length: 5"),
        ("Content-Length: 5", "Content-Length: 6"),
        ("Content-Length: +5",),
        ("Host: evil.example",),
        ("X-Folded: a\r\n b",),
    ]
    clients = [client_of(direct) for _ in ambiguous]  # to close them one by one would take two seconds each
    for client, headers in zip(clients, ambiguous, strict=True):
        client.send(request(client.host, "/log-in", *headers, method="POST") + b"5\r\nhello\r\n0\r\n\r\n")
    for client, headers in zip(clients, ambiguous, strict=True):
        assert client.answer().status == 400, headers
        assert client.is_closed_by_the_server()


def test_request_headers_that_are_too_long_are_refused(direct: Served, client_of: Clients) -> None:
    too_long = (
        ("/" + "x" * 9000, [], 414),
        ("/log-in", ["X-Long: " + "x" * 9000], 431),
        ("/log-in", [f"X-{number}: x" for number in range(101)], 431),
    )
    clients = [client_of(direct) for _ in too_long]  # to close them one by one would take two seconds each
    for client, (path, headers, _status) in zip(clients, too_long, strict=True):
        client.send(request(client.host, path, *headers))
    for client, (_path, _headers, status) in zip(clients, too_long, strict=True):
        assert client.answer().status == status
        assert client.is_closed_by_the_server()


def test_a_refusal_of_the_web_server_repeats_nothing_of_the_request(direct: Served, client_of: Clients) -> None:
    host = f"Host: {direct.host}\r\n"
    refused = {
        f"GET /evil HTTP/9.9\r\n{host}": 400,
        f"<evil> / HTTP/1.1\r\n{host}": 400,
        f"GET / HTTP/1.1\r\nevil header: x\r\n{host}": 400,
        f"GET / HTTP/1.1\r\n{host}Expect: evil\r\n": 417,
        f"GET /evil{'x' * 9000} HTTP/1.1\r\n{host}": 414,
        f"GET / HTTP/1.1\r\n{host}X-Evil: {'x' * 9000}\r\n": 431,
        f"POST / HTTP/1.1\r\n{host}Transfer-Encoding: evil\r\n": 501,
    }
    for sent, status in refused.items():
        client = client_of(direct)
        client.send(f"{sent}\r\n".encode())
        answer = client.answer()
        assert (answer.status, answer.is_last) == (status, True), sent[:40]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-type"].startswith("text/plain")
        assert "evil" not in answer.text.lower()


def test_one_connection_serves_many_requests(direct: Served, client_of: Clients) -> None:
    client = client_of(direct)
    for _ in range(5):
        answer = client.ask("/healthz")
        assert (answer.status, answer.is_last) == (200, False)
    client.send(request(client.host, "/healthz") + request(client.host, "/healthz", "Connection: close"))
    assert [client.answer().is_last for _ in range(2)] == [False, True]
    assert client.is_closed_by_the_server()


# -- What slow clients can do without a proxy in front (see docs/performance.md) --------------------------------


def wait_until_the_threads_block() -> None:
    time.sleep(0.5)


def test_fewer_slow_senders_than_threads_delay_no_other_client(direct: Served, client_of: Clients) -> None:
    whole = request(direct.host, "/log-in", FORM, method="POST", body=b"username=ada&password=x")
    for number in range(THREADS - 1):
        client_of(direct).send(whole[:20] if number % 2 else whole[:-1])
    wait_until_the_threads_block()
    assert client_of(direct).ask("/healthz").status == 200


@pytest.mark.parametrize("missing", ["the end of the head", "the end of the body"])
def test_as_many_slow_senders_as_threads_block_a_process_until_one_disconnects(
    direct: Served, client_of: Clients, missing: str
) -> None:
    whole = request(direct.host, "/log-in", FORM, method="POST", body=b"username=ada&password=x")
    part = whole[:20] if missing == "the end of the head" else whole[:-1]
    senders = [client_of(direct) for _ in range(THREADS)]
    for sender in senders:
        sender.send(part)
    wait_until_the_threads_block()
    other = client_of(direct)
    other.send(request(direct.host, "/healthz"))
    assert not other.hears_within(2)
    senders[0].close()
    assert other.answer().status == 200


def test_connections_that_send_nothing_block_threads_for_five_seconds(direct: Served, client_of: Clients) -> None:
    silent = [client_of(direct) for _ in range(THREADS)]
    wait_until_the_threads_block()
    begun = time.monotonic()
    assert client_of(direct).ask("/healthz").status == 200
    assert 2 < time.monotonic() - begun < 10
    assert client_of(direct).ask("/healthz").status == 200
    assert time.monotonic() - begun < 12
    assert all(client.is_closed_by_the_server() for client in silent)


def test_a_client_that_does_not_read_its_answer_blocks_no_thread(direct: Served, client_of: Clients) -> None:
    page = client_of(direct).ask("/log-in").text
    largest = max(
        (path for path in page.split('"') if path.startswith("/static/")),
        key=lambda path: len(client_of(direct).ask(path).body),
    )
    for path in ("/log-in", largest) * THREADS:
        client_of(direct).send(request(direct.host, path))
    wait_until_the_threads_block()
    begun = time.monotonic()
    assert client_of(direct).ask("/healthz").status == 200
    assert time.monotonic() - begun < 4, "kernels keep more than our longest answer"


def test_an_idle_last_connection_delays_the_next_by_two_seconds(direct: Served, client_of: Clients) -> None:
    delays = []
    for _ in range(3):  # a connection that arrives before the server waits for the last one is accepted at once
        assert client_of(direct).ask("/healthz", "Connection: close").is_last
        begun = time.monotonic()
        assert client_of(direct).ask("/healthz").status == 200
        delays.append(time.monotonic() - begun)
    assert 1 < max(delays) < 5


# -- How it starts, logs and stops ------------------------------------------------------------------------------


def children_of(pid: int) -> dict[int, str]:
    """Process ids with their commands."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return {int(child): Path(f"/proc/{child}/cmdline").read_text().replace("\0", " ") for child in found}


def child_of(pid: int, word: str) -> int:
    (found,) = (child for child, command in children_of(pid).items() if word in command)
    return found


def is_running(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    return False


def test_standard_output_has_json_lines_only_and_everything_else_goes_to_standard_error(
    start: Start, port: int, client_of: Clients
) -> None:
    more = {"NIGHTLATCH_MAIL_URL": "smtp://127.0.0.1:1", "NIGHTLATCH_WORKERS": "2"}
    settings = serving(port, **more)
    server = start("webapp.serve", **settings)
    assert eventually(lambda: ask(port, "/healthz")[0] == 200)
    client = client_of.to(port, f"nightlatch.localhost:{port}")
    client.send(b"nonsense\r\n\r\n")
    assert client.answer().status == 400
    web = child_of(server.pid, "gunicorn")
    assert eventually(lambda: len(children_of(web)) == 2), "as many processes as NIGHTLATCH_WORKERS says"
    create = ("flask", "--app", "wsgi", "accounts", "create", "--username", "ada", "--name", "Ada Lovelace")
    made = start(*create, "--email", "ada@example.org", "--email-confirmed", **settings)
    made.communicate("violet tractors hum\n", timeout=SECONDS)
    told = start("flask", "--app", "wsgi", "accounts", "log-out", "ada", **settings)
    assert told.wait(SECONDS) == 0
    time.sleep(3)  # the worker attempts to send the e-mail about it
    server.send_signal(signal.SIGTERM)
    out, err = server.communicate(timeout=SECONDS)
    assert server.returncode == 0
    events = [json.loads(line)["event"] for line in out.splitlines()]
    assert "message_put_off" in events
    assert "Invalid request" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(("dies", "other"), [("gunicorn", "messages work"), ("messages work", "gunicorn")])
def test_when_one_of_the_two_processes_dies_the_other_stops_too(start: Start, port: int, dies: str, other: str) -> None:
    server = start("webapp.serve", **serving(port, NIGHTLATCH_MAIL_URL="smtp://127.0.0.1:1"))
    assert eventually(lambda: ask(port, "/healthz")[0] == 200)
    left = child_of(server.pid, other)
    os.kill(child_of(server.pid, dies), signal.SIGKILL)
    assert server.wait(SECONDS) != 0
    assert not is_running(left)


def test_a_server_that_is_stopped_loses_no_request(start: Start, port: int, client_of: Clients) -> None:
    """Clients that send one request after the other get an answer to each, until an answer closes the connection."""
    more = {"NIGHTLATCH_MAIL_URL": "smtp://127.0.0.1:1", "NIGHTLATCH_WORKERS": "2"}
    server = start("webapp.serve", **serving(port, **more))
    assert eventually(lambda: ask(port, "/healthz")[0] == 200)
    clients = [client_of.to(port, f"nightlatch.localhost:{port}") for _ in range(6)]
    answered = [0] * len(clients)
    lost: list[str] = []

    def keep_asking(which: int) -> None:
        token = clients[which].ask("/log-in").token
        form = {"csrf_token": token, "username": "ada", "password": f"wrong {which}"}
        try:
            while True:
                answer = clients[which].ask("/log-in", form=form)
                answered[which] += 1
                if answer.is_last:
                    clients[which].close()  # as HTTP clients do; gunicorn waits up to two seconds for it
                    return
        except (OSError, ValueError) as error:
            lost.append(repr(error))

    threads = [Thread(target=keep_asking, args=(which,)) for which in range(len(clients))]
    for thread in threads:
        thread.start()
    assert eventually(lambda: min(answered) > 1)
    server.send_signal(signal.SIGTERM)
    for thread in threads:
        thread.join(SECONDS)
    assert not any(thread.is_alive() for thread in threads)
    assert lost == []
    assert server.wait(SECONDS) == 0
    with pytest.raises(ConnectionRefusedError):
        ask(port, "/healthz")


class Load:
    """Clients that send requests without a pause, half of them over a new connection each time."""

    def __init__(self, port: int, clients: int) -> None:
        self._port, self._host = port, f"nightlatch.localhost:{port}"
        self._stopped = Event()
        self.answered, self.lost = [0] * clients, list[str]()
        self._threads = [Thread(target=self._ask, args=(number,)) for number in range(clients)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join(SECONDS)
        assert not any(thread.is_alive() for thread in self._threads)

    def _ask(self, which: int) -> None:
        client = None
        while not self._stopped.is_set():
            try:
                client = client or Client(self._port, self._host)
                answer = client.ask("/log-in")
                assert answer.status == 200
                self.answered[which] += 1
                if answer.is_last or which % 2:
                    client.close()
                    client = None
                time.sleep(0.1)  # the new processes need the processors too
            except (AssertionError, OSError, ValueError) as error:
                self.lost.append(f"{which}: {error!r}")
                client = None
        if client is not None:
            client.close()


def test_a_reload_replaces_all_processes_and_loses_no_request(start: Start, port: int) -> None:
    more = {"NIGHTLATCH_MAIL_URL": "smtp://127.0.0.1:1", "NIGHTLATCH_WORKERS": "2"}
    server = start("webapp.serve", **serving(port, **more))
    assert eventually(lambda: ask(port, "/healthz")[0] == 200)
    before = children_of(server.pid)
    with Load(port, clients=6) as load:
        assert eventually(lambda: min(load.answered) > 1)
        server.send_signal(signal.SIGHUP)
        assert eventually(lambda: not any(map(is_running, before)), 120)
        answered = list(load.answered)
        assert eventually(lambda: all(now > then for now, then in zip(load.answered, answered, strict=True)))
    assert load.lost == []
    assert len(children_of(server.pid)) == len(before) == 2
    server.send_signal(signal.SIGTERM)
    assert server.wait(SECONDS) == 0


def test_what_runs_goes_on_when_a_reload_fails(start: Start, port: int, tmp_path: Path) -> None:
    server = start("webapp.serve", "web", **serving(port, NIGHTLATCH_MAIL_URL="smtp://127.0.0.1:1"))
    assert eventually(lambda: ask(port, "/healthz")[0] == 200)
    before = children_of(server.pid)
    with closing(sqlite3.connect(tmp_path / "site.sqlite3", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")  # so the new code cannot migrate
        server.send_signal(signal.SIGHUP)
        assert eventually(lambda: "what ran before goes on" in next_line(server))
    assert set(before) <= set(children_of(server.pid))
    assert ask(port, "/healthz")[0] == 200


def next_line(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    return process.stderr.readline()


def test_an_address_that_is_taken_is_told_in_one_sentence(start: Start, port: int) -> None:
    with create_server(("127.0.0.1", port)):
        server = start("webapp.serve", **serving(port, NIGHTLATCH_MAIL_URL="smtp://127.0.0.1:1"))
        _, err = server.communicate(timeout=SECONDS)
    assert server.returncode == 1
    assert (
        err.splitlines()[-1]
        == f"NIGHTLATCH_BIND is 127.0.0.1:{port}, which cannot be listened on: Address already in use."
    )
