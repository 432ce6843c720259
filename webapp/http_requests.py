"""When a request has come whole, told from the bytes that wait in its socket and that nobody has read."""

from __future__ import annotations

import re
from socket import MSG_DONTWAIT, MSG_PEEK, socket

USUAL_BYTES = 8 * 1024
LONGEST_HEAD = 32 * 1024
LONGEST_AWAITED = 128 * 1024
"""Of head and body together: the site refuses what is longer by the head alone."""
CONTENT_LENGTH = re.compile(rb"(?i)\r\ncontent-length:[ \t]*(\d{1,9})")
EXPECTS = re.compile(rb"(?i)\r\nexpect:")


class HeadTooLong(Exception):
    pass


def bytes_awaited(come: bytes) -> int:
    """How many bytes of a request there must be before it is worth looking again, given those that there are.

    0 when it is whole, or gunicorn's to refuse. Raises `HeadTooLong`.
    """
    end = come.find(b"\r\n\r\n")
    if end < 0:
        if len(come) > USUAL_BYTES and b"\r\n" not in come:
            return 0  # gunicorn says what is wrong with such a first line
        if len(come) > LONGEST_HEAD:
            raise HeadTooLong
        return len(come) + 1
    length = CONTENT_LENGTH.search(come, 0, end)
    if length is None or EXPECTS.search(come, 0, end):
        return 0
    whole = end + 4 + int(length[1])
    return whole if len(come) < whole <= LONGEST_AWAITED else 0


def peek(client: socket) -> bytes:
    """What has come and nobody has read."""
    come = client.recv(USUAL_BYTES, MSG_PEEK | MSG_DONTWAIT)
    return come if len(come) < USUAL_BYTES else client.recv(LONGEST_AWAITED, MSG_PEEK | MSG_DONTWAIT)
