"""Calls the servers of apps over HTTP, at addresses that an operator entered: for log-out and for their keys.

Such an address must not reach what is inside the site's network. So the name is resolved once, each result is judged,
and the connection goes to a result that was judged: a name that resolves to another address a moment later (DNS
rebinding) changes nothing. No redirect is followed, no proxy of the environment is used, and nothing is sent twice.
The time-out of a call includes the resolution of the name.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPException
from urllib.parse import SplitResult, urlencode, urlsplit

from ..domain.app_addresses import OWN_PORTS
from ..domain.network_addresses import is_allowed, is_loopback
from ..domain.ports import Refused, ServerAnswer, Unreachable
from .deadline import Deadline

SERVER = "the app's server"  # how every error begins
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
Resolve = Callable[[str, int], Sequence[str]]


def resolved(name: str, port: int) -> list[str]:
    """The network addresses of a name, each once, in the order in which the system would try them. Raises `OSError`."""
    found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class HttpRequests:
    def __init__(
        self,
        networks: Sequence[str],
        timeout_seconds: int,
        longest_answer: int,
        ssl_context: ssl.SSLContext | None = None,
        resolve: Resolve = resolved,
    ) -> None:
        """`networks` are the private ones that every app may name; `timeout_seconds` limits a whole call, and
        `longest_answer` the bytes that are read of a body. Without `ssl_context` the system's authorities are trusted.
        """
        self._networks, self._timeout, self._longest = tuple(networks), timeout_seconds, longest_answer
        self._ssl_context, self._resolve = ssl_context, resolve

    def post(self, url: str, form: Mapping[str, str], networks: Sequence[str]) -> ServerAnswer:
        return self._call("POST", url, urlencode(form).encode(), FORM, networks)

    def get(self, url: str, networks: Sequence[str]) -> ServerAnswer:
        return self._call("GET", url, None, {}, networks)

    def _call(
        self, verb: str, url: str, body: bytes | None, headers: Mapping[str, str], networks: Sequence[str]
    ) -> ServerAnswer:
        parts, port = _parsed(url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        with Deadline(self._timeout) as deadline:
            try:
                with closing(HTTPConnection(parts.netloc)) as connection:
                    # an open socket: the connection resolves nothing and opens no other one
                    connection.sock = self._opened(parts, port, networks, deadline)
                    more = {"Host": parts.netloc, "Accept": "application/json", "Connection": "close", **headers}
                    connection.request(verb, target, body, more)
                    with closing(connection.getresponse()) as answer:
                        body = answer.read(self._longest)
                    if deadline.has_passed:  # it closed the connection, which looks like the end of the body
                        raise TimeoutError
                    return ServerAnswer(answer.status, body)
            except (OSError, HTTPException, ValueError) as error:  # ValueError: the size of a chunk is no number
                raise Unreachable(f"{SERVER} {self._reason(error, deadline)}") from None

    def _opened(self, parts: SplitResult, port: int, networks: Sequence[str], deadline: Deadline) -> socket.socket:
        """A connection to an address that was judged, with TLS for the name."""
        name = parts.hostname or ""
        found = deadline.within(lambda: self._resolve(name, port))
        connection = _connected(self._judged(parts.scheme, found, networks), port, deadline)
        try:
            deadline.watch(connection)
            connection.settimeout(deadline.left)
            return (
                connection if parts.scheme == "http" else self._context().wrap_socket(connection, server_hostname=name)
            )
        except BaseException:
            connection.close()
            raise

    def _judged(self, scheme: str, found: Sequence[str], networks: Sequence[str]) -> list[str]:
        """Those of the addresses that may be called. Raises `Refused` when there is none."""
        allowed = [address for address in found if is_allowed(address, (*self._networks, *networks))]
        if not allowed:
            raise Refused(f"{SERVER} is at a private address that NIGHTLATCH_PRIVATE_ADDRESSES does not have")
        if scheme == "http" and not all(is_loopback(address) for address in allowed):
            raise Refused(f"{SERVER} is on another machine, so its address needs https")
        return allowed

    def _context(self) -> ssl.SSLContext:
        if self._ssl_context is None:
            self._ssl_context = ssl.create_default_context()  # once, because it reads files
        return self._ssl_context

    def _reason(self, error: Exception, deadline: Deadline) -> str:
        """Class names and texts of the system only: other texts may quote what was sent."""
        if deadline.has_passed or isinstance(error, TimeoutError):
            return f"took longer than {self._timeout} s"
        match error:
            case socket.gaierror():
                return "has a name that was not found"
            case ssl.SSLCertVerificationError():
                return f"has a certificate that is not trusted: {error.verify_message}"
            case ssl.SSLError():
                return f"speaks no TLS: {error.reason}"
            case OSError() if error.strerror:
                return f"can't be reached: {error.strerror}"
        return f"does not speak HTTP ({type(error).__name__})"


def _parsed(url: str) -> tuple[SplitResult, int]:
    parts = urlsplit(url)
    if parts.scheme not in OWN_PORTS or not parts.hostname or "@" in parts.netloc:
        raise Refused(f"{SERVER} has an address that is neither https nor http")
    return parts, parts.port or OWN_PORTS[parts.scheme]


def _connected(addresses: Sequence[str], port: int, deadline: Deadline) -> socket.socket:
    """A connection to the first address that answers. Raises the `OSError` of the last one."""
    *others, last = addresses
    for tried, address in enumerate(others):
        with suppress(OSError):
            # a part of the time for each, so that IPv4 is tried when an IPv6 route does not work
            return socket.create_connection((address, port), deadline.left / (len(addresses) - tried))
    return socket.create_connection((last, port), deadline.left)
