"""A gunicorn worker in which a thread waits for the next request itself, and answers it.

gunicorn's own threaded worker has one thread that waits and hands each request on to another: two changes of thread
a request, and on busy cores those cost more than the reading and writing. Here a request has a thread only once all of
it has come, so whoever sends slowly or stops halfway holds up nobody; and one thread is at work at a time, because two
in one process take the interpreter and the caches from each other, until an answer takes long: then the next steps in.
How requests are read and answered, when connections stay open, and how processes start and stop is gunicorn's own.
"""

from __future__ import annotations

import os
import select
import time
from contextlib import suppress
from socket import IPPROTO_TCP, MSG_DONTWAIT, SHUT_RD, SHUT_WR, TCP_CORK, socket
from threading import Lock, Semaphore, Thread
from typing import Any

from gunicorn.util import write_error
from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, ThreadWorker

from .connection import Connection
from .outline import Outline, RefusedRequest, outline

ONCE = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLONESHOT
"""One thread is told, and nobody again until the connection waits anew."""
GONE = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR
REQUEST_SECONDS = 20.0
"""For all of a request, from its first byte."""
HANG_UP_SECONDS = 2.0
LONG_SECONDS = 0.1
"""After which an answer is taken to wait for something, and another thread steps in."""
LAST_ROUND_SECONDS = 0.05


