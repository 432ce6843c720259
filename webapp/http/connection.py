"""What a worker knows of one client's connection, and what it asks of its socket."""

from __future__ import annotations

import struct
from os import SEEK_END
from socket import MSG_DONTWAIT, MSG_PEEK, SO_RCVLOWAT, SO_RCVTIMEO, SO_SNDTIMEO, SOL_SOCKET, socket
from typing import Any

from gunicorn.workers.gthread import TConn

from .outline import LONGEST_AWAITED

USUAL_BYTES = 8 * 1024
"""Of a request. A longer one is looked at twice."""
STALL = struct.pack("ll", 10, 0)
"""Seconds and microseconds that a thread waits for a client to send or read on."""


class Connection(TConn):  # type: ignore[misc]  # gunicorn ships no types
    """Of one client. It waits for a request or, after the last answer, for the client to hang up."""

    is_over = False
    until = 0.0
    """When waiting ends, by the monotonic clock."""
    bytes_awaited = 1
    """So many must wait in the kernel before a thread is told."""
    is_arriving = False
    """A request has begun to come."""
    may_go_on = False
    """Its client asked whether to send the body, and was told to."""
    is_cut = False
    """The request at hand is too long to be read to its end."""

    def __init__(self, cfg: Any, client: socket, address: Any, server: Any) -> None:
        super().__init__(cfg, client, address, server)
        self.data_ready = True  # by the time that a thread has it
        self.init()
        for waits in (SO_RCVTIMEO, SO_SNDTIMEO):
            client.setsockopt(SOL_SOCKET, waits, STALL)

    def await_bytes(self, number: int) -> None:
        if number != self.bytes_awaited:
            self.bytes_awaited = number
            self.sock.setsockopt(SOL_SOCKET, SO_RCVLOWAT, number)

    @property
    def buffered(self) -> int:
        """Bytes that were read and not used yet."""
        return len(self.parser.unreader.buf.getbuffer())

    def peek(self) -> bytes:
        """What has come and was not used, without reading it."""
        come: bytes = self.sock.recv(USUAL_BYTES, MSG_PEEK | MSG_DONTWAIT)
        if len(come) == USUAL_BYTES:
            come = self.sock.recv(LONGEST_AWAITED, MSG_PEEK | MSG_DONTWAIT)
        return self.parser.unreader.buf.getvalue() + come if self.buffered else come

    def read_on(self) -> None:
        """So that the kernel has room for more."""
        buffer = self.parser.unreader.buf
        buffer.seek(0, SEEK_END)
        buffer.write(self.sock.recv(LONGEST_AWAITED, MSG_DONTWAIT))
