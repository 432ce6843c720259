"""A gunicorn worker in which every thread waits for the next request itself, and answers it.

gunicorn's own threaded worker has one thread that waits and hands each request on to another: two changes of thread
a request, and on busy cores those cost more than the reading and writing. How requests are read and answered,
when connections stay open, and how processes start and stop is gunicorn's own here as well.
"""

from __future__ import annotations

import os
import select
import time
from socket import MSG_DONTWAIT, SHUT_WR, socket
from threading import Thread

from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, TConn, ThreadWorker

ONCE = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLONESHOT
"""One thread is told, and nobody again until the connection waits anew."""
HANG_UP_SECONDS = 2.0
ROUND_SECONDS = 1.0
LAST_ROUND_SECONDS = 0.05


class Connection(TConn):  # type: ignore[misc]  # gunicorn ships no types
    """Of one client. It waits for a request or, after the last answer, for the client to hang up."""

    is_over = False
    until = 0.0
    """When waiting ends, by the monotonic clock."""


class Worker(ThreadWorker):  # type: ignore[misc]  # the same
    def run(self) -> None:
        self._epoll = select.epoll()
        self._connections: set[Connection] = set()
        self._waiting: dict[int, Connection] = {}  # whoever takes one out has it to himself
        self._listeners: dict[int, socket] = {listener.fileno(): listener for listener in self.sockets}
        for fd, listener in self._listeners.items():
            listener.setblocking(False)
            self._epoll.register(fd, select.EPOLLIN)
        for _ in range(self.cfg.threads):
            Thread(target=self._serve, daemon=True).start()
        while self.alive and self.is_parent_alive():
            self.notify()
            self._rest()
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
            self._hang_up(now if now < begun + STOP_KEEPALIVE_LINGER else float("inf"))
            time.sleep(LAST_ROUND_SECONDS)

    def _rest(self) -> None:
        """For a second, or until a signal comes."""
        woken, _, _ = select.select([self.PIPE[0]], [], [], ROUND_SECONDS)
        if woken:
            os.read(self.PIPE[0], 4096)

    def _hang_up(self, now: float) -> None:
        """On those who waited too long."""
        for fd, connection in list(self._waiting.items()):
            if connection.until <= now and self._waiting.pop(fd, None) is not None:
                self._close(connection)

    def _listen(self) -> None:
        """As long as there is room for more connections."""
        room = self.alive and len(self._connections) < self.worker_connections
        for fd in self._listeners:
            self._epoll.modify(fd, select.EPOLLIN if room else 0)

    # -- In every thread -----------------------------------------------------------------------------

    def _serve(self) -> None:
        while True:
            for fd, _event in self._epoll.poll(maxevents=1):
                try:
                    self._go_on(fd)
                except Exception:
                    self.log.exception("A connection failed")

    def _go_on(self, fd: int) -> None:
        if fd in self._listeners:
            self._accept(self._listeners[fd])
            return
        connection = self._waiting.pop(fd, None)
        if connection is None:
            return  # another took it out a moment ago
        if connection.is_over:
            self._drain(connection)
        elif self._answer(connection):
            self._wait(connection, self.cfg.keepalive)
        else:
            self._end(connection)

    def _accept(self, listener: socket) -> None:
        try:
            client, address = listener.accept()
        except OSError:
            return  # another thread or worker was faster, or the client is gone
        connection = Connection(self.cfg, client, address, listener.getsockname())
        connection.data_ready = True  # by the time that a thread has it
        self._connections.add(connection)
        self._epoll.register(client.fileno(), 0)
        self._wait(connection, self.cfg.keepalive)
        self._listen()

    def _answer(self, connection: Connection) -> bool:
        """True when another request may follow."""
        stays = bool(self.handle(connection))
        while stays and connection.parser.unreader.buf.getvalue():  # one that came with the last is not told of again
            stays = bool(self.handle(connection))
        return stays

    def _wait(self, connection: Connection, seconds: float) -> None:
        fd = connection.sock.fileno()
        connection.until = time.monotonic() + seconds
        self._waiting[fd] = connection
        self._epoll.modify(fd, ONCE)

    def _end(self, connection: Connection) -> None:
        """Lets the client read to the end before it closes (RFC 9112 section 9.6), and no thread wait for that."""
        connection.is_over = True
        try:
            connection.sock.shutdown(SHUT_WR)
            self._wait(connection, HANG_UP_SECONDS)
        except OSError:
            self._close(connection)

    def _drain(self, connection: Connection) -> None:
        try:
            more = connection.sock.recv(65536, MSG_DONTWAIT)
        except OSError:
            more = b""
        if more and connection.until > time.monotonic():
            self._wait(connection, connection.until - time.monotonic())
        else:
            self._close(connection)

    def _close(self, connection: Connection) -> None:
        self._connections.discard(connection)
        connection.close()
        self._listen()
