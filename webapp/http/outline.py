"""When a request has come whole, told from the bytes that wait for it to be read."""

from __future__ import annotations

import re
from dataclasses import dataclass

LONGEST_LINE = 8 * 1024
LONGEST_HEAD = 32 * 1024
LONGEST_AWAITED = 128 * 1024
"""Of head and body together. What is longer the site refuses by the head alone."""
CONTENT_LENGTH = re.compile(rb"(?i)\r\ncontent-length:([^\r\n]*)")
CHUNKED = re.compile(rb"(?i)\r\ntransfer-encoding:")
EXPECTS = re.compile(rb"(?i)\r\nexpect:")


class RefusedRequest(Exception):
    """With a status of RFC 9110 and its reason: nothing behind such a request can be told from it."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(status, reason)
        self.status = status
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Outline:
    """Of the request that comes first."""

    size: int
    """In bytes, with its body; while its head has no end, one more than there are."""
    expects: bool = False
    """Its client waits for word before it sends the body (RFC 9110 section 10.1.1)."""
    is_cut: bool = False
    """It is too long: `size` is its head's, and the connection ends with its answer."""


def outline(come: bytes) -> Outline:
    """Of whatever has come. Raises `RefusedRequest`."""
    end = come.find(b"\r\n\r\n")
    if end < 0:
        if len(come) > LONGEST_LINE and b"\r\n" not in come:
            raise RefusedRequest(414, "URI Too Long")
        if len(come) > LONGEST_HEAD:
            raise RefusedRequest(431, "Request Header Fields Too Large")
        return Outline(len(come) + 1)
    head, size = come[:end], end + 4
    if CHUNKED.search(head):
        raise RefusedRequest(411, "Length Required")  # no browser's form comes in chunks
    lengths = CONTENT_LENGTH.findall(head)
    if not lengths:
        return Outline(size)
    length = lengths[0].strip(b" \t")
    if len(lengths) > 1 or not length.isdigit():
        raise RefusedRequest(400, "Bad Request")
    length = length.lstrip(b"0") or b"0"
    if len(length) > 9 or size + int(length) > LONGEST_AWAITED:
        return Outline(size, is_cut=True)
    return Outline(size + int(length), expects=bool(EXPECTS.search(head)))
