"""The gunicorn worker of the production server, as a process of its own, with bare sockets as its clients."""

from __future__ import annotations

import os
import select
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from socket import SHUT_WR, SO_LINGER, SOL_SOCKET, create_connection, socket

import pytest

from webapp.settings import ROOT

if not hasattr(select, "epoll"):
    pytest.skip("epoll is Linux's, and elsewhere gunicorn's own worker serves", allow_module_level=True)

ENOUGH_SECONDS = 15
"""For whatever must happen, on the busiest machine."""
LONG = 60
"""Seconds that no test waits for."""
APP = """
import os, resource, struct, sys, threading, time
from pathlib import Path
from webapp.http import connection, worker

worker.REQUEST_SECONDS = patience = int(os.environ["PATIENCE"])
connection.STALL = struct.pack("ll", patience, 0)
worker.LONG_SECONDS = float(os.environ["LONG"])
together = threading.Barrier(2)
here = Path(__file__).parent
full_since = 0.0

def app(environ, start_response):
    global full_since
    status, body = "200 OK", b"ok"
    match environ["PATH_INFO"]:
        case "/thread":
            body = str(threading.get_ident()).encode()
        case "/pid":
            body = str(os.getpid()).encode()
        case "/echo":
            body = environ["wsgi.input"].read()
        case "/big":
            body = bytes(4_000_000)
        case "/nothing":
            status, body = "204 No Content", b""
        case "/slowly":
            time.sleep(0.05)
        case "/together":  # answers two at a time only
            together.wait()
        case "/held":
            (here / "held").touch()
            while not (here / "let-go").exists():
                time.sleep(0.01)
        case "/exit":
            sys.exit(1)
        case "/no-more-files":
            _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (0, most))
            full_since = time.process_time()
        case "/more-files":
            _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
            body = str(time.process_time() - full_since).encode()
    start_response(status, [("Content-Length", str(len(body)))])
    return [body] if environ["REQUEST_METHOD"] != "HEAD" else []
"""


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def is_last(self) -> bool:
        return self.headers["connection"] == "close"


class Client:
    def __init__(self, port: int) -> None:
        self.socket = create_connection(("127.0.0.1", port), timeout=ENOUGH_SECONDS)
        self._reads = self.socket.makefile("rb")

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self, *, body: bool = True) -> Answer:
        status = int(self._reads.readline().split()[1])
        headers = {}
        while line := self._reads.readline().decode().strip():
            name, value = line.split(": ", 1)
            headers[name.lower()] = value
        return Answer(status, headers, self._reads.read(int(headers.get("content-length", 0)) if body else 0))

    def ask(self, path: str, *headers: str, body: bytes = b"", method: str = "GET") -> Answer:
        self.send(request(path, *headers, body=body, method=method))
        return self.answer(body=method != "HEAD")

    def is_told_within(self, seconds: float) -> bool:
        return bool(select.select([self.socket], [], [], seconds)[0])

    def is_hung_up_on(self) -> bool:
        """Waits for it, and is false if something else comes."""
        return self._reads.read(1) == b""

    def reset(self) -> None:
        self.socket.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        self._reads.close()
        self.socket.close()


class Server:
    def __init__(self, folder: Path, worker: str, patience: int, long: float, *options: str) -> None:
        self.folder = folder
        (folder / "tiny.py").write_text(APP)
        with socket() as listener, (folder / "log").open("w") as log:
            listener.bind(("127.0.0.1", 0))
            listener.listen(100)
            self.port = listener.getsockname()[1]
            command = [sys.executable, "-m", "gunicorn", "tiny:app", "--pythonpath", f"{ROOT},{folder}"]
            command += ["--bind", f"fd://{listener.fileno()}", "--worker-class", f"webapp.http.worker.{worker}"]
            command += ["--no-control-socket", "--error-logfile", "-", "--log-level", "warning", *options]
            files = {"pass_fds": [listener.fileno()], "stderr": log}
            environ = {**os.environ, "PATIENCE": str(patience), "LONG": str(long)}
            self.process = subprocess.Popen(command, cwd=folder, start_new_session=True, env=environ, **files)
        self.clients: list[Client] = []

    def client(self) -> Client:
        self.clients.append(Client(self.port))
        return self.clients[-1]

    def pid(self) -> int:
        """Of the one worker."""
        client = self.client()
        pid = int(client.ask("/pid").body)
        client.close()
        return pid

    def log(self) -> list[str]:
        return (self.folder / "log").read_text().splitlines()

    def end(self) -> None:
        for client in self.clients:
            client.close()
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)  # with its worker
        self.process.wait(ENOUGH_SECONDS)