class Turn:
    """Of a thread that waits for requests and answers them, one after the other."""

    since: float | None = None
    """When the answer that it is at began, by the monotonic clock."""
    is_over = False


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn ships no types
    at_once = 1
    """So many threads are at work while nothing takes long."""

    def run(self) -> None:
        self._epoll = select.epoll()
        self._connections: set[Connection] = set()
        self._door = Lock()  # one comes in at a time, or more would come than there is room for
        self._waiting: dict[int, Connection] = {}  # the thread that is told of one takes it out, and alone may close it
        self.keepalived_conns = self._waiting  # when these are too many, gunicorn's answers say that they are the last
        self._listeners: dict[int, socket] = {listener.fileno(): listener for listener in self.sockets}
        for fd, listener in self._listeners.items():
            listener.setblocking(False)
            self._epoll.register(fd, select.EPOLLIN)
        self._turns: set[Turn] = set()
        self._free_turns = Semaphore(min(self.at_once, self.cfg.threads))
        for _ in range(self.cfg.threads):
            Thread(target=self._serve, daemon=True).start()
        while self.alive and self.is_parent_alive():
            self.notify()
            self._rest()
            self._relieve()
            self._hang_up(time.monotonic())
            self._listen()
        self._stop()

    def _stop(self) -> None:
        """Answers what has come, and what clients send before they learn that this is the end."""
        self.alive = False
        self._listen()
        begun = time.monotonic()
        while self._connections and (now := time.monotonic()) < begun + self.cfg.graceful_timeout:
            self.notify()
            self._relieve()
            self._hang_up(now, idle=now >= begun + STOP_KEEPALIVE_LINGER)
            time.sleep(LAST_ROUND_SECONDS)

    def _rest(self) -> None:
        """For a moment, or until a signal comes."""
        woken, _, _ = select.select([self.PIPE[0]], [], [], LONG_SECONDS)
        if woken:
            os.read(self.PIPE[0], 4096)

    def _relieve(self) -> None:
        """Whoever is at one answer for long has no further turn after it, and another thread has one now."""
        late = time.monotonic() - LONG_SECONDS
        for turn in self._turns.copy():
            since = turn.since
            if since is not None and since < late:
                turn.is_over = True
                self._turns.discard(turn)
                self._free_turns.release()

    def _hang_up(self, now: float, *, idle: bool = False) -> None:
        """On those who waited too long, or on all who may still ask for something.

        This ends reading, as if the client had gone, and the thread that is told of it closes. Were it closed here,
        a thread told of a request at this moment would look for its number, and find a new connection with the same.
        """
        late = {fd: c for fd, c in self._waiting.copy().items() if c.until <= now or (idle and not c.is_over)}
        poll = select.poll()
        for fd in late:
            poll.register(fd, select.POLLIN)
        for fd, _event in poll.poll(0):
            del late[fd]  # its request has come, and waits for a thread
        for connection in late.values():
            with suppress(OSError):  # a thread closed it a moment ago
                connection.sock.shutdown(SHUT_RD)

    def _has_room(self) -> bool:
        return self.alive and len(self._connections) < self.worker_connections

    def _listen(self) -> None:
        """As long as there is room for more connections."""
        with self._door:
            for fd in self._listeners:
                self._epoll.modify(fd, select.EPOLLIN if self._has_room() else 0)

    # -- In every thread -----------------------------------------------------------------------------

    def _serve(self) -> None:
        while self._free_turns.acquire():
            turn = Turn()
            self._turns.add(turn)
            while not turn.is_over:
                for fd, event in self._epoll.poll(maxevents=1):
                    turn.since = time.monotonic()
                    try:
                        if fd in self._listeners:
                            self._accept(fd)
                        else:
                            self._go_on(self._waiting.pop(fd), is_gone=bool(event & GONE))
                    except BaseException:  # an application may even call sys.exit: the others still need this thread
                        self.log.exception("A connection failed")
                    turn.since = None

    def _accept(self, fd: int) -> None:
        with self._door:
            if not self._has_room():
                self._epoll.modify(fd, 0)
                return
            try:
                client, address = self._listeners[fd].accept()
            except (BlockingIOError, ConnectionAbortedError):
                return  # another thread or worker was faster, or the client is gone
            except OSError as error:
                self.log.warning("No connection can be accepted: %s", error)
                self._epoll.modify(fd, 0)  # there may be too many open files: it is tried again in the next round
                return
            connection = Connection(self.cfg, client, address, self._listeners[fd].getsockname())
            self._connections.add(connection)
        connection.until = time.monotonic() + self.cfg.keepalive
        self._waiting[client.fileno()] = connection
        self._epoll.register(client.fileno(), ONCE)
        self._listen()

    def _go_on(self, connection: Connection, *, is_gone: bool) -> None:
        try:
            if connection.is_over:
                self._drain(connection)
                return
            come = connection.peek()
            request = outline(come)
            if len(come) >= request.size:
                self._answer(connection, request)
            elif is_gone or not come:
                self._end(connection)
            else:
                self._wait_for_more(connection, request)
        except RefusedRequest as refused:
            write_error(connection.sock, refused.status, refused.reason, "")
            self._end(connection)
        except OSError:
            self._close(connection)  # the client is gone
        except BaseException:
            self._close(connection)
            raise

    def _wait_for_more(self, connection: Connection, request: Outline) -> None:
        if not connection.is_arriving:
            connection.is_arriving = True
            connection.until = time.monotonic() + REQUEST_SECONDS
        if request.expects and not connection.may_go_on:
            connection.may_go_on = True
            connection.sock.send(b"HTTP/1.1 100 Continue\r\n\r\n", MSG_DONTWAIT)
        if request.size - connection.buffered <= connection.bytes_awaited:
            connection.read_on()  # told before they were there: the kernel has no room for so many
        connection.await_bytes(request.size - connection.buffered)
        self._wait(connection, connection.until)

    def _answer(self, connection: Connection, request: Outline) -> None:
        connection.await_bytes(1)
        connection.is_cut = request.is_cut
        connection.parser.unreader.mxchunk = max(1, request.size - connection.buffered)  # and no byte of the next
        stays = self.handle(connection) and not connection.buffered
        connection.is_arriving = connection.may_go_on = False
        if stays:
            self._wait(connection, time.monotonic() + self.cfg.keepalive)
        else:
            self._end(connection)

    def handle_request(self, request: Any, connection: Connection) -> bool:
        """The head and the body of an answer in one packet: gunicorn sends one after the other, and wakes twice."""
        if connection.is_cut:
            request.force_close()  # or this thread would read what is refused
        request._expected_100_continue &= not connection.may_go_on  # it was told already
        connection.sock.setsockopt(IPPROTO_TCP, TCP_CORK, 1)
        try:
            return bool(super().handle_request(request, connection))
        finally:
            with suppress(OSError):  # after a fault in the middle of an answer, gunicorn has closed it
                connection.sock.setsockopt(IPPROTO_TCP, TCP_CORK, 0)

    def _end(self, connection: Connection) -> None:
        """Lets the client read to the end before it closes (RFC 9112 section 9.6), and no thread wait for that."""
        connection.is_over = True
        connection.await_bytes(1)
        connection.sock.shutdown(SHUT_WR)
        self._wait(connection, time.monotonic() + HANG_UP_SECONDS)

    def _drain(self, connection: Connection) -> None:
        if connection.sock.recv(65536, MSG_DONTWAIT) and connection.until > time.monotonic():
            self._wait(connection, connection.until)
        else:
            self._close(connection)

    def _wait(self, connection: Connection, until: float) -> None:
        fd = connection.sock.fileno()
        connection.until = until
        self._waiting[fd] = connection
        self._epoll.modify(fd, ONCE)

    def _close(self, connection: Connection) -> None:
        self._connections.discard(connection)
        connection.close()
        self._listen()


class ManyAtOnce(Worker):
    """For answers that wait for a database elsewhere more than they work."""

    at_once = 1000