Serve = Callable[..., Server]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    servers: list[Server] = []

    def start(
        *,
        threads: int = 2,
        keep_alive: int = LONG,
        connections: int = 1000,
        graceful: int = LONG,
        patience: int = LONG,
        long: float = 0.1,
        worker: str = "Worker",
    ) -> Server:
        options = {"threads": threads, "keep-alive": keep_alive, "worker-connections": connections}
        options["graceful-timeout"] = graceful
        given = (f"--{name}={value}" for name, value in options.items())
        servers.append(Server(tmp_path, worker, patience, long, *given))
        return servers[-1]

    yield start
    for server in servers:
        server.end()


def request(path: str, *headers: str, body: bytes = b"", method: str = "GET", version: str = "1.1") -> bytes:
    lines = [f"{method} {path} HTTP/{version}", "Host: localhost", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def sockets(pid: int) -> int:
    """That a process has open."""
    return sum(os.readlink(link).startswith("socket:") for link in Path(f"/proc/{pid}/fd").iterdir())


def eventually(holds: Callable[[], bool]) -> bool:
    until = time.monotonic() + ENOUGH_SECONDS
    while time.monotonic() < until:
        with suppress(FileNotFoundError):  # a file that closed while we looked
            if holds():
                return True
        time.sleep(0.02)
    return False


# -- Answers ------------------------------------------------------------------------------------------


def test_one_connection_serves_many_requests_of_any_kind(serve: Serve) -> None:
    server = serve()
    client = server.client()
    for _ in range(5):
        answer = client.ask("/ok")
        assert (answer.status, answer.body, answer.is_last) == (200, b"ok", False)
    assert client.ask("/echo", body=b"violet", method="POST").body == b"violet"
    assert client.ask("/ok", body=b"x" * 30_000, method="POST").body == b"ok"  # the application does not read it
    assert client.ask("/ok", method="HEAD").headers["content-length"] == "2"
    assert client.ask("/nothing").status == 204
    client.send(request("/echo", "Expect: 100-continue", body=b"abc").removesuffix(b"abc"))
    assert client.answer().status == 100
    client.send(b"abc")
    assert client.answer().body == b"abc"
    client.send(request("/ok")[:20])
    assert not client.is_told_within(0.1)
    client.send(request("/ok")[20:])
    client.socket.shutdown(SHUT_WR)  # it can read still
    assert client.answer().body == b"ok"
    assert client.is_hung_up_on()
    assert server.log() == []


def test_requests_that_came_together_are_all_answered(serve: Serve) -> None:
    client = serve().client()
    client.send(request("/pid") + request("/echo", body=b"violet", method="POST") + request("/ok"))
    assert client.answer().body.isdigit()
    assert client.answer().body == b"violet"
    assert client.answer().body == b"ok"
    client.send(request("/ok") + request("/ok", "Connection: close"))
    assert [client.answer().is_last for _ in range(2)] == [False, True]
    assert client.is_hung_up_on()


def test_one_thread_answers_until_an_answer_takes_long(serve: Serve) -> None:
    server = serve(threads=3)
    first = {server.client().ask("/thread").body for _ in range(10)}
    assert len(first) == 1
    held = server.client()
    held.send(request("/held"))
    second = {server.client().ask("/thread").body for _ in range(10)}
    assert len(second) == 1
    assert second != first
    (server.folder / "let-go").touch()
    assert held.answer().body == b"ok"
    assert {server.client().ask("/thread").body for _ in range(10)} == second


@pytest.mark.parametrize(("worker", "long"), [("Worker", 0.1), ("ManyAtOnce", LONG)])
def test_answers_that_wait_for_each_other_are_given_at_the_same_time(serve: Serve, worker: str, long: float) -> None:
    server = serve(worker=worker, long=long)
    clients = [server.client() for _ in range(2)]
    for _ in range(3):
        for client in clients:
            client.send(request("/together"))
        assert [client.answer().body for client in clients] == [b"ok", b"ok"]


def test_a_last_answer_comes_whole_and_then_the_server_hangs_up(serve: Serve) -> None:
    server = serve()
    for last in (request("/big", "Connection: close"), request("/big", version="1.0")):
        client = server.client()
        client.send(last)
        time.sleep(0.1)  # more of it is on the way than the client has read
        answer = client.answer()
        assert len(answer.body) == 4_000_000
        assert answer.is_last
        assert client.is_told_within(1.5)  # at once, before the server gives up on it
        assert client.is_hung_up_on()


def test_a_client_that_sends_more_than_is_read_still_reads_its_answer(serve: Serve) -> None:
    server = serve()
    client = server.client()
    client.send(request("/ok", body=bytes(1_000_000), method="POST")[:-200_000])
    assert client.answer().body == b"ok"
    assert client.is_hung_up_on()
    for _ in range(2):
        client.send(bytes(100_000))  # no reset, which could overtake the answer
        time.sleep(0.05)
    refused = {b"nonsense\r\n\r\n" * 50_000: 400, b"GET /" + b"x" * 500_000: 414, b"nonsense\r\n" * 50_000: 431}
    for nonsense, status in refused.items():
        client = server.client()
        client.send(nonsense)
        assert client.answer().status == status
        assert client.is_hung_up_on()
    assert all("Invalid request" in line for line in server.log())


# -- Connections --------------------------------------------------------------------------------------


def test_open_connections_hold_up_nobody(serve: Serve) -> None:
    server = serve()
    idle = [server.client() for _ in range(20)]
    assert {client.ask("/ok").is_last for client in idle} == {False}
    silent = [server.client() for _ in range(20)]
    assert server.client().ask("/ok").body == b"ok"
    assert {client.ask("/ok").body for client in idle + silent} == {b"ok"}


def test_a_request_has_a_thread_once_all_of_it_has_come(serve: Serve) -> None:
    server = serve(threads=1)
    whole = request("/echo", *["X-Long: " + "x" * 500] * 40, body=b"violet" * 1000, method="POST")
    senders = [server.client() for _ in range(5)]
    for start, end in ((0, 10), (10, 9_000), (9_000, len(whole) - 1)):
        for sender in senders:
            sender.send(whole[start:end])
        time.sleep(0.05)
        assert server.client().ask("/ok").body == b"ok"
    for sender in senders:
        sender.send(whole[-1:])
        assert sender.answer().body == b"violet" * 1000
        assert sender.ask("/ok").body == b"ok"  # the next may be short again
    assert server.log() == []


def test_half_a_request_behind_a_whole_one_has_no_thread_either(serve: Serve) -> None:
    server = serve(threads=1)
    second = request("/echo", body=b"violet", method="POST")
    for cut in (5, len(second) - 3):
        sender = server.client()
        sender.send(request("/ok") + second[:cut])
        assert sender.answer().body == b"ok"
        assert server.client().ask("/ok").body == b"ok"
        sender.send(second[cut:-1])
        assert server.client().ask("/ok").body == b"ok"
        sender.send(second[-1:] + request("/ok"))
        assert sender.answer().body == b"violet"
        assert sender.answer().body == b"ok"


def test_no_client_keeps_a_thread_with_what_it_does_not_send(serve: Serve) -> None:
    server = serve(threads=1)
    post = "POST /echo HTTP/1.1\r\nHost: localhost\r\n"
    for head, status in (
        (f"{post}Transfer-Encoding: chunked\r\n\r\n5", 411),
        (f"{post}Content-Length: +5\r\n\r\n", 400),
        (f"{post}Content-Length: 5\r\nContent-Length: 5\r\n\r\n", 400),
        (f"{post}Content-Length: 00000000050\r\n\r\n", None),
        (f"{post}Content-Length: 5\r\nExpect: 100-continue\r\n\r\n", 100),
        ("POST /ok HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200000\r\n\r\nmore", 200),
    ):
        client = server.client()
        client.send(head.encode())
        assert server.client().ask("/ok").body == b"ok"
        assert status is None or client.answer().status == status
    assert server.log() == []


def test_requests_sent_ahead_are_answered_one_at_a_turn(serve: Serve) -> None:
    server = serve(threads=1)
    greedy = server.client()
    greedy.send(request("/slowly") * 40)
    begun = time.monotonic()
    assert server.client().ask("/ok").body == b"ok"
    assert time.monotonic() - begun < 40 * 0.05 / 2
    assert [greedy.answer().body for _ in range(40)] == [b"ok"] * 40


def test_whoever_stops_in_the_middle_of_a_request_is_hung_up_on(serve: Serve) -> None:
    server = serve(threads=1, patience=1)
    head = request("/echo", body=b"violet", method="POST").removesuffix(b"violet")
    for part in (head[:20], head, head + b"vio"):
        server.client().send(part)
    for client in server.clients:
        with suppress(ConnectionResetError):
            assert client.is_hung_up_on()
    assert server.client().ask("/ok").body == b"ok"


def test_whoever_reads_no_answer_has_a_thread_for_a_moment_only(serve: Serve) -> None:
    server = serve(threads=1, patience=1)
    for _ in range(2):
        server.client().send(request("/big"))
    assert server.client().ask("/ok").body == b"ok"


def test_the_server_hangs_up_on_a_client_that_asks_nothing_more(serve: Serve) -> None:
    server = serve(keep_alive=1)
    begun = time.monotonic()
    silent, idle = server.client(), server.client()
    assert idle.ask("/ok").body == b"ok"
    assert silent.is_hung_up_on()
    assert time.monotonic() - begun >= 1
    assert idle.is_hung_up_on()
    assert server.client().ask("/ok").body == b"ok"


def test_a_request_that_waits_for_a_thread_longer_than_the_keep_alive_time_is_answered(serve: Serve) -> None:
    server = serve(threads=1, keep_alive=2)
    kept = server.client()
    kept.ask("/ok")
    holder = server.client()
    holder.send(request("/held"))
    assert eventually((server.folder / "held").exists)
    kept.send(request("/ok"))
    assert not kept.is_told_within(3.2)
    (server.folder / "let-go").touch()
    assert kept.answer().body == b"ok"
    assert kept.ask("/ok").body == b"ok"
    assert holder.answer().body == b"ok"


def test_a_client_that_never_hangs_up_is_left_in_the_end(serve: Serve) -> None:
    server = serve()
    pid = server.pid()
    assert eventually(lambda: sockets(pid) == 1)  # the listener
    silent, talker = server.client(), server.client()
    for client in (silent, talker):
        assert client.ask("/ok", "Connection: close").is_last
        assert client.is_hung_up_on()

    def are_left() -> bool:
        with suppress(OSError):
            talker.send(b"and")
        return sockets(pid) == 1

    assert eventually(are_left)


def test_clients_that_go_in_the_middle_leave_the_server_well(serve: Serve) -> None:
    server = serve()
    pid = server.pid()
    for sent in (b"", request("/ok")[:20], request("/echo", "Content-Length: 9")[:-1], request("/big"), request("/ok")):
        for go in (Client.reset, Client.close):
            for _ in range(3):
                client = server.client()
                client.send(sent)
                go(client)
    clients = [server.client() for _ in range(2)]
    for client in clients:
        client.send(request("/together"))  # no thread has gone
    assert [client.answer().body for client in clients] == [b"ok", b"ok"]
    assert eventually(lambda: sockets(pid) == 1 + len(clients))
    assert server.log() == []


def test_an_application_that_exits_costs_no_thread_and_no_connection(serve: Serve) -> None:
    server = serve()
    pid = server.pid()
    for _ in range(4):
        client = server.client()
        client.send(request("/exit"))
        assert client.is_hung_up_on()
    clients = [server.client() for _ in range(2)]
    for client in clients:
        client.send(request("/together"))
    assert [client.answer().body for client in clients] == [b"ok", b"ok"]
    assert eventually(lambda: sockets(pid) == 1 + len(clients))
    assert sum(line == "SystemExit: 1" for line in server.log()) == 4


# -- Limits -------------------------------------------------------------------------------------------


def test_one_connection_too_many_waits_until_another_leaves(serve: Serve) -> None:
    server = serve(connections=4)
    first = [server.client() for _ in range(4)]
    fifth = server.client()
    fifth.send(request("/ok"))
    assert not fifth.is_told_within(1.2)
    first[2].close()
    assert fifth.answer().body == b"ok"


def test_kept_connections_leave_room_for_a_new_one(serve: Serve) -> None:
    server = serve(connections=4, threads=2)
    assert [server.client().ask("/ok").is_last for _ in range(2)] == [False, False]

    def is_hung_up_on() -> bool:
        client = server.client()
        answer = client.ask("/ok")
        client.close()
        return answer.is_last

    assert eventually(is_hung_up_on)  # the thread that answered the second may not have put it back yet
    assert server.client().ask("/ok").body == b"ok"


def test_a_worker_out_of_files_rests_until_there_are_some(serve: Serve) -> None:
    server = serve()
    client = server.client()
    assert client.ask("/no-more-files").body == b"ok"
    late = server.client()
    late.send(request("/ok"))
    assert not late.is_told_within(1.2)
    assert float(client.ask("/more-files").body) < 0.3  # seconds of the processor
    assert late.answer().body == b"ok"
    assert all("Too many open files" in line for line in server.log())


# -- The end ------------------------------------------------------------------------------------------


def test_told_to_end_the_server_answers_what_has_come_and_hangs_up_on_the_idle(serve: Serve) -> None:
    server = serve()
    idle, late, silent, holder = (server.client() for _ in range(4))
    assert not idle.ask("/ok").is_last
    assert not late.ask("/ok").is_last
    holder.send(request("/held"))
    assert eventually((server.folder / "held").exists)
    told = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    assert eventually(lambda: late.ask("/ok").is_last)
    assert idle.is_hung_up_on()
    assert silent.is_hung_up_on()
    (server.folder / "let-go").touch()
    assert holder.answer().body == b"ok"
    assert server.process.wait(ENOUGH_SECONDS) == 0
    assert time.monotonic() - told < ENOUGH_SECONDS
    assert server.log() == []


def test_an_unfinished_request_delays_the_end_for_the_graceful_time_only(serve: Serve) -> None:
    server = serve(graceful=1)
    half = server.client()
    half.send(request("/ok")[:20])
    pid = server.pid()
    os.kill(pid, signal.SIGTERM)  # the worker alone, or its master would end it
    with suppress(ConnectionResetError):  # nobody read what it sent
        assert half.is_hung_up_on()
    assert server.pid() != pid


def test_a_worker_ends_when_its_master_is_gone(serve: Serve) -> None:
    server = serve()
    assert server.pid()
    server.process.kill()

    def is_gone() -> bool:
        with suppress(ConnectionRefusedError, ConnectionResetError):
            create_connection(("127.0.0.1", server.port), timeout=1).close()
            return False
        return True

    assert eventually(is_gone)
